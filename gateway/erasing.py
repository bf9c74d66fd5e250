"""Erases readings on an operator's word, whether the product runs or not.

    ask ──> readings.db ──> the reading process does it, and notes how many went
                       └──> nobody holds its lock: we hold it, and do it here

Interrupted anywhere, what was asked stays in readings.db: the reading process does it when it runs next.
"""

import asyncio
import time
from collections.abc import Callable
from contextlib import AsyncExitStack, aclosing, closing
from datetime import timedelta
from pathlib import Path
from typing import Final

from gateway.data_folder import READING_LOCK, AlreadyRunningError, DataFolder, Lock
from services.domain.clock import Clock
from services.domain.errors import RefusedError
from services.readings.upkeep.erase import Eraser
from services.store.migrations import READINGS, migrate
from services.store.readings import erasures, journal, segments
from services.store.readings.erasures import Erasure
from services.store.readings.recent import Recent
from services.store.sqlite import SqliteConnection
from services.store.writer import Writer

WITHIN: Final = timedelta(minutes=10)
LOOK_EVERY: Final = timedelta(milliseconds=500)
TELL_EVERY: Final = timedelta(seconds=10)


class NotErasedYetError(RefusedError):
    """The reading process has been asked and is not done."""

    def __init__(self, within: timedelta) -> None:
        super().__init__(
            f"Asked for, and not done after {within}: the reading process does it as soon as it can; "
            "see `stadsnav doctor` and its log"
        )


def erase_readings(
    folder: DataFolder,
    *,
    home_id: str,
    position_id: str | None,
    actor: str,
    clock: Clock,
    tell: Callable[[str], None],
    within: timedelta = WITHIN,
) -> Erasure:
    """Erase a home's readings, or a position's; they are gone when this returns.

    Args:
        folder: Of the product, which may run.
        home_id: Whose.
        position_id: Only this one's; None: all of the home's, and what was set aside of it.
        actor: Who wants it, for the row.
        clock: The time.
        tell: Is told that we wait, now and then.
        within: How long to wait for the reading process.

    Raises:
        NotErasedYetError: It was not done in time. It stays asked for.
    """
    with closing(SqliteConnection(folder.readings)) as readings:
        migrate(readings, READINGS)
        with readings.transaction():
            id_ = erasures.ask(
                readings, home_id=home_id, position_id=position_id, actor=actor, at=clock.now()
            )
        return _once_done(folder, readings, id_, clock=clock, tell=tell, within=within)


def _once_done(
    folder: DataFolder,
    readings: SqliteConnection,
    id_: str,
    *,
    clock: Clock,
    tell: Callable[[str], None],
    within: timedelta,
) -> Erasure:
    began_s = told_s = time.monotonic()
    while True:
        asked = erasures.get(readings, id_)
        if asked is not None and asked.done_at is not None:
            return asked
        now_s = time.monotonic()
        if now_s - began_s > within.total_seconds():
            raise NotErasedYetError(within)
        if now_s - told_s > TELL_EVERY.total_seconds():
            told_s = now_s
            tell(f"The reading process erases; it was asked {now_s - began_s:.0f} s ago")
        if not _do_here(folder, clock):
            time.sleep(LOOK_EVERY.total_seconds())


def _do_here(folder: DataFolder, clock: Clock) -> bool:
    """Do what is asked for, if the reading process is away; returns whether it was."""
    try:
        lock = Lock(folder, READING_LOCK)
    except AlreadyRunningError:
        return False
    try:
        asyncio.run(_do_all(folder, clock))
    finally:
        lock.release()
    return True


async def _do_all(folder: DataFolder, clock: Clock) -> None:
    """Erase whatever waits."""
    async with AsyncExitStack() as stack:

        def opened(path: Path) -> SqliteConnection:
            return stack.enter_context(closing(SqliteConnection(path)))

        written, reader, registry_reader = map(opened, (folder.readings, folder.readings, folder.database))
        erasures.overwrite_deleted(written)
        with written.transaction():
            segments.drop_unready(written)
        recent = Recent(journal.unflushed(written), number=journal.newest(written))
        writer = Writer(written)
        writer.start()
        await stack.enter_async_context(aclosing(writer))
        eraser = Eraser(writer, reader, registry_reader, recent, clock=clock)
        for asked in erasures.waiting(reader):
            await eraser.erase(asked)
