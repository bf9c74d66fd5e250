"""The intake of the reading lane without its session: packs in, commits out, as ``ReadingIntake`` does it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import count
from typing import Final

from devices.codecs.senml import Measured
from devices.kinds import DeviceId, HomeId
from devices.profiles import load_profiles
from gateway.reading.noting import Noting
from services.domain.homes import Device, DeviceState
from services.domain.ids import PositionId
from services.domain.readings import Series, SeriesId
from services.readings.batch import Batch, Committed
from services.readings.clocks import Clocks
from services.readings.register import Known, Measure, measures_of
from services.readings.states import SeriesStates
from services.readings.taking import Taking
from services.store.connection import from_micros
from services.store.readings import journal
from services.store.readings import series as series_rows
from tests.support.readings_store import SqliteReadings

SILENT_US: Final = 2**60
"""Nobody is ever missed here."""

Place = tuple[str, str]
"""Home and profile."""


@dataclass
class SeriesGiver:
    """Of a ``Register`` what ``Taking`` asks."""

    states: SeriesStates
    given: list[Series] = field(default_factory=list)

    def new_series(self, known: Known, measure: Measure) -> Series:
        """A new series for what is measured here for the first time."""
        known.series_ids[measure.index] = self.states.add()
        return Series(
            id=SeriesId(known.series_ids[measure.index]),
            home_id=known.device.home_id,
            position_id=known.device.position_id,
            name=measure.name,
            unit=measure.unit,
            data_class=measure.data_class,
        )

    def is_missed(self, _known: Known) -> bool:
        """Nobody waits for anybody."""
        return False


class Intake:
    """One run of the process: what it knows is gone when it dies."""

    def __init__(self, readings: SqliteReadings, places: Mapping[str, Place]) -> None:
        """Know the devices.

        Args:
            readings: The store, just opened.
            places: Home and profile by position.
        """
        self._readings = readings
        self.states = readings.states
        self._taking = Taking(
            register=SeriesGiver(self.states),  # type: ignore[arg-type]
            states=self.states,
            rulings=None,  # type: ignore[arg-type]
            clocks=Clocks({}),
        )
        self.noting = Noting(
            self.states,
            newest_row=journal.newest(readings.connection),
            monotonic_s=count(0.0, 3_600.0).__next__,
        )
        self.known = {position_id: self._known(position_id, *place) for position_id, place in places.items()}
        self._batch = Batch()

    def _known(self, position_id: str, home_id: str, profile_name: str) -> Known:
        profile = load_profiles()[profile_name]
        measures = measures_of(profile)
        stored = series_rows.of_position(self._readings.connection, position_id)
        ids = {one.name: int(one.id) for one in stored}
        return Known(
            device=Device(
                id=DeviceId(f"device-{position_id}"),
                home_id=HomeId(home_id),
                position_id=PositionId(position_id),
                position=position_id,
                profile=profile_name,
                state=DeviceState.IN_SERVICE,
            ),
            profile=profile,
            measures=measures,
            series_ids=[ids.get(name, 0) for name in measures],
            ruling=None,
            silent_us=SILENT_US,
        )

    def forget(self, series_ids: Iterable[int]) -> None:
        """These are erased: what is said there again is new."""
        gone = set(series_ids)
        for known in self.known.values():
            known.series_ids = [0 if id_ in gone else id_ for id_ in known.series_ids]

    def take(self, position_id: str, values: Iterable[tuple[str, int, float]], *, received_us: int) -> None:
        """One pack: name, time and value of each."""
        measured = [Measured(name, "", at, value) for name, at, value in values]
        measured.sort(key=lambda value: value.at_us)
        self._taking.take(
            self._batch,
            self.known[position_id],
            measured,
            received_us=received_us,
            topic=f"up/device/device-{position_id}/reading",
            payload=b"",
        )

    async def commit(self, now_us: int) -> Committed | None:
        """One transaction, if there is anything to commit."""
        batch, self._batch = self._batch, Batch()
        batch.last_values, batch.noted_to = self.noting.take()
        if batch.is_empty:
            return None
        readings, now = self._readings, from_micros(now_us)
        committed = await readings.writer.write(
            lambda connection: batch.write(connection, readings.recent, now=now), is_urgent=True
        )
        readings.recent.add(committed.columns, number=committed.number)
        self.noting.committed(committed.number)
        for late in committed.late.rows():
            self.states.note(*late)
        return committed
