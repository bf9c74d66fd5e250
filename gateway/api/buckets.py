"""How often somebody may ask: a bucket each, filled at a steady rate, emptied by asking."""

import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Final

MOST_BUCKETS: Final = 10_000
"""The one that was not used for longest is forgotten, which fills it."""


class Buckets:
    """Of callers or addresses; in memory, for one process."""

    def __init__(
        self, *, per_second: float, burst: int, clock_s: Callable[[], float] = time.monotonic
    ) -> None:
        """Fill buckets.

        Args:
            per_second: How much flows in; 0: nothing is ever refused.
            burst: How much a bucket holds.
            clock_s: Seconds that never go back.
        """
        self._per_second = per_second
        self._burst = burst
        self._clock_s = clock_s
        self._filled: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, key: str) -> float:
        """Take one; returns how many seconds to wait when there is none, else 0."""
        if self._per_second <= 0:
            return 0.0
        now_s = self._clock_s()
        level, at_s = self._filled.pop(key, (float(self._burst), now_s))
        level = min(self._burst, level + (now_s - at_s) * self._per_second)
        is_there = level >= 1
        self._filled[key] = (level - 1 if is_there else level, now_s)
        if len(self._filled) > MOST_BUCKETS:
            self._filled.popitem(last=False)
        return 0.0 if is_there else (1 - level) / self._per_second
