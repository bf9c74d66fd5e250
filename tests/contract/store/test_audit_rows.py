"""The audit log is append-only, in the database itself."""

from dataclasses import replace

import pytest

from services.store import audit
from services.store.audit import AuditRow
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


def test_entries_can_be_asked_for_newest_first_by_home_and_organisation(db: Database) -> None:
    second = replace(ROW, number=2, home_id="h-2")
    third = replace(ROW, number=3, organisation_id="beta")

    append(db, ROW, second, third)

    assert audit.newest(db, home_id=None, organisation_id=None, limit=2) == [third, second]
    assert audit.newest(db, home_id="h-1", organisation_id=None, limit=9) == [third, ROW]
    assert audit.newest(db, home_id="h-1", organisation_id="beta", limit=9) == [third]
    assert audit.newest(db, home_id="h-9", organisation_id=None, limit=9) == []
