"""``/readyz`` is about alarms from homes; what else is amiss is told and changes no status."""

from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from gateway import web
from gateway.data_folder import READING_LOCK, DataFolder, Lock, open_folder
from gateway.readiness import OUTWARD_LOCK
from services.domain.clock import SystemClock
from services.store import events
from services.store.connection import to_micros
from services.store.migrations import migrate
from services.store.sqlite import SqliteConnection
from services.supervision.auditor import AUDITED_AT
from services.supervision.silence import ALIVE
from tests.support.clock import FrozenClock


@pytest.fixture
def clock() -> FrozenClock:
    return FrozenClock(SystemClock().now())


@pytest.fixture
def folder(tmp_path: Path, clock: FrozenClock) -> DataFolder:
    """Of a product in which the alarm process has just looked after everything."""
    folder = open_folder(tmp_path / "data")
    with closing(SqliteConnection(folder.database)) as store:
        migrate(store)
        with store.transaction():
            for mark in (AUDITED_AT, ALIVE):
                events.set_counter(store, mark, to_micros(clock.now()))
    return folder


@pytest.fixture
def alarm_process(folder: DataFolder) -> Iterator[Lock]:
    lock = Lock(folder, "alarm")
    yield lock
    lock.release()


@pytest.fixture
def client(folder: DataFolder, clock: FrozenClock) -> TestClient:
    return TestClient(web.create(folder, clock))


@pytest.mark.usefixtures("alarm_process")
def test_with_all_processes_it_is_ready_and_nothing_is_amiss(client: TestClient, folder: DataFolder) -> None:
    locks = [Lock(folder, name) for name in (READING_LOCK, OUTWARD_LOCK)]
    answer = client.get("/readyz")
    for lock in locks:
        lock.release()

    assert (answer.status_code, answer.json()) == (200, {"status": "ready", "reasons": [], "warnings": []})


@pytest.mark.usefixtures("alarm_process")
def test_without_the_reading_process_it_is_ready_for_alarms_and_says_what_waits(client: TestClient) -> None:
    answer = client.get("/readyz")

    assert answer.status_code == 200
    assert answer.json()["status"] == "ready"
    assert answer.json()["reasons"] == []
    assert "the reading process is not running" in answer.json()["warnings"][0]


@pytest.mark.usefixtures("alarm_process")
def test_without_the_outward_process_it_is_ready_and_says_what_does_not_leave(client: TestClient) -> None:
    answer = client.get("/readyz")

    assert answer.status_code == 200
    assert "the outward process is not running" in answer.json()["warnings"][1]


def test_without_the_alarm_process_it_is_not_ready(client: TestClient) -> None:
    answer = client.get("/readyz")

    assert answer.status_code == 503
    assert answer.json()["reasons"] == ["the alarm process is not running"]


@pytest.mark.usefixtures("alarm_process")
def test_an_auditor_that_looks_no_more_makes_it_not_ready(client: TestClient, clock: FrozenClock) -> None:
    clock.move_to(clock.now() + timedelta(seconds=31))

    answer = client.get("/readyz")

    assert answer.status_code == 503
    assert "the auditor last looked 31 s ago" in answer.json()["reasons"]
