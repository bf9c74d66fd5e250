"""The chain over the audit log: whatever is altered, taken out or put in is found and named."""

from dataclasses import fields, replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services import audit
from services.audit import Entry, Verdict
from services.store import audit as audit_rows
from services.store.audit import AuditRow
from services.store.sqlite import SqliteConnection
from tests.support.clock import START
from tests.support.stores import memory_database

names = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
entries = st.builds(
    Entry,
    actor=names,
    action=st.sampled_from(["released", "withheld", "looked"]),
    organisation_id=st.none() | names,
    home_id=st.none() | names,
    subject=names,
    purpose=names,
    details=names,
)
logs = st.lists(entries, min_size=1, max_size=6)
FIELDS = [field.name for field in fields(AuditRow)]


def written(log: list[Entry]) -> list[AuditRow]:
    """The log as rows, as the store gives them back."""
    connection = memory_database()
    for number, entry in enumerate(log):
        audit.note(connection, entry, at=START + number * timedelta(seconds=1))
    rows = list(audit_rows.entries(connection))
    connection.close()
    return rows


def changed(row: AuditRow, field: str, draw: Any) -> AuditRow:
    """The row with another value in one field."""
    values: dict[str, st.SearchStrategy[Any]] = {
        "number": st.integers(1, 99),
        "at": st.integers(0, 2**60),
        "organisation_id": st.none() | names,
        "home_id": st.none() | names,
        "hash": st.text("0123456789abcdef", min_size=64, max_size=64),
    }
    value = draw(values.get(field, names).filter(lambda new: new != getattr(row, field)))
    return replace(row, **{field: value})


@given(log=logs)
def test_a_chain_as_it_was_written_is_whole(log: list[Entry]) -> None:
    assert audit.verify(written(log)) == Verdict(entries=len(log), first_bad=None)


def test_an_empty_chain_is_whole() -> None:
    assert audit.verify([]) == Verdict(entries=0, first_bad=None)


@given(log=logs, field=st.sampled_from(FIELDS), data=st.data())
def test_any_changed_field_of_any_row_is_found_and_named(
    log: list[Entry], field: str, data: st.DataObject
) -> None:
    rows = written(log)
    index = data.draw(st.integers(0, len(rows) - 1))
    rows[index] = changed(rows[index], field, data.draw)

    verdict = audit.verify(rows)

    assert verdict.first_bad == rows[index].number
    assert verdict.entries == index + 1


@given(log=st.lists(entries, min_size=2, max_size=6), data=st.data())
def test_a_row_that_was_taken_out_is_missed(log: list[Entry], data: st.DataObject) -> None:
    rows = written(log)
    index = data.draw(st.integers(0, len(rows) - 2))
    del rows[index]

    assert audit.verify(rows).first_bad == rows[index].number


@given(log=st.lists(entries, min_size=2, max_size=6), data=st.data())
def test_rows_that_changed_places_are_found(log: list[Entry], data: st.DataObject) -> None:
    rows = written(log)
    index = data.draw(st.integers(0, len(rows) - 2))
    rows[index], rows[index + 1] = rows[index + 1], rows[index]

    assert audit.verify(rows).first_bad == rows[index].number


@given(log=logs, data=st.data())
def test_a_row_that_was_altered_and_sealed_anew_breaks_the_one_behind_it(
    log: list[Entry], data: st.DataObject
) -> None:
    """Whoever can write the table can forge one row, but not without all that follow."""
    rows = written([*log, Entry(actor="hub", action="released")])
    index = data.draw(st.integers(0, len(rows) - 2))
    altered = replace(rows[index], actor=rows[index].actor + "!")
    rows[index] = audit._sealed(altered, rows[index - 1].hash if index else "")

    assert audit.verify(rows).first_bad == rows[index + 1].number


def test_entries_are_numbered_from_one_and_stamped(database: SqliteConnection) -> None:
    audit.note(database, audit.look("operator", "alarm list", "h-1"), at=START)
    audit.note(database, Entry(actor="hub", action="released"), at=START)

    [first, second] = audit_rows.entries(database)
    assert [first.number, second.number] == [1, 2]
    assert (first.actor, first.action, first.home_id, first.details) == (
        "operator",
        "looked",
        "h-1",
        "alarm list",
    )
    assert first.at == int(START.timestamp() * 1_000_000)


@pytest.mark.parametrize("field", ["organisation_id", "home_id"])
def test_nothing_and_an_empty_text_are_not_the_same(field: str) -> None:
    [row] = written([Entry(actor="a", action="b", **{field: None})])  # type: ignore[arg-type]

    assert audit.verify([replace(row, **{field: ""})]).first_bad == 1  # type: ignore[arg-type]
