"""Waits grow, are capped and never end; the hurried ones are those of the contract."""

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from services.alarms.telling import UNHURRIED
from services.delivery.retry import wait_after

counts = st.integers(0, 10_000)


def test_the_hurried_waits_are_1_2_5_15_15_seconds() -> None:
    assert [wait_after(hurry).total_seconds() for hurry in range(5)] == [1, 2, 5, 15, 15]


def test_a_fresh_delivery_is_not_hurried() -> None:
    assert wait_after(UNHURRIED) == timedelta(seconds=15)


@given(hurry=counts)
def test_a_wait_never_shrinks_with_the_number_of_attempts(hurry: int) -> None:
    assert wait_after(hurry) <= wait_after(hurry + 1)


@given(hurry=counts)
def test_a_wait_is_never_longer_than_15_seconds_nor_nothing(hurry: int) -> None:
    assert timedelta(0) < wait_after(hurry) <= timedelta(seconds=15)
