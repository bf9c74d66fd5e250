"""What doctor reads in the readings' database."""

from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from devices.kinds import DataClass, HomeId
from gateway.doctor import contents, readings
from gateway.doctor.check import Check, Status
from services.domain.ids import PositionId
from services.domain.readings import Series, SeriesId
from services.store import events
from services.store.connection import to_micros
from services.store.migrations import READINGS, migrate
from services.store.readings import erasures, handovers, journal
from services.store.readings import series as series_rows
from services.store.readings.columns import columns_of
from services.store.sqlite import SqliteConnection
from tests.support.stores import IN_MEMORY
from tests.support.town import Town

NOW = datetime(2026, 11, 23, 8, 15, tzinfo=UTC)


@pytest.fixture
def store() -> Iterator[SqliteConnection]:
    with closing(SqliteConnection(IN_MEMORY)) as connection:
        migrate(connection, READINGS)
        series_rows.add(
            connection,
            Series(
                id=SeriesId(1),
                home_id=HomeId("h-1"),
                position_id=PositionId("position-1"),
                name="temperature",
                unit="Cel",
                data_class=DataClass.CLIMATE,
            ),
        )
        yield connection


def only(checks: list[Check]) -> Check:
    (check,) = checks
    return check


def take(store: SqliteConnection, age: timedelta, *, count: int = 1) -> None:
    """Commit readings that came so long ago."""
    received_at = to_micros(NOW - age)
    columns = columns_of([1] * count, range(count), [received_at] * count, [20.0] * count)
    packets = journal.Packets(ids=np.zeros(0, np.uint16), sums=np.zeros(0, np.uint32))
    journal.append(store, columns, packets)


def test_without_a_reading_nothing_is_amiss(store: SqliteConnection) -> None:
    check = only(readings.last_reading(store, now=NOW, is_running=True))

    assert (check.status, check.found) == (Status.OK, "none was ever taken")


@pytest.mark.parametrize(
    ("age", "is_running", "expected"),
    [
        (timedelta(hours=3), True, Status.OK),
        (timedelta(hours=25), True, Status.WARN),
        (timedelta(hours=25), False, Status.OK),
    ],
)
def test_a_running_product_that_has_taken_nothing_for_a_day_is_watched(
    store: SqliteConnection, age: timedelta, *, is_running: bool, expected: Status
) -> None:
    take(store, age)

    check = only(readings.last_reading(store, now=NOW, is_running=is_running))

    assert check.status is expected
    assert check.found.startswith("taken ")


def test_the_age_is_that_of_the_newest_reading_also_when_its_row_is_gone(store: SqliteConnection) -> None:
    take(store, timedelta(hours=2))
    take(store, timedelta(minutes=5))
    take(store, timedelta(0), count=0)
    from_journal = only(readings.last_reading(store, now=NOW, is_running=True))
    series_rows.note_last(store, [(1, 0, to_micros(NOW - timedelta(minutes=7)), 20.0)])
    journal.drop(store, up_to=10, limit=10)
    from_last_values = only(readings.last_reading(store, now=NOW, is_running=True))

    assert from_journal.found == "taken 5 min ago"
    assert from_last_values.found == "taken 7 min ago"


def test_readings_that_pile_up_unordered_are_watched(
    store: SqliteConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(readings, "UNFLUSHED_READINGS", 10)
    take(store, timedelta(0), count=10)
    few = only(readings.unflushed(store))
    take(store, timedelta(0))
    many = only(readings.unflushed(store))

    assert (few.status, many.status) == (Status.OK, Status.WARN)
    assert many.found.startswith("11 readings")


def test_an_erasure_that_waits_for_minutes_is_watched_with_its_home(store: SqliteConnection) -> None:
    nothing = only(readings.erasures_waiting(store, now=NOW))
    id_ = erasures.ask(store, home_id="h-1", position_id=None, actor="x", at=NOW)
    at_once = only(readings.erasures_waiting(store, now=NOW + timedelta(minutes=1)))
    late = only(readings.erasures_waiting(store, now=NOW + timedelta(minutes=11)))
    erasures.done(store, id_, at=NOW)

    assert [check.status for check in (nothing, at_once, late)] == [Status.OK, Status.OK, Status.WARN]
    assert "11 min" in late.found
    assert "h-1" in late.found
    assert only(readings.erasures_waiting(store, now=NOW)).status is Status.OK


def test_counters_of_messages_and_values_are_each_checked(store: SqliteConnection) -> None:
    events.add(store, {"reading_received": 2, "reading_stored": 2, "reading_values_received": 3})
    events.set_counter(store, journal.FLUSHED_TO, 7)

    checks = {check.check: check.status for check in contents.counters(store)}

    assert checks == {"counters reading": Status.OK, "counters reading_values": Status.FAIL}


def test_what_the_alarm_process_does_not_take_is_a_failure_of_a_running_product(
    store: SqliteConnection, town: Town
) -> None:
    def seen_after(seconds: int, *, is_running: bool = True) -> Status:
        now = NOW + timedelta(seconds=seconds)
        return only(readings.handed_over(store, town.connection, now=now, is_running=is_running)).status

    before = seen_after(0)
    handovers.add(store, ["{}"], at=NOW)

    assert before is Status.OK
    assert (seen_after(29), seen_after(31), seen_after(31, is_running=False)) == (
        Status.OK,
        Status.FAIL,
        Status.OK,
    )
