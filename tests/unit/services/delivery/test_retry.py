"""Waits grow, are capped and never end; the hurried ones are those of the contract."""

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from services.alarms.telling import UNHURRIED
from services.delivery.retry import SCHEDULES, Allowance, schedule_of
from tests.support.clock import START

counts = st.integers(0, 10_000)


channels = st.sampled_from(sorted(SCHEDULES))


def test_the_hurried_waits_over_mqtt_are_1_2_5_15_15_seconds() -> None:
    assert [schedule_of("mqtt").wait_after(hurry).total_seconds() for hurry in range(5)] == [1, 2, 5, 15, 15]


def test_a_webhook_is_tried_after_1_2_5_10_20_30_seconds_and_every_30_from_then_on() -> None:
    waits = [schedule_of("webhook").wait_after(hurry).total_seconds() for hurry in range(8)]

    assert waits == [1, 2, 5, 10, 20, 30, 30, 30]


def test_a_fresh_delivery_over_mqtt_is_not_hurried() -> None:
    assert schedule_of("mqtt").wait_after(UNHURRIED) == timedelta(seconds=15)


@given(channel=channels, hurry=counts)
def test_a_wait_never_shrinks_with_the_number_of_attempts(channel: str, hurry: int) -> None:
    assert schedule_of(channel).wait_after(hurry) <= schedule_of(channel).wait_after(hurry + 1)


@given(channel=channels, hurry=counts)
def test_no_attempt_is_made_while_the_one_before_may_be_answered_yet(channel: str, hurry: int) -> None:
    schedule = schedule_of(channel)

    assert timedelta(0) < schedule.wait_after(hurry) <= schedule.lease_after(hurry) - schedule.answered_within


pauses = st.lists(st.floats(0, 60), min_size=1, max_size=50)


def taken(allowance: Allowance, at_seconds: float, tries: int = 1_000) -> int:
    """How many of so many tries are let through at one moment."""
    now = START + timedelta(seconds=at_seconds)
    return sum(allowance.takes_one("acme", now) for _ in range(tries))


def test_500_go_at_once_and_then_20_a_second() -> None:
    allowance = Allowance()

    assert [taken(allowance, at) for at in (0, 0, 1, 2, 2.5)] == [500, 0, 20, 20, 10]


def test_an_allowance_fills_to_500_and_no_further() -> None:
    allowance = Allowance()
    taken(allowance, 0)

    assert taken(allowance, 3_600) == 500


@given(pauses=pauses)
def test_never_more_is_let_through_than_the_bucket_and_its_filling(pauses: list[float]) -> None:
    allowance, now, count = Allowance(), 0.0, 0
    for pause in pauses:
        now += pause
        count += taken(allowance, now, tries=700)

        assert count <= Allowance.AT_ONCE + Allowance.PER_SECOND * now + 1e-6


def test_each_receiver_has_its_own_allowance_and_one_that_comes_back_a_new_one() -> None:
    allowance = Allowance()
    taken(allowance, 0)

    other = allowance.takes_one("beta", START)
    allowance.fill("acme")

    assert (other, taken(allowance, 0)) == (True, 500)


def test_a_clock_that_is_set_back_takes_nothing_away() -> None:
    allowance = Allowance()
    first = taken(allowance, 0, tries=100)

    assert first + taken(allowance, -3_600) == 500
