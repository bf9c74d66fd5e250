"""When an unconfirmed delivery is tried again: pure but for the count that ``Allowance`` keeps.

    usually                  15 s, 15 s, 15 s …
    after a lost connection  at once, then 1, 2, 5, 15, 15 … s
    with a great backlog     500 at once, then 20 a second and receiver: one that never confirms costs the
                             others nothing, and no broker's memory

There is no last attempt while an alarm is open: a receiver that is silent is tried until it confirms,
or the alarm is closed.
"""

from datetime import datetime, timedelta
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


class Allowance:
    """How many repeats each receiver may get now: a bucket that fills with time."""

    AT_ONCE: Final = 500
    PER_SECOND: Final = 20

    def __init__(self) -> None:
        self._left: dict[str, tuple[float, datetime]] = {}

    def takes_one(self, organisation_id: str, now: datetime) -> bool:
        """Whether one more repeat may go out, which then is counted."""
        left, since = self._left.get(organisation_id, (float(self.AT_ONCE), now))
        left = min(self.AT_ONCE, left + self.PER_SECOND * max(0.0, (now - since).total_seconds()))
        self._left[organisation_id] = (left - 1 if left >= 1 else left, now)
        return left >= 1

    def fill(self, organisation_id: str) -> None:
        """The receiver has come back: let it have what waits."""
        self._left.pop(organisation_id, None)
