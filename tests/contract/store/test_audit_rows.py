"""The audit log is append-only, in the database itself."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import pytest

from services.store import audit
from services.store.audit import AuditRow, Wanted
from tests.support import log
from tests.support.stores import Database, StoreUnderTest

ROW = AuditRow(
    number=1,
    at=1_763_885_702_120_001,
    actor="operator",
    action="granted",
    organisation_id="acme",
    home_id="h-1",
    subject="g-1",
    purpose="answers alarms",
    details="safety, steg 1",
    hash="abc",
)


def append(db: Database, *rows: AuditRow) -> None:
    with db.transaction():
        for row in rows:
            audit.append(db, row)


def test_an_entry_comes_back_as_it_was_written(db: Database) -> None:
    bare = replace(ROW, number=2, organisation_id=None, home_id=None, subject="", purpose="", details="")

    append(db, ROW, bare)

    assert list(audit.entries(db)) == [ROW, bare]


def test_the_last_entry_is_known_by_number_and_hash(db: Database) -> None:
    before = audit.last(db)

    append(db, ROW, replace(ROW, number=2, hash="def"))

    assert (before, audit.last(db)) == ((0, ""), (2, "def"))


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE audit SET actor = 'somebody else' WHERE number = 1",
        "UPDATE audit SET hash = hash",
        "DELETE FROM audit WHERE number = 1",
        "DELETE FROM audit",
    ],
)
def test_an_entry_can_be_neither_changed_nor_taken_out(
    db: Database, store: StoreUnderTest, statement: str
) -> None:
    append(db, ROW)

    with pytest.raises(store.rule_broken, match="append-only"), db.transaction():
        db.run(statement)

    assert list(audit.entries(db)) == [ROW]


def test_a_number_is_used_once(db: Database, store: StoreUnderTest) -> None:
    append(db, ROW)

    with pytest.raises(store.rule_broken):
        append(db, ROW)


def test_every_entry_is_read_across_pages_in_order(db: Database) -> None:
    rows = [replace(ROW, number=number) for number in range(1, 2_502)]

    append(db, *rows)

    assert [row.number for row in audit.entries(db)] == list(range(1, 2_502))


def numbers(found: Iterable[AuditRow]) -> list[int]:
    return [row.number for row in found]


def test_entries_can_be_asked_for_newest_first_by_whom_they_are_about_and_who_it_was(db: Database) -> None:
    second = replace(ROW, number=2, home_id="h-2", actor="hub")
    third = replace(ROW, number=3, organisation_id="beta", resident_id="r-1")
    append(db, ROW, second, third)

    def asked(limit: int = 9, **members: Any) -> list[int]:
        return numbers(audit.newest(db, Wanted(**members), limit=limit))

    assert asked(limit=2) == [3, 2]
    assert asked(home_id="h-1") == [3, 1]
    assert asked(home_id="h-1", organisation_id="beta") == [3]
    assert asked(home_id="h-9") == []
    assert asked(resident_id="r-1") == [3]
    assert asked(actor="operator") == [3, 1]
    assert asked(actor="hub", organisation_id="acme") == [2]
    assert asked(by_somebody=True) == [3, 1]


def test_entries_are_in_the_order_of_their_times_whatever_their_numbers(db: Database) -> None:
    late, early = replace(ROW, at=20), replace(ROW, number=2, at=10)
    same = replace(ROW, number=3, at=20)
    append(db, late, early, same)

    assert numbers(audit.newest(db, Wanted(), limit=9)) == [3, 1, 2]
    assert numbers(audit.in_order(db, Wanted())) == [2, 1, 3]
    assert numbers(audit.newest(db, Wanted(), before=(20, 3), limit=9)) == [1, 2]
    assert numbers(audit.newest(db, Wanted(since=11), limit=9)) == [3, 1]
    assert numbers(audit.in_order(db, Wanted(until=20))) == [2]


def test_every_entry_of_a_time_is_read_across_pages(db: Database) -> None:
    append(db, *(replace(ROW, number=number, at=number // 100) for number in range(1, 2_502)))

    assert numbers(audit.in_order(db, Wanted(home_id="h-1"))) == list(range(1, 2_502))


@pytest.mark.parametrize(
    ("wanted", "index"),
    [
        (Wanted(), "audit_at"),
        (Wanted(since=1, until=9), "audit_at"),
        (Wanted(by_somebody=True, since=1), "audit_at"),
        (Wanted(home_id="h", organisation_id="o", actor="a"), "audit_of_home"),
        (Wanted(resident_id="r", organisation_id="o"), "audit_of_resident"),
        (Wanted(actor="token:t", organisation_id="o"), "audit_of_actor"),
        (Wanted(organisation_id="o", since=1), "audit_of_organisation"),
        (Wanted(actor="hub"), "audit_at"),
    ],
    ids=str,
)
def test_no_question_goes_through_the_whole_log_or_sorts_it(
    store: StoreUnderTest, wanted: Wanted, index: str
) -> None:
    heard: list[str] = []

    class Explaining:
        def rows(self, sql: str, *parameters: Any) -> list[Any]:
            heard.extend(str(row[3]) for row in store.database.rows(f"EXPLAIN QUERY PLAN {sql}", *parameters))
            return []

    audit.newest(Explaining(), wanted, before=(5, 5), limit=9)  # type: ignore[arg-type]
    list(audit.in_order(Explaining(), wanted))  # type: ignore[arg-type]

    assert heard
    assert all(f"USING INDEX {index} " in plan for plan in heard), heard


def test_an_entry_before_an_anchor_may_be_deleted_and_no_other(db: Database, store: StoreUnderTest) -> None:
    append(db, ROW, replace(ROW, number=2))
    db.run(
        """INSERT INTO audit_heads (entry, kind, day, number, hash, at, previous, key_id, signature)
           VALUES (9, 'anchor', '', 1, '', 0, '', '', '')"""
    )

    with db.transaction():
        audit.delete_up_to(db, 1)
    with pytest.raises(store.rule_broken, match="append-only"), db.transaction():
        audit.delete_up_to(db, 2)

    assert numbers(audit.entries(db)) == [2]


@pytest.mark.parametrize("table", ["audit", "audit_heads", "audit_samples", "audit_reviews"])
@pytest.mark.parametrize(
    "statement", ["DELETE FROM {}", "UPDATE {} SET at = 1", "REPLACE INTO {} SELECT * FROM {}"]
)
def test_nothing_in_the_logs_tables_can_be_changed_deleted_or_written_over(
    db: Database, store: StoreUnderTest, table: str, statement: str
) -> None:
    with db.transaction():
        log.fill(db)
    before = log.content(db)

    with pytest.raises(store.rule_broken, match="append-only"), db.transaction():
        db.run(statement.format(table, table))

    assert log.content(db) == before


def test_an_entry_that_cannot_be_read_is_told_by_its_number_and_hides_no_other(db: Database) -> None:
    append(db, *(replace(ROW, number=number) for number in (1, 2, 5)))
    append(db, replace(ROW, number=7, details=b"\xff"))  # type: ignore[arg-type]
    db.run("DROP TRIGGER audit_is_append_only_update")
    db.run("UPDATE audit SET details = CAST(details AS TEXT) WHERE number = 7")
    append(db, replace(ROW, number=8))

    found = list(audit.entries(db))

    assert [(row.number, row.format) for row in found] == [(1, 2), (2, 2), (5, 2), (7, 0), (8, 2)]
