"""Readings for the organisations that may know them, as CloudEvents that carry SenML.

    committed ──shared at all?──> grants in force now ──> one event per organisation, position and class
                                                     └──> written down before the first of the day leaves

The grant is judged at the moment of release, by the registry as it is then. Nothing is kept for a receiver
that is away: what it missed is in the history.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import msgspec
import numpy as np

from devices.codecs.rfc3339 import time_text
from devices.codecs.senml import Measured, encode_json
from services.access import Subject, covers, is_in_force
from services.domain.homes import Grant
from services.domain.ids import new_id
from services.domain.readings import Series, SeriesId
from services.store import changes, registry
from services.store.connection import Connection, to_micros
from services.store.readings import series as series_rows
from services.store.readings.columns import Columns, joined
from services.store.readings.releases import ReleaseKey
from services.store.readings.segments import DAY_MICROS

TYPE: Final = "se.stadsnav.reading.v1"
RECORDS_PER_EVENT: Final = 400
"""Some 30 kB: well below what the broker takes in one packet."""

_UNKNOWN, _KEPT, _SHARED = 0, 1, 2
_GROWTH: Final = 65_536


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """One event for one organisation."""

    key: ReleaseKey
    count: int
    payload: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class _Shared:
    series: Series
    position: str
    grants: tuple[Grant, ...]
    """Every grant of the home for the class, ended ones too: which hold is asked at the release."""


class Sharing:
    """Turns what was committed into what may leave. For one thread at a time."""

    def __init__(self, registry_reader: Connection, readings: Connection, *, source: str) -> None:
        """Join the parts.

        Args:
            registry_reader: The alarm path's database, only read.
            readings: The readings' database, only read.
            source: ``urn:stadsnav:{city}``.
        """
        self._registry = registry_reader
        self._readings = readings
        self._source = source
        self._flags = np.zeros(_GROWTH, np.uint8)
        self._shared: dict[int, _Shared] = {}
        self._newest_change = changes.newest(registry_reader)

    def shares(self, committed: Sequence[Columns], *, now: datetime) -> list[Share]:
        """What of these readings may leave now, and to whom."""
        self._follow_registry()
        columns = joined(committed)
        self._make_room(columns)
        for series_id in np.unique(columns.series[self._flags[columns.series] == _UNKNOWN]).tolist():
            self._look_up(series_id)
        columns = columns.where(self._flags[columns.series] == _SHARED).sorted()
        by_right: dict[tuple[ReleaseKey, str], list[tuple[_Shared, Columns]]] = defaultdict(list)
        for series_id in np.unique(columns.series).tolist():
            shared = self._shared[series_id]
            for grant in self._rights(shared, now):
                key = _release_key(shared, grant, now)
                by_right[key, shared.series.position_id].append((shared, columns.of_series(series_id)))
        return [share for (key, _), parts in by_right.items() for share in self._events(key, parts, now)]

    def has_changed(self) -> bool:
        """Whether the registry is another one since ``shares`` looked."""
        return changes.newest(self._registry) != self._newest_change

    def _follow_registry(self) -> None:
        newest = changes.newest(self._registry)
        if newest == self._newest_change:
            return
        homes = changes.changed_homes(self._registry, after=self._newest_change)
        self._newest_change = newest
        if homes is None:
            self._flags[:] = _UNKNOWN
            self._shared.clear()
            return
        for home_id in homes - {""}:
            for series in series_rows.find(self._readings, home_id=home_id, limit=_GROWTH):
                self._forget(series.id)

    def _forget(self, series_id: SeriesId) -> None:
        self._shared.pop(series_id, None)
        if series_id < len(self._flags):
            self._flags[series_id] = _UNKNOWN

    def _make_room(self, columns: Columns) -> None:
        newest = int(columns.series.max(initial=0))
        if newest >= len(self._flags):
            more = np.zeros(newest + _GROWTH - len(self._flags), np.uint8)
            self._flags = np.concatenate([self._flags, more])

    def _look_up(self, series_id: int) -> None:
        series = series_rows.get(self._readings, series_id)
        if series is None:  # erased meanwhile
            return
        grants = registry.grants_of_home(self._registry, series.home_id, series.data_class)
        if not grants:
            self._flags[series_id] = _KEPT
            return
        _address, position = registry.place(self._registry, series.position_id)
        self._flags[series_id] = _SHARED
        self._shared[series_id] = _Shared(series=series, position=position, grants=tuple(grants))

    def _rights(self, shared: _Shared, now: datetime) -> Iterator[Grant]:
        """One grant in force for each organisation that has any."""
        subject = Subject(
            home_id=shared.series.home_id,
            position_id=shared.series.position_id,
            data_class=shared.series.data_class,
        )
        seen = set()
        for grant in sorted(shared.grants, key=lambda grant: (grant.step, grant.id)):
            if grant.organisation_id not in seen and covers(grant, subject) and is_in_force(grant, now):
                seen.add(grant.organisation_id)
                yield grant

    def _events(
        self, key: ReleaseKey, parts: Sequence[tuple[_Shared, Columns]], now: datetime
    ) -> Iterator[Share]:
        first = parts[0][0]
        base = f"{self._source}:{first.series.position_id}:"
        records = [
            Measured(name=base + shared.series.name, unit=shared.series.unit, at_us=at, value=value)
            for shared, columns in parts
            for _series, at, _received_at, value in columns.rows()
        ]
        for start in range(0, len(records), RECORDS_PER_EVENT):
            chosen = records[start : start + RECORDS_PER_EVENT]
            document = self._document(key, first, chosen, now)
            yield Share(key=key, count=len(chosen), payload=msgspec.json.encode(document))

    def _document(
        self, key: ReleaseKey, shared: _Shared, records: Sequence[Measured], now: datetime
    ) -> Mapping[str, Any]:
        return {
            "specversion": "1.0",
            "id": new_id(),
            "source": self._source,
            "type": TYPE,
            "subject": key.home_id,
            "time": time_text(now),
            "datacontenttype": "application/senml+json",
            "home": key.home_id,
            "position": shared.position,
            "dataclass": key.data_class,
            "grant": key.grant_id,
            "purpose": key.purpose,
            "data": msgspec.Raw(encode_json(records)),
        }


def _release_key(shared: _Shared, grant: Grant, now: datetime) -> ReleaseKey:
    return ReleaseKey(
        day=to_micros(now) // DAY_MICROS,
        organisation_id=grant.organisation_id,
        home_id=shared.series.home_id,
        data_class=shared.series.data_class,
        grant_id=grant.id,
        purpose=grant.purpose,
    )
