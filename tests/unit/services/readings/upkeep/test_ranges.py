"""Ranges of series cover everything once, are of bounded size, and never cut a series."""

from itertools import pairwise

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from services.readings.upkeep import merge
from services.readings.upkeep.merge import ranges
from tests.support.readings_store import small_sizes

Page = tuple[int, int, int]
"""First series, last series, count."""

runs = st.lists(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), max_size=8), min_size=1, max_size=4)
"""Of each segment's pages: how far the first series is from the last one before, and how many more."""


def pages_of(run: list[tuple[int, int]], *, count: int = 4) -> list[Page]:
    made: list[Page] = []
    last = 1
    for gap, more in run:
        first = last + gap
        last = first + more
        made.append((first, last, max(count, more + 1)))
    return made


def found(pages: list[Page]) -> list[tuple[int, int]]:
    columns = np.array(pages, np.int64).reshape(-1, 3).T
    return list(ranges(columns[0], columns[1], columns[2]))


@given(made=runs)
def test_every_series_is_in_one_range_and_ranges_follow_on_each_other(
    made: list[list[tuple[int, int]]],
) -> None:
    pages = [page for run in made for page in pages_of(run)]
    with small_sizes():
        cut = found(pages)

    if not pages:
        assert cut == []
        return
    assert cut[0][0] == min(first for first, _, _ in pages)
    assert cut[-1][1] == max(last for _, last, _ in pages) + 1
    assert all(first < end for first, end in cut)
    assert all(end == first for (_, end), (first, _) in pairwise(cut))


@given(made=runs)
def test_a_range_holds_no_more_than_the_bound_and_a_page_of_each_segment_unless_it_is_one_series(
    made: list[list[tuple[int, int]]],
) -> None:
    pages = [page for run in made for page in pages_of(run)]
    with small_sizes():
        cut, bound = found(pages), merge.RANGE_READINGS

    largest = max((count for *_, count in pages), default=0)
    for first, end in cut:
        starting = [page for page in pages if first <= page[0] < end]
        of_one = [page for page in starting if page[0] == first]
        held = sum(count for *_, count in starting)
        assert held < bound + largest or starting == of_one or held <= sum(c for *_, c in of_one) + largest


def test_a_series_of_many_pages_is_one_range() -> None:
    pages = [(1, 1, 4), (1, 3, 4), *[(3, 3, 4)] * 9, (3, 4, 4), (5, 5, 4)]

    with small_sizes():
        cut = found(pages)

    assert cut == [(1, 3), (3, 5), (5, 6)]


def test_nothing_has_no_ranges() -> None:
    assert found([]) == []
