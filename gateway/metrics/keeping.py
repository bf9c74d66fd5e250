"""A process's own figures, and the file that it keeps them in for the web process.

Written once a second, as one step, in a thread: the loop that carries alarms does not wait for it. Lost with
the process, as Prometheus expects of counters.
"""

import asyncio
import os
import resource
from collections.abc import Iterable
from datetime import timedelta
from pathlib import Path
from typing import Final

import structlog
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from gateway.data_folder import DataFolder
from gateway.metrics.names import CPU, MEMORY

EVERY: Final = timedelta(seconds=1)
ENDING: Final = ".prom"

_PAGE_BYTES: Final = os.sysconf("SC_PAGE_SIZE")
_log = structlog.get_logger(__name__)


class Keeping:
    """The figures of one process."""

    def __init__(self, folder: DataFolder, process: str) -> None:
        """Keep nothing yet.

        Args:
            folder: Where its file goes.
            process: Its name: alarm, reading, export, outward.
        """
        self.registry = CollectorRegistry()
        self.registry.register(Usage(process))
        self._path = path_of(folder, process)
        self._is_told = False

    async def run(self) -> None:
        """Write the file once a second, until cancelled. A disk that is full costs the figures, no more."""
        while True:
            await asyncio.to_thread(self._write_if_it_can_be)
            await asyncio.sleep(EVERY.total_seconds())

    def _write_if_it_can_be(self) -> None:
        try:
            self.write()
        except OSError as error:
            if not self._is_told:
                _log.warning("metrics_not_written", reason=error.strerror)
            self._is_told = True
        else:
            self._is_told = False

    def write(self) -> None:
        """Put the figures of now in place of the file. Not synced: after a power cut they are of no use."""
        self._path.parent.mkdir(mode=0o700, exist_ok=True)
        draft = self._path.with_suffix(".tmp")
        draft.write_bytes(generate_latest(self.registry))
        draft.replace(self._path)


def path_of(folder: DataFolder, process: str) -> Path:
    """Where a process keeps its figures."""
    return folder.run / "metrics" / f"{process}{ENDING}"


class Usage(Collector):
    """What a process uses of the machine."""

    def __init__(self, process: str) -> None:
        self._process = process

    def collect(self) -> Iterable[Metric]:
        """Processor time and memory, of this process as it is now."""
        used = resource.getrusage(resource.RUSAGE_SELF)
        cpu = CounterMetricFamily(*CPU, labels=["process"])
        cpu.add_metric([self._process], used.ru_utime + used.ru_stime)
        yield cpu
        memory = GaugeMetricFamily(*MEMORY, labels=["process"])
        memory.add_metric([self._process], _resident_bytes())
        yield memory


def _resident_bytes() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * _PAGE_BYTES
