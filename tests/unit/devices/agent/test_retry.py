"""Waits grow, stay within bounds and never stop; what is unanswered is said again."""

from datetime import timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devices.agent.retry import RECONNECT, REPEAT, Backoff, Repeats, wait_after

attempts = st.integers(1, 10_000)
draws = st.floats(0, 1)
backoffs = st.builds(
    lambda first, times, jitter: Backoff(
        first=timedelta(seconds=first), limit=timedelta(seconds=first * times), jitter=jitter
    ),
    st.floats(0.001, 3600),
    st.floats(1, 1000),
    st.floats(0, 1),
)


def test_the_waits_of_the_contract_are_2_4_8_to_60_seconds() -> None:
    waits = [wait_after(attempt, 1.0).total_seconds() for attempt in range(1, 9)]

    assert waits == [2, 4, 8, 16, 32, 60, 60, 60]


@given(attempts=attempts, random=draws, backoff=backoffs)
def test_a_wait_never_shrinks_with_the_number_of_attempts(
    attempts: int, random: float, backoff: Backoff
) -> None:
    assert wait_after(attempts, random, backoff) <= wait_after(attempts + 1, random, backoff)


@given(attempts=attempts, random=draws, backoff=backoffs)
def test_a_wait_is_never_longer_than_the_limit(attempts: int, random: float, backoff: Backoff) -> None:
    assert timedelta(0) <= wait_after(attempts, random, backoff) <= backoff.limit + timedelta(microseconds=1)


@given(attempts=attempts, random=draws)
def test_chance_takes_away_a_quarter_at_most(attempts: int, random: float) -> None:
    full = wait_after(attempts, 1.0)

    assert full * 0.75 <= wait_after(attempts, random) <= full


def test_chance_may_take_the_whole_wait_before_a_reconnect() -> None:
    assert wait_after(1, 0.0, RECONNECT) == timedelta(0)
    assert wait_after(99, 1.0, RECONNECT) == timedelta(seconds=30)


def test_a_new_alarm_is_due_at_once() -> None:
    repeats = Repeats[str]()

    repeats.add("a", "alarm", now_seconds=100)

    assert repeats.due(100) == [("a", "alarm")]
    assert repeats.next_due_seconds() == 100


def test_a_sent_alarm_is_due_again_after_its_wait_and_not_before() -> None:
    repeats = Repeats[str]()
    repeats.add("a", "alarm", now_seconds=0)

    repeats.sent("a", now_seconds=0, random=1.0)

    assert repeats.due(1.9) == []
    assert repeats.due(2) == [("a", "alarm")]


def test_an_unanswered_alarm_is_said_again_for_ever() -> None:
    repeats = Repeats[str](REPEAT)
    repeats.add("a", "alarm", now_seconds=0)
    said_at: list[float] = []

    for _ in range(5_000):
        said_at.append(due := repeats.next_due_seconds() or 0.0)
        repeats.sent("a", now_seconds=due, random=0.5)

    gaps = [later - earlier for earlier, later in pairwise(said_at)]
    assert max(gaps) <= 60
    assert gaps == sorted(gaps)


def test_after_a_reconnect_everything_unanswered_is_due_oldest_first() -> None:
    repeats = Repeats[str]()
    for name in "abc":
        repeats.add(name, name, now_seconds=0)
        repeats.sent(name, now_seconds=0, random=1.0)

    repeats.make_all_due(1.0)

    assert [key for key, _ in repeats.due(1.0)] == ["a", "b", "c"]


def test_an_answered_alarm_is_never_said_again() -> None:
    repeats = Repeats[str]()
    repeats.add("a", "alarm", now_seconds=0)

    repeats.answered("a")
    repeats.answered("a")
    repeats.make_all_due(1e9)

    assert (len(repeats), repeats.due(1e9), repeats.next_due_seconds()) == (0, [], None)


@given(times=st.lists(st.floats(0, 100), max_size=20))
def test_adding_the_same_alarm_again_does_not_start_its_waits_anew(times: list[float]) -> None:
    repeats = Repeats[str]()
    repeats.add("a", "alarm", now_seconds=0)
    repeats.sent("a", now_seconds=0, random=1.0)

    for now in times:
        repeats.add("a", "other", now_seconds=now)

    assert repeats.next_due_seconds() == 2


def test_the_first_wait_is_never_nothing_for_an_alarm() -> None:
    assert wait_after(1, 0.0) == timedelta(seconds=1.5)


@pytest.mark.parametrize("attempts", [1, 41, 42, 10**9])
def test_no_number_of_attempts_overflows(attempts: int) -> None:
    longest = Backoff(first=timedelta(days=1), limit=timedelta(days=36500))

    assert wait_after(attempts, 1.0, longest) <= longest.limit
