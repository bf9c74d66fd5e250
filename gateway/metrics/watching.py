"""Small observers on the way of a message: what the carriers call, and nothing of what they do.

Intake ──received, stored──> LaneWatch        Release ──hand_over──> WatchedChannel ──> the channel
"""

from collections import deque
from collections.abc import Mapping
from datetime import timedelta
from time import perf_counter
from typing import Final

from gateway.metrics.times import Times
from services.delivery.channel import Channel, Room
from services.delivery.cloud_events import CareEvent
from services.domain.clock import Clock

AT_ONCE: Final = timedelta(seconds=1)
"""A delivery that was made later than this after its notice is a later step's: it was meant to wait."""

_HIGH_BITS: Final = slice(0, 8)
_LOW_BITS: Final = slice(9, 13)


class LaneWatch:
    """How long the messages of one lane took to be on disk (a ``gateway.intake.Watch``)."""

    def __init__(self, times: Times, lane: str) -> None:
        self._times = times
        self._lane = lane
        self._since: deque[float] = deque()
        """When those came that are not stored; bounded like the intake that calls."""

    def received(self) -> None:
        """Another one came."""
        self._since.append(perf_counter())

    def stored(self, count: int) -> None:
        """The oldest of them are on disk."""
        now_s = perf_counter()
        for _ in range(count):
            self._times.observe(now_s - self._since.popleft(), self._lane)


class WatchedChannel:
    """A channel that notes how long events took to be handed to it for the first time."""

    def __init__(self, channel: Channel, times: Times, clock: Clock) -> None:
        self._channel = channel
        self._times = times
        self._clock = clock

    def is_available(self) -> bool:
        """Whether handing over makes sense now."""
        return self._channel.is_available()

    def room(self) -> Mapping[str, Room] | None:
        """What each receiver takes now."""
        return self._channel.room()

    def caught_up(self, organisation_id: str) -> None:
        """Nothing is left of what a receiver was to catch up with."""
        self._channel.caught_up(organisation_id)

    def hand_over(self, event: CareEvent) -> None:
        """Hand it over, then note the time."""
        self._channel.hand_over(event)
        if event.attempt == 1 and event.notice.event_id is not None:
            told_at_s = event.notice.at.timestamp()
            if made_at_s(event.delivery_id) - told_at_s < AT_ONCE.total_seconds():
                self._times.observe(self._clock.now().timestamp() - told_at_s, event.channel)


def made_at_s(id_: str) -> float:
    """When one of our ids was made, in seconds since 1970: the first 48 bits of a UUIDv7, milliseconds."""
    return int(id_[_HIGH_BITS] + id_[_LOW_BITS], 16) / 1_000
