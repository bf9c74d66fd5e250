"""A clock that stands still until the test moves it."""

from datetime import UTC, datetime, timedelta
from typing import Final

from services.store.connection import to_micros

START: Final = datetime(2026, 11, 23, 8, 15, 2, 120_000, tzinfo=UTC)


class FrozenClock:
    """A ``services.domain.clock.Clock``."""

    def __init__(self, now: datetime = START) -> None:
        self._now = now

    def now(self) -> datetime:
        return self._now

    def micros(self) -> int:
        return to_micros(self._now)

    def advance(self, by: timedelta) -> datetime:
        """Let so much time pass; returns the time then."""
        return self.move_to(self._now + by)

    def move_to(self, moment: datetime) -> datetime:
        """Let time pass until ``moment``; it never goes back."""
        self._now = max(self._now, moment)
        return self._now
