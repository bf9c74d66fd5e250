"""What the intake knows of the devices that send readings: who they are, what they measure, which series.

    client, device ──admit──> Known ──name──> Measure (unit, range) and series id

Read from the registry once and remembered until something of that home changes there. Bounded: when too
many are remembered, all are forgotten and read again as they speak.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cache
from typing import Final

from devices.kinds import DataClass, DeviceId
from devices.profiles import Profile, Profiles
from services import home_rules
from services.admission import admit
from services.domain.homes import Device
from services.domain.ids import PositionId
from services.domain.readings import Series, SeriesId
from services.readings.rules import Last, watches
from services.readings.rulings import Ruling, Rulings
from services.readings.states import NEVER, SeriesStates
from services.store import status
from services.store.connection import Connection
from services.store.readings import series as rows

KNOWN_LIMIT: Final = 400_000
"""Devices that are remembered, some 600 bytes each."""

_SEPARATORS: Final = ":/"
"""Between a SenML base name and the name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Measure:
    """One thing that devices of a profile measure."""

    name: str
    index: int
    """Where its series id stands in ``Known.series_ids``."""
    unit: str
    low: float
    high: float
    data_class: DataClass


@dataclass(slots=True, kw_only=True)
class Known:
    """A device as the intake knows it."""

    device: Device
    profile: Profile
    measures: Mapping[str, Measure]
    """By name; shared by all devices of the profile."""
    series_ids: list[int]
    """By ``Measure.index``; 0: nothing was measured yet."""
    ruling: Ruling | None
    """The rules of its position."""
    silent_us: int
    """After a silence of this length its next reading may be news."""
    is_stale: bool = False
    """Something of its home has changed: look again."""
    told: dict[str, float | bool] = field(default_factory=dict)
    """What a foreign device last said of itself."""

    def measure(self, full_name: str) -> Measure | None:
        """What a SenML name stands for: the profile's name, alone or behind a base name."""
        found = self.measures.get(full_name)
        if found is not None:
            return found
        at = max(full_name.rfind(separator) for separator in _SEPARATORS)
        return self.measures.get(full_name[at + 1 :]) if at >= 0 else None


class Register:
    """Devices by the client and the device that a message names."""

    def __init__(
        self,
        registry: Connection,
        readings: Connection,
        *,
        profiles: Profiles,
        states: SeriesStates,
        rulings: Rulings,
    ) -> None:
        """Join the parts.

        Args:
            registry: The alarm path's database, only read.
            readings: The readings' database, only read here.
            profiles: What device models measure.
            states: Knows which series ids are given; new ones are taken from it.
            rulings: Is told of the rules of each position.
        """
        self._registry = registry
        self._readings = readings
        self._profiles = profiles
        self._states = states
        self._rulings = rulings
        self._known: dict[tuple[str, str], Known] = {}
        self._by_home: dict[str, list[Known]] = {}
        self._uncommitted: dict[tuple[str, str], int] = {}
        self.by_topic: dict[str, Known] = {}
        """The short cut of whoever has asked for a device by its topic; forgotten with the rest."""

    def known(self, client_id: str, device_id: str) -> Known:
        """The device that a message speaks for.

        Raises:
            NotAdmittedError: Says why not.
        """
        known = self._known.get((client_id, device_id))
        if known is not None and not known.is_stale:
            return known
        device = admit(self._registry, DeviceId(client_id), DeviceId(device_id), profiles=self._profiles)
        return self._remember((client_id, device_id), device)

    def of_device(self, device: Device) -> Known:
        """A device that another system speaks for, and that may be heard."""
        known = self._known.get(("", device.id))
        if known is not None and not known.is_stale:
            return known
        return self._remember(("", device.id), device)

    def new_series(self, known: Known, measure: Measure) -> Series:
        """A series for what was not measured here when the device was met; it must be stored.

        It may be there by now: a device can be known through two clients.
        """
        key = (known.device.position_id, measure.name)
        series_id = self._uncommitted.get(key) or self._stored_id(*key) or self._states.add()
        self._uncommitted[key] = known.series_ids[measure.index] = series_id
        return Series(
            id=SeriesId(series_id),
            home_id=known.device.home_id,
            position_id=known.device.position_id,
            name=measure.name,
            unit=measure.unit,
            data_class=measure.data_class,
        )

    def committed(self, series: Iterable[Series]) -> None:
        """These are stored, and found there from now on."""
        for item in series:
            self._uncommitted.pop((item.position_id, item.name), None)

    def forget_homes(self, home_ids: set[str] | None) -> None:
        """Something of these homes has changed; None: of any home."""
        if home_ids is None:
            self.forget_all()
            return
        for home_id in home_ids:
            for known in self._by_home.pop(home_id, ()):
                known.is_stale = True

    def forget_all(self) -> None:
        """Look at everybody again."""
        for group in self._by_home.values():
            for known in group:
                known.is_stale = True
        self._known.clear()
        self._by_home.clear()
        self.by_topic.clear()

    def is_missed(self, known: Known) -> bool:
        """Whether the alarm path waits to hear of a device: it never has, or calls it silent."""
        return status.is_missed(self._registry, known.device.id)

    def _remember(self, key: tuple[str, str], device: Device) -> Known:
        if len(self._known) >= KNOWN_LIMIT:
            self.forget_all()
        known = self._known[key] = self._acquaint(device)
        self._by_home.setdefault(device.home_id, []).append(known)
        return known

    def _acquaint(self, device: Device) -> Known:
        profile = self._profiles[device.profile]
        measures = measures_of(profile)
        series_ids = self._series_ids(device, measures)
        return Known(
            device=device,
            profile=profile,
            measures=measures,
            series_ids=series_ids,
            ruling=self._ruling(device, profile, {m.name: series_ids[m.index] for m in measures.values()}),
            silent_us=profile.heartbeat.silent_after // timedelta(microseconds=1),
        )

    def _series_ids(self, device: Device, measures: Mapping[str, Measure]) -> list[int]:
        ids = {item.name: int(item.id) for item in rows.of_position(self._readings, device.position_id)}
        for name in measures:
            if uncommitted := self._uncommitted.get((device.position_id, name)):
                ids[name] = uncommitted
        return [ids.get(measure.name, 0) for measure in measures.values()]

    def _stored_id(self, position_id: PositionId, name: str) -> int:
        found = rows.of_position(self._readings, position_id)
        return next((int(item.id) for item in found if item.name == name), 0)

    def _ruling(self, device: Device, profile: Profile, ids: Mapping[str, int]) -> Ruling | None:
        own = home_rules.of_home(self._registry, device.home_id)
        rules = home_rules.rules_for(profile, own, device.position_id)
        latest = {
            name: Last(
                self._states.last_value[id_],
                self._states.last_counts_from(id_),
                self._states.last_received_at[id_],
            )
            for name, id_ in ids.items()
            if id_ and self._states.last_at[id_] != NEVER
        }
        return self._rulings.put(
            device.position_id, device.id, watches(profile, rules, device.position_id), latest
        )


@cache
def measures_of(profile: Profile) -> Mapping[str, Measure]:
    """What a profile's devices measure, by name."""
    return {
        reading.name: Measure(
            name=reading.name,
            index=index,
            unit=reading.unit,
            low=reading.low,
            high=reading.high,
            data_class=reading.data_class,
        )
        for index, reading in enumerate(profile.readings)
    }
