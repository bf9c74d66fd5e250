"""Who may see the figures, and that asking for them often or while something is broken harms nobody."""

import os
from contextlib import closing
from functools import partial
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from gateway import web
from gateway.data_folder import DataFolder, open_folder
from gateway.metrics import page as pages
from gateway.metrics.facts import Facts
from gateway.metrics.keeping import Keeping, path_of
from gateway.metrics.page import Page
from gateway.settings import Settings
from services import tokens
from services.domain.actors import Role
from services.domain.clock import SystemClock
from services.store.migrations import migrate
from services.store.sqlite import SqliteConnection
from services.tokens import Limits
from tests.support.clock import FrozenClock
from tests.support.town import Town


@pytest.fixture
def folder(tmp_path: Path) -> DataFolder:
    folder = open_folder(tmp_path / "data")
    with closing(SqliteConnection(folder.database)) as store:
        migrate(store)
    return folder


def client(folder: DataFolder, host: str = "127.0.0.1") -> TestClient:
    app = web.create(folder, SystemClock())
    return TestClient(app, "http://localhost", client=(host, 50_000), raise_server_exceptions=False)


def token(town: Town, organisation_id: str, limits: Limits) -> str:
    issue = partial(
        tokens.issue, organisation_id=organisation_id, limits=limits, actor="tester", now=town.now
    )
    return town.write(issue).text


def test_the_machine_itself_may_see_them(folder: DataFolder) -> None:
    answer = client(folder).get("/metrics")

    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    assert "stadsnav_audit_entries_total" in answer.text


def test_others_are_asked_who_they_are_and_only_for_what_is_not_open_to_all(folder: DataFolder) -> None:
    with client(folder, "192.0.2.7") as outside:
        answer = outside.get("/metrics")

        description = outside.get("/api/v1/asyncapi.json")

    assert answer.status_code == 401
    assert "stadsnav_audit" not in answer.text
    assert (description.status_code, description.json()["asyncapi"]) == (200, "3.0.0")


def test_the_settings_can_leave_it_to_tokens_alone(folder: DataFolder) -> None:
    (folder.path / "stadsnav.toml").write_text("[metrics]\nnetworks = []\n")

    with client(folder) as asking:
        assert asking.get("/metrics").status_code == 401


def test_a_database_that_cannot_be_read_costs_its_own_figures_only(folder: DataFolder) -> None:
    folder.readings.write_bytes(b"this is no database, whatever its name says" * 100)

    text = client(folder).get("/metrics").text

    assert 'stadsnav_database_readable{database="readings"} 0.0' in text
    assert 'stadsnav_database_readable{database="alarms"} 1.0' in text
    assert "stadsnav_audit_entries_total 0.0" in text


class CountingFacts(Facts):
    reads = 0

    def read(self, _now: object) -> list[object]:  # type: ignore[override]
        CountingFacts.reads += 1
        return []


@pytest.fixture
def seconds(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The steady clock, as the test sets it."""
    now = [100.0]
    monkeypatch.setattr(pages, "Facts", CountingFacts)
    monkeypatch.setattr(pages.time, "monotonic", lambda: now[0])
    CountingFacts.reads = 0
    return now


def test_however_many_ask_one_page_serves_them_for_a_second(folder: DataFolder, seconds: list[float]) -> None:
    page = Page(folder, Settings(), SystemClock())
    for _ in range(50):
        page.text()
    assert CountingFacts.reads == 1

    seconds[0] += 1.01
    page.text()

    assert CountingFacts.reads == 2


def test_figures_of_a_process_that_is_gone_are_left_out_and_its_last_heartbeat_is_shown(
    folder: DataFolder,
) -> None:
    Keeping(folder, "alarm").write()
    Keeping(folder, "reading").write()
    os.utime(path_of(folder, "reading"), (1_000_000_000, 1_000_000_000))

    text = client(folder).get("/metrics").text

    assert 'stadsnav_process_resident_bytes{process="alarm"}' in text
    assert 'stadsnav_process_resident_bytes{process="reading"}' not in text
    assert 'stadsnav_process_heartbeat_timestamp_seconds{process="reading"} 1e+09' in text
    assert 'stadsnav_process_up{process="alarm"} 0.0' in text


async def test_a_full_disk_costs_the_figures_and_nothing_else(folder: DataFolder) -> None:
    (folder.run / "metrics").write_text("a file where a folder should be")

    Keeping(folder, "alarm")._write_if_it_can_be()


def test_a_token_that_may_see_them_is_enough_from_anywhere_and_others_are_not(
    folder: DataFolder,
) -> None:
    with closing(SqliteConnection(folder.database)) as store:
        town = Town(store, FrozenClock(SystemClock().now()))
        town.settle()
        town.add_city()
        texts = {
            "city": token(town, "the-city", Limits(roles=(Role.NETWORK_OPERATOR,))),
            "acme": token(town, "acme", Limits()),
        }
    with client(folder, "192.0.2.7") as outside:
        answers = {
            name: outside.get("/metrics", headers={"Authorization": f"Bearer {text}"}).status_code
            for name, text in texts.items()
        }

    assert answers == {"city": 200, "acme": 403}
