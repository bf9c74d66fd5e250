"""When a target that failed is tried again. Pure.

away      0.5, 1, 2, 4, 8, 15, 15 … s, each less up to half of it: many hubs do not come back at once
refusing  60 s: only an operator can mend that
"""

from datetime import timedelta
from typing import Final

FIRST: Final = timedelta(seconds=0.5)
LONGEST: Final = timedelta(seconds=15)
REFUSED: Final = timedelta(seconds=60)
LONGEST_ASKED: Final = timedelta(minutes=5)
"""A target that asks us to wait longer (``Retry-After``) is tried sooner than it asks."""

_DOUBLINGS: Final = 10


def wait_after(failures: int, *, chance: float, asked: timedelta = timedelta()) -> timedelta:
    """How long to wait after a target was away.

    Args:
        failures: How often in a row, this time included; 1 or more.
        chance: From 0 up to 1; the more, the shorter.
        asked: How long the target asked us to wait.
    """
    doublings = min(failures - 1, _DOUBLINGS)
    longest = min(LONGEST, FIRST * (1 << doublings))
    return max(longest * (1 - chance / 2), min(asked, LONGEST_ASKED))
