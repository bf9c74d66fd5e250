"""When to say it again: waits, and the list of alarms that still want a receipt.

    attempt 1 ─2 s─ 2 ─4 s─ 3 ─8 s─ … ─60 s─ …      until a receipt, however long that takes

Pure: chance and time are arguments, nothing here sleeps.
"""

from dataclasses import dataclass
from datetime import timedelta
from typing import Final, Generic, TypeVar

T = TypeVar("T")

_MOST_DOUBLINGS: Final = 40
"""Two seconds doubled forty times is longer than any limit, and no float overflows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Backoff:
    """How waits grow: double each time from ``first`` to ``limit``."""

    first: timedelta
    limit: timedelta
    jitter: float = 0.25
    """The share of a wait, 0 to 1, that chance may take away, so that homes do not speak in step."""


REPEAT: Final = Backoff(first=timedelta(seconds=2), limit=timedelta(seconds=60))
"""Between two sendings of an alarm that has no receipt."""

RECONNECT: Final = Backoff(first=timedelta(seconds=1), limit=timedelta(seconds=30), jitter=1.0)
"""Between two tries to reach the broker; all of it is chance, or a city would come back in one second."""


def wait_after(attempts: int, random: float, backoff: Backoff = REPEAT) -> timedelta:
    """How long to wait after so many attempts.

    Args:
        attempts: Made so far, at least 1.
        random: Drawn by the caller, 0 to 1; more gives a longer wait.
        backoff: How waits grow.
    """
    doublings = min(attempts - 1, _MOST_DOUBLINGS)
    longest = min(backoff.first.total_seconds() * 2**doublings, backoff.limit.total_seconds())
    return timedelta(seconds=longest * (1 - backoff.jitter * (1 - random)))


@dataclass(slots=True, kw_only=True)
class _Awaited(Generic[T]):
    alarm: T
    attempts: int
    due_seconds: float


class Repeats(Generic[T]):
    """What has been said and not answered, oldest first; times are seconds of a monotonic clock."""

    def __init__(self, backoff: Backoff = REPEAT) -> None:
        self._backoff = backoff
        self._awaited: dict[str, _Awaited[T]] = {}

    def __len__(self) -> int:
        return len(self._awaited)

    def add(self, key: str, alarm: T, *, now_seconds: float) -> None:
        """Due at once; the same key again changes nothing."""
        self._awaited.setdefault(key, _Awaited(alarm=alarm, attempts=0, due_seconds=now_seconds))

    def due(self, now_seconds: float) -> list[tuple[str, T]]:
        """What should be said now, oldest first: an alarm is never overtaken by its own clearing."""
        return [(key, one.alarm) for key, one in self._awaited.items() if one.due_seconds <= now_seconds]

    def next_due_seconds(self) -> float | None:
        """When the next one is due; None when nothing waits."""
        return min((one.due_seconds for one in self._awaited.values()), default=None)

    def sent(self, key: str, *, now_seconds: float, random: float) -> None:
        """It was said once more; due again after a longer wait."""
        one = self._awaited[key]
        one.attempts += 1
        one.due_seconds = now_seconds + wait_after(one.attempts, random, self._backoff).total_seconds()

    def make_all_due(self, now_seconds: float) -> None:
        """The line is back: what was said into the old one may have been lost."""
        for one in self._awaited.values():
            one.due_seconds = now_seconds

    def answered(self, key: str) -> None:
        """No need to say it again."""
        self._awaited.pop(key, None)
