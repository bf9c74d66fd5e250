"""``stadsnav reading erase`` and ``counts``, and quarantine of both databases."""

import json
from datetime import timedelta
from typing import Any

import pytest

from gateway.data_folder import READING_LOCK, Lock, open_folder
from gateway.erasing import NotErasedYetError, erase_readings
from services import quarantine
from services.domain.clock import SystemClock
from services.store import events
from services.store.connection import Connection
from services.store.readings import erasures
from services.store.sqlite import SqliteConnection
from tests.integration.cli.stored import HOURS, Meters
from tests.support.product import Product

SHORT = timedelta(seconds=0.1)


def places(stadsnav: Product) -> set[tuple[str, str]]:
    return {(row["home"], row["position"]) for row in stadsnav.ask("reading", "now")}


def changes(stadsnav: Product, home: str) -> list[tuple[str, str]]:
    """What was done about a home's readings, oldest first."""
    found = stadsnav.ask("audit", "list", "--home", home)
    return [
        (row["action"], row["details"]) for row in reversed(found) if row["action"].startswith("readings_")
    ]


def keep(connection: Connection, home: str, *, lane: str, reason: str) -> None:
    quarantine.keep(
        connection,
        lane=lane,
        topic=f"up/hub{home[1:]}/m-1/{lane}",
        client_id=f"hub{home[1:]}",
        device_id="m-1",
        home_id=home,  # type: ignore[arg-type]
        external_id=None,
        reason=reason,
        payload=b"x",
        now=SystemClock().now(),
    )


@pytest.mark.usefixtures("meters")
def test_a_home_s_readings_are_gone_and_no_other_s(stadsnav: Product) -> None:
    done = stadsnav.cli("reading", "erase", "--home", "h-1", "--yes")

    assert done.returncode == 0
    assert str(3 * HOURS) in done.stdout
    assert "exported" in done.stderr
    assert places(stadsnav) == {("h-2", "hall")}
    assert stadsnav.ask("reading", "list", "--home", "h-1") == []
    assert len(stadsnav.ask("reading", "list", "--home", "h-2")) == HOURS


@pytest.mark.usefixtures("meters")
def test_of_one_position_only_that_one_s_are_gone(stadsnav: Product) -> None:
    erased = stadsnav.ask("reading", "erase", "--home", "h-1", "--position", "bathroom", "--yes")

    assert erased == {"home": "h-1", "position": "bathroom", "readings_erased": 2 * HOURS}
    assert places(stadsnav) == {("h-1", "=kitchen"), ("h-2", "hall")}


@pytest.mark.usefixtures("meters")
def test_the_log_says_who_asked_and_how_many_went(stadsnav: Product) -> None:
    stadsnav.ask("reading", "erase", "--home", "h-1", "--position", "bathroom", "--yes")

    assert changes(stadsnav, "h-1") == [
        ("readings_erasure_asked", "'bathroom' in home h-1"),
        ("readings_erased", f"{2 * HOURS} readings of 'bathroom' in home h-1"),
    ]
    assert stadsnav.cli("audit", "verify").returncode == 0


@pytest.mark.usefixtures("meters")
def test_again_there_is_nothing_to_erase(stadsnav: Product) -> None:
    counts = [stadsnav.ask("reading", "erase", "--home", "h-1", "--yes")["readings_erased"] for _ in range(2)]

    assert counts == [3 * HOURS, 0]


@pytest.mark.usefixtures("meters")
def test_what_was_set_aside_of_the_home_goes_too(stadsnav: Product, readings: SqliteConnection) -> None:
    with readings.transaction():
        keep(readings, "h-1", lane="reading", reason="first")
        keep(readings, "h-2", lane="reading", reason="second")

    stadsnav.ask("reading", "erase", "--home", "h-1", "--yes")

    assert [row["reason"] for row in stadsnav.ask("quarantine", "list")] == ["second"]


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["--home", "h-9", "--yes"], 1, "stadsnav home list"),
        (["--home", "h-1", "--position", "attic", "--yes"], 1, "stadsnav device list --home h-1"),
        (["--home", "h-1"], 2, "--yes"),
        (["--yes"], 2, "--home"),
    ],
)
@pytest.mark.usefixtures("meters")
def test_a_wrong_place_or_no_confirmation_erases_nothing(
    stadsnav: Product, arguments: list[str], code: int, said: str
) -> None:
    done = stadsnav.cli("reading", "erase", *arguments)

    assert (done.returncode, done.stdout) == (code, "")
    assert said in done.stderr
    assert len(places(stadsnav)) == 3
    assert changes(stadsnav, "h-1") == []


