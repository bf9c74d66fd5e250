"""Writing segments: sorted readings cut into pages, packed beside the writer, a few in a transaction."""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import islice
from typing import Final

from services.store.connection import Connection
from services.store.readings import segments
from services.store.readings.columns import NONE, Columns, Mask, joined, pack
from services.store.readings.segments import Extent, Page
from services.store.sqlite import SqliteConnection
from services.store.writer import Writer

PAGES_PER_STEP: Final = 32
"""Some 800 kB and ten milliseconds of the writer's time."""

Packed = tuple[Columns, bytes]

Change = tuple[Page, Columns, bytes]
"""A page, what is left of it, and the same packed."""


def packed(columns: Columns) -> list[Packed]:
    """Sorted readings as pages."""
    return [(page, pack(page)) for page in segments.pages_in(columns)]


class SegmentWriter:
    """One segment that is being written; its pages hold what it is given, in that order."""

    def __init__(self, writer: Writer, *, tier: int, day: int = segments.NO_DAY) -> None:
        self._writer = writer
        self._tier = tier
        self._day = day
        self._tail = NONE
        self.id = 0
        """0: nothing was written."""
        self.extent = Extent()

    async def add(self, columns: Columns) -> None:
        """Write what follows; what is less than a page waits for more."""
        self.extent.add(columns)
        waiting = joined([self._tail, columns])
        whole = len(waiting) - len(waiting) % segments.PAGE_READINGS
        self._tail = waiting.where(slice(whole, None))
        await self._write(waiting.where(slice(0, whole)))

    async def end(self) -> None:
        """Write what is left; the segment is not ready yet."""
        rest, self._tail = self._tail, NONE
        await self._write(rest)

    async def _write(self, columns: Columns) -> None:
        if not len(columns):
            return
        if not self.id:
            self.id = await self._writer.write(partial(segments.begin, tier=self._tier, day=self._day))
        pages = iter(await asyncio.to_thread(packed, columns))
        while step := list(islice(pages, PAGES_PER_STEP)):
            await self._writer.write(partial(_add, segment_id=self.id, pages=step))


def _add(connection: Connection, segment_id: int, pages: Sequence[Packed]) -> None:
    for columns, content in pages:
        segments.add_page(connection, segment_id, columns, content)


def finish(connection: Connection, targets: Sequence[SegmentWriter], sources: Sequence[int] = ()) -> None:
    """Put new segments in the place of old ones, at once."""
    for target in targets:
        if target.id:
            segments.finish(connection, target.id, target.extent)
    if sources:
        segments.drop(connection, sources)


async def thin_out(
    writer: Writer,
    reader: SqliteConnection,
    pages: Sequence[Page],
    *,
    is_kept: Callable[[Columns], Mask],
    note: Callable[[Connection, int], None] = lambda _, __: None,
) -> int:
    """Leave in some pages of one segment only what is kept; returns how many readings went.

    Args:
        writer: The process's one writer.
        reader: A connection for the threads that read.
        pages: Of a segment that nobody else changes meanwhile.
        is_kept: Which readings stay.
        note: Called in each transaction with how many go in it.
    """
    count = 0
    for step in in_steps(pages):
        changes = await asyncio.to_thread(_changes, reader, step, is_kept)
        if changes:
            count += await writer.write(partial(_replace, changes=changes, note=note))
    return count


def _changes(
    reader: SqliteConnection, pages: Sequence[Page], is_kept: Callable[[Columns], Mask]
) -> list[Change]:
    changes = []
    for page in pages:
        columns = segments.read(reader, page)
        left = columns.where(is_kept(columns))
        if len(left) < len(columns):
            changes.append((page, left, pack(left) if len(left) else b""))
    return changes


def _replace(
    connection: Connection, changes: Sequence[Change], note: Callable[[Connection, int], None]
) -> int:
    for page, left, content in changes:
        segments.replace_page(connection, page, left, content)
    went = sum(page.count - len(left) for page, left, _ in changes)
    segments.shrink(connection, changes[0][0].segment_id, went)
    note(connection, went)
    return went


def in_steps(pages: Sequence[Page]) -> Iterator[Sequence[Page]]:
    """A few pages at a time."""
    for start in range(0, len(pages), PAGES_PER_STEP):
        yield pages[start : start + PAGES_PER_STEP]
