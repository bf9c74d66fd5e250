"""Many segments into few, so that a question costs few looks.

    16 flushes           ->  one merged segment                       some twenty minutes of a city
    a day has ended      ->  a segment for each day in what came      what a year of history consists of
    8 segments of a day  ->  one                                      late readings of days long past

One range of series at a time, so that memory does not grow with what is merged.
"""

import asyncio
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Final

import numpy as np

from services.readings.upkeep.pages import SegmentWriter, finish
from services.store.readings import segments
from services.store.readings.columns import Columns, joined
from services.store.readings.segments import DAY_TIER, FLUSH_TIER, MERGED_TIER, NO_DAY, Page, Segment
from services.store.sqlite import SqliteConnection
from services.store.writer import Writer

FLUSHES: Final = 16
SEGMENTS_OF_A_DAY: Final = 8
RANGE_READINGS: Final = 400_000
"""Readings in memory at once, of 28 bytes."""


async def merge_flushes(writer: Writer, reader: SqliteConnection) -> None:
    """Merge the flushes of the last while, once there are enough of them."""
    flushes = [item for item in segments.ready(reader) if item.tier == FLUSH_TIER]
    if len(flushes) >= FLUSHES:
        await _merge(writer, reader, flushes, today=None)


async def merge_days(writer: Writer, reader: SqliteConnection, *, today: int) -> None:
    """Sort what came before today by the days it is of, and put together days in many pieces.

    Args:
        writer: The process's one writer.
        reader: A connection for the threads that read.
        today: Days since 1970.
    """
    recent = [item for item in segments.ready(reader) if item.day == NO_DAY]
    if any(segments.day_of(item.first_at) < today for item in recent):
        await _merge(writer, reader, recent, today=today)
    for pieces in _in_pieces(segments.ready(reader)):
        await _merge(writer, reader, pieces, today=None)


def _in_pieces(ready: Sequence[Segment]) -> list[list[Segment]]:
    of_day: dict[int, list[Segment]] = defaultdict(list)
    for item in ready:
        if item.day != NO_DAY:
            of_day[item.day].append(item)
    return [pieces for pieces in of_day.values() if len(pieces) >= SEGMENTS_OF_A_DAY]


async def _merge(
    writer: Writer, reader: SqliteConnection, sources: Sequence[Segment], *, today: int | None
) -> None:
    """Put the same readings into new segments.

    Args:
        writer: The process's one writer.
        reader: A connection for the threads that read.
        sources: What is replaced.
        today: Sort by day, but keep what is of today together; None: all into one.
    """
    only = sources[0].day
    targets: dict[int, SegmentWriter] = {}
    runs = await asyncio.to_thread(_runs, reader, sources)
    for first, end in ranges([page for run in runs for page in run.pages]):
        columns = await asyncio.to_thread(_gathered, reader, runs, first, end)
        for day, part in _by_day(columns, today) if today is not None else [(only, columns)]:
            if day not in targets:
                tier = MERGED_TIER if day == NO_DAY else DAY_TIER
                targets[day] = SegmentWriter(writer, tier=tier, day=day)
            await targets[day].add(part)
    for target in targets.values():
        await target.end()
    new = [target.id for target in targets.values() if target.id]
    await writer.write(partial(finish, targets=new, sources=[item.id for item in sources]))


def ranges(pages: Sequence[Page]) -> Iterator[tuple[int, int]]:
    """Ranges of series, first and end, that together cover all pages, each of bounded size.

    A single series is never cut, however many readings it has.
    """
    first: int | None = None
    count = 0
    for page in sorted(pages, key=lambda page: page.first_series):
        if first is None:
            first = page.first_series
        elif count >= RANGE_READINGS and page.first_series > first:
            yield first, page.first_series
            first, count = page.first_series, 0
        count += page.count
    if first is not None:
        yield first, max(page.last_series for page in pages) + 1


class _Run:
    """The pages of one segment, and where each begins and ends; both only rise."""

    def __init__(self, pages: Sequence[Page]) -> None:
        self.pages = pages
        self._firsts = [page.first_series for page in pages]
        self._lasts = [page.last_series for page in pages]

    def overlapping(self, first: int, end: int) -> Sequence[Page]:
        """Those that can hold series from ``first`` up to, not including, ``end``."""
        return self.pages[bisect_left(self._lasts, first) : bisect_left(self._firsts, end)]


def _runs(reader: SqliteConnection, sources: Sequence[Segment]) -> list[_Run]:
    return [_Run(segments.pages(reader, item.id)) for item in sources]


def _gathered(reader: SqliteConnection, runs: Sequence[_Run], first: int, end: int) -> Columns:
    parts = []
    for page in (page for run in runs for page in run.overlapping(first, end)):
        columns = segments.read(reader, page)
        start, stop = np.searchsorted(columns.series, [first, end])
        parts.append(columns.where(slice(int(start), int(stop))))
    return joined(parts).sorted()


def _by_day(columns: Columns, today: int) -> Iterator[tuple[int, Columns]]:
    days = columns.at // segments.DAY_MICROS
    for day in np.unique(days).tolist():
        if day < today:
            yield day, columns.where(days == day)
    if (days >= today).any():
        yield NO_DAY, columns.where(days >= today)
