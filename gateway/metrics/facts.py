"""What the databases and the machine tell, read anew for each page; nobody who carries alarms waits for it.

A database that cannot be read costs its own figures: the page says so and shows the others.
"""

import shutil
from collections import Counter
from collections.abc import Iterable
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import Final

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from gateway.data_folder import DataFolder
from gateway.export.cursors import UnreadableCursorError
from gateway.export.lag import TargetStatus, status_of
from gateway.handovers import how_far
from gateway.metrics import names
from gateway.metrics.fates import Fates
from services.quarantine import Outcome
from services.store import events, figures
from services.store.connection import Connection, StoreUnavailableError, from_micros
from services.store.figures import OpenAlarms, Waiting
from services.store.readings import handovers, journal
from services.store.sqlite import SqliteConnection
from services.supervision.auditor import AUDITED_AT
from services.supervision.silence import ALIVE

OUTCOMES: Final = tuple(Outcome)
_RECEIVED: Final = "_received"


class Facts:
    """What the data folder tells."""

    def __init__(self, folder: DataFolder, targets: Iterable[str]) -> None:
        """Open nothing yet.

        Args:
            folder: Where the data are.
            targets: The export targets, as the settings name them.
        """
        self._folder = folder
        self._targets = tuple(targets)
        self._fates = Fates()

    def read(self, now: datetime) -> list[Metric]:
        """Everything, at one moment."""
        lanes = Lanes()
        readable = GaugeMetricFamily(*names.READABLE, labels=["database"])
        found: list[Metric] = []
        try:
            with closing(SqliteConnection(self._folder.database)) as store, store.snapshot():
                found += self._of_alarms(store, lanes, now)
            readable.add_metric(["alarms"], 1)
        except StoreUnavailableError:
            readable.add_metric(["alarms"], 0)
        try:
            found += self._of_readings(lanes, now)
            readable.add_metric(["readings"], 1)
        except StoreUnavailableError:
            readable.add_metric(["readings"], 0)
        return [readable, *lanes.collect(), *found, *self._fates.collect(), *_machine(self._folder)]

    def _of_alarms(self, store: SqliteConnection, lanes: "Lanes", now: datetime) -> list[Metric]:
        counters = events.counters(store)
        lanes.add(counters)
        self._fates.look(store)
        return [
            *_alarms(figures.open_alarms(store), now),
            *_waiting(figures.waiting(store, now=now), now),
            _by_code(figures.faults_by_code(store)),
            GaugeMetricFamily(*names.SILENT, value=figures.devices_silent(store)),
            CounterMetricFamily(*names.AUDIT, value=figures.audit_entries(store)),
            _moment(names.AUDITOR, counters.get(AUDITED_AT)),
            _moment(names.LANES, counters.get(ALIVE)),
        ]

    def _of_readings(self, lanes: "Lanes", now: datetime) -> list[Metric]:
        if not self._folder.readings.exists():
            return []
        with closing(SqliteConnection(self._folder.readings)) as readings:
            lanes.add(events.counters(readings))
            exports = _exports(self._statuses(readings, now))
            with closing(SqliteConnection(self._folder.database)) as store:
                waits_since = handovers.oldest_after(readings, how_far(store, readings))
            waited_s = 0.0 if waits_since is None else _age_s(waits_since, now)
            return [
                *exports,
                _moment(names.LAST_READING, journal.newest_received_at(readings)),
                GaugeMetricFamily(*names.HANDOVER, value=waited_s),
            ]

    def _statuses(self, readings: Connection, now: datetime) -> list[TargetStatus]:
        found = []
        for name in self._targets:
            try:
                found.append(status_of(self._folder, name, readings, now=now))
            except UnreadableCursorError:  # the doctor says so; here its figures are missing
                continue
        return found


class Lanes:
    """received = stored + duplicate + quarantined, lane by lane, as the stores count it."""

    def __init__(self) -> None:
        self._received = CounterMetricFamily(*names.RECEIVED, labels=["lane"])
        self._messages = CounterMetricFamily(*names.MESSAGES, labels=["lane", "outcome"])

    def add(self, counters: dict[str, int]) -> None:
        """Add the lanes that one database counts."""
        for name, received in counters.items():
            if not name.endswith(_RECEIVED):
                continue
            lane = name.removesuffix(_RECEIVED)
            self._received.add_metric([lane], received)
            for outcome in OUTCOMES:
                self._messages.add_metric([lane, outcome], counters.get(f"{lane}_{outcome}", 0))

    def collect(self) -> list[Metric]:
        """Both families."""
        return [self._received, self._messages]


def _alarms(found: Iterable[OpenAlarms], now: datetime) -> list[Metric]:
    counted: Counter[tuple[str, str, str]] = Counter()
    oldest_s = 0.0
    for item in found:
        counted[item.kind.data_class, item.state, str(item.is_test).lower()] += item.count
        if not item.state.is_acknowledged and not item.is_test:
            oldest_s = max(oldest_s, _age_s(item.oldest_received_at, now))
    family = GaugeMetricFamily(*names.ALARMS, labels=["class", "state", "test"])
    for labels, count in counted.items():
        family.add_metric(labels, count)
    return [family, GaugeMetricFamily(*names.UNANSWERED, value=oldest_s)]


def _waiting(found: Iterable[Waiting], now: datetime) -> list[Metric]:
    count = GaugeMetricFamily(*names.WAITING, labels=["channel", "organisation"])
    oldest = GaugeMetricFamily(*names.OLDEST_WAITING, labels=["channel", "organisation"])
    for item in found:
        labels = [item.channel, item.organisation_id]
        count.add_metric(labels, item.count)
        oldest.add_metric(labels, _age_s(item.waits_since, now))
    return [count, oldest]


def _by_code(found: dict[str, int]) -> Metric:
    family = GaugeMetricFamily(*names.FAULTS, labels=["code"])
    for code, count in found.items():
        family.add_metric([code], count)
    return family


def _exports(found: Iterable[TargetStatus]) -> list[Metric]:
    lag = GaugeMetricFamily(*names.EXPORT_LAG, labels=["target"])
    behind = GaugeMetricFamily(*names.EXPORT_BEHIND, labels=["target"])
    sent = CounterMetricFamily(*names.EXPORT_SENT, labels=["target", "outcome"])
    lost = GaugeMetricFamily(*names.EXPORT_LOST, labels=["target"])
    for status in found:
        lag.add_metric([status.name], status.lag_seconds)
        behind.add_metric([status.name], status.readings_behind)
        lost.add_metric([status.name], 0 if status.lost is None else status.lost.rows)
        if status.cursor is not None:
            sent.add_metric([status.name, "accepted"], status.cursor.sent)
            sent.add_metric([status.name, "set_aside"], status.cursor.set_aside)
    return [lag, behind, sent, lost]


def _machine(folder: DataFolder) -> list[Metric]:
    size = GaugeMetricFamily(*names.DATABASE, labels=["database"])
    for name, path in (("alarms", folder.database), ("readings", folder.readings)):
        size.add_metric([name], _size(path) + _size(path.with_name(f"{path.name}-wal")))
    return [GaugeMetricFamily(*names.DISK, value=shutil.disk_usage(folder.path).free), size]


def _moment(name: names.NameAndHelp, micros: int | None) -> Metric:
    """A time in seconds since 1970; without a value when it never was."""
    family = GaugeMetricFamily(*name)
    if micros is not None:
        family.add_metric([], from_micros(micros).timestamp())
    return family


def _age_s(since: datetime, now: datetime) -> float:
    return max(0.0, (now - since).total_seconds())


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0
