"""Writing segments: sorted readings cut into pages, packed beside the writer, a few in a transaction."""

import asyncio
from collections.abc import Iterator, Sequence
from functools import partial
from itertools import islice
from typing import Final

from services.store.connection import Connection
from services.store.readings import segments
from services.store.readings.columns import NONE, Columns, joined, pack
from services.store.writer import Writer

PAGES_PER_STEP: Final = 32
"""Some 800 kB and ten milliseconds of the writer's time."""

Packed = tuple[Columns, bytes]


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

    async def add(self, columns: Columns) -> None:
        """Write what follows; what is less than a page waits for more."""
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


def finish(connection: Connection, targets: Sequence[int], sources: Sequence[int]) -> None:
    """Put new segments in the place of old ones, at once."""
    for segment_id in targets:
        segments.finish(connection, segment_id)
    if sources:
        segments.drop(connection, sources)


def in_steps(pages: Sequence[segments.Page]) -> Iterator[Sequence[segments.Page]]:
    """A few pages at a time."""
    for start in range(0, len(pages), PAGES_PER_STEP):
        yield pages[start : start + PAGES_PER_STEP]
