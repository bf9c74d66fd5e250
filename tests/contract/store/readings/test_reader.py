"""What a reader is told: every reading of a window once, in order, of one state of the store."""

from collections.abc import Callable, Iterable
from datetime import UTC, datetime

import pytest

from services.domain.ids import PositionId
from services.domain.readings import Points, SeriesId
from services.readings.upkeep.expire import Retention
from services.store.connection import from_micros, to_micros
from services.store.readings.reader import ReadingsReader
from services.store.readings.segments import DAY_MICROS, day_of
from tests.support.readings_store import LONG, SqliteReadings, series

DAY = to_micros(datetime(2026, 11, 23, tzinfo=UTC))
HOUR = 3_600_000_000
EVER = {"since_us": -(2**62), "until_us": 2**62}
ONE, TWO, THREE = SeriesId(1), SeriesId(2), SeriesId(3)

Row = tuple[int, int, int, float]


def said(series_id: int, *at: int, value: float = 1.0) -> list[Row]:
    """Readings that were received as they were made."""
    return [(series_id, moment, moment, value) for moment in at]


def times(chunks: Iterable[Points]) -> list[int]:
    return [at for chunk in chunks for at in chunk.at.tolist()]


def flushed(readings: SqliteReadings, rows: list[Row]) -> None:
    readings.commit(rows)
    readings.flush()


@pytest.fixture
def spread(readings: SqliteReadings) -> SqliteReadings:
    """Two series over three days: in day segments, in a merged one, in a flushed one and in the journal."""
    readings.add(series(1), series(2, home="h-2"))
    flushed(readings, said(1, *range(DAY, DAY + 10)) + said(2, DAY))
    readings.merge_days(today=day_of(DAY) + 1)
    for hour in range(3):
        flushed(readings, said(1, DAY + DAY_MICROS + hour * HOUR) + said(2, DAY + hour))
    readings.merge_flushes()
    flushed(readings, said(1, DAY + 1, DAY + 20 * HOUR))  # one is there already, one is late
    readings.commit(said(1, DAY + 2 * DAY_MICROS, DAY + 2 * DAY_MICROS + 5))
    return readings


ALL_OF_ONE = sorted(
    {*range(DAY, DAY + 10), DAY + 20 * HOUR}
    | {DAY + DAY_MICROS + hour * HOUR for hour in range(3)}
    | {DAY + 2 * DAY_MICROS, DAY + 2 * DAY_MICROS + 5}
)


def test_wherever_a_reading_has_got_to_it_is_found_once(spread: SqliteReadings) -> None:
    assert times(spread.reader().points(ONE, **EVER)) == ALL_OF_ONE
    assert len(spread.raw()) == len(ALL_OF_ONE) + 1 + 4, "one is there twice in the file, until they meet"


@pytest.mark.parametrize(
    ("since", "until"),
    [
        (DAY, DAY + 1),
        (DAY + 3, DAY + 7),
        (DAY + 9, DAY + DAY_MICROS),
        (DAY + DAY_MICROS, DAY + DAY_MICROS + HOUR),
        (DAY + 10, DAY + 10),
        (DAY + 7, DAY + 3),
        (DAY + 2 * DAY_MICROS, DAY + 2 * DAY_MICROS + 5),
        (DAY + 9 * DAY_MICROS, DAY + 10 * DAY_MICROS),
        (0, DAY),
    ],
)
def test_a_window_holds_its_first_moment_and_not_its_last(
    spread: SqliteReadings, since: int, until: int
) -> None:
    found = times(spread.reader().points(ONE, since_us=since, until_us=until))

    assert found == [at for at in ALL_OF_ONE if since <= at < until]


def test_chunks_are_days_and_none_is_empty(spread: SqliteReadings) -> None:
    chunks = list(spread.reader().points(ONE, **EVER))

    days = [{day_of(at) for at in chunk.at.tolist()} for chunk in chunks]
    assert days == [{day_of(DAY)}, {day_of(DAY) + 1}, {day_of(DAY) + 2}]


