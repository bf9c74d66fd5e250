"""Publishes shared readings once a second: written down first, judged at the last moment, sent once.

    committed ──> waiting (bounded) ──thread──> shares ──> releases on disk ──> care/{organisation}/reading

When more waits than the bound, the oldest is left out and counted: receivers find it in the history, and
the intake never waits for a receiver.
"""

import asyncio
from collections import deque
from collections.abc import Sequence
from datetime import timedelta
from functools import partial
from typing import Final

import structlog

from broker import topics
from broker.bulk_session import BulkSession
from services.domain.clock import Clock
from services.readings import handover
from services.readings.sharing import Share, Sharing
from services.store import events
from services.store.connection import Connection, to_micros
from services.store.readings import handovers, releases
from services.store.readings.columns import Columns
from services.store.readings.releases import Released, ReleaseKey
from services.store.readings.segments import DAY_MICROS
from services.store.writer import Writer

EVERY: Final = timedelta(seconds=1)
WAITING_READINGS: Final = 500_000
COUNT_EVERY: Final = timedelta(seconds=60)
EXPIRY: Final = timedelta(seconds=60)
"""A broker that keeps a message for a receiver must not keep it past the next withdrawals."""

HANDED_OVER_AT_ONCE: Final = 200
LEFT_OUT: Final = "reading_values_not_shared"

_log = structlog.get_logger(__name__)


class Releasing:
    """The way out of the reading lane."""

    def __init__(self, sharing: Sharing, writer: Writer, clock: Clock) -> None:
        self._sharing = sharing
        self._writer = writer
        self._clock = clock
        self._waiting: deque[Columns] = deque()
        self._waiting_count = 0
        self._left_out = 0
        self._written: set[ReleaseKey] = set()
        self._counts: dict[ReleaseKey, Released] = {}

    def committed(self, columns: Columns) -> None:
        """Take what is on disk now."""
        if not len(columns):
            return
        self._waiting.append(columns)
        self._waiting_count += len(columns)
        while self._waiting_count > WAITING_READINGS:
            oldest = self._waiting.popleft()
            self._waiting_count -= len(oldest)
            self._left_out += len(oldest)

    async def run(self, session: BulkSession) -> None:
        """Release what has come together, until cancelled."""
        next_count_s = 0.0
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(EVERY.total_seconds())
            await self._release(session)
            if loop.time() >= next_count_s:
                next_count_s = loop.time() + COUNT_EVERY.total_seconds()
                await self.settle()

    async def settle(self) -> None:
        """Write down how much was released, and hand over the days that are past."""
        counts, self._counts = self._counts, {}
        left_out, self._left_out = self._left_out, 0
        if counts or left_out:
            await self._writer.write(partial(_settle, counts=counts, left_out=left_out))
        if left_out:
            _log.error("readings_not_shared", count=left_out, reason="more waits than can leave")
        today = to_micros(self._clock.now()) // DAY_MICROS
        self._written = {key for key in self._written if key.day >= today}
        while await self._writer.write(partial(_hand_over, today=today, clock=self._clock)):
            pass

    async def _release(self, session: BulkSession) -> None:
        if not self._waiting or not session.is_connected:
            return
        taken, self._waiting, self._waiting_count = self._waiting, deque(), 0
        shares = await asyncio.to_thread(self._sharing.shares, list(taken), now=self._clock.now())
        await self._write_down(shares)
        if await asyncio.to_thread(self._sharing.has_changed):  # a grant may have ended meanwhile
            shares = await asyncio.to_thread(self._sharing.shares, list(taken), now=self._clock.now())
            await self._write_down(shares)
        self._publish(session, shares)

    async def _write_down(self, shares: Sequence[Share]) -> None:
        """The log comes before the release: one row for each right and day."""
        new = {share.key for share in shares} - self._written
        if new:
            await self._writer.write(partial(_note, keys=new, at=to_micros(self._clock.now())))
            self._written |= new

    def _publish(self, session: BulkSession, shares: Sequence[Share]) -> None:
        now = to_micros(self._clock.now())
        for share in shares:
            topic = topics.reading_topic(share.key.organisation_id)
            if not session.publish(topic, share.payload, expiry=EXPIRY):
                self._left_out += share.count
                continue
            known = self._counts.setdefault(share.key, Released(first_at=now, last_at=now, count=0))
            known.last_at = now
            known.count += share.count


def _note(connection: Connection, keys: set[ReleaseKey], at: int) -> None:
    releases.note(connection, [(key, Released(first_at=at, last_at=at, count=0)) for key in sorted(keys)])


def _settle(connection: Connection, counts: dict[ReleaseKey, Released], left_out: int) -> None:
    releases.note(connection, counts.items())
    events.add(connection, {LEFT_OUT: left_out})


def _hand_over(connection: Connection, today: int, clock: Clock) -> int:
    """Hand over some rows of days that are past; returns how many."""
    rows = releases.before(connection, today, limit=HANDED_OVER_AT_ONCE)
    bodies = [
        handover.encode(
            handover.Released(
                organisation_id=key.organisation_id,
                home_id=key.home_id,
                data_class=key.data_class,
                grant_id=key.grant_id,
                purpose=key.purpose,
                first_at_us=row.first_at,
                last_at_us=row.last_at,
                count=row.count,
            )
        )
        for key, row in rows
    ]
    handovers.add(connection, bodies, at=clock.now())
    releases.drop(connection, [key for key, _ in rows])
    return len(rows)
