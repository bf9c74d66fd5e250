"""What the reading process notes: how long the oldest reading of each commit took to be on disk."""

from collections.abc import Callable

from gateway.data_folder import READING_LOCK, DataFolder
from gateway.metrics.keeping import Keeping
from gateway.metrics.names import STORE
from gateway.metrics.times import Times
from services.domain.clock import Clock
from services.readings.batch import LANE, Committed
from services.store.connection import to_micros
from services.store.readings.columns import Columns


class ReadingMetrics:
    """The figures of the reading process. Once a commit, some 25 times a second, whatever the load."""

    def __init__(self, folder: DataFolder, clock: Clock) -> None:
        self.keeping = Keeping(folder, READING_LOCK)
        self._clock = clock
        self._store = Times(*STORE, label="lane")
        self.keeping.registry.register(self._store)

    def noted(self, then: Callable[[Columns], None]) -> Callable[[Committed], None]:
        """What is called with each commit: it notes the time, then hands the readings on."""

        def committed(commit: Committed) -> None:
            columns = commit.columns
            if len(columns):
                waited_us = to_micros(self._clock.now()) - int(columns.received_at.min())
                self._store.observe(waited_us / 1_000_000, LANE)
            then(columns)

        return committed
