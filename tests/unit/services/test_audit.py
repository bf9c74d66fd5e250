"""The chain over the audit log: what each entry's hash is of; see ``inspection`` for what finds a change."""

from dataclasses import fields, replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services import audit
from services.audit import Entry
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
    resident_id=st.none() | names,
    subject=names,
    purpose=names,
    details=names,
)
logs = st.lists(entries, min_size=1, max_size=6)
FIELDS = [field.name for field in fields(AuditRow) if field.name not in {"hash", "format"}]


def written(log: list[Entry]) -> list[AuditRow]:
    """The log as rows, as the store gives them back."""
    connection = memory_database()
    for number, entry in enumerate(log):
        audit.note(connection, entry, at=START + number * timedelta(seconds=1))
    rows = list(audit_rows.entries(connection))
    connection.close()
    return rows


@given(log=logs)
def test_each_entry_has_the_hash_that_it_must_have_behind_the_one_before(log: list[Entry]) -> None:
    previous = ""
    for row in written(log):
        assert row == audit.sealed(row, previous)
        previous = row.hash


@given(log=logs, field=st.sampled_from(FIELDS), data=st.data())
def test_another_value_in_any_field_makes_another_hash(
    log: list[Entry], field: str, data: st.DataObject
) -> None:
    row = written(log)[-1]
    values: dict[str, st.SearchStrategy[Any]] = {"number": st.integers(1, 99), "at": st.integers(0, 2**60)}
    optional = st.none() | names if field.endswith("_id") else names
    value = data.draw(values.get(field, optional).filter(lambda new: new != getattr(row, field)))

    assert audit.sealed(replace(row, **{field: value}), "x").hash != audit.sealed(row, "x").hash


@given(log=logs)
def test_the_format_is_part_of_what_is_hashed(log: list[Entry]) -> None:
    row = written(log)[-1]

    assert audit.sealed(replace(row, format=1), "").hash != audit.sealed(row, "").hash


def test_an_entry_of_the_first_format_keeps_the_hash_that_it_was_given() -> None:
    row = AuditRow(
        number=1,
        at=1_763_885_702_120_001,
        actor="operator",
        action="granted",
        organisation_id="acme",
        home_id="h-1",
        subject="g-1",
        purpose="answers alarms",
        details="safety, steg 1",
        format=1,
        hash="",
    )

    assert audit.sealed(row, "").hash == "e9adc7173e68e5441b869997582f38a6495168ba7c9160f8ed896b14fa6f136e"


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


@pytest.mark.parametrize("field", ["organisation_id", "home_id", "resident_id"])
def test_nothing_and_an_empty_text_are_not_the_same(field: str) -> None:
    [row] = written([Entry(actor="a", action="b")])

    assert audit.sealed(replace(row, **{field: ""}), "").hash != row.hash  # type: ignore[arg-type]
