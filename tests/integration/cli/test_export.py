"""``stadsnav export``: how far targets are, the history again, and what a position is called elsewhere."""

from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta

import numpy as np
import pytest

from devices.kinds import DataClass, DeviceId, HomeId
from gateway.data_folder import open_folder
from gateway.export import cursors
from gateway.export.cursors import Cursor, Lost
from services.domain.readings import Series, SeriesId
from services.store import registry
from services.store.connection import to_micros
from services.store.migrations import READINGS, migrate
from services.store.readings import journal
from services.store.readings import series as series_rows
from services.store.readings.columns import columns_of
from services.store.sqlite import SqliteConnection
from tests.support.influx_like import InfluxLike, said
from tests.support.product import Product
from tests.support.town import Town

COUNT = 48
NO_PACKETS = journal.Packets(ids=np.zeros(0, np.uint16), sums=np.zeros(0, np.uint32))


@pytest.fixture
def influx(stadsnav: Product) -> Iterator[InfluxLike]:
    """A target that is configured under the name ``main``."""
    with InfluxLike() as server:
        configure(stadsnav, server.url)
        yield server


def configure(stadsnav: Product, url: str) -> None:
    text = f'[export.main]\nurl = "{url}"\nbucket = "b"\ntoken = "hush-4711"\nbatch_points = 10\n'
    (open_folder(stadsnav.folder).path / "stadsnav.toml").write_text(text)


@pytest.fixture
def said_by_meter(stadsnav: Product, folk: Town) -> Iterator[int]:
    """A meter in ``h-1`` has measured at each half hour; the number of the journal's row."""
    folk.add_device("m-1", "h-1", "humidity-meter", "bathroom")
    device = registry.device(folk.connection, DeviceId("m-1"))
    assert device is not None
    at = to_micros(folk.now) - np.arange(COUNT, 0, -1) * 3_600_000_000 + 1_800_000_000
    with closing(SqliteConnection(open_folder(stadsnav.folder).readings)) as readings:
        migrate(readings, READINGS)
        series = Series(
            id=SeriesId(1),
            home_id=HomeId("h-1"),
            position_id=device.position_id,
            name="humidity",
            unit="%RH",
            data_class=DataClass.CLIMATE,
        )
        series_rows.add(readings, series)
        columns = columns_of([1] * COUNT, at, at + 1_000, np.arange(COUNT) / 2)
        yield journal.append(readings, columns, NO_PACKETS)


def values(lines: list[str]) -> list[float]:
    return [float(line.partition(" value=")[2].split(" ")[0]) for line in lines]


def note(stadsnav: Product, cursor: Cursor) -> None:
    cursors.write(open_folder(stadsnav.folder), "main", cursor)


def test_without_a_target_there_is_no_status(stadsnav: Product) -> None:
    assert stadsnav.ask("export", "status") == []


@pytest.mark.usefixtures("influx")
def test_the_status_of_a_target_says_how_far_behind_it_is_and_why(
    stadsnav: Product, said_by_meter: int
) -> None:
    note(stadsnav, Cursor(settled_to=said_by_meter - 1, sent_to=said_by_meter - 1, problem="no answer"))

    [row] = stadsnav.ask("export", "status")

    assert (row["target"], row["readings_behind"], row["problem"]) == ("main", COUNT, "no answer")
    assert row["lag_seconds"] == pytest.approx((COUNT - 0.5) * 3_600, abs=60)
    assert (row["is_running"], row["has_begun"], row["lost"]) == (False, True, 0)


@pytest.mark.usefixtures("said_by_meter")
def test_the_history_of_a_time_is_sent_again_and_the_command_is_logged(
    stadsnav: Product, influx: InfluxLike
) -> None:
    done = stadsnav.ask("export", "again", "main", "--since", "12h")

    assert done == {"target": "main", "sent": 12, "set_aside": 0}
    assert values(influx.kept) == [number / 2 for number in range(COUNT - 12, COUNT)]
    [entry] = [
        row for row in stadsnav.ask("audit", "list", "--limit", "1000") if row["action"] == "exported_again"
    ]
    assert (entry["subject"], "since=12h" in entry["details"]) == ("main", True)


def test_what_was_lost_is_no_longer_shown_once_it_was_sent_again(
    stadsnav: Product, influx: InfluxLike, said_by_meter: int, folk: Town
) -> None:
    del influx
    lost = Lost(
        rows=3,
        since_us=to_micros(folk.now - timedelta(hours=5)),
        until_us=to_micros(folk.now - timedelta(hours=4)),
    )
    note(stadsnav, Cursor(settled_to=said_by_meter, sent_to=said_by_meter, lost=lost))
    [before] = stadsnav.ask("export", "status")

    stadsnav.ask("export", "again", "main", "--since", before["lost_since"])

    assert before["lost"] == 3
    assert stadsnav.ask("export", "status")[0]["lost"] == 0


@pytest.mark.usefixtures("said_by_meter")
def test_a_target_that_refuses_is_told_in_a_sentence(stadsnav: Product, influx: InfluxLike) -> None:
    influx.judge = lambda _: said(401, "unauthorized", "unauthorized access")

    done = stadsnav.cli("export", "again", "main", "--since", "12h")

    assert done.returncode == 1
    assert "401" in done.stderr
    assert "token" in done.stderr
    assert "hush-4711" not in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_target_that_is_not_configured_is_refused(stadsnav: Product) -> None:
    done = stadsnav.cli("export", "again", "nowhere", "--since", "12h")

    assert done.returncode == 1
    assert "[export.NAME]" in done.stderr


@pytest.mark.usefixtures("said_by_meter")
def test_the_tag_of_a_position_is_the_one_in_its_points_and_the_look_is_logged(
    stadsnav: Product, influx: InfluxLike
) -> None:
    found = stadsnav.ask("export", "position", "h-1", "bathroom")
    stadsnav.ask("export", "again", "main", "--since", "1h")

    assert f"position={found['tag']}," in influx.kept[0]
    looks = [row for row in stadsnav.ask("audit", "list", "--home", "h-1") if row["action"] == "looked"]
    assert any("export position" in row["details"] for row in looks)


@pytest.mark.usefixtures("folk")
def test_a_position_that_is_not_there_has_no_tag(stadsnav: Product) -> None:
    done = stadsnav.cli("export", "position", "h-1", "attic")

    assert done.returncode == 1
    assert "device list --home h-1" in done.stderr


def test_the_settings_of_a_target_are_listed_by_its_name_and_the_token_is_hidden(
    stadsnav: Product, influx: InfluxLike
) -> None:
    done = stadsnav.cli("config", "--json")

    assert done.returncode == 0
    assert "hush-4711" not in done.stdout
    assert stadsnav.ask("config")["export.main.url"] == {"value": influx.url, "origin": "stadsnav.toml"}
