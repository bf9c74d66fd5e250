"""Columns against obvious versions of the same, and whole again out of every kind of bytes."""

import math
import zlib
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.store.readings.columns import (
    CLOCK_TOLERANCE_MICROS,
    NONE,
    POINT_BYTES,
    Columns,
    counted_at,
    from_journal,
    joined,
    journal_bytes,
    latest,
    pack,
    unpack,
)
from tests.support.readings_store import Row, columns

EXTREME = st.integers(-(2**63), 2**63 - 1)
ANY_ROWS = st.lists(
    st.tuples(st.integers(0, 2**32 - 1), EXTREME, EXTREME, st.floats(allow_nan=False)), max_size=40
)
"""Whatever the columns can hold."""

SOON = st.integers(-3, 8)
MINUTE = 60_000_000
ROWS = st.lists(
    st.builds(
        lambda series, at, received, value: Row(series, at * MINUTE, received * MINUTE, value),
        st.integers(1, 3),
        SOON | st.just(20),
        SOON,
        st.floats(-5, 5),
    ),
    max_size=30,
)
"""So few moments that some are the same, and clocks that are right, fast, slow and far ahead."""


def rows(found: Columns) -> list[Row]:
    return [Row(*row) for row in found.rows()]


def same(one: Columns, other: Columns) -> bool:
    """To the last bit, so that -0.0 is not 0.0; and of the same types."""
    pairs = [(getattr(one, name), getattr(other, name)) for name in ("series", "at", "received_at", "value")]
    return all(a.tobytes() == b.tobytes() and a.dtype == b.dtype for a, b in pairs)


@given(made=ANY_ROWS)
def test_what_is_packed_comes_back_whatever_it_is(made: list[Row]) -> None:
    whole = columns(made)

    assert same(unpack(pack(whole), len(whole)), whole)


@given(made=ANY_ROWS)
def test_a_row_of_the_journal_comes_back_whatever_it_holds(made: list[Row]) -> None:
    whole = columns(made)

    assert same(from_journal(*journal_bytes(whole)), whole)
    assert len(journal_bytes(whole)[1]) == POINT_BYTES * len(whole)


@pytest.mark.parametrize("value", [-0.0, 5e-324, 1.7976931348623157e308, math.inf, -math.inf, 0.1 + 0.2])
def test_a_value_comes_back_to_the_last_bit(value: float) -> None:
    whole = columns([(1, 0, 0, value)])

    assert same(unpack(pack(whole), 1), whole)


@given(made=ANY_ROWS, sizes=st.lists(st.integers(0, 15), max_size=6))
def test_what_is_cut_and_joined_is_what_it_was(made: list[Row], sizes: list[int]) -> None:
    whole = columns(made)
    bounds = np.cumsum([0, *sizes]).tolist()
    parts = [whole.where(slice(a, b)) for a, b in zip(bounds, [*bounds[1:], None], strict=True)]

    assert same(joined(parts), whole)


def test_nothing_joined_is_nothing() -> None:
    assert len(joined([])) == len(NONE) == 0
    assert unpack(pack(NONE), 0).value.tolist() == []


@given(made=ROWS)
def test_sorted_is_by_series_and_time_and_keeps_what_was_received_first(made: list[Row]) -> None:
    obvious: dict[tuple[int, int], Row] = {}
    for row in made:
        known = obvious.get((row.series, row.at))
        if known is None or row.received_at < known.received_at:
            obvious[row.series, row.at] = row

    assert rows(columns(made).sorted()) == [obvious[key] for key in sorted(obvious)]


@given(made=ROWS, asked=st.integers(0, 4))
def test_of_series_finds_all_of_a_series_and_nothing_else(made: list[Row], asked: int) -> None:
    ordered = columns(made).sorted()

    assert rows(ordered.of_series(asked)) == [row for row in rows(ordered) if row.series == asked]


def judged_counted_at(row: Row) -> int:
    return row.received_at if row.at - row.received_at > CLOCK_TOLERANCE_MICROS else row.at


@given(made=ROWS)
def test_a_reading_counts_from_its_own_time_unless_that_is_over_five_minutes_ahead(made: list[Row]) -> None:
    assert counted_at(columns(made)).tolist() == [judged_counted_at(row) for row in made]


@given(made=ROWS)
def test_the_latest_is_the_last_to_count_and_of_several_the_last_received(made: list[Row]) -> None:
    obvious: dict[int, Row] = {}
    for row in made:
        known = obvious.get(row.series)
        if known is None or order(row) >= order(known):
            obvious[row.series] = row

    assert rows(latest(columns(made))) == [obvious[key] for key in sorted(obvious)]


def order(row: Row) -> tuple[int, int, int]:
    return judged_counted_at(row), row.received_at, row.at


def test_a_realistic_page_takes_about_a_third_of_its_plain_size(
    record_property: Callable[[str, object], None],
) -> None:
    random = np.random.default_rng(7)
    at = np.arange(2_048, dtype=np.int64) * 60_000_000 + random.integers(-400_000, 400_000, 2_048)
    page = columns(
        zip(
            np.repeat([11, 12], 1_024).tolist(),
            at.tolist(),
            (at + random.integers(20_000, 300_000, 2_048)).tolist(),
            np.round(21 + np.cumsum(random.normal(0, 0.1, 2_048)), 1).tolist(),
            strict=True,
        )
    )

    bytes_per_reading = len(pack(page)) / len(page)

    record_property("bytes_per_reading", round(bytes_per_reading, 1))
    print(f"a realistic page: {bytes_per_reading:.1f} bytes a reading")
    assert bytes_per_reading < POINT_BYTES + 4


def test_a_page_that_is_cut_off_is_no_page() -> None:
    with pytest.raises(zlib.error):
        unpack(pack(columns([(1, 2, 3, 4.0)]))[:-3], 1)
