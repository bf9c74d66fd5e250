"""What the alarm process notes: how long its lanes take to store, how soon what is told is handed over."""

from typing import Final

from gateway.data_folder import DataFolder
from gateway.lanes import ACTION_LANE
from gateway.metrics.keeping import Keeping
from gateway.metrics.names import DELIVER, STORE
from gateway.metrics.times import Times
from gateway.metrics.watching import LaneWatch, WatchedChannel
from services.delivery.channel import Channel
from services.domain.clock import Clock

PARTNER: Final = "partner"
"""The intake of partners' actions."""


class AlarmPathMetrics:
    """The figures of a process that takes messages, tells receivers, or both."""

    def __init__(self, folder: DataFolder, clock: Clock, *, process: str = "alarm") -> None:
        self.keeping = Keeping(folder, process)
        self._clock = clock
        self._store = Times(*STORE, label="lane")
        self._deliver = Times(*DELIVER, label="channel")
        self.keeping.registry.register(self._store)
        self.keeping.registry.register(self._deliver)

    def lane(self, name: str) -> LaneWatch:
        """Whoever notes the times of one intake, under the name that its messages are counted by."""
        return LaneWatch(self._store, ACTION_LANE if name == PARTNER else name)

    def watched(self, channel: Channel) -> WatchedChannel:
        """The same channel, its times noted."""
        return WatchedChannel(channel, self._deliver, self._clock)
