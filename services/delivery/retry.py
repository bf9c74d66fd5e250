"""When an unconfirmed delivery is tried again: pure.

    usually                  15 s, 15 s, 15 s …
    after a lost connection  at once, then 1, 2, 5, 15, 15 … s

There is no last attempt while an alarm is open: a receiver that is silent is tried until it confirms,
or the alarm is closed.
"""

from datetime import timedelta
from typing import Final

WAITS: Final = (timedelta(seconds=1), timedelta(seconds=2), timedelta(seconds=5), timedelta(seconds=15))

CLOSED_NEWS_FOR: Final = timedelta(hours=1)
"""That an alarm was closed is repeated this long to a receiver that does not confirm it."""


def wait_after(hurry: int) -> timedelta:
    """How long to wait after an attempt.

    Args:
        hurry: Attempts since the connection was last lost; 3 or more: unhurried.
    """
    return WAITS[min(hurry, len(WAITS) - 1)]