@pytest.mark.usefixtures("meters")
def test_while_the_reading_process_is_busy_it_stays_asked_and_is_done_later(stadsnav: Product) -> None:
    folder = open_folder(stadsnav.folder)
    lock = Lock(folder, READING_LOCK)

    def erase(home_id: str) -> erasures.Erasure:
        return erase_readings(
            folder,
            home_id=home_id,
            position_id=None,
            actor="tester",
            clock=SystemClock(),
            tell=lambda _: None,
            within=SHORT,
        )

    with pytest.raises(NotErasedYetError, match=r"not done after 0:00:00\.1"):
        erase("h-1")
    before = places(stadsnav)
    lock.release()
    erased = erase("h-2")

    assert len(before) == 3
    assert erased.count == HOURS
    assert places(stadsnav) == set()


@pytest.mark.usefixtures("meters")
def test_a_home_that_measures_on_after_an_erasure_begins_anew(stadsnav: Product, meters: Meters) -> None:
    stadsnav.ask("reading", "erase", "--home", "h-1", "--yes")
    meters.say("m-1", "humidity", "%RH", [(timedelta(minutes=1), 51.0)])

    assert [row["value"] for row in stadsnav.ask("reading", "list", "--home", "h-1")] == [51.0]


def test_counts_are_those_of_messages_and_of_values(stadsnav: Product, readings: SqliteConnection) -> None:
    nothing = stadsnav.ask("reading", "counts")
    with readings.transaction():
        events.add(
            readings,
            {
                "reading_received": 9,
                "reading_stored": 6,
                "reading_duplicate": 2,
                "reading_quarantined": 1,
                "reading_values_received": 20,
                "reading_values_stored": 20,
            },
        )

    counted = stadsnav.ask("reading", "counts")

    assert [set(row.values()) for row in nothing] == [{"messages", 0}, {"values", 0}]
    assert counted == [
        {"of": "messages", "received": 9, "stored": 6, "duplicate": 2, "quarantined": 1},
        {"of": "values", "received": 20, "stored": 20, "duplicate": 0, "quarantined": 0},
    ]


@pytest.fixture
def set_aside(store: SqliteConnection, readings: SqliteConnection) -> None:
    """Five messages in both databases, one after the other."""
    for number, (connection, home, lane) in enumerate(
        (
            (store, "h-1", "alarm"),
            (readings, "h-1", "reading"),
            (store, "h-2", "status"),
            (readings, "h-2", "reading"),
            (store, "h-1", "alarm"),
        )
    ):
        with connection.transaction():
            keep(connection, home, lane=lane, reason=str(number))


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ([], "43210"),
        (["--home", "h-1"], "410"),
        (["--home", "h-3"], ""),
        (["--device", "m-1"], "43210"),
        (["--device", "m-2"], ""),
        (["--limit", "2"], "43"),
    ],
)
@pytest.mark.usefixtures("set_aside")
def test_quarantine_is_that_of_both_databases_the_newest_first(
    stadsnav: Product, options: list[str], expected: str
) -> None:
    found = stadsnav.ask("quarantine", "list", *options)

    assert "".join(row["reason"] for row in found) == expected


@pytest.mark.usefixtures("set_aside")
def test_a_look_at_quarantine_is_logged_for_every_home_that_was_seen(stadsnav: Product) -> None:
    stadsnav.ask("quarantine", "list")

    for home in ("h-1", "h-2"):
        looks = stadsnav.ask("audit", "list", "--home", home)
        assert [row["details"] for row in looks if row["action"] == "looked"] == ["quarantine list"]


def checks(stadsnav: Product) -> dict[str, dict[str, Any]]:
    return {row["check"]: row for row in json.loads(stadsnav.cli("doctor", "--json").stdout)}


@pytest.mark.usefixtures("set_aside")
def test_doctor_counts_both_quarantines(stadsnav: Product) -> None:
    found = checks(stadsnav)

    assert found["quarantine"]["found"].startswith("3 messages")
    assert found["quarantine readings"]["found"].startswith("2 messages")


def test_doctor_says_what_a_readings_file_of_another_version_or_a_broken_one_needs(
    stadsnav: Product, readings: SqliteConnection
) -> None:
    stadsnav.ask("home", "list")
    well = checks(stadsnav)["readings store"]
    readings.run_script("PRAGMA user_version=99")
    newer = checks(stadsnav)["readings store"]
    readings.close()
    open_folder(stadsnav.folder).readings.write_bytes(b"not a database, by no means, " * 100)
    broken = checks(stadsnav)["readings store"]

    assert [well["status"], newer["status"], broken["status"]] == ["ok", "fail", "fail"]
    assert "install the newer program" in newer["mend"]
    assert "backup" in broken["mend"]
