"""What the export is tested with: a real VictoriaMetrics, and readings that are there without a broker."""

import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from devices.kinds import DataClass, HomeId
from gateway.data_folder import DataFolder, open_folder
from services.domain.ids import PositionId
from services.domain.readings import Series, SeriesId
from services.store.migrations import READINGS, migrate
from services.store.readings import journal
from services.store.readings import series as series_rows
from services.store.readings.columns import columns_of
from services.store.sqlite import SqliteConnection
from tests.support import victoria
from tests.support.victoria import Victoria

SERIES = 20
NO_PACKETS = journal.Packets(ids=np.zeros(0, np.uint16), sums=np.zeros(0, np.uint32))


class Store:
    """The readings of a data folder, as the reading process writes them."""

    def __init__(self, folder: DataFolder, connection: SqliteConnection) -> None:
        self.folder = folder
        self.connection = connection
        self.points: dict[tuple[str, int], float] = {}
        """Every value that was committed, by position and milliseconds."""
        self._next_at = (time.time_ns() // 1_000_000 - 3_600_000) * 1_000
        with connection.transaction():
            for number in range(1, SERIES + 1):
                series_rows.add(connection, _series(number))

    def commit(self, count: int) -> int:
        """Write a row of so many readings, a millisecond apart; returns its number."""
        at = self._next_at + np.arange(count) * 1_000
        series = 1 + np.arange(count) % SERIES
        value = np.round(20 + 5 * np.sin(at / 1e9), 3)
        self._next_at += count * 1_000
        for number, when, what in zip(series.tolist(), at.tolist(), value.tolist(), strict=True):
            self.points[f"position-{number}", when // 1_000] = what
        with self.connection.transaction():
            columns = columns_of(series, at, at + 250_000, value)
            return journal.append(self.connection, columns, NO_PACKETS)


def _series(number: int) -> Series:
    return Series(
        id=SeriesId(number),
        home_id=HomeId(f"home-{number}"),
        position_id=PositionId(f"position-{number}"),
        name="humidity",
        unit="%RH",
        data_class=DataClass.CLIMATE,
    )


@pytest.fixture
def folder(tmp_path: Path) -> DataFolder:
    return open_folder(tmp_path / "data")


@pytest.fixture
def store(folder: DataFolder) -> Iterator[Store]:
    with closing(SqliteConnection(folder.readings)) as connection:
        migrate(connection, READINGS)
        yield Store(folder, connection)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Victoria]:
    """A VictoriaMetrics that runs and is empty."""
    if not victoria.is_installed():
        pytest.skip("THE EXPORT IS NOT TESTED AGAINST A REAL SERVER. apt install victoria-metrics")
    with Victoria(tmp_path / "victoria") as started:
        yield started
