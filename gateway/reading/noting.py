"""Writes the last value of each series down, a few thousand with each commit, in passes.

A pass takes every series that has changed by its beginning. When it is through, ``last_values`` holds
all that the journal held then, and whoever looks need only look at the commits since.
"""

import time
from collections.abc import Callable
from datetime import timedelta
from typing import Final

from services.readings.states import SeriesStates

PASS_EVERY: Final = timedelta(seconds=10)
PER_COMMIT: Final = 2_000
"""Series: some five milliseconds of a commit."""

Row = tuple[int, int, int, float]


class Noting:
    """The passes, one after the other."""

    def __init__(
        self, states: SeriesStates, *, newest_row: int, monotonic_s: Callable[[], float] = time.monotonic
    ) -> None:
        """Begin where an earlier run ended.

        Args:
            states: Knows the last values and which of them have changed.
            newest_row: Of the journal, all of it in ``last_values``.
            monotonic_s: Seconds that nobody can set.
        """
        self._states = states
        self._newest_row = newest_row
        self._pending: list[int] = []
        self._holds = newest_row
        self._monotonic_s = monotonic_s
        self._began_s = monotonic_s()

    def is_due(self) -> bool:
        """Whether there is something to write though nothing arrives."""
        return bool(self._pending) or (bool(self._states.changed) and self._is_time())

    def take(self) -> tuple[list[Row], int | None]:
        """What the next commit is to write, and the row up to which everything is noted with it."""
        if not self._pending:
            if not self._is_time():
                return [], None
            self._begin()
        now, self._pending = self._pending[:PER_COMMIT], self._pending[PER_COMMIT:]
        return [self._states.last(id_) for id_ in now], None if self._pending else self._holds

    def committed(self, row: int) -> None:
        """A row of the journal is on disk."""
        self._newest_row = row

    def _is_time(self) -> bool:
        return self._monotonic_s() - self._began_s >= PASS_EVERY.total_seconds()

    def _begin(self) -> None:
        self._began_s = self._monotonic_s()
        self._pending = sorted(self._states.changed)
        self._states.changed.clear()
        self._holds = self._newest_row
