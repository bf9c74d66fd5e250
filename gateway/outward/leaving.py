"""Releases what is due for the outside: the same judgement as in the alarm process, for other channels.

    outcomes of requests ─┐
    a commit elsewhere   ─┼─> one transaction: outcomes noted, due events judged and leased ──> handed over
    something is due     ─┘

One task does it all, so that a receiver's places are counted once.
"""

import asyncio
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final

from gateway.commits import LOOK_EVERY, Commits
from gateway.outward import webhooks
from gateway.outward.endpoints import Endpoints
from gateway.outward.webhooks import Outcome
from services.delivery.cloud_events import CareEvent
from services.delivery.release import Release, Released, may_leave
from services.domain.clock import Clock
from services.domain.subscriptions import ChannelName
from services.store import subscriptions as rows
from services.store.connection import Connection
from services.store.sqlite import SqliteConnection
from services.store.writer import Writer

LOOK_ANYWAY: Final = timedelta(seconds=1)
"""At the latest the store is read again: an old secret ends by the clock alone, and clocks are set."""


@dataclass(slots=True, kw_only=True)
class Leaving:
    """The way out of one process."""

    release: Release
    endpoints: Endpoints
    reader: SqliteConnection
    """Of the event loop's thread."""
    writer: Writer
    clock: Clock
    _outcomes: list[Outcome] = field(default_factory=list)
    _came: asyncio.Event = field(default_factory=asyncio.Event)

    def take(self, outcome: Outcome) -> None:
        """A request has ended."""
        self._outcomes.append(outcome)
        self._came.set()

    def may_leave(self, event: CareEvent) -> bool:
        """Whether what was leased may leave at this moment."""
        return may_leave(self.reader, event.delivery_id, now=self.clock.now())

    async def run(self) -> None:
        """Release what is due, as soon as it is, until cancelled."""
        commits, loop = Commits(self.reader), asyncio.get_running_loop()
        look_at_s = loop.time()
        while True:
            if commits.are_new() or loop.time() >= look_at_s:
                self.endpoints.follow(rows.live(self.reader, ChannelName.WEBHOOK), now=self.clock.now())
                look_at_s = loop.time() + self._due_in_s()
            if self._outcomes or loop.time() >= look_at_s:
                await self._turn()
                look_at_s = loop.time()
            else:
                await self._rest()

    def _due_in_s(self) -> float:
        """How long nothing is due, if nobody commits anything meanwhile."""
        due_at = self.release.find_next_due(self.reader)
        waits = [LOOK_ANYWAY.total_seconds()]
        if due_at is not None:
            waits.append((due_at - self.clock.now()).total_seconds())
        if (place_in := self.endpoints.next_place_in()) is not None:
            waits.append(place_in)
        return max(0.0, min(waits))

    async def _turn(self) -> None:
        outcomes, self._outcomes = self._outcomes, []

        def work(connection: Connection) -> Released:
            for outcome in outcomes:
                webhooks.note(connection, outcome)
            return self.release.prepare_carefully(connection)

        released = await self.writer.write(work)
        self.release.committed(released)

    async def _rest(self) -> None:
        """Wait for an outcome, or for the next look at the store."""
        self._came.clear()
        try:
            async with asyncio.timeout(LOOK_EVERY.total_seconds()):
                await self._came.wait()
        except TimeoutError:
            return
