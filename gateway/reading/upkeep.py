"""When the readings are put in order: one task, one thing at a time, so that none undoes another's work.

recent is large or old   flush                 a day has ended     one segment a day
16 flushes               merge                 once an hour        what is too old goes
an erasure is asked for  erase, before anything else
now and then             drop what nobody needs: exported journal rows, handovers that are taken
"""

import asyncio
import time
from datetime import timedelta
from functools import partial
from typing import Final

import structlog

from gateway.data_folder import DataFolder
from gateway.export.cursors import exported_to
from gateway.handovers import how_far
from gateway.reading.floor import DiskFloor
from services.domain.clock import Clock
from services.readings.register import Register
from services.readings.rulings import Rulings
from services.readings.states import SeriesStates
from services.readings.upkeep.erase import Erased, Eraser
from services.readings.upkeep.expire import Retention, expire
from services.readings.upkeep.flush import flush
from services.readings.upkeep.merge import merge_days, merge_flushes
from services.store import events
from services.store.connection import to_micros
from services.store.readings import alive, erasures, handovers, journal, segments
from services.store.readings.recent import Recent
from services.store.sqlite import SqliteConnection
from services.store.writer import Writer

EVERY: Final = timedelta(seconds=1)
FLUSH_READINGS: Final = 1_000_000
"""28 MB in memory, and twice that while they are sorted."""

FLUSH_AFTER: Final = timedelta(minutes=5)
ALIVE_EVERY: Final = timedelta(seconds=5)
EXPIRE_EVERY: Final = timedelta(hours=1)
JOURNAL_ROWS_PER_STEP: Final = 20
"""Of 56 kB when the city is busy; what is deleted is overwritten, which takes a millisecond a row."""

HANDOVERS_PER_STEP: Final = 100
PAGES_PER_STEP: Final = 32
STEPS_AT_ONCE: Final = 50
"""Of each kind a second: more than comes, and a backlog does not keep the flush waiting."""

KEPT_ROWS: Final = 1_000
"""They tell which packets the broker may send again after a crash (``gateway.reading.redelivery``)."""

JOURNAL_LIMIT: Final = 500_000
"""Rows that wait for an export target: six hours of a busy city. Then the oldest go, and an operator is
told; ``stadsnav export again`` sends them from the history."""

_log = structlog.get_logger(__name__)


class Upkeep:
    """The order in which things are done."""

    def __init__(
        self,
        *,
        folder: DataFolder,
        writer: Writer,
        reader: SqliteConnection,
        registry_reader: SqliteConnection,
        recent: Recent,
        states: SeriesStates,
        register: Register,
        rulings: Rulings,
        retention: Retention,
        floor: DiskFloor,
        clock: Clock,
    ) -> None:
        self._floor = floor
        self._folder = folder
        self._writer = writer
        self._reader = reader
        self._registry_reader = registry_reader
        self._recent = recent
        self._states = states
        self._register = register
        self._rulings = rulings
        self._retention = retention
        self._clock = clock
        self._flushed_s = self._expired_s = time.monotonic()
        self._alive_again_s, self._started_at = 0.0, clock.now()
        self._eraser = Eraser(writer, reader, registry_reader, recent, clock=clock, forget=self._forget)

    async def run(self) -> None:
        """Do what is due, once a second, until cancelled."""
        while True:
            await asyncio.sleep(EVERY.total_seconds())
            await self._say_alive()
            await self._erase()
            if not self._floor.is_reached() and await self._flush_if_due():
                await merge_flushes(self._writer, self._reader, between=self._between)
                await self._merge_days()
            if time.monotonic() - self._expired_s > EXPIRE_EVERY.total_seconds():
                self._expired_s = time.monotonic()
                await self._expire()
            await self._drop()

    async def _say_alive(self) -> None:
        """Let the alarm process know that whoever sends readings is heard (``gateway.handovers``)."""
        if self._floor.is_reached() or time.monotonic() < self._alive_again_s:
            return
        self._alive_again_s = time.monotonic() + ALIVE_EVERY.total_seconds()
        await self._writer.write(partial(alive.say, since=self._started_at, now=self._clock.now()))

    async def _flush_if_due(self) -> bool:
        """Flush what is much or old; rows without any reading are done with too, then."""
        is_old = time.monotonic() - self._flushed_s > FLUSH_AFTER.total_seconds()
        if self._recent.count < FLUSH_READINGS and not is_old:
            return False
        await flush(self._writer, self._recent)
        self._flushed_s = time.monotonic()
        return True

    async def _between(self) -> None:
        """What cannot wait for a long merge: memory must not fill up with what is not flushed."""
        await self._flush_if_due()

    async def _merge_days(self) -> None:
        today = segments.day_of(to_micros(self._clock.now()))
        await merge_days(self._writer, self._reader, today=today, between=self._between)

    async def _expire(self) -> None:
        count = await expire(
            self._writer,
            self._reader,
            self._registry_reader,
            self._recent,
            retention=self._retention,
            now=self._clock.now(),
            between=self._between,
        )
        if count:
            _log.info("readings_expired", count=count)

    async def _erase(self) -> None:
        for asked in erasures.waiting(self._reader):
            if await self._eraser.erase(asked):
                done = erasures.get(self._reader, asked.id)
                _log.info("readings_erased", count=done.count if done else 0, erasure=asked.id)

    def _forget(self, erased: Erased) -> None:
        self._states.forget(erased.series_ids)
        for position_id in erased.position_ids:
            self._rulings.forget(position_id)
        self._register.forget_homes({erased.home_id})

    async def _drop(self) -> None:
        """Delete a little of what is no longer needed."""
        for _ in range(STEPS_AT_ONCE):
            if not await self._writer.write(partial(segments.drop_pages, limit=PAGES_PER_STEP)):
                break
        flushed_to = events.counter(self._reader, journal.FLUSHED_TO)
        noted_to = events.counter(self._reader, journal.NOTED_TO)
        newest = journal.newest(self._reader)
        droppable = min(
            flushed_to, noted_to, max(exported_to(self._folder), newest - JOURNAL_LIMIT), newest - KEPT_ROWS
        )
        for _ in range(STEPS_AT_ONCE):
            step = partial(journal.drop, up_to=droppable, limit=JOURNAL_ROWS_PER_STEP)
            if not await self._writer.write(step):
                break
        taken_to = how_far(self._registry_reader, self._reader)
        await self._writer.write(partial(handovers.drop, up_to=taken_to, limit=HANDOVERS_PER_STEP))
