"""Residents come back as they were written; who they are leaves nothing behind once it is erased."""

from dataclasses import replace
from datetime import timedelta

import pytest

from devices.kinds import HomeId
from services.domain.ids import ResidentId
from services.domain.residents import Resident
from services.store import residents
from tests.support.clock import START
from tests.support.rows import HOME
from tests.support.stores import Database, StoreUnderTest

ANNA = Resident(id=ResidentId("r-1"), home_id=HOME.id, is_permanent=True, moved_in_at=START)
GUEST = replace(
    ANNA, id=ResidentId("r-2"), is_permanent=False, moved_out_at=START + timedelta(microseconds=1)
)
SEALED = {id_: f"who {id_} is; ".encode() * 30 for id_ in ("r-1", "r-2")}
LATER = START + timedelta(days=1)


@pytest.fixture
def kept(settled: Database) -> Database:
    """The same, with both."""
    with settled.transaction():
        for resident in (GUEST, ANNA):
            residents.add(settled, resident, sealed=SEALED[resident.id])
    return settled


def test_a_resident_comes_back_as_written_also_after_a_restart(kept: Database, store: StoreUnderTest) -> None:
    again = store.reopen()

    assert [residents.get(again, id_) for id_ in ("r-1", "r-2", "r-3")] == [ANNA, GUEST, None]
    assert residents.sealed(again, "r-1") == SEALED["r-1"]
    assert residents.sealed(again, "r-3") is None
    assert kept is not again


def test_residents_are_listed_by_id_of_a_home_or_of_all(kept: Database) -> None:
    assert residents.residents(kept, limit=10) == [ANNA, GUEST]
    assert residents.residents(kept, limit=1) == [ANNA]
    assert residents.residents(kept, home_id=HOME.id, after="r-1", limit=10) == [GUEST]
    assert residents.residents(kept, home_id="h-9", limit=10) == []


def test_who_has_moved_out_does_not_live_there(kept: Database) -> None:
    assert residents.living_in(kept, HOME.id) == [ANNA]


def test_what_can_change_is_written_and_the_home_cannot(kept: Database) -> None:
    changed = replace(ANNA, is_permanent=False, moved_in_at=START - timedelta(days=1), moved_out_at=LATER)

    with kept.transaction():
        residents.update(kept, replace(changed, home_id=HomeId("h-9")))

    assert residents.get(kept, "r-1") == changed


@pytest.mark.parametrize("is_erased", [True, False], ids=["erased", "sealed anew"])
def test_the_old_seal_is_overwritten_in_the_file(
    kept: Database,
    store: StoreUnderTest,
    is_erased: bool,  # noqa: FBT001 - a case
) -> None:
    with kept.transaction():
        if is_erased:
            residents.erase(kept, replace(ANNA, erased_at=LATER))
        else:
            residents.seal(kept, "r-1", b"new")

    assert residents.sealed(kept, "r-1") == (None if is_erased else b"new")
    kept.rows("PRAGMA wal_checkpoint(TRUNCATE)")
    (path,) = [row[2] for row in kept.rows("PRAGMA database_list")]
    store.close()
    with open(path, "rb") as file:  # noqa: PTH123 - a name from the database
        content = file.read()
    assert b"who r-1 is" not in content, "not a piece of it"
    assert SEALED["r-2"] in content


def test_an_id_is_one_resident(kept: Database, store: StoreUnderTest) -> None:
    with pytest.raises(store.rule_broken), kept.transaction():
        residents.add(kept, ANNA, sealed=b"")
