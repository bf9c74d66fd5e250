"""Shared readings leave once, after the log of it is on disk, and never at the cost of the intake."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gateway.reading import releasing as releasings
from gateway.reading.releasing import LEFT_OUT, Releasing
from services.readings.handover import Released
from services.readings.sharing import Share, Sharing
from services.store import events
from services.store.migrations import READINGS, migrate
from services.store.readings import releases
from services.store.readings.columns import Columns, columns_of
from services.store.sqlite import SqliteConnection
from tests.support.clock import FrozenClock
from tests.support.reading_lane import InstantWriter, ReadingLane, RecordingBulkSession, readings_database
from tests.support.stores import file_database_maker
from tests.support.town import SOURCE, Town

AT_MOST_SECONDS = 10
TOMORROW = 1_000_000


class Outlet:
    """The way out over a lane: what is committed there is offered here."""

    def __init__(self, lane: ReadingLane) -> None:
        self.lane = lane
        self.session = RecordingBulkSession()
        self.sharing = Sharing(lane.town.connection, lane.store, source=SOURCE)
        self.writer = InstantWriter(lane.store)
        self.releasing = Releasing(self.sharing, self.writer, lane.town.clock)

    async def commit(self, **values: Any) -> None:
        self.lane.hear("m-1", **values)
        self.releasing.committed(await self.lane.commit())
        self.lane.town.clock.advance(timedelta(seconds=1))

    async def release(self) -> None:
        await self.releasing._release(self.session)

    def values(self) -> list[float]:
        documents = [json.loads(payload) for _, payload in self.session.published]
        return [record["v"] for document in documents for record in document["data"]]

    def rows(self) -> list[tuple[str, int]]:
        """Organisation and count of each row of the log."""
        found = releases.before(self.lane.store, TOMORROW, limit=99)
        return [(key.organisation_id, row.count) for key, row in found]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return file_database_maker(tmp_path)()


@pytest.fixture
def database(path: Path) -> Iterator[SqliteConnection]:
    """In a file: sharing looks at it in a thread of its own."""
    with closing(SqliteConnection(path)) as connection:
        yield connection


@pytest.fixture
def outlet(lane: ReadingLane) -> Outlet:
    lane.town.grant("acme", "h-1", "climate")
    return Outlet(lane)


async def test_what_is_committed_leaves_once_and_is_counted(outlet: Outlet) -> None:
    await outlet.commit(humidity=40.0)
    await outlet.commit(humidity=41.0)

    await outlet.release()
    await outlet.release()
    await outlet.releasing.settle()

    assert [topic for topic, _ in outlet.session.published] == ["care/acme/reading"]
    assert outlet.values() == [40.0, 41.0]
    assert outlet.rows() == [("acme", 2)]


async def test_the_log_is_on_disk_before_the_first_of_a_day_leaves(
    outlet: Outlet, monkeypatch: pytest.MonkeyPatch
) -> None:
    logged_at_publish: list[list[tuple[str, int]]] = []
    publish = outlet.session.publish

    def look(topic: str, payload: bytes, **options: object) -> bool:
        logged_at_publish.append(outlet.rows())
        return publish(topic, payload, **options)

    monkeypatch.setattr(outlet.session, "publish", look)
    await outlet.commit(humidity=40.0)
    await outlet.release()

    assert logged_at_publish == [[("acme", 0)]]


async def test_a_log_that_cannot_be_written_lets_nothing_leave(outlet: Outlet) -> None:
    await outlet.commit(humidity=40.0)
    outlet.writer.error = OSError("the disk is full")

    with pytest.raises(OSError, match="full"):
        await outlet.release()

    assert outlet.session.published == []


async def test_a_grant_that_ends_while_the_log_is_written_lets_nothing_leave(
    outlet: Outlet, monkeypatch: pytest.MonkeyPatch
) -> None:
    grant = outlet.lane.town.grant("beta", "h-1", "climate")
    write = outlet.writer.write

    async def revoking(work, *, is_urgent=False):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
        if grant.revoked_at is None:
            outlet.lane.town.revoke(grant)
        return await write(work, is_urgent=is_urgent)

    monkeypatch.setattr(outlet.writer, "write", revoking)
    await outlet.commit(humidity=40.0)
    await outlet.release()

    assert [topic for topic, _ in outlet.session.published] == ["care/acme/reading"]


async def test_when_more_waits_than_the_bound_the_oldest_is_left_out_and_counted(
    outlet: Outlet, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(releasings, "WAITING_READINGS", 3)
    outlet.session.is_up = False
    for number in range(5):
        await outlet.commit(humidity=40.0 + number)
        await outlet.release()
    assert outlet.session.published == []

    outlet.session.is_up = True
    await outlet.release()
    await outlet.releasing.settle()

    assert outlet.values() == [42.0, 43.0, 44.0]
    assert events.counter(outlet.lane.store, LEFT_OUT) == 2


async def test_what_the_connection_does_not_take_is_counted_as_left_out_and_not_as_released(
    outlet: Outlet, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outlet.session, "publish", lambda *_, **__: False)
    await outlet.commit(humidity=40.0)
    await outlet.release()
    await outlet.releasing.settle()

    assert outlet.rows() == [("acme", 0)]
    assert events.counter(outlet.lane.store, LEFT_OUT) == 1


async def test_a_day_that_is_past_is_handed_over_for_the_log_and_forgotten(
    outlet: Outlet, clock: FrozenClock
) -> None:
    for _ in range(2):
        await outlet.commit(humidity=40.0)
        await outlet.release()
        await outlet.releasing.settle()
        assert outlet.lane.handed_over(Released) == []
    clock.advance(timedelta(days=1))

    await outlet.releasing.settle()

    [released] = outlet.lane.handed_over(Released)
    assert (released.organisation_id, released.home_id, released.data_class) == ("acme", "h-1", "climate")
    assert (released.count, released.purpose) == (2, "answers alarms")
    assert released.first_at_us < released.last_at_us
    assert outlet.rows() == []


async def test_the_next_day_is_written_down_anew_before_anything_leaves(
    outlet: Outlet, clock: FrozenClock
) -> None:
    await outlet.commit(humidity=40.0)
    await outlet.release()
    clock.advance(timedelta(days=1))
    await outlet.commit(humidity=41.0)
    await outlet.release()

    assert len(outlet.rows()) == 2


async def test_many_days_and_rights_are_handed_over_a_few_at_a_time(
    outlet: Outlet, monkeypatch: pytest.MonkeyPatch, clock: FrozenClock
) -> None:
    monkeypatch.setattr(releasings, "HANDED_OVER_AT_ONCE", 2)
    outlet.lane.town.grant("beta", "h-1", "climate")
    for _ in range(3):
        await outlet.commit(humidity=40.0)
        await outlet.release()
        clock.advance(timedelta(days=1))

    await outlet.releasing.settle()

    assert len(outlet.lane.handed_over(Released)) == 6
    assert sum(released.count for released in outlet.lane.handed_over(Released)) == 6


async def test_the_waiting_is_bounded_by_readings_not_by_commits(outlet: Outlet) -> None:
    block = big(releasings.WAITING_READINGS // 4)
    for _ in range(9):
        outlet.releasing.committed(block)

    assert outlet.releasing._waiting_count == releasings.WAITING_READINGS
    assert len(outlet.releasing._waiting) == 4


def big(count: int) -> Columns:
    column = np.ones(count)
    return columns_of(column, column, column, column)


async def test_by_itself_it_releases_once_a_second_and_settles_once_a_minute(
    outlet: Outlet, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(releasings, "EVERY", timedelta(milliseconds=1))
    await outlet.commit(humidity=40.0)

    async with running(outlet):
        while not outlet.rows() or not outlet.rows()[0][1]:
            await asyncio.to_thread(lambda: None)

    assert outlet.values() == [40.0]


@asynccontextmanager
async def running(outlet: Outlet) -> AsyncIterator[None]:
    async with asyncio.timeout(AT_MOST_SECONDS), asyncio.TaskGroup() as group:
        task = group.create_task(outlet.releasing.run(outlet.session), name="sharing")
        yield
        task.cancel()


def test_shares_are_made_for_whoever_asks_not_for_a_stranger(town: Town) -> None:
    with closing(readings_database()) as store:
        migrate(store, READINGS)
        shares: list[Share] = Sharing(town.connection, store, source=SOURCE).shares([], now=town.now)

    assert shares == []
