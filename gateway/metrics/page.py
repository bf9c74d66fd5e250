"""The page that Prometheus fetches: this process, the files of the others, and the databases, joined.

One is made at a time and serves everybody for a second, or for ten times as long as it took: however many
ask, and however large the city, no more than a tenth of one processor goes into it.
"""

import subprocess
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from typing import Final

import apsw
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily, InfoMetricFamily, Metric
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.registry import Collector

from broker import mosquitto
from gateway.data_folder import DataFolder, holder
from gateway.metrics import names
from gateway.metrics.facts import Facts
from gateway.metrics.keeping import Usage, path_of
from gateway.settings import Settings
from services.domain.clock import Clock

MEDIA_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
LASTS_SECONDS: Final = 1.0
TIMES_ITS_COST: Final = 10.0
FORGOTTEN_AFTER: Final = timedelta(minutes=1)
"""What a process that is gone has counted is of no use any more."""

WEB: Final = "web"


class Page:
    """Made in whatever thread asks for it."""

    def __init__(self, folder: DataFolder, settings: Settings, clock: Clock) -> None:
        self._folder = folder
        self._settings = settings
        self._clock = clock
        self._facts = Facts(folder, settings.export)
        self._usage = Usage(WEB)
        self._lock = threading.Lock()
        self._text = b""
        self._good_until_s = float("-inf")

    def text(self) -> bytes:
        """The page; whoever asks while it is being made waits for that one."""
        with self._lock:
            began_s = time.monotonic()
            if began_s >= self._good_until_s:
                self._text = self._made()
                took_s = time.monotonic() - began_s
                self._good_until_s = began_s + max(LASTS_SECONDS, took_s * TIMES_ITS_COST)
            return self._text

    def _made(self) -> bytes:
        now = self._clock.now()
        registry = CollectorRegistry(auto_describe=False)
        registry.register(_Joined([*self._facts.read(now), *self._processes(now), self._build()]))
        return generate_latest(registry)

    def _processes(self, now: datetime) -> Iterator[Metric]:
        up = GaugeMetricFamily(*names.UP, labels=["process"])
        heartbeat = GaugeMetricFamily(*names.HEARTBEAT, labels=["process"])
        for process in processes(self._settings):
            up.add_metric([process], holder(self._folder, process) is not None)
            written_at = self._written_at(process)
            if written_at is not None:
                heartbeat.add_metric([process], written_at.timestamp())
                if now - written_at < FORGOTTEN_AFTER:
                    yield from self._figures_of(process)
        up.add_metric([WEB], 1)
        heartbeat.add_metric([WEB], now.timestamp())
        yield from (up, heartbeat, *self._usage.collect())

    def _written_at(self, process: str) -> datetime | None:
        try:
            return datetime.fromtimestamp(path_of(self._folder, process).stat().st_mtime, tz=UTC)
        except FileNotFoundError:
            return None

    def _figures_of(self, process: str) -> Iterable[Metric]:
        return text_string_to_metric_families(path_of(self._folder, process).read_text())

    def _build(self) -> Metric:
        family = InfoMetricFamily(*names.BUILD)
        family.add_metric([], self._versions)
        return family

    @cached_property
    def _versions(self) -> dict[str, str]:
        return {
            "version": version("stadsnav"),
            "sqlite": apsw.sqlite_lib_version(),
            "mosquitto": _mosquitto_version(self._settings),
        }


def processes(settings: Settings) -> Sequence[str]:
    """The processes that should run beside this one, by the name of their lock."""
    return ("alarm", "reading", "outward", *(["export"] if settings.export else []))


class _Joined(Collector):
    """Families of one name as one, in the order of their names: the format wants each only once."""

    def __init__(self, found: Iterable[Metric]) -> None:
        self._families: dict[str, Metric] = {}
        for family in found:
            known = self._families.setdefault(family.name, family)
            if known is not family:
                known.samples.extend(family.samples)

    def collect(self) -> Iterable[Metric]:
        """Every family."""
        return [self._families[name] for name in sorted(self._families)]


def _mosquitto_version(settings: Settings) -> str:
    """Of the broker that we run; empty where it runs elsewhere, or cannot say."""
    if not settings.broker.manage:
        return ""
    try:
        chosen = settings.broker.executable
        found = mosquitto.installed_version(Path(chosen) if chosen else mosquitto.find_executable())
    except (
        mosquitto.MosquittoMissingError,
        mosquitto.MosquittoTooOldError,
        OSError,
        subprocess.SubprocessError,
    ):
        return ""
    return ".".join(map(str, found))
