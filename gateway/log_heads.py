"""What the log needs day by day: a signed head, an end to what is past its time, closed months of usage.

    a new day (UTC), or the first start of one:  sign ──> heads.jsonl, the process's log ──> delete ──> close

Runs beside the alarm lane and takes its turns from the same writer, a small piece at a time. Nothing that
goes wrong here ends the process: it is said, and tried again.
"""

import asyncio
import os
from collections.abc import Callable
from contextlib import closing
from dataclasses import asdict
from datetime import datetime, timedelta
from functools import partial
from typing import Final, TypeVar

import structlog

from broker.files import PRIVATE_FILE_MODE
from gateway import log_key
from gateway.data_folder import DataFolder
from gateway.small_steps import SHORTEST_PAUSE_SECONDS
from services import usage
from services.domain.clock import Clock
from services.domain.errors import RefusedError
from services.inspection import heads, retention
from services.inspection.signing import SigningKey
from services.store import audit_heads as rows
from services.store.audit_heads import HeadRow
from services.store.connection import Connection, StoreUnavailableError
from services.store.sqlite import SqliteConnection
from services.store.writer import Writer

LOOK_EVERY: Final = timedelta(minutes=1)
"""How long after midnight the day's head may be signed; how soon what failed is tried again."""

_log = structlog.get_logger(__name__)

T = TypeVar("T")


async def run(writer: Writer, folder: DataFolder, clock: Clock) -> None:
    """Do what each day needs, until cancelled.

    Args:
        writer: The alarm process's writer.
        folder: Where the key, the heads and the stores are.
        clock: The time.
    """
    done_for: str | None = None
    while True:
        day = heads.day_of(clock.now())
        if day != done_for and await _is_done(writer, folder, clock):
            done_for = day
        await asyncio.sleep(LOOK_EVERY.total_seconds())


async def _is_done(writer: Writer, folder: DataFolder, clock: Clock) -> bool:
    try:
        await do_the_day(writer, folder, clock)
    except (OSError, RefusedError, StoreUnavailableError) as error:
        _log.error("log_head_failed", reason=str(error))
        return False
    return True


async def do_the_day(writer: Writer, folder: DataFolder, clock: Clock) -> None:
    """Sign, publish, delete and close whatever is due.

    Raises:
        OSError: A file of the log cannot be written.
        RefusedError: The key is not one.
        StoreUnavailableError: The store cannot be written.
    """
    key = await asyncio.to_thread(log_key.signing_key, folder)
    await writer.write(partial(_sign_when_missing, key=key, now=clock.now()))
    await _delete_past(writer, folder, key, clock)
    for head in await asyncio.to_thread(publish, folder):
        _log.info("log_head_signed", **asdict(head))
    await _close_months(writer, folder, clock)


def publish(folder: DataFolder) -> list[HeadRow]:
    """Append the heads that are not in ``heads.jsonl`` yet; returns them."""
    path = log_key.heads_file(folder)
    text = path.read_text("utf-8") if path.exists() else ""
    known = heads.heads_in(text)
    after = known[-1].entry if known else 0
    with closing(SqliteConnection(folder.database)) as reader:
        missing = rows.heads(reader, after=after)
    lines = "".join(f"{heads.line_of(head)}\n" for head in missing)
    descriptor = os.open(path, os.O_CREAT | os.O_RDWR, PRIVATE_FILE_MODE)
    with open(descriptor, "r+b") as file:  # noqa: PTH123 - a descriptor, so that the mode holds from the start
        file.seek(len(text[: text.rfind("\n") + 1].encode()))  # a line that a crash cut short is written anew
        file.write(lines.encode())
        file.truncate()
        file.flush()
        os.fsync(file.fileno())
    return missing


def _sign_when_missing(connection: Connection, key: SigningKey, now: datetime) -> None:
    newest = rows.newest_head(connection)
    if newest is None or newest.day < heads.day_of(now):
        heads.sign_head(connection, key, now=now)


async def _delete_past(writer: Writer, folder: DataFolder, key: SigningKey, clock: Clock) -> None:
    now = clock.now()
    last = await _read(folder, partial(retention.past_its_time, now=now))
    if last is None:
        return
    await writer.write(partial(_anchor_when_missing, key=key, number=last, now=now))
    is_more = True
    while is_more:
        is_more = await writer.write(retention.delete_some)
        await asyncio.sleep(SHORTEST_PAUSE_SECONDS)
    _log.info("log_pruned", up_to=last)


def _anchor_when_missing(connection: Connection, key: SigningKey, number: int, now: datetime) -> None:
    known = rows.anchor(connection)
    if known is None or known.number < number:
        heads.sign_anchor(connection, key, number=number, now=now)


async def _close_months(writer: Writer, folder: DataFolder, clock: Clock) -> None:
    now = clock.now()
    for month in await _read(folder, partial(usage.months_to_close, now=now)):
        counts = await _read(folder, partial(usage.counted, month=month))
        await writer.write(partial(usage.close, month=month, counts=counts, now=now))
        _log.info("usage_month_closed", month=month.name)


async def _read(folder: DataFolder, work: Callable[[Connection], T]) -> T:
    """Ask the store something in a thread, with a connection of its own."""

    def asked() -> T:
        with closing(SqliteConnection(folder.database)) as reader:
            return work(reader)

    return await asyncio.to_thread(asked)
