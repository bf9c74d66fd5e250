"""What is remembered of every series: how new its readings are, and which is the last."""

from collections.abc import Iterable

from hypothesis import given
from hypothesis import strategies as st

from services.readings.states import NEVER, SeriesStates
from services.store.readings.columns import CLOCK_TOLERANCE_MICROS, columns_of, latest

NOW = 1_764_000_000_000_000
AHEAD = CLOCK_TOLERANCE_MICROS + 1

READINGS = st.lists(
    st.tuples(st.integers(1, 3), st.integers(-3, 3) | st.sampled_from([AHEAD, 2 * AHEAD]), st.integers(0, 9)),
    max_size=30,
)


def rows_of(readings: Iterable[tuple[int, int, int]]) -> list[tuple[int, int, int, float]]:
    """Rows received one microsecond after the other, measured so much before or after."""
    return [
        (series, NOW + number + off, NOW + number, float(value))
        for number, (series, off, value) in enumerate(readings)
    ]


def test_a_series_that_never_spoke_is_older_than_anything() -> None:
    states = SeriesStates(0, [])

    assert [states.add(), states.add()] == [1, 2]
    assert states.newest_at[1] == states.last_received_at[2] == NEVER


def test_ids_go_on_after_the_largest_that_was_given() -> None:
    assert SeriesStates(41, []).add() == 42


@given(readings=READINGS)
def test_the_last_reading_is_the_one_that_the_store_finds_too(readings: list[tuple[int, int, int]]) -> None:
    states = SeriesStates(3, [])
    rows = rows_of(readings)

    for row in rows:
        states.note(*row)

    found = {row[0]: row for row in latest(columns_of(*zip(*rows, strict=True))).rows()} if rows else {}
    assert {id_: states.last(id_) for id_ in (1, 2, 3) if states.last_at[id_] != NEVER} == found
    assert states.changed == set(found)


@given(readings=READINGS)
def test_the_newest_time_is_of_clocks_that_were_right(readings: list[tuple[int, int, int]]) -> None:
    states = SeriesStates(3, [])
    for row in rows_of(readings):
        states.note(*row)

    for id_ in (1, 2, 3):
        right = [
            at
            for series, at, received_at, _ in rows_of(readings)
            if series == id_ and at - received_at < AHEAD
        ]
        assert states.newest_at[id_] == max(right, default=NEVER)


@given(readings=READINGS, last=st.integers(1, 3))
def test_what_is_called_new_after_a_restart_was_never_stored(
    readings: list[tuple[int, int, int]], last: int
) -> None:
    before = SeriesStates(3, [])
    rows = rows_of(readings)
    for row in rows:
        before.note(*row)
    after = SeriesStates(3, [before.last(id_) for id_ in (1, 2, 3) if before.last_at[id_] != NEVER])

    for series, at, received_at, _ in rows:
        if series == last and at > after.newest_at[series]:
            assert at > received_at + CLOCK_TOLERANCE_MICROS
            assert not after.is_ahead_of_all(series, at)
    assert after.changed == set()


def test_a_series_that_is_erased_was_never_heard() -> None:
    states = SeriesStates(2, [(1, NOW, NOW, 5.0), (2, NOW, NOW, 6.0)])
    states.note(1, NOW + 1, NOW + 1, 7.0)

    states.forget([1])

    assert states.newest_at[1] == states.last_at[1] == states.last_received_at[1] == NEVER
    assert states.changed == set()
    assert states.last(2) == (2, NOW, NOW, 6.0)
