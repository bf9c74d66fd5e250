"""The journal, a batch of lines at a time, for one target."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from gateway.export.cursors import Lost
from gateway.export.lines import Lines
from services.store.readings import journal
from services.store.readings.columns import Columns, joined
from services.store.sqlite import SqliteConnection

ROWS_AT_ONCE: Final = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """Whole rows of the journal, as lines."""

    lines: Sequence[str]
    up_to: int
    """Number of the last row."""
    received_to_us: int
    """When its newest reading was received; 0 when they were all erased."""
    lost: Lost | None
    """What should have come before it and is no longer there."""
    unsendable: int
    """Readings in it that are no number, which no line can carry."""
    is_full: bool
    """There is probably more."""


class JournalSource:
    """Batches of about so many readings; a row is not split, so that the cursor is a row's number.

    Not for two threads at once.
    """

    def __init__(self, readings: SqliteConnection, lines: Lines, *, batch_points: int) -> None:
        self._readings = readings
        self._lines = lines
        self._batch_points = batch_points

    def newest(self) -> int:
        """Number of the newest row."""
        return journal.newest(self._readings)

    def after(self, number: int, *, received_to_us: int) -> Batch | None:
        """What follows a row; None when it was the newest.

        Args:
            number: Of the last row that was sent.
            received_to_us: When its newest reading was received.
        """
        counts = journal.counts(self._readings, after=number, limit=ROWS_AT_ONCE)
        if not counts:
            return None
        rows = journal.rows(self._readings, after=number, up_to=self._last_of(counts), limit=ROWS_AT_ONCE)
        if not rows:  # they were dropped between the two looks
            return None
        columns = joined(columns for _, columns in rows)
        lines = self._lines.of(columns)
        gap = rows[0][0] - number - 1
        return Batch(
            lines=lines,
            up_to=rows[-1][0],
            received_to_us=int(columns.received_at.max(initial=0)),
            lost=_lost(gap, columns, received_to_us) if gap else None,
            unsendable=int((~np.isfinite(columns.value)).sum()),
            is_full=len(columns) >= self._batch_points or len(counts) == ROWS_AT_ONCE,
        )

    def _last_of(self, counts: Sequence[tuple[int, int]]) -> int:
        """The row with which a batch is full."""
        readings = 0
        for number, count in counts:
            readings += count
            if readings >= self._batch_points:
                return number
        return counts[-1][0]


def _lost(rows: int, following: Columns, received_to_us: int) -> Lost:
    """Rows that are gone were received after what came before them and before what follows."""
    until_us = int(following.received_at.min()) if len(following) else received_to_us
    return Lost(rows=rows, since_us=received_to_us, until_us=until_us)