def test_of_the_same_reading_twice_the_one_that_was_received_first_counts(readings: SqliteReadings) -> None:
    readings.add(series(1))
    readings.commit([(1, DAY, DAY + 5, 5.0)])
    flushed(readings, [(1, DAY, DAY + 4, 4.0)])
    flushed(readings, [(1, DAY, DAY + 6, 6.0)])

    (chunk,) = readings.reader().points(ONE, **EVER)

    assert (chunk.at.tolist(), chunk.received_at.tolist(), chunk.value.tolist()) == ([DAY], [DAY + 4], [4.0])


def test_a_time_before_1970_is_a_time(readings: SqliteReadings) -> None:
    readings.add(series(1), series(2))
    moments = [-DAY_MICROS * 3, -DAY_MICROS, -1, 0, DAY]
    flushed(readings, said(1, *moments) + said(2, *moments))

    readings.merge_days(today=day_of(DAY))
    flushed(readings, said(1, -5) + said(2, -DAY_MICROS + 1))
    readings.merge_days(today=day_of(DAY) + 1)

    with readings.reader() as reader:
        assert times(reader.points(ONE, **EVER)) == sorted([*moments, -5])
        assert times(reader.points(TWO, **EVER)) == sorted([*moments, -DAY_MICROS + 1])
        assert times(reader.points(TWO, since_us=-DAY_MICROS, until_us=0)) == [
            -DAY_MICROS,
            -DAY_MICROS + 1,
            -1,
        ]


def test_the_last_day_before_1970_is_a_day_like_any_other(readings: SqliteReadings) -> None:
    readings.add(series(1), series(2))
    flushed(readings, said(1, -5, DAY) + said(2, -5, DAY))

    readings.merge_days(today=day_of(DAY))

    with readings.reader() as reader:
        assert [times(reader.points(id_, **EVER)) for id_ in (ONE, TWO)] == [[-5, DAY]] * 2


def test_nobodys_series_has_no_points_and_no_last(spread: SqliteReadings) -> None:
    with spread.reader() as reader:
        assert list(reader.points(SeriesId(77), **EVER)) == []
        assert reader.last([SeriesId(77)]) == {}
        assert reader.last([]) == {}
        assert reader.last_received(["position-77"]) == {}


# Last values.


def test_the_last_reading_is_found_before_it_is_noted_and_after(readings: SqliteReadings) -> None:
    readings.add(series(1), series(2), series(3))
    readings.commit(said(1, DAY, DAY + 2) + said(2, DAY))
    readings.commit(said(1, DAY + 1))
    before = readings.reader().last([ONE, TWO, THREE])

    readings.reopen()  # a start notes what the journal holds
    after = readings.reader().last([ONE, TWO, THREE])

    assert before == after
    assert {id_: to_micros(sample.at) for id_, sample in after.items()} == {ONE: DAY + 2, TWO: DAY}


def test_a_clock_that_is_far_ahead_does_not_keep_the_last_place(readings: SqliteReadings) -> None:
    readings.add(series(1))
    readings.commit([(1, DAY + 99 * DAY_MICROS, DAY, 9.0)])
    readings.commit([(1, DAY + HOUR, DAY + HOUR, 1.0)])
    before = readings.reader().last([ONE])[ONE].value

    readings.reopen()

    assert before == readings.reader().last([ONE])[ONE].value == 1.0


def test_a_clock_that_is_a_little_ahead_keeps_the_last_place_over_a_crash(readings: SqliteReadings) -> None:
    readings.add(series(1))
    readings.commit([(1, DAY + 200, DAY + 100, 2.0)])
    readings.reopen()
    readings.commit([(1, DAY + 150, DAY + 160, 1.0)])

    readings.reopen()

    assert readings.reader().last([ONE])[ONE].value == 2.0
    assert readings.states.last(1) == (1, DAY + 200, DAY + 100, 2.0)


def test_a_position_was_last_received_when_the_newest_of_its_last_readings_was(
    readings: SqliteReadings,
) -> None:
    readings.add(
        series(1, position="a", name="power"),
        series(2, position="a", name="presence"),
        series(3, position="b"),
    )
    readings.commit([(1, DAY, DAY + 5, 0.0), (2, DAY, DAY + 9, 0.0), (3, DAY, DAY + 7, 0.0)])

    asked = [PositionId("a"), PositionId("b"), PositionId("nowhere")]
    found = readings.reader().last_received(asked)

    assert found == {"a": from_micros(DAY + 9), "b": from_micros(DAY + 7)}


