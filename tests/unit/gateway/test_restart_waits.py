"""How long a process that ended waits before it is started again: ever longer, never for long."""

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from gateway.children import RESTART_WAITS, wait_before_restart

failures = st.integers(0, 10_000)


def test_the_first_start_is_tried_again_almost_at_once() -> None:
    assert wait_before_restart(0) == timedelta(milliseconds=100)


@given(count=failures)
def test_a_wait_never_shrinks_with_the_number_of_failures(count: int) -> None:
    assert wait_before_restart(count) <= wait_before_restart(count + 1)


@given(count=failures)
def test_a_wait_is_never_longer_than_five_seconds(count: int) -> None:
    assert timedelta(0) < wait_before_restart(count) <= timedelta(seconds=5)


def test_the_longest_wait_is_the_last_of_the_table_and_repeats() -> None:
    assert [wait_before_restart(count).total_seconds() for count in range(len(RESTART_WAITS) + 2)] == [
        *RESTART_WAITS,
        5.0,
        5.0,
    ]
