"""What one commit holds: all of it or nothing, the same when it is run twice."""

from contextlib import closing
from datetime import timedelta

import pytest

from services.readings.batch import Batch, SetAside
from services.readings.handover import Heard, Said
from services.store import events
from services.store.connection import StoreUnavailableError
from services.store.readings import handovers, journal, unknown
from services.store.readings.recent import Recent
from tests.support.clock import FrozenClock
from tests.support.reading_lane import ReadingLane, pack, readings_database

TABLES = ("journal", "series", "handovers", "quarantine", "rule_states", "device_clocks", "counters")


def everything(lane: ReadingLane) -> dict[str, list[tuple[object, ...]]]:
    """What is on disk, without ids that are made up anew."""
    found = {table: lane.store.rows(f"SELECT * FROM {table}") for table in TABLES}  # noqa: S608 - our names
    return {
        table: [tuple(row[1:]) if table == "quarantine" else tuple(row) for row in rows]
        for table, rows in found.items()
    }


async def hear_of_everything(lane: ReadingLane, clock: FrozenClock) -> None:
    """Certain, doubtful and bad values, a crossing, a wrong clock, garbage."""
    then = clock.now()
    lane.hear("m-1", at=then, humidity=40.0, temperature=300.0)
    lane.hear("m-1", at=then, humidity=40.0)
    lane.hear("m-1", at=then - timedelta(minutes=1), humidity=39.0)
    lane.hear("l-1", leak=1.0)
    lane.hear("m-2", at=then + timedelta(hours=1), humidity=1.0)
    lane.packet("up/m-1/m-1/reading", b"garbage")
    await lane.commit()


async def test_a_batch_that_is_undone_and_run_again_leaves_what_it_would_have_left_at_once(
    lane: ReadingLane, clock: FrozenClock
) -> None:
    with closing(readings_database()) as store:
        undone = ReadingLane(lane.town, store)
        undone.writer.undone = 2

        await hear_of_everything(undone, clock)
        await hear_of_everything(lane, clock)

        assert everything(undone) == everything(lane)
        assert all(everything(lane).values()), "every table had its part in it"


async def test_a_commit_that_fails_acknowledges_nothing_and_leaves_nothing(
    lane: ReadingLane, clock: FrozenClock
) -> None:
    lane.writer.error = StoreUnavailableError("the disk is full")
    before = everything(lane)

    with pytest.raises(StoreUnavailableError):
        await hear_of_everything(lane, clock)

    assert lane.session.acknowledged == []
    assert everything(lane) == before


def test_an_empty_batch_is_nothing_to_commit() -> None:
    assert Batch().is_empty
    assert not Batch(packs=1).is_empty
    assert not Batch(handovers=[Heard(device_id="m-1")]).is_empty
    assert not Batch(rule_states={("p", "r"): ""}).is_empty


async def test_a_reading_that_is_doubtful_twice_in_one_batch_is_stored_once(
    lane: ReadingLane, clock: FrozenClock
) -> None:
    lane.hear("m-1", at=clock.now(), humidity=40.0)
    await lane.commit()
    for value in (38.0, 39.0):
        lane.hear("m-1", at=clock.now() - timedelta(minutes=2), humidity=value)

    stored = await lane.commit()

    assert stored.value.tolist() == [38.0]
    assert lane.counted() == {"received": 3, "stored": 2, "duplicate": 1}


async def test_a_pack_counts_as_stored_when_any_of_it_is_new(lane: ReadingLane, clock: FrozenClock) -> None:
    then = clock.now()
    lane.hear("m-1", at=then, humidity=40.0)
    await lane.commit()

    lane.hear("m-1", at=then, humidity=40.0, temperature=20.0)
    lane.hear("m-1", at=then, humidity=40.0, smell=1.0)
    lane.hear("m-1", at=then, humidity=40.0)
    await lane.commit()

    assert lane.counted() == {"received": 4, "stored": 3, "duplicate": 1}


def test_what_is_handed_over_comes_in_the_order_in_which_it_was_found(
    lane: ReadingLane, clock: FrozenClock
) -> None:
    batch = Batch(handovers=[Heard(device_id=str(number)) for number in range(5)])
    with lane.store.transaction():
        batch.write(lane.store, Recent(journal.unflushed(lane.store), number=0), now=clock.now())

    assert [item.device_id for item in lane.handed_over(Heard)] == list("01234")
    assert handovers.newest(lane.store) == 5


def test_what_is_set_aside_of_one_client_is_bounded_and_all_of_it_is_counted(
    lane: ReadingLane, clock: FrozenClock
) -> None:
    topic = "up/m-1/m-1/reading"
    aside = [
        SetAside(topic=topic, payload=b"x", home_id=None, reason="no", is_whole=True) for _ in range(1_200)
    ]
    batch = Batch(packs=len(aside), set_aside=aside)
    with lane.store.transaction():
        batch.write(lane.store, Recent(journal.unflushed(lane.store), number=0), now=clock.now())

    assert events.counter(lane.store, "reading_quarantined") == 1_200
    assert len(lane.set_aside()) == 1_000
    assert unknown.count(lane.store, "m-1") == 0


async def test_the_counters_outlive_the_process(lane: ReadingLane) -> None:
    for _ in range(2):
        lane.packet("up/m-1/m-1/reading", pack({"n": "humidity", "v": 1}))
        await lane.commit()
        lane.town.clock.advance(timedelta(seconds=1))
        lane.restart()

    assert lane.counted() == {"received": 2, "stored": 2}
    assert lane.handed_over(Said) == []
