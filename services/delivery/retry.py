"""When an unconfirmed delivery is tried again: pure but for the count that ``Allowance`` keeps.

    mqtt     15 s, 15 s, 15 s …; after a lost connection at once, then 1, 2, 5, 15, 15 … s
    webhook  1, 2, 5, 10, 20, 30, 30 … s after an attempt has failed; each has a few seconds to be answered
    stream   told once: who listens reads on from where it was. Looked at again in case the right has ended

With a great backlog 500 at once, then 20 a second and receiver: one that never confirms costs the others
nothing, and no broker's memory. There is no last attempt while an alarm is open: a receiver that is silent
is tried until it confirms, or the alarm is closed.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from services.domain.subscriptions import ChannelName

CLOSED_NEWS_FOR: Final = timedelta(hours=1)
"""That an alarm was closed is repeated this long to a receiver that does not confirm it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """The waits of one channel."""

    waits: tuple[timedelta, ...]
    answered_within: timedelta = timedelta(0)
    """How long an attempt can be under way; the wait begins behind it."""

    def wait_after(self, hurry: int) -> timedelta:
        """How long to wait after an attempt.

        Args:
            hurry: How many of the waits have been used; the last one stays.
        """
        return self.waits[min(hurry, len(self.waits) - 1)]

    def lease_after(self, hurry: int) -> timedelta:
        """How long an attempt that is being made keeps its delivery from being due."""
        return self.answered_within + self.wait_after(hurry)


def _seconds(*waits: int) -> tuple[timedelta, ...]:
    return tuple(timedelta(seconds=wait) for wait in waits)


SCHEDULES: Final[dict[str, Schedule]] = {
    ChannelName.MQTT: Schedule(waits=_seconds(1, 2, 5, 15)),
    ChannelName.WEBHOOK: Schedule(waits=_seconds(1, 2, 5, 10, 20, 30), answered_within=timedelta(seconds=10)),
    ChannelName.STREAM: Schedule(waits=_seconds(300)),
}


def schedule_of(channel: str) -> Schedule:
    """The waits of a channel; of one that this version does not have, those of MQTT."""
    return SCHEDULES.get(channel, SCHEDULES[ChannelName.MQTT])


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
