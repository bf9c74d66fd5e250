"""Time comes as an argument, so that rules about time can be proved without waiting."""

import time
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """Tells the time."""

    def now(self) -> datetime:
        """The time now, aware, in UTC."""

    def micros(self) -> int:
        """The same as whole microseconds since 1970, for what is done for every packet."""


class SystemClock:
    """The machine's own clock."""

    def now(self) -> datetime:
        """The time now, aware, in UTC."""
        return datetime.now(tz=UTC)  # noqa: TID251 - the one place where time enters

    def micros(self) -> int:
        """The same as whole microseconds since 1970."""
        return time.time_ns() // 1_000
