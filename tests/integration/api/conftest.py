"""The HTTP interface in this process, over a town and its readings on disk, at a clock that stands still."""

from collections.abc import AsyncIterator, Iterator, Mapping, MutableMapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import httpx2
import numpy as np
import pytest
import pytest_asyncio
import structlog
from fastapi import FastAPI

from devices.kinds import DataClass, DeviceId
from gateway.data_folder import DataFolder, open_folder
from gateway.web import create
from services import tokens
from services.domain.readings import Series, SeriesId
from services.store import audit, registry
from services.store.audit import AuditRow
from services.store.connection import to_micros
from services.store.migrations import READINGS, migrate
from services.store.readings import journal
from services.store.readings import series as series_rows
from services.store.readings.columns import columns_of
from services.store.sqlite import SqliteConnection
from services.tokens import Issued
from tests.support.clock import FrozenClock
from tests.support.office import Office
from tests.support.town import TESTER, Town

API = "/api/v1/readings"


@pytest.fixture
def folder(tmp_path: Path) -> DataFolder:
    return open_folder(tmp_path / "data")


@pytest.fixture
def town(folder: DataFolder, clock: FrozenClock) -> Iterator[Town]:
    """The town, in the data folder's own store."""
    with closing(SqliteConnection(folder.database)) as connection:
        migrate(connection)
        town = Town(connection, clock)
        town.settle()
        yield town


class Meters:
    """What devices have measured, as the reading process writes it down."""

    def __init__(self, town: Town, connection: SqliteConnection) -> None:
        self._town = town
        self.connection = connection

    def series(
        self, device_id: str, name: str, data_class: DataClass = DataClass.CLIMATE, unit: str = "%RH"
    ) -> Series:
        """A series of a device's position, new unless it is there already."""
        device = registry.device(self._town.connection, DeviceId(device_id))
        assert device is not None
        known = series_rows.find(self.connection, position_id=device.position_id, name=name, limit=1)
        series = Series(
            id=known[0].id if known else SeriesId(series_rows.newest_id(self.connection) + 1),
            home_id=device.home_id,
            position_id=device.position_id,
            name=name,
            unit=unit,
            data_class=data_class,
        )
        with self.connection.transaction():
            series_rows.add(self.connection, series)
        return series

    def say(
        self, series: Series, values: Mapping[datetime, float], *, late: timedelta = timedelta(seconds=1)
    ) -> None:
        """Commit readings, each received so much later than its device says that it was made."""
        at = np.array([to_micros(moment) for moment in values], np.int64)
        received_at = at + late // timedelta(microseconds=1)
        with self.connection.transaction():
            journal.append(
                self.connection,
                columns_of([series.id] * len(at), at, received_at, list(values.values())),
                journal.Packets(ids=np.zeros(0, np.uint16), sums=np.zeros(0, np.uint32)),
            )

    def say_hourly(self, series: Series, values: Sequence[float]) -> None:
        """A value an hour; the last of them is an hour old."""
        hours = range(len(values), 0, -1)
        ages = (timedelta(hours=hour) for hour in hours)
        self.say(series, {self._town.now - age: value for age, value in zip(ages, values, strict=True)})


@pytest.fixture
def meters(folder: DataFolder, town: Town) -> Iterator[Meters]:
    """Humidity meters ``m-1`` (bathroom) and ``m-2`` (hall) of home ``h-1``, ``m-3`` (hall) of ``h-2``."""
    for device_id, home_id, position in (
        ("m-1", "h-1", "bathroom"),
        ("m-2", "h-1", "hall"),
        ("m-3", "h-2", "hall"),
    ):
        town.add_device(device_id, home_id, "humidity-meter", position)
    with closing(SqliteConnection(folder.readings)) as connection:
        migrate(connection, READINGS)
        yield Meters(town, connection)


def issued(town: Town, organisation_id: str, **more: Any) -> Issued:
    """A token of an organisation."""
    return town.write(
        partial(tokens.issue, organisation_id=organisation_id, actor=TESTER, now=town.now, **more)
    )


def looks(town: Town) -> list[AuditRow]:
    """The looks that are logged, oldest first."""
    return [row for row in audit.entries(town.connection) if row.action == "looked"]


@pytest.fixture
def said() -> Iterator[list[MutableMapping[str, Any]]]:
    """The log lines of the test."""
    with structlog.testing.capture_logs() as lines:
        yield lines


@pytest_asyncio.fixture
async def app(folder: DataFolder, town: Town) -> AsyncIterator[FastAPI]:
    """The application, started."""
    app = create(folder, town.clock)
    async with app.router.lifespan_context(app):
        yield app


@dataclass(frozen=True, slots=True)
class Api:
    """Asks the application as an organisation does."""

    client: httpx2.AsyncClient
    town: Town

    async def get(self, path: str, *, token: str | None, **query: Any) -> httpx2.Response:
        """Ask for a path below ``/api/v1/readings``."""
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        headers |= query.pop("headers", {})
        return await self.client.get(API + path, params=query, headers=headers)

    async def json(self, path: str, *, token: str, **query: Any) -> Any:
        """The same, when it is answered."""
        response = await self.get(path, token=token, **query)
        assert response.status_code == 200, response.text
        return response.json()


@pytest_asyncio.fixture
async def api(app: FastAPI, town: Town) -> AsyncIterator[Api]:
    transport = httpx2.ASGITransport(app)
    async with httpx2.AsyncClient(transport=transport, base_url="http://localhost") as client:
        yield Api(client, town)


@pytest.fixture
def acme(town: Town) -> str:
    """A token of ``acme``."""
    return issued(town, "acme").text


@pytest.fixture
def beta(town: Town) -> str:
    """A token of ``beta``."""
    return issued(town, "beta").text


@pytest.fixture
def office(api: Api, town: Town) -> Office:
    """Asks for everybody, the city's people included."""
    town.add_city()
    return Office(api.client, town)
