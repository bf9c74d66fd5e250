"""Many segments into few, so that a question costs few looks.

    16 flushes           ->  one merged segment                       some twenty minutes of a city
    a day has ended      ->  a segment for each day in what came      what a year of history consists of
    8 segments of a day  ->  one                                      late readings of days long past

One range of series at a time, so that memory does not grow with what is merged; between two of them
``between`` is awaited, so that a long merge does not keep the rest of the upkeep waiting.
"""

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterator, Sequence
from functools import partial
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from services.readings.upkeep.pages import SegmentWriter, finish
from services.store import events
from services.store.readings import segments
from services.store.readings.columns import Columns, joined
from services.store.readings.segments import DAY_TIER, FLUSH_TIER, MERGED_TIER, NO_DAY, Page, Segment
from services.store.sqlite import SqliteConnection
from services.store.writer import Writer

FLUSHES: Final = 16
SEGMENTS_OF_A_DAY: Final = 8
RANGE_READINGS: Final = 400_000
"""Readings in memory at once, of 28 bytes."""

MERGED_TO: Final = "days_merged_to"
"""Counter: the day that had begun when days were sorted out last, in days since 1970."""

Numbers: TypeAlias = NDArray[np.int64]
Between = Callable[[], Awaitable[None]]


async def at_once() -> None:
    """Nothing else is to be done."""


async def merge_flushes(writer: Writer, reader: SqliteConnection, *, between: Between = at_once) -> None:
    """Merge the flushes of the last while, once there are enough of them."""
    flushes = [item for item in segments.ready(reader) if item.tier == FLUSH_TIER]
    if len(flushes) >= FLUSHES:
        await _merge(writer, reader, flushes, today=None, between=between)


async def merge_days(
    writer: Writer, reader: SqliteConnection, *, today: int, between: Between = at_once
) -> None:
    """Once a day: sort what came before by the days it is of, and put together days in many pieces.

    What comes late, once its day has been sorted out, waits until the next day begins.

    Args:
        writer: The process's one writer.
        reader: A connection for the threads that read.
        today: Days since 1970.
        between: Awaited every now and then; may flush.
    """
    if events.counter(reader, MERGED_TO) >= today:
        return
    recent = [item for item in segments.ready(reader) if item.day == NO_DAY]
    if any(segments.day_of(item.first_at) < today for item in recent):
        await _merge(writer, reader, recent, today=today, between=between)
    for pieces in _in_pieces(segments.ready(reader)):
        await _merge(writer, reader, pieces, today=None, between=between)
    await writer.write(partial(events.set_counter, name=MERGED_TO, value=today))


def _in_pieces(ready: Sequence[Segment]) -> list[list[Segment]]:
    of_day: dict[int, list[Segment]] = defaultdict(list)
    for item in ready:
        if item.day != NO_DAY:
            of_day[item.day].append(item)
    return [pieces for pieces in of_day.values() if len(pieces) >= SEGMENTS_OF_A_DAY]


async def _merge(
    writer: Writer,
    reader: SqliteConnection,
    sources: Sequence[Segment],
    *,
    today: int | None,
    between: Between,
) -> None:
    """Put the same readings into new segments.

    Args:
        writer: The process's one writer.
        reader: A connection for the threads that read.
        sources: What is replaced.
        today: Sort by day, but keep what is of today together; None: all into one.
        between: Awaited after each range of series.
    """
    only = sources[0].day
    targets: dict[int, SegmentWriter] = {}
    runs = await asyncio.to_thread(_runs, reader, sources)
    for first, end in _ranges_of(runs):
        columns = await asyncio.to_thread(_gathered, reader, runs, first, end)
        for day, part in _by_day(columns, today) if today is not None else [(only, columns)]:
            if day not in targets:
                tier = MERGED_TIER if day == NO_DAY else DAY_TIER
                targets[day] = SegmentWriter(writer, tier=tier, day=day)
            await targets[day].add(part)
        await between()
    for target in targets.values():
        await target.end()
    replaced = [item.id for item in sources]
    await writer.write(partial(finish, targets=list(targets.values()), sources=replaced))


def ranges(firsts: Numbers, lasts: Numbers, counts: Numbers) -> Iterator[tuple[int, int]]:
    """Ranges of series, first and end, that together cover all pages, each of bounded size.

    A single series is never cut, however many readings it has.

    Args:
        firsts: The first series of each page, in any order.
        lasts: The last series of each.
        counts: How many readings are in each.
    """
    if not len(firsts):
        return
    order = np.argsort(firsts, kind="stable")
    starts = firsts[order]
    read_before = np.concatenate([[0], np.cumsum(counts[order])])
    begin = 0
    while True:
        enough = int(np.searchsorted(read_before, read_before[begin] + RANGE_READINGS))
        cut = max(begin + 1, enough)
        if cut < len(starts):  # not within the pages that begin with the same series
            cut = max(cut, int(np.searchsorted(starts, starts[begin], "right")))
        if cut >= len(starts):
            break
        yield int(starts[begin]), int(starts[cut])
        begin = int(np.searchsorted(starts, starts[cut]))
    yield int(starts[begin]), int(lasts.max()) + 1


class _Run:
    """The pages of one segment, and where each begins and ends; both only rise. 32 bytes a page."""

    def __init__(self, pages: Sequence[Page]) -> None:
        rows = [(page.id, page.first_series, page.last_series, page.count) for page in pages]
        self.ids, self.firsts, self.lasts, self.counts = np.array(rows, np.int64).reshape(-1, 4).T.copy()

    def overlapping(self, first: int, end: int) -> list[int]:
        """The ids of those that can hold series from ``first`` up to, not including, ``end``."""
        start, stop = np.searchsorted(self.lasts, first), np.searchsorted(self.firsts, end)
        ids: list[int] = self.ids[start:stop].tolist()
        return ids


def _ranges_of(runs: Sequence[_Run]) -> Iterator[tuple[int, int]]:
    if not runs:
        return iter(())
    return ranges(
        np.concatenate([run.firsts for run in runs]),
        np.concatenate([run.lasts for run in runs]),
        np.concatenate([run.counts for run in runs]),
    )


def _runs(reader: SqliteConnection, sources: Sequence[Segment]) -> list[_Run]:
    return [_Run(segments.pages(reader, item.id)) for item in sources]


def _gathered(reader: SqliteConnection, runs: Sequence[_Run], first: int, end: int) -> Columns:
    parts = []
    for page_id in (page_id for run in runs for page_id in run.overlapping(first, end)):
        columns = segments.content(reader, page_id)
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
