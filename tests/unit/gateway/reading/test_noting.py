"""The passes that write last values down: the mark is never ahead of what is written, and it gets there."""

from hypothesis import given
from hypothesis import strategies as st

from gateway.reading import noting
from gateway.reading.noting import Noting
from services.readings.states import SeriesStates
from tests.support.readings_store import small_sizes

PASS_S = noting.PASS_EVERY.total_seconds()


class Times:
    """Seconds that the test moves."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


def known(number: int) -> SeriesStates:
    """So many series of which nothing was heard."""
    return SeriesStates(number, [])


steps = st.lists(
    st.tuples(st.sets(st.integers(1, 5), max_size=3), st.sampled_from([0.0, 1.0, PASS_S])), max_size=40
)
"""Of each commit: the series that are heard before it, and the seconds after it."""


@given(made=steps)
def test_up_to_the_mark_everything_is_noted_whatever_the_order(
    made: list[tuple[set[int], float]],
) -> None:
    states, times = known(5), Times()
    rows_of: list[set[int]] = []
    noted: dict[int, int] = {}
    mark = 0
    with small_sizes():
        passes = Noting(states, newest_row=0, monotonic_s=times)
        for number, (heard, seconds) in enumerate(made, start=1):
            for series_id in heard:
                states.note(series_id, number, number, float(number))
            values, noted_to = passes.take()
            assert len(values) <= noting.PER_COMMIT
            noted |= {series_id: at for series_id, at, _, _ in values}
            mark = mark if noted_to is None else noted_to
            rows_of.append(heard)
            passes.committed(number)
            times.now_s += seconds

            for row, ids in enumerate(rows_of[:mark], start=1):
                assert all(noted.get(series_id, 0) >= row for series_id in ids)
            assert mark < number


@given(made=steps)
def test_when_nothing_more_arrives_the_mark_reaches_the_newest_row(
    made: list[tuple[set[int], float]],
) -> None:
    states, times = known(5), Times()
    with small_sizes():
        passes = Noting(states, newest_row=0, monotonic_s=times)
        row, mark = 0, 0
        for heard, seconds in [*made, *[(set(), PASS_S)] * 8]:
            for series_id in heard:
                states.note(series_id, row, row, 0.0)
            _, noted_to = passes.take()
            mark = mark if noted_to is None else noted_to
            row += 1
            passes.committed(row)
            times.now_s += seconds

    assert row - mark <= 4
    assert not states.changed
    assert not passes.is_due()


def test_a_pass_begins_when_it_is_time_and_not_before() -> None:
    states, times = known(1), Times()
    passes = Noting(states, newest_row=4, monotonic_s=times)
    states.note(1, 5, 5, 1.0)

    early = passes.take(), passes.is_due()
    times.now_s = PASS_S
    was_due, taken = passes.is_due(), passes.take()

    assert early == (([], None), False)
    assert was_due
    assert taken == ([(1, 5, 5, 1.0)], 4)


def test_rows_without_any_last_value_are_done_with_too() -> None:
    times = Times()
    passes = Noting(known(1), newest_row=4, monotonic_s=times)
    passes.committed(5)

    times.now_s = PASS_S

    assert not passes.is_due(), "nobody is woken for that"
    assert passes.take() == ([], 5)


def test_a_pass_writes_the_value_of_the_moment_not_of_its_beginning() -> None:
    states, times = known(5), Times()
    with small_sizes():
        passes = Noting(states, newest_row=0, monotonic_s=times)
        for series_id in range(1, 6):
            states.note(series_id, 1, 1, 1.0)
        times.now_s = PASS_S
        first, _ = passes.take()
        states.note(5, 2, 2, 2.0)
        passes.take()
        last, noted_to = passes.take()

    assert [row[0] for row in first] == [1, 2]
    assert last == [(5, 2, 2, 2.0)]
    assert noted_to == 0
    assert states.changed == {5}, "and again in the next pass, since it changed during this one"
