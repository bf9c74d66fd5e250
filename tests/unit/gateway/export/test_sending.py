"""One point that a target does not take keeps no other back."""

from collections.abc import Callable, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.export.sending import TRIES_IN_VAIN, send
from gateway.export.target import PointsRefusedError, TargetRefusesError, TargetUnavailableError


class PickyTarget:
    """Takes a request when every point in it is to its liking, like a database does."""

    def __init__(self, likes: Callable[[str], bool], *, longest: int = 1_000_000) -> None:
        self._likes = likes
        self._longest = longest
        self.taken: list[str] = []
        self.requests = 0

    async def write(self, lines: Sequence[str]) -> int:
        self.requests += 1
        if len(lines) > self._longest or not all(self._likes(line) for line in lines):
            raise PointsRefusedError("it answered 400")
        self.taken += lines
        return 0


def lines_of(numbers: Sequence[int]) -> list[str]:
    return [f"m value={number} 1" for number in numbers]


POISON = "m value=-1 1"


@given(bad=st.sets(st.integers(0, 99), max_size=30), at_once=st.integers(1, 60))
async def test_all_but_the_bad_points_arrive_in_order_however_they_are_spread(
    bad: set[int], at_once: int
) -> None:
    lines = lines_of([-1 if number in bad else number for number in range(100)])
    target = PickyTarget(lambda line: line != POISON)

    set_aside = await send(target, lines, at_once=at_once)

    assert set_aside == len(bad)
    assert target.taken == [line for line in lines if line != POISON]


async def test_one_bad_point_among_five_thousand_costs_few_requests() -> None:
    target = PickyTarget(lambda line: line != POISON)

    assert await send(target, [*lines_of(range(4_999)), POISON], at_once=5_000) == 1
    assert target.requests < 30


async def test_requests_that_are_too_large_are_made_smaller() -> None:
    target = PickyTarget(lambda _: True, longest=7)

    assert await send(target, lines_of(range(100)), at_once=50) == 0
    assert target.taken == lines_of(range(100))


async def test_when_nothing_is_taken_it_is_not_the_points_and_nothing_is_set_aside() -> None:
    target = PickyTarget(lambda _: False)

    with pytest.raises(TargetRefusesError):
        await send(target, lines_of(range(5_000)), at_once=5_000)
    assert target.requests <= TRIES_IN_VAIN


@pytest.mark.parametrize("count", [1, 2, 5])
async def test_a_few_points_of_which_none_is_taken_wait_too(count: int) -> None:
    with pytest.raises(TargetRefusesError):
        await send(PickyTarget(lambda _: False), lines_of(range(count)), at_once=100)


async def test_a_single_bad_point_is_set_aside_once_others_were_taken() -> None:
    target = PickyTarget(lambda line: line != POISON)

    assert await send(target, [*lines_of(range(3)), POISON], at_once=3) == 1


async def test_points_that_the_target_says_it_left_out_are_counted() -> None:
    class KeepsHalf:
        async def write(self, lines: Sequence[str]) -> int:
            return len(lines) // 2

    assert await send(KeepsHalf(), lines_of(range(40)), at_once=10) == 20


async def test_a_target_that_goes_away_in_the_middle_is_told_of_as_that() -> None:
    class GoesAway(PickyTarget):
        async def write(self, lines: Sequence[str]) -> int:
            if self.requests == 3:
                raise TargetUnavailableError("no answer")
            return await super().write(lines)

    with pytest.raises(TargetUnavailableError):
        await send(GoesAway(lambda line: line != POISON), [POISON, *lines_of(range(10))], at_once=4)
