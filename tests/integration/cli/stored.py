"""Readings as the reading process leaves them in its file, for commands that look at them."""

from datetime import timedelta

import numpy as np

from devices.kinds import DataClass, DeviceId, HomeId
from services.domain.readings import Series, SeriesId
from services.store import registry
from services.store.connection import to_micros
from services.store.readings import journal
from services.store.readings import series as series_rows
from services.store.readings.columns import columns_of
from services.store.sqlite import SqliteConnection
from tests.support.town import Town

HOURS = 48
SPIKE = 99.0


class Meters:
    """What two humidity meters of home ``h-1`` and a thermometer of ``h-2`` have said, hour by hour."""

    def __init__(self, folk: Town, readings: SqliteConnection) -> None:
        self._folk = folk
        self._readings = readings
        self.now = folk.now
        for device_id, home_id, profile, position in (
            ("m-1", "h-1", "humidity-meter", "bathroom"),
            ("m-2", "h-1", "humidity-meter", "=kitchen"),
            ("m-3", "h-2", "temperature-sensor", "hall"),
        ):
            folk.add_device(device_id, home_id, profile, position)
        for device_id, name, unit in (
            ("m-1", "humidity", "%RH"),
            ("m-1", "temperature", "Cel"),
            ("m-2", "humidity", "%RH"),
            ("m-3", "temperature", "Cel"),
        ):
            ages = [timedelta(hours=hours) for hours in range(HOURS, 0, -1)]
            values = [float(20 + hour % 24) for hour in range(HOURS)]
            if name == "humidity":
                values[5] = SPIKE
            self.say(device_id, name, unit, list(zip(ages, values, strict=True)))

    def say(self, device_id: str, name: str, unit: str, readings: list[tuple[timedelta, float]]) -> None:
        """Commit readings by their age, each received half a second after it was made."""
        series = self._series(device_id, name, unit)
        at = np.array([to_micros(self.now - age) for age, _ in readings])
        values = [value for _, value in readings]
        with self._readings.transaction():
            series_rows.add(self._readings, series)
            journal.append(
                self._readings,
                columns_of([series.id] * len(at), at, at + 500_000, values),
                journal.Packets(ids=np.zeros(0, np.uint16), sums=np.zeros(0, np.uint32)),
            )

    def _series(self, device_id: str, name: str, unit: str) -> Series:
        device = registry.device(self._folk.connection, DeviceId(device_id))
        assert device is not None
        known = series_rows.find(self._readings, position_id=device.position_id, name=name, limit=1)
        return Series(
            id=known[0].id if known else SeriesId(series_rows.newest_id(self._readings) + 1),
            home_id=HomeId(device.home_id),
            position_id=device.position_id,
            name=name,
            unit=unit,
            data_class=DataClass.CLIMATE,
        )
