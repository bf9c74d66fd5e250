"""One target's task: what is new in the journal goes there, as fast as it takes it, for ever.

    newer rows ──> lines ──> sent ──> cursor            nothing newer: look again in half a second
    many rows behind ──> a rest after each batch, as long as it took: others need the machine too
    away, refusing ──> wait ──> from the last settled row

Each target has its task, its connection to readings.db and its cursor: a slow one holds no other.
"""

import asyncio
import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Final, Protocol, TypeVar

import msgspec
import structlog

from gateway.export.cursors import Cursor, Lost
from gateway.export.progress import Progress
from gateway.export.sending import send
from gateway.export.source import Batch
from gateway.export.target import Target, TargetRefusesError, TargetUnavailableError
from gateway.export.waits import REFUSED, wait_after
from services.domain.clock import Clock
from services.domain.errors import RefusedError
from services.store.connection import StoreUnavailableError, to_micros

LOOK_EVERY: Final = timedelta(seconds=0.5)
NOTE_EVERY: Final = timedelta(seconds=1)
AFTER_A_MISTAKE: Final = timedelta(seconds=15)

T = TypeVar("T")

_log = structlog.get_logger(__name__)


class Source(Protocol):
    """Where batches come from; called in a thread, one call at a time."""

    def newest(self) -> int:
        """Number of the newest row."""

    def after(self, number: int, *, received_to_us: int) -> Batch | None:
        """What follows a row; None when it was the newest."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Following:
    """What a task is about."""

    name: str
    target: Target
    source: Source
    batch_points: int
    read_cursor: Callable[[], Cursor | None]
    write_cursor: Callable[[Cursor], None]
    """Durable when it returns."""
    clock: Clock
    monotonic: Callable[[], float] = time.monotonic
    chance: Callable[[], float] = random.random


class Follower:
    """Keeps one target up with the journal."""

    def __init__(self, about: Following) -> None:
        self.name = about.name
        self._about = about
        self._log = _log.bind(target=about.name)
        self._cursor: Cursor | None = None
        self._progress = Progress(0)
        self._failures = 0
        self._noted: Cursor | None = None
        self._noted_s = -NOTE_EVERY.total_seconds()

    async def run(self) -> None:
        """Send what is new until cancelled; whatever goes wrong is this target's alone."""
        while True:
            try:
                wait = await self.turn()
            except (RefusedError, StoreUnavailableError) as error:
                self._log.error("export_cannot_run", reason=str(error))
                wait = AFTER_A_MISTAKE
            except Exception:  # noqa: BLE001 - the guard around each target: others go on, and so does it
                self._log.exception("export_failed")
                wait = AFTER_A_MISTAKE
            await asyncio.sleep(wait.total_seconds())

    async def turn(self) -> timedelta:
        """Send one batch; returns how long to wait before the next."""
        began_s = self._about.monotonic()
        cursor = self._cursor or await self._begin()
        sent_to, received_to_us = self._progress.sent_to, cursor.received_to_us
        batch = await _in_a_thread(lambda: self._about.source.after(sent_to, received_to_us=received_to_us))
        if batch is None:
            await self._note()
            return LOOK_EVERY
        try:
            set_aside = await send(self._about.target, batch.lines, at_once=self._about.batch_points)
        except TargetUnavailableError as error:
            return await self._is_away(error)
        except TargetRefusesError as error:
            await self._has_problem(str(error))
            return REFUSED
        self._took(batch, set_aside)
        await self._note()
        took = timedelta(seconds=self._about.monotonic() - began_s)
        return min(took, LOOK_EVERY) if batch.is_full else LOOK_EVERY

    async def stop(self) -> None:
        """Note how far it has come."""
        if self._cursor is not None:
            await self._note(is_urgent=True)

    async def _begin(self) -> Cursor:
        """Where it was, or for a new target: with what comes in from now on."""
        cursor = await _in_a_thread(self._about.read_cursor)
        newest = await _in_a_thread(self._about.source.newest)
        if cursor is None:
            cursor = Cursor(settled_to=newest, sent_to=newest, received_to_us=self._now_us())
        self._progress = Progress(cursor.settled_to)
        if cursor.settled_to > newest:
            self._log.error("export_journal_is_new", cursor=cursor.settled_to, newest=newest)
            self._progress.start_over(0)
        self._cursor = cursor
        await self._note(is_urgent=True)
        return cursor

    def _took(self, batch: Batch, set_aside: int) -> None:
        assert self._cursor is not None  # noqa: S101 - a batch follows a cursor
        self._progress.acknowledged(batch.up_to, now_s=self._about.monotonic())
        if batch.lost is not None:
            self._log.error("export_rows_lost", rows=batch.lost.rows)
        if self._failures or self._cursor.problem:
            self._log.info("export_target_back", after_failures=self._failures)
        self._failures = 0
        self._cursor = msgspec.structs.replace(
            self._cursor,
            received_to_us=max(self._cursor.received_to_us, batch.received_to_us),
            sent=self._cursor.sent + len(batch.lines) - set_aside,
            set_aside=self._cursor.set_aside + set_aside + batch.unsendable,
            lost=_together(self._cursor.lost, batch.lost),
            problem="",
            problem_since_us=0,
        )

    async def _is_away(self, error: TargetUnavailableError) -> timedelta:
        if not error.is_alive:
            self._progress.step_back()
        self._failures += 1
        await self._has_problem(str(error))
        return wait_after(self._failures, chance=self._about.chance(), asked=error.asked)

    async def _has_problem(self, problem: str) -> None:
        assert self._cursor is not None  # noqa: S101 - it was tried, so it has one
        if not self._cursor.problem:
            self._log.error("export_target_lost", reason=problem)
        since_us = self._cursor.problem_since_us or self._now_us()
        self._cursor = msgspec.structs.replace(self._cursor, problem=problem, problem_since_us=since_us)
        await self._note()

    async def _note(self, *, is_urgent: bool = False) -> None:
        """Write the cursor down, once a second at most: an old one only makes readings be sent again."""
        assert self._cursor is not None  # noqa: S101 - nothing to note before the first
        progress, now_s = self._progress, self._about.monotonic()
        cursor = msgspec.structs.replace(
            self._cursor, settled_to=progress.settled_to, sent_to=progress.sent_to
        )
        if not is_urgent and (cursor == self._noted or now_s - self._noted_s < NOTE_EVERY.total_seconds()):
            return
        try:
            await _in_a_thread(lambda: self._about.write_cursor(cursor))
        except OSError as error:  # a full disk; what matters to alarms is said by those that need it too
            self._log.error("export_cursor_not_noted", reason=error.strerror)
            return
        self._noted, self._noted_s = cursor, now_s

    def _now_us(self) -> int:
        return to_micros(self._about.clock.now())


async def _in_a_thread(work: Callable[[], T]) -> T:
    """Do ``work`` beside the loop. Cancelled, it ends first: its connection is about to be closed."""
    future = asyncio.get_running_loop().run_in_executor(None, work)
    try:
        return await asyncio.shield(future)
    except asyncio.CancelledError:
        await asyncio.wait({future})
        raise


def _together(before: Lost | None, new: Lost | None) -> Lost | None:
    """One span around both."""
    if before is None or new is None:
        return before or new
    return Lost(
        rows=before.rows + new.rows,
        since_us=min(before.since_us, new.since_us),
        until_us=max(before.until_us, new.until_us),
    )
