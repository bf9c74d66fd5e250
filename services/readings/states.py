"""What the intake remembers of every series: how new its readings are, and its last one.

In flat arrays by series id, 32 bytes a series, so that a whole city fits in memory and a look costs
nanoseconds. Loaded once at the start; the store's ``last_values`` follow it every few seconds.
"""

from array import array
from collections.abc import Iterable
from typing import Final

from services.store.readings.columns import CLOCK_TOLERANCE_MICROS

NEVER: Final = -(2**62)
"""Earlier than any time: nothing was received yet."""


class SeriesStates:
    """The newest and the last reading of each series."""

    def __init__(self, newest_id: int, last: Iterable[tuple[int, int, int, float]]) -> None:
        """Start from what is stored.

        Args:
            newest_id: The largest series id there is.
            last: Series, at, received_at and value of each series' last reading.
        """
        size = newest_id + 1
        self.newest_at = array("q", [NEVER]) * size
        """The newest time by the device's clock, as far as that clock was right."""
        self.last_at = array("q", [NEVER]) * size
        self.last_received_at = array("q", [NEVER]) * size
        self.last_value = array("d", [0.0]) * size
        self._ahead_at: dict[int, int] = {}
        """The newest time of the few whose clock was ahead."""
        self._loaded_to = newest_id
        """Of the series up to here nobody remembers what an earlier run saw ahead: it has to be looked up."""
        self.changed: set[int] = set()
        """Series whose last reading is not noted in the store yet."""
        for series_id, at, received_at, value in last:
            self.note(series_id, at, received_at, value)
            # where the last one's clock was ahead, there is nothing right that is newer than its receipt
            self.newest_at[series_id] = self.last_counts_from(series_id)
        self.changed.clear()

    def add(self) -> int:
        """Make room for one more series; returns its id."""
        for times in (self.newest_at, self.last_at, self.last_received_at):
            times.append(NEVER)
        self.last_value.append(0.0)
        return len(self.newest_at) - 1

    def is_ahead_of_all(self, series_id: int, at: int) -> bool:
        """Of a reading whose clock is ahead: whether it is newer than all of that kind before it."""
        return series_id > self._loaded_to and at > self._ahead_at.get(series_id, NEVER)

    def note(self, series_id: int, at: int, received_at: int, value: float) -> None:
        """Remember a reading that is stored."""
        counts_from = at
        if at > received_at + CLOCK_TOLERANCE_MICROS:
            self._ahead_at[series_id] = max(at, self._ahead_at.get(series_id, NEVER))
            counts_from = received_at
        elif at > self.newest_at[series_id]:
            self.newest_at[series_id] = at
        last_from = self.last_counts_from(series_id)
        if counts_from > last_from or (
            counts_from == last_from
            and (received_at, at) >= (self.last_received_at[series_id], self.last_at[series_id])
        ):
            self.last_at[series_id] = at
            self.last_received_at[series_id] = received_at
            self.last_value[series_id] = value
            self.changed.add(series_id)

    def last_counts_from(self, series_id: int) -> int:
        """When the last reading counts from: its own time, or ours where the device's clock was ahead."""
        at, received_at = self.last_at[series_id], self.last_received_at[series_id]
        return received_at if at > received_at + CLOCK_TOLERANCE_MICROS else at

    def last(self, series_id: int) -> tuple[int, int, int, float]:
        """Series, at, received_at and value of the last reading."""
        return (
            series_id,
            self.last_at[series_id],
            self.last_received_at[series_id],
            self.last_value[series_id],
        )

    def forget(self, series_ids: Iterable[int]) -> None:
        """Nothing was ever said in these: they are erased."""
        for series_id in series_ids:
            self.newest_at[series_id] = self.last_at[series_id] = self.last_received_at[series_id] = NEVER
            self._ahead_at.pop(series_id, None)
            self.changed.discard(series_id)