# Series.


def test_series_are_found_by_home_position_and_name_in_their_order(readings: SqliteReadings) -> None:
    made = [
        series(1, home="h-2", position="c", name="power"),
        series(2, home="h-1", position="b", name="power"),
        series(3, home="h-1", position="a", name="temperature"),
        series(4, home="h-1", position="a", name="presence"),
    ]
    readings.add(*made)

    with readings.reader() as reader:
        assert reader.series(limit=9) == [made[3], made[2], made[1], made[0]]
        assert reader.series(limit=2) == [made[3], made[2]]
        assert reader.series(home_id="h-2", limit=9) == [made[0]]
        assert reader.series(name="power", limit=9) == [made[1], made[0]]
        assert reader.series(position_id="a", name="presence", limit=9) == [made[3]]
        assert reader.series(home_id="h-2", position_id="a", limit=9) == []


# One answer is of one state of the store.


def expire_all(readings: SqliteReadings) -> None:
    nothing = Retention(of_class=dict.fromkeys(LONG.of_class, from_micros(1) - from_micros(0)))
    readings.expire(nothing, now=from_micros(DAY + 99 * DAY_MICROS))


MEANWHILE: dict[str, Callable[[SqliteReadings], object]] = {
    "a commit": lambda readings: readings.commit(said(1, DAY + 11)),
    "a flush": lambda readings: readings.flush(),
    "a merge": lambda readings: (readings.flush(), readings.flush(), readings.merge_flushes()),
    "a merge of days": lambda readings: readings.merge_days(today=day_of(DAY) + 5),
    "an expiry": expire_all,
    "an erasure": lambda readings: readings.erase("h-1"),
}


@pytest.mark.parametrize("meanwhile", MEANWHILE.values(), ids=MEANWHILE)
def test_an_answer_that_is_being_read_does_not_change(
    spread: SqliteReadings, meanwhile: Callable[[SqliteReadings], object]
) -> None:
    answer = spread.reader().points(ONE, **EVER)
    found = times([next(answer)])

    meanwhile(spread)
    spread.drop()

    assert found + times(answer) == ALL_OF_ONE


def test_what_was_erased_is_in_no_new_answer(spread: SqliteReadings) -> None:
    spread.erase("h-1")

    with spread.reader() as reader:
        assert times(reader.points(ONE, **EVER)) == []
        assert times(reader.points(TWO, **EVER)) == [DAY, DAY + 1, DAY + 2]
        assert [one.id for one in reader.series(limit=9)] == [TWO]


def test_two_answers_can_be_read_in_turns(spread: SqliteReadings) -> None:
    reader = spread.reader()
    one, two = reader.points(ONE, **EVER), reader.points(TWO, **EVER)

    first = [next(one), next(two)]
    last = reader.last([ONE])[ONE]
    rest = [*one, *two]

    assert times([first[0], *rest]) == ALL_OF_ONE
    assert times([first[1]]) == [DAY, DAY + 1, DAY + 2]
    assert to_micros(last.at) == DAY + 2 * DAY_MICROS + 5


def test_an_answer_that_nobody_reads_to_its_end_holds_nothing_up(spread: SqliteReadings) -> None:
    reader = spread.reader()
    answer = reader.points(ONE, **EVER)
    next(answer)
    answer.close()  # type: ignore[attr-defined]

    spread.commit(said(1, DAY + 12))

    assert DAY + 12 in times(reader.points(ONE, **EVER))


def test_a_reader_can_be_closed_while_it_is_being_read(spread: SqliteReadings) -> None:
    with spread.reader() as reader:
        answer = reader.points(ONE, **EVER)
        next(answer)

    answer.close()  # type: ignore[attr-defined]


def test_a_reader_finds_an_empty_store_where_there_is_none(tmp_path_factory: pytest.TempPathFactory) -> None:
    with ReadingsReader(tmp_path_factory.mktemp("none") / "readings.db") as reader:
        assert reader.series(limit=9) == []
