"""Series, last values and what else the reading lane keeps come back as they were written."""

from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from devices.kinds import DataClass
from services.store.connection import to_micros
from services.store.readings import erasures, handovers, marks, releases, unknown
from services.store.readings import series as series_rows
from services.store.readings.columns import latest
from services.store.readings.releases import Released, ReleaseKey
from services.store.readings.unknown import UnknownDevice
from services.store.sqlite import SqliteConnection
from tests.support.clock import START
from tests.support.readings_store import Row, SqliteReadings, columns, series

LATER = START + timedelta(minutes=1)
MINUTE = 60_000_000


@pytest.fixture
def db(readings: SqliteReadings) -> SqliteConnection:
    return readings.connection


# Series.


def test_a_series_comes_back_and_the_same_again_changes_nothing(db: SqliteConnection) -> None:
    made = series(1, data_class=DataClass.CARE)
    with db.transaction():
        for one in (made, made, series(1, name="other")):
            series_rows.add(db, one)

    assert series_rows.get(db, 1) == made
    assert series_rows.get(db, 2) is None
    assert series_rows.of_position(db, made.position_id) == [made]


def test_the_newest_id_is_the_largest_that_was_ever_given(db: SqliteConnection) -> None:
    found = [series_rows.newest_id(db)]
    for one in (series(7), series(3)):
        with db.transaction():
            series_rows.add(db, one)
        found.append(series_rows.newest_id(db))
    with db.transaction():
        series_rows.remove(db, [series(7).id])
    found.append(series_rows.newest_id(db))

    assert found == [0, 7, 7, 7]


def test_what_is_kept_how_long_is_read_in_steps(db: SqliteConnection) -> None:
    with db.transaction():
        for number in range(1, 6):
            series_rows.add(db, series(number, data_class=DataClass.CARE if number % 2 else DataClass.FIRE))
        series_rows.expired(db, [(2, 500)])

    assert series_rows.retained(db, after=1, up_to=4, limit=2) == [
        (2, "h-1", "fire", 500),
        (3, "h-1", "care", 0),
    ]
    assert [row[0] for row in series_rows.retained(db, after=3, up_to=4, limit=2)] == [4]


# Last values.

near = st.integers(-3, 8).map(lambda minutes: minutes * MINUTE)
said = st.lists(
    st.builds(Row, st.integers(1, 2), near | st.just(99 * MINUTE), near, st.floats(-9, 9)), max_size=12
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=80)
@given(noted=said, newer=said)
def test_noting_what_is_newer_ends_with_the_latest_of_all(
    db: SqliteConnection, noted: list[Row], newer: list[Row]
) -> None:
    with db.transaction():
        db.run("DELETE FROM last_values")
        series_rows.add(db, series(1))
        series_rows.add(db, series(2))
        series_rows.note_last(db, latest(columns(noted)).rows())
        for row in newer:
            series_rows.note_newer(db, [row])

    expected = sorted(latest(columns([*noted, *newer])).rows())
    assert [row[:3] for row in sorted(series_rows.all_last(db))] == [row[:3] for row in expected]


def test_a_last_value_is_overwritten_whatever_it_was(db: SqliteConnection) -> None:
    with db.transaction():
        series_rows.add(db, series(1))
        series_rows.note_last(db, [(1, 9, 9, 9.0)])
        series_rows.note_last(db, [(1, 5, 5, 5.0)])

    assert series_rows.last_noted(db, 1) == (5, 5, 5.0)
    assert series_rows.last_noted(db, 2) is None
    assert series_rows.newest_received_at(db) == 5


def test_nothing_is_noted_of_a_series_that_is_erased(db: SqliteConnection) -> None:
    with db.transaction():
        series_rows.add(db, series(1))
        series_rows.remove(db, [series(1).id])
        series_rows.note_last(db, [(1, 5, 5, 5.0)])
        series_rows.note_newer(db, [(1, 6, 6, 6.0)])

    assert series_rows.all_last(db) == []
    assert series_rows.newest_received_at(db) is None


# What has to be known again after a restart.


def test_rules_and_clocks_are_kept_until_they_are_quiet_or_right_again(db: SqliteConnection) -> None:
    with db.transaction():
        marks.set_rule_states(db, {("a", "damp"): "x", ("a", "frost"): "y", ("b", "damp"): "z"})
        marks.set_rule_states(db, {("a", "damp"): "newer", ("b", "damp"): ""})
        marks.set_clocks(db, {"p-1": "wrong", "p-2": "wrong"})
        marks.set_clocks(db, {"p-1": "", "p-2": "worse"})

    assert marks.rule_states(db) == {("a", "damp"): "newer", ("a", "frost"): "y"}
    assert marks.clocks(db) == {"p-2": "worse"}


def test_a_position_is_forgotten_with_all_its_rules(db: SqliteConnection) -> None:
    with db.transaction():
        marks.set_rule_states(db, {("a", "damp"): "x", ("a", "frost"): "y", ("b", "damp"): "z"})
        marks.forget_position(db, "a")

    assert marks.rule_states(db) == {("b", "damp"): "z"}


