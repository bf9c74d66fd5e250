"""Erases a home's readings, or a position's, everywhere in the file: nothing of them can be read again.

    flush ──> pages without them ──> journal rows without them ──> last values, rules, series, quarantine

Erased bytes are overwritten (``secure_delete``). What was exported elsewhere is not ours to erase.
"""

import asyncio
from collections.abc import Sequence
from functools import partial

import numpy as np

from services.domain.readings import SeriesId
from services.readings.upkeep.flush import flush
from services.readings.upkeep.pages import finish, in_steps
from services.store import events
from services.store.connection import Connection
from services.store.readings import journal, marks, segments
from services.store.readings import series as series_rows
from services.store.readings.recent import Recent
from services.store.readings.segments import Page
from services.store.sqlite import SqliteConnection
from services.store.writer import Writer

ALL = 1_000_000
ROWS_PER_STEP = 20


async def erase(
    writer: Writer,
    reader: SqliteConnection,
    recent: Recent,
    *,
    home_id: str,
    position_id: str | None,
) -> tuple[int, list[SeriesId]]:
    """Erase; returns how many readings went, and of which series. Interrupted, it is done again."""
    found = series_rows.find(reader, home_id=home_id, position_id=position_id, limit=ALL)
    ids = [series.id for series in found]
    await flush(writer, recent)
    count = 0
    for segment in segments.ready(reader):
        pages = await asyncio.to_thread(_pages, reader, segment.id, ids)
        for step in in_steps(pages):
            count += await writer.write(partial(_erase_pages, pages=step, series_ids=ids))
        if pages:
            await writer.write(partial(finish, targets=[segment.id], sources=[]))
    await _erase_journal(writer, reader, ids)
    await writer.write(partial(_forget, home_id=home_id, position_id=position_id, series_ids=ids))
    recent.erase({int(id_) for id_ in ids})
    return count, ids


def _pages(reader: SqliteConnection, segment_id: int, series_ids: Sequence[SeriesId]) -> list[Page]:
    found = (page for id_ in series_ids for page in segments.pages_of_series(reader, segment_id, id_))
    return list({page.id: page for page in found}.values())


def _erase_pages(connection: Connection, pages: Sequence[Page], series_ids: Sequence[SeriesId]) -> int:
    _overwrite(connection)
    count = 0
    for page in pages:
        columns = segments.read(connection, page)
        left = columns.where(~np.isin(columns.series, series_ids))
        segments.replace_page(connection, page, left)
        count += len(columns) - len(left)
    return count


async def _erase_journal(writer: Writer, reader: SqliteConnection, series_ids: Sequence[SeriesId]) -> None:
    after, newest = 0, journal.newest(reader)
    while rows := await asyncio.to_thread(
        journal.rows, reader, after=after, up_to=newest, limit=ROWS_PER_STEP
    ):
        after = rows[-1][0]
        await writer.write(
            partial(_erase_rows, numbers=[number for number, _ in rows], series_ids=series_ids)
        )


def _erase_rows(connection: Connection, numbers: Sequence[int], series_ids: Sequence[SeriesId]) -> None:
    _overwrite(connection)
    for number, columns in journal.rows(
        connection, after=numbers[0] - 1, up_to=numbers[-1], limit=len(numbers)
    ):
        is_erased = np.isin(columns.series, series_ids)
        if is_erased.any():
            journal.rewrite(connection, number, columns.where(~is_erased))


def _forget(
    connection: Connection, home_id: str, position_id: str | None, series_ids: Sequence[SeriesId]
) -> None:
    _overwrite(connection)
    for id_ in {position_id} if position_id else series_rows.positions_of_home(connection, home_id):
        marks.forget_position(connection, id_)
    series_rows.remove(connection, series_ids)
    if position_id is None:
        events.forget_quarantined(connection, home_id)


def _overwrite(connection: Connection) -> None:
    """Have what is deleted from here on overwritten; stays on until the process ends, which costs little."""
    connection.rows("PRAGMA secure_delete=ON")
