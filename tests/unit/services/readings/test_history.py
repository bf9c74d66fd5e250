"""A stretch of time in buckets, against a slow judge; and the newest readings, against sorting them all."""

from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.domain.readings import Points, SeriesId
from services.readings.history import Buckets, downsample, newest, stretches
from services.store.connection import to_micros
from tests.support.histories import ReadingsInMemory, cut, points, series

HOUR_US = 3_600_000_000
YEAR_US = 365 * 24 * HOUR_US

values = st.floats(allow_nan=False, allow_infinity=False, min_value=-1e12, max_value=1e12)
histories = st.dictionaries(st.integers(0, 300), values, max_size=60).map(
    lambda held: points(sorted(held.items()))
)
windows = st.tuples(st.integers(-20, 320), st.integers(-20, 320))
cuts = st.lists(st.integers(0, 20), max_size=20)
Row = tuple[int, int, float, float, float, float]


def rows(buckets: Buckets) -> list[Row]:
    columns = (buckets.start_us, buckets.count, buckets.min, buckets.max, buckets.mean, buckets.last)
    return list(zip(*(column.tolist() for column in columns), strict=True))


def judged(history: Points, since: int, until: int, buckets: int) -> Iterator[Row]:
    """The same, bucket by bucket and reading by reading."""
    width = max(1, -((since - until) // buckets))
    for start in range(since, until, width):
        inside = [
            value
            for at, value in zip(history.at.tolist(), history.value.tolist(), strict=True)
            if start <= at < min(start + width, until)
        ]
        if inside:
            low, high = min(inside), max(inside)
            mean = min(max(in_turn(inside) / len(inside), low), high)
            yield start, len(inside), low, high, mean, inside[-1]


def in_turn(inside: list[float]) -> float:
    """A plain sum, as rounded as one: Python's own ``sum`` makes up for what is rounded off."""
    total = 0.0
    for value in inside:
        total += value
    return total


@given(history=histories, window=windows, buckets=st.integers(1, 50))
def test_buckets_are_those_of_the_slow_judge(history: Points, window: tuple[int, int], buckets: int) -> None:
    since, until = window

    found = downsample([history], since_us=since, until_us=until, buckets=buckets)

    assert rows(found) == list(judged(history, since, until, buckets))


@given(history=histories, window=windows, buckets=st.integers(1, 50), sizes=cuts)
def test_how_readings_are_cut_into_chunks_makes_no_difference(
    history: Points, window: tuple[int, int], buckets: int, sizes: list[int]
) -> None:
    since, until = window

    whole = downsample([history], since_us=since, until_us=until, buckets=buckets)
    in_parts = downsample(cut(history, sizes), since_us=since, until_us=until, buckets=buckets)

    assert rows(in_parts) == rows(whole)


@given(history=histories, window=windows, buckets=st.integers(1, 50))
def test_no_reading_is_lost_and_no_bucket_is_empty_or_one_too_many(
    history: Points, window: tuple[int, int], buckets: int
) -> None:
    since, until = window

    found = downsample([history], since_us=since, until_us=until, buckets=buckets)

    assert found.count.sum() == ((history.at >= since) & (history.at < until)).sum()
    assert len(found) <= buckets
    assert (found.count > 0).all()
    assert (found.min <= found.mean).all()
    assert (found.mean <= found.max).all()


def test_a_mean_that_rounding_carries_above_the_highest_is_the_highest() -> None:
    tenths = points([(0, 0.1), (1, 0.1), (2, 0.1)])
    assert (0.1 + 0.1 + 0.1) / 3 > 0.1

    found = downsample([tenths], since_us=0, until_us=3, buckets=1)

    assert found.mean.tolist() == [0.1]


def test_a_spike_of_a_second_survives_in_a_month() -> None:
    seconds = np.arange(30 * 24 * 3600, dtype=np.int64) * 1_000_000
    value = np.full(len(seconds), 21.0)
    value[1_234_567] = 95.0

    month = Points(at=seconds, received_at=seconds, value=value)
    found = downsample([month], since_us=0, until_us=30 * 24 * HOUR_US, buckets=500)

    assert len(found) == 500
    assert found.max.max() == 95.0
    assert found.min.min() == 21.0


def test_where_nothing_was_heard_there_is_no_bucket() -> None:
    history = points([(0, 1.0), (1, 2.0), (9, 3.0)])

    found = downsample([history], since_us=0, until_us=10, buckets=5)

    assert found.start_us.tolist() == [0, 8]


def test_a_bucket_per_reading_when_there_are_more_buckets_than_microseconds() -> None:
    found = downsample([points([(0, 1.0), (2, 2.0)])], since_us=0, until_us=3, buckets=500)

    assert (found.width_us, found.start_us.tolist()) == (1, [0, 2])


def at_hours(*hours: int) -> Buckets:
    history = points((hour * HOUR_US, 1.0) for hour in hours)
    return downsample([history], since_us=0, until_us=100 * HOUR_US, buckets=300)


@pytest.mark.parametrize(
    ("hours", "expected"),
    [
        ([], []),
        ([5], [(0, 1)]),
        ([5, 90], [(0, 2)]),
        ([0, 1, 2, 3, 4], [(0, 5)]),
        ([0, 1, 2, 5, 6, 7], [(0, 6)]),
        ([0, 1, 2, 6, 7, 8], [(0, 3), (3, 6)]),
        ([0, 10, 20, 30, 50, 60], [(0, 6)]),
        ([0, 10, 20, 30, 70, 80], [(0, 4), (4, 6)]),
        ([0, 1, 2, 3, 20, 50], [(0, 4), (4, 5), (5, 6)]),
    ],
)
def test_a_gap_is_more_than_three_of_the_usual_spacings(
    hours: list[int], expected: list[tuple[int, int]]
) -> None:
    assert [(run.start, run.stop) for run in stretches(at_hours(*hours))] == expected


several = st.lists(histories, min_size=1, max_size=4)


@given(held=several, window=windows, limit=st.integers(1, 30))
def test_the_newest_are_those_that_sorting_everything_finds(
    held: list[Points], window: tuple[int, int], limit: int
) -> None:
    since, until = window
    source = ReadingsInMemory({SeriesId(number): history for number, history in enumerate(held)})
    asked = source.series(limit=100)

    found = newest(source, asked, since_us=since, until_us=until, limit=limit)

    everything = sorted(
        (-at, one.id, value)
        for one in asked
        for at, value in zip(held[one.id].at.tolist(), held[one.id].value.tolist(), strict=True)
        if since <= at < until
    )
    got = [(-to_micros(sample.at), one.id, sample.value) for one, sample in found]
    assert got == everything[:limit]


def test_the_newest_of_a_long_history_are_found_without_reading_it_all() -> None:
    hourly = points((hour * HOUR_US, float(hour)) for hour in range(20 * 365 * 24))
    source = ReadingsInMemory({SeriesId(1): hourly}, chunk=1000)

    found = newest(source, [series(1)], since_us=0, until_us=20 * YEAR_US, limit=50)

    assert [sample.value for _, sample in found] == list(range(20 * 365 * 24 - 1, 20 * 365 * 24 - 51, -1))
    assert min(since for _, since, _ in source.asked) > 19 * YEAR_US


def test_a_long_silence_is_looked_over_in_few_steps() -> None:
    source = ReadingsInMemory({SeriesId(1): points([(5, 1.0)])})

    found = newest(source, [series(1)], since_us=0, until_us=56 * YEAR_US, limit=50)

    assert len(found) == 1
    assert len(source.asked) < 12
