"""Deletes readings whose time is over: by data class, longer where a granted purpose asks for it.

kept = the days of the class, or of the longest purpose that a grant in force names for that home

Time counts from the receipt, since a device's own clock may be wrong by years. It ends with a whole day
(UTC), so that a day's pages are looked at once for each class and not once an hour.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import lru_cache, partial
from typing import Final

import numpy as np

from devices.kinds import DataClass
from services.access import is_in_force
from services.domain.homes import Grant
from services.readings.upkeep.flush import flush
from services.readings.upkeep.merge import Between, at_once
from services.readings.upkeep.pages import thin_out
from services.store import events, registry
from services.store.connection import Connection, to_micros
from services.store.readings import journal, segments
from services.store.readings import series as series_rows
from services.store.readings.columns import Columns, Mask
from services.store.readings.recent import Recent
from services.store.readings.segments import DAY_MICROS, Page, Segment
from services.store.sqlite import SqliteConnection
from services.store.writer import Writer

SERIES_PER_STEP: Final = 2_000
HOMES_REMEMBERED: Final = 10_000
ROWS_PER_STEP: Final = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Retention:
    """How long readings are kept."""

    of_class: Mapping[DataClass, timedelta]
    of_purpose: Mapping[str, Mapping[DataClass, timedelta]] = field(default_factory=dict)
    """Longer than the class, while a grant names the purpose."""

    def kept(self, data_class: DataClass, grants: Sequence[Grant], at: datetime) -> timedelta:
        """How long a home's readings of a class are kept, by the grants of that home and class."""
        of_purposes = (
            self.of_purpose.get(grant.purpose, {}).get(data_class, timedelta(0))
            for grant in grants
            if is_in_force(grant, at)
        )
        return max(self.of_class[data_class], *of_purposes, timedelta(0))


class Cutoffs:
    """By series: from when on readings are kept, and from when on they were kept the last time."""

    def __init__(self, newest_id: int) -> None:
        self._before = np.zeros(newest_id + 2, np.int64)
        self._now = np.zeros(newest_id + 2, np.int64)
        """The last place is that of all series that are newer: everything of them is kept."""

    def put(self, series_id: int, *, before: int, now: int) -> None:
        """Set those of a series, in microseconds since 1970; they only rise."""
        self._before[series_id] = before
        self._now[series_id] = max(before, now)

    def concern(self, where: Segment | Page) -> bool:
        """Whether readings can be here whose time has come since the last time."""
        ids = slice(where.first_series, where.last_series + 1) if isinstance(where, Page) else slice(None)
        before, now = self._before[ids], self._now[ids]
        is_over = (now > before) & (now > where.first_received_at) & (before <= where.last_received_at)
        return bool(is_over.any())

    def is_kept(self, columns: Columns) -> Mask:
        """Which of these readings stay."""
        kept: Mask = columns.received_at >= self._now.take(columns.series, mode="clip")
        return kept

    def moved(self) -> list[tuple[int, int]]:
        """The series that are kept from a later time on than before, and that time."""
        ids = np.flatnonzero(self._now > self._before)
        return list(zip(ids.tolist(), self._now[ids].tolist(), strict=True))


async def expire(
    writer: Writer,
    reader: SqliteConnection,
    registry_reader: SqliteConnection,
    recent: Recent,
    *,
    retention: Retention,
    now: datetime,
    between: Between = at_once,
) -> int:
    """Delete what is too old, a few pages at a time; returns how many readings went.

    Args:
        writer: The process's one writer.
        reader: A connection for the threads that read.
        registry_reader: The alarm path's database, for the grants.
        recent: What is in no segment yet; flushed first, since after a long rest it can be too old as well.
        retention: How long readings are kept.
        now: The moment.
        between: Awaited every now and then; may flush.
    """
    await flush(writer, recent)
    cutoffs = await asyncio.to_thread(_cutoffs, reader, registry_reader, retention, now)
    count = 0
    for segment in segments.ready(reader):
        if cutoffs.concern(segment):
            pages = await asyncio.to_thread(_old_pages, reader, segment, cutoffs)
            count += await thin_out(writer, reader, pages, is_kept=cutoffs.is_kept)
            await between()
    await _expire_journal(writer, reader, cutoffs)
    moved = cutoffs.moved()
    for start in range(0, len(moved), SERIES_PER_STEP):
        step = moved[start : start + SERIES_PER_STEP]
        await writer.write(partial(series_rows.expired, cutoffs=step))
    return count


async def _expire_journal(writer: Writer, reader: SqliteConnection, cutoffs: Cutoffs) -> None:
    """Empty rows that are kept for other reasons; their readings are in a segment, and counted there."""
    after, flushed_to = 0, events.counter(reader, journal.FLUSHED_TO)
    while rows := await asyncio.to_thread(
        journal.rows, reader, after=after, up_to=flushed_to, limit=ROWS_PER_STEP
    ):
        after = rows[-1][0]
        old = [number for number, columns in rows if not cutoffs.is_kept(columns).all()]
        if old:
            await writer.write(partial(_thin_out_rows, numbers=old, cutoffs=cutoffs))
        elif any(len(columns) for _, columns in rows):
            return  # what follows was received later


def _thin_out_rows(connection: Connection, numbers: Sequence[int], cutoffs: Cutoffs) -> None:
    for number in numbers:
        for _, columns in journal.rows(connection, after=number - 1, up_to=number, limit=1):
            journal.rewrite(connection, number, columns.where(cutoffs.is_kept(columns)))


def _cutoffs(
    reader: SqliteConnection, registry_reader: SqliteConnection, retention: Retention, now: datetime
) -> Cutoffs:
    asks_for_more = {data_class for classes in retention.of_purpose.values() for data_class in classes}

    @lru_cache(HOMES_REMEMBERED)
    def kept_since(home_id: str, class_name: str) -> int:
        data_class = DataClass(class_name)
        has_more = data_class in asks_for_more
        grants = registry.grants_of_home(registry_reader, home_id, data_class) if has_more else []
        since = to_micros(now - retention.kept(data_class, grants, now))
        return since - since % DAY_MICROS

    newest, after = series_rows.newest_id(reader), 0
    cutoffs = Cutoffs(newest)
    while rows := series_rows.retained(reader, after=after, up_to=newest, limit=SERIES_PER_STEP):
        after = rows[-1][0]
        for series_id, home_id, class_name, before in rows:
            cutoffs.put(series_id, before=before, now=kept_since(home_id, class_name))
    return cutoffs


def _old_pages(reader: SqliteConnection, segment: Segment, cutoffs: Cutoffs) -> list[Page]:
    return [page for page in segments.pages(reader, segment.id) if cutoffs.concern(page)]
