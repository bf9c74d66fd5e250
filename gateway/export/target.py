"""What the export needs of a database elsewhere."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Protocol


class Target(Protocol):
    """One bucket of one database."""

    async def write(self, lines: Sequence[str]) -> int:
        """Hand over points, all in one request, within a bounded time.

        Args:
            lines: Line protocol, times in microseconds; at least one.

        Returns:
            How many of them the target took note of and will never keep; 0: it has all.

        Raises:
            TargetUnavailableError: Nobody knows whether they arrived: try again.
            TargetRefusesError: It does not take anything from us: tell an operator.
            PointsRefusedError: It took none of these, because of one or more of them.
        """


class TargetUnavailableError(Exception):
    """The target cannot be reached or cannot answer."""

    def __init__(self, reason: str, *, asked: timedelta = timedelta(), is_alive: bool = False) -> None:
        self.asked = asked
        """How long it asked us to wait."""
        self.is_alive = is_alive
        """It answered, if only that it cannot: it has not forgotten what it took before."""
        super().__init__(f"{reason}; it is tried again by itself")


class TargetRefusesError(Exception):
    """The target takes nothing from us."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"{reason}; check url, org, bucket and token of this target, and that it is ready")


class PointsRefusedError(Exception):
    """The target did not take one or more of these points, and so none."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(reason)