# What the alarm path is told.


def test_handovers_are_told_in_their_order_and_dropped_from_the_oldest(db: SqliteConnection) -> None:
    with db.transaction():
        handovers.add(db, ["one", "two"], at=START)
        handovers.add(db, ["three"], at=LATER)

    assert handovers.after(db, 0, limit=2) == [(1, "one"), (2, "two")]
    assert handovers.after(db, 2, limit=9) == [(3, "three")]
    assert handovers.oldest_after(db, 2) == LATER
    with db.transaction():
        assert handovers.drop(db, up_to=2, limit=1) == 1
        assert handovers.drop(db, up_to=2, limit=9) == 1
    assert handovers.after(db, 0, limit=9) == [(3, "three")]
    assert handovers.oldest_after(db, 3) is None


def test_a_handovers_number_is_never_given_again(db: SqliteConnection) -> None:
    assert handovers.newest(db) == 0
    with db.transaction():
        handovers.add(db, ["one"], at=START)
        handovers.drop(db, up_to=1, limit=9)
        handovers.add(db, ["two"], at=START)

    assert handovers.after(db, 0, limit=9) == [(2, "two")]
    assert handovers.newest(db) == 2


# To whom something was released.


def test_releases_of_a_day_add_up_and_other_days_stay_apart(db: SqliteConnection) -> None:
    key = ReleaseKey(20, "acme", "h-1", "climate", "grant-1", "studies damp")
    other = key._replace(day=21)
    with db.transaction():
        releases.note(db, [(key, Released(first_at=5, last_at=5, count=0))])
        releases.note(
            db,
            [
                (key, Released(first_at=6, last_at=9, count=3)),
                (other, Released(first_at=1, last_at=1, count=1)),
            ],
        )
        releases.note(db, [(key, Released(first_at=9, last_at=12, count=4))])

    assert releases.before(db, 21, limit=9) == [(key, Released(first_at=5, last_at=12, count=7))]
    assert [found for found, _ in releases.before(db, 22, limit=1)] == [key]
    with db.transaction():
        releases.drop(db, [key])
    assert [found for found, _ in releases.before(db, 22, limit=9)] == [other]


# Strangers.


def see(db: SqliteConnection, external_id: str, **changed: object) -> None:
    known = {"integration_id": "lora", "model": "m", "example": "{}", "messages": 1, "at": START}
    with db.transaction():
        unknown.seen(db, external_id=external_id, **{**known, **changed})  # type: ignore[arg-type]


def test_a_stranger_that_is_seen_again_is_counted_and_keeps_its_first_moment_and_its_model(
    db: SqliteConnection,
) -> None:
    see(db, "a", messages=2)
    see(db, "a", messages=3, example="newer", model="", at=LATER)
    see(db, "b", integration_id="zigbee")

    assert unknown.unknown_devices(db, integration_id=None, limit=1) == [
        UnknownDevice(
            integration_id="lora",
            external_id="a",
            model="m",
            first_seen_at=START,
            last_seen_at=LATER,
            messages=5,
            example="newer",
        )
    ]
    assert unknown.count(db, "lora") == 1
    assert [found.external_id for found in unknown.unknown_devices(db, integration_id="zigbee", limit=9)] == [
        "b"
    ]


def test_strangers_are_forgotten_one_by_one_or_all_of_an_integration(db: SqliteConnection) -> None:
    for external_id in ("a", "b", "c"):
        see(db, external_id)
    see(db, "a", integration_id="zigbee")

    with db.transaction():
        unknown.forget(db, "lora", "b")
    left = unknown.count(db, "lora")
    with db.transaction():
        unknown.forget(db, "lora")

    assert left == 2
    assert [found.integration_id for found in unknown.unknown_devices(db, integration_id=None, limit=9)] == [
        "zigbee"
    ]


# Erasures.


def test_an_erasure_waits_until_it_is_done_and_remembers_of_what_it_is(db: SqliteConnection) -> None:
    with db.transaction():
        first = erasures.ask(db, home_id="h-1", position_id=None, actor="a", at=START)
        second = erasures.ask(db, home_id="h-1", position_id="position-1", actor="b", at=LATER)
    assert [asked.id for asked in erasures.waiting(db)] == [first, second]
    assert erasures.begun(db, first) is None

    with db.transaction():
        erasures.begin(db, first, [series(4).id, series(9).id])
        erasures.begin(db, second, [])
        erasures.add_count(db, 3, first)
        erasures.add_count(db, 4, first)
        erasures.done(db, first, at=LATER)

    assert (erasures.begun(db, first), erasures.begun(db, second)) == ([4, 9], [])
    assert [asked.position_id for asked in erasures.waiting(db)] == ["position-1"]
    done = erasures.get(db, first)
    assert done is not None
    assert (done.count, done.done_at, done.asked_at, done.actor) == (7, LATER, START, "a")
    assert erasures.get(db, "nothing") is None
    assert to_micros(START) < to_micros(LATER)
