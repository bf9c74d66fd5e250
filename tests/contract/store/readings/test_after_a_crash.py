"""What the next run knows is what the store says, wherever the one before has died."""

import asyncio

import pytest

from gateway.reading import app
from services.readings.states import NEVER
from services.store import events
from services.store.connection import to_micros
from services.store.readings import journal, segments
from services.store.readings import series as series_rows
from tests.support.clock import START
from tests.support.readings_intake import Intake
from tests.support.readings_store import SqliteReadings, series

NOW = to_micros(START)
MINUTE = 60_000_000
PLACES = {"position-1": ("h-1", "temperature-sensor")}


def say(intake: Intake, *at: int, received_us: int = NOW) -> None:
    intake.take("position-1", [("temperature", moment, 21.0) for moment in at], received_us=received_us)
    asyncio.run(intake.commit(received_us))


def died(readings: SqliteReadings) -> Intake:
    readings.reopen()
    return Intake(readings, PLACES)


def stored(readings: SqliteReadings) -> list[int]:
    return [row.at for row in readings.raw()]


def test_the_last_reading_of_each_series_is_known_again(readings: SqliteReadings) -> None:
    readings.add(series(1), series(2), series(3))
    readings.commit([(1, NOW, NOW, 1.0), (2, NOW, NOW, 2.0)])
    readings.commit([(1, NOW - 5, NOW + 1, 9.0), (2, NOW + 1, NOW + 1, 3.0)])

    readings.reopen()

    assert [readings.states.last(id_) for id_ in (1, 2)] == [(1, NOW, NOW, 1.0), (2, NOW + 1, NOW + 1, 3.0)]
    assert readings.states.last_at[3] == NEVER
    assert readings.states.changed == set()
    assert sorted(series_rows.all_last(readings.connection)) == [
        readings.states.last(1),
        readings.states.last(2),
    ]
    assert events.counter(readings.connection, journal.NOTED_TO) == journal.newest(readings.connection) == 2


def test_rows_are_noted_in_several_rounds(readings: SqliteReadings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(app, "ROWS_AT_ONCE", 2)
    readings.add(series(1))
    for number in range(5):
        readings.commit([(1, NOW + number, NOW, float(number))])

    readings.reopen()

    assert readings.states.last(1) == (1, NOW + 4, NOW, 4.0)


def test_a_half_written_segment_is_cleared_away(readings: SqliteReadings) -> None:
    readings.add(series(1))
    readings.commit([(1, NOW, NOW, 1.0)])
    with readings.connection.transaction():
        segments.begin(readings.connection, tier=segments.FLUSH_TIER, day=segments.NO_DAY)

    readings.reopen()
    readings.drop()

    assert readings.connection.rows("SELECT * FROM segments") == []


def test_a_start_during_an_erasure_does_not_stumble_over_what_is_gone(readings: SqliteReadings) -> None:
    readings.add(series(1), series(2, home="h-2"))
    readings.commit([(1, NOW, NOW, 1.0), (2, NOW, NOW, 2.0)])
    with readings.connection.transaction():
        series_rows.remove(readings.connection, [series(1).id])  # and died here

    readings.reopen()

    assert series_rows.all_last(readings.connection) == [(2, NOW, NOW, 2.0)]


@pytest.mark.parametrize("is_flushed", [False, True])
@pytest.mark.parametrize(
    "said",
    [
        [[0]],
        [[-2], [-1], [0]],
        [[0], [-60]],
        [[9]],
        [[0], [9]],
        [[9], [0]],
        [[9_000], [9], [0]],
        [[9], [9_000]],
        [[-9_000], [9]],
    ],
    ids=str,
)
def test_what_is_sent_again_after_a_crash_is_stored_once(
    readings: SqliteReadings, said: list[list[int]], *, is_flushed: bool
) -> None:
    """Clocks that are right, late, and 9 or 9,000 minutes ahead, in some order."""
    intake = Intake(readings, PLACES)
    packs = [[NOW + minutes * MINUTE for minutes in pack] for pack in said]
    for pack in packs:
        say(intake, *pack)
    if is_flushed:
        readings.flush()
    before = stored(readings)

    intake = died(readings)
    for pack in packs:
        say(intake, *pack, received_us=NOW + 1)
    for pack in packs:
        say(intake, *pack, received_us=NOW + 2)

    assert stored(readings) == before
    assert events.counter(readings.connection, "reading_values_stored") == len(before)
    assert events.counter(readings.connection, "reading_values_duplicate") == 2 * len(before)


def test_what_comes_twice_for_one_commit_is_stored_once(readings: SqliteReadings) -> None:
    intake = Intake(readings, PLACES)
    for value in (1.0, 2.0):
        intake.take("position-1", [("temperature", NOW, value)], received_us=NOW)

    asyncio.run(intake.commit(NOW))

    assert [row.value for row in readings.raw()] == [1.0]


def test_a_reading_that_was_ahead_and_comes_again_when_its_time_has_come_is_found_once(
    readings: SqliteReadings,
) -> None:
    """In the file it is twice until both meet in a segment: to look for it would cost all a look."""
    intake = Intake(readings, PLACES)
    ahead = NOW + 9 * MINUTE
    say(intake, ahead)
    say(intake, ahead, received_us=ahead)

    with readings.reader() as reader:
        (chunk,) = reader.points(series(1).id, since_us=0, until_us=2**62)
        assert (chunk.at.tolist(), chunk.received_at.tolist()) == ([ahead], [NOW])
    readings.flush()
    assert stored(readings) == [ahead]
