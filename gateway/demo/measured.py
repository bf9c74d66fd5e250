"""What the demo tells of readings: how many are stored, and the newest values of a few."""

from typing import Final

from gateway.data_folder import DataFolder
from services.domain.readings import Series
from services.readings.batch import VALUES
from services.store import events
from services.store.migrations import READINGS, migrate
from services.store.readings.reader import ReadingsReader
from services.store.sqlite import SqliteConnection

SHOWN: Final = ("humidity", "power", "temperature")
"""One series of each."""


class Measured:
    """Looks into the readings' database; opened with the first look, when the product is there."""

    def __init__(self, folder: DataFolder) -> None:
        self._file = folder.readings
        self._opened: tuple[SqliteConnection, ReadingsReader] | None = None

    def line(self) -> str:
        """One line for the board."""
        found = "; ".join(self._newest())
        return f"readings: {self.stored():,} stored" + (f"; {found}" if found else "")

    def stored(self) -> int:
        """How many values are on disk."""
        return events.counter(self._open()[0], f"{VALUES}_stored")

    def close(self) -> None:
        """Close the file."""
        if self._opened is not None:
            for part in self._opened:
                part.close()
        self._opened = None

    def _newest(self) -> list[str]:
        reader = self._open()[1]
        series = [found for name in SHOWN for found in reader.series(name=name, limit=1)]
        last = reader.last([one.id for one in series])
        return [_text(one, last[one.id].value) for one in series if one.id in last]

    def _open(self) -> tuple[SqliteConnection, ReadingsReader]:
        if self._opened is None:
            counters = SqliteConnection(self._file)
            migrate(counters, READINGS)
            self._opened = counters, ReadingsReader(self._file)
        return self._opened


def _text(series: Series, value: float) -> str:
    unit = {"Cel": "°C"}.get(series.unit, series.unit)
    return f"{series.home_id} {series.name} {value:.1f} {unit}"
