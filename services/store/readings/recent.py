"""What is committed and in no segment yet, in memory: the intake asks it whether a reading is there already.

Bounded by the flush (``services.readings.upkeep``): some million readings of 28 bytes.
"""

from typing import Final

import numpy as np

from services.store.connection import Connection
from services.store.readings import segments
from services.store.readings.columns import Columns, Mask, joined

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

    @property
    def count(self) -> int:
        """How many readings there are."""
        return sum(len(block) for block in self._blocks)

    def add(self, columns: Columns, *, number: int) -> None:
        """Take in what a row of the journal holds, once it is committed."""
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
        del self._blocks[: len(blocks)]

    def keys_of(self, series_ids: set[int]) -> set[Key]:
        """Which readings of these series there are."""
        asked = np.fromiter(series_ids, np.uint32, len(series_ids))
        return {key for block in self._blocks for key in _keys(block, np.isin(block.series, asked))}

    def erase(self, series_ids: set[int]) -> None:
        """Forget everything of these series."""
        asked = np.fromiter(series_ids, np.uint32, len(series_ids))
        self._blocks = [block.where(~np.isin(block.series, asked)) for block in self._blocks]


def keys_in_segments(connection: Connection, keys: set[Key]) -> set[Key]:
    """Which of these readings are in a segment already."""
    return {key for key in keys if _is_in_segment(connection, *key)}


def _is_in_segment(connection: Connection, series_id: int, at: int) -> bool:
    for segment in segments.overlapping(connection, first_at=at, last_at=at):
        for page in segments.pages_of_series(connection, segment.id, series_id):
            if page.first_at <= at <= page.last_at:
                found = segments.read(connection, page).of_series(series_id)
                if (found.at == at).any():
                    return True
    return False


def _keys(block: Columns, chosen: Mask) -> list[Key]:
    return list(zip(block.series[chosen].tolist(), block.at[chosen].tolist(), strict=True))
