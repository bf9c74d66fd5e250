"""What is committed and in no segment yet, in memory: the intake asks it whether a reading is there already.

Bounded by the flush (``services.readings.upkeep``): some million readings of 28 bytes.
"""

from collections.abc import Iterable, Iterator
from itertools import groupby
from typing import Final

import numpy as np

from services.store.connection import Connection
from services.store.readings import segments
from services.store.readings.columns import Columns, Mask, Times, joined

BLOCK_READINGS: Final = 65_536
"""Small commits are put together up to this size, so that a question costs few looks."""

Key = tuple[int, int]
"""Series and time."""


class Recent:
    """The readings of the journal's rows that are not flushed."""

    def __init__(self, columns: Columns, *, number: int) -> None:
        """Start from what an earlier run left.

        Args:
            columns: Everything that is in no segment yet.
            number: Of the journal's newest row.
        """
        self._blocks = [columns]
        self._number = number
        self._is_sealed = False
        self._erased = np.zeros(0, np.uint32)

    @property
    def count(self) -> int:
        """How many readings there are."""
        return sum(len(block) for block in self._blocks)

    def add(self, columns: Columns, *, number: int) -> None:
        """Take in what a row of the journal holds, once it is committed."""
        columns = self.not_erased(columns)
        if not self._is_sealed and self._blocks and len(self._blocks[-1]) < BLOCK_READINGS:
            self._blocks[-1] = joined([self._blocks[-1], columns])
        else:
            self._blocks.append(columns)
        self._is_sealed = False
        self._number = number

    def all(self) -> tuple[int, list[Columns]]:
        """Everything up to now, with the number of the newest row in it; to be flushed."""
        self._is_sealed = True
        return self._number, list(self._blocks)

    def flushed(self, blocks: list[Columns]) -> None:
        """These are in a segment now."""
        self._blocks = self._blocks[len(blocks) :]

    def known(self, keys: set[Key]) -> set[Key]:
        """Which of these readings there are. The writer's thread may ask while a flush ends."""
        blocks = self._blocks  # never changed, only replaced or added to: a flush loses nobody a block
        is_asked = np.zeros(max((series for series, _ in keys), default=0) + 2, np.bool_)
        is_asked[[series for series, _ in keys]] = True  # the last place stands for all that is larger
        times = np.fromiter({at for _, at in keys}, np.int64)
        return {key for block in blocks for key in _keys(block, is_asked, times)} & keys

    def erase(self, series_ids: Iterable[int]) -> None:
        """Forget everything of these series, and take nothing of them in any more."""
        self._erased = np.union1d(self._erased, np.fromiter(series_ids, np.uint32))
        self._blocks = [self.not_erased(block) for block in self._blocks]

    def not_erased(self, columns: Columns) -> Columns:
        """What may be stored of these."""
        if not len(self._erased):
            return columns
        is_erased = np.isin(columns.series, self._erased)
        return columns.where(~is_erased) if is_erased.any() else columns


def keys_in_segments(connection: Connection, keys: set[Key]) -> set[Key]:
    """Which of these readings are in a segment already. Reads each page that may hold some once."""
    by_series = groupby(sorted(keys), key=lambda key: key[0])
    return {
        (series_id, at)
        for series_id, group in by_series
        for at in _times_in_segments(connection, series_id, np.array([at for _, at in group], np.int64))
    }


def _times_in_segments(connection: Connection, series_id: int, times: Times) -> Iterator[int]:
    for segment in segments.overlapping(connection, first_at=int(times[0]), last_at=int(times[-1])):
        if not len(_between(times, segment.first_at, segment.last_at)):
            continue
        for page in segments.pages_of_series(connection, segment.id, series_id):
            asked = _between(times, page.first_at, page.last_at)
            if len(asked):
                found = segments.read(connection, page).of_series(series_id).at
                yield from np.intersect1d(asked, found).tolist()


def _between(times: Times, first: int, last: int) -> Times:
    start, end = np.searchsorted(times, first, "left"), np.searchsorted(times, last, "right")
    return times[start:end]


def _keys(block: Columns, is_asked: Mask, times: Times) -> Iterator[Key]:
    of_series = block.where(is_asked.take(block.series, mode="clip"))
    found = of_series.where(np.isin(of_series.at, times))
    return zip(found.series.tolist(), found.at.tolist(), strict=True)
