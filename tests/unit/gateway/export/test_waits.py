"""When a target that was away is tried again."""

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from gateway.export.waits import LONGEST, LONGEST_ASKED, wait_after

chances = st.floats(0, 1, exclude_max=True)


@given(failures=st.integers(1, 10_000), chance=chances)
def test_the_wait_grows_and_is_never_longer_than_a_quarter_of_a_minute(failures: int, chance: float) -> None:
    wait = wait_after(failures, chance=chance)

    assert timedelta() < wait <= wait_after(failures + 1, chance=chance) <= LONGEST


@given(failures=st.integers(1, 20), chance=chances)
def test_chance_takes_at_most_half_of_the_wait_away(failures: int, chance: float) -> None:
    whole = wait_after(failures, chance=0.0)

    assert whole / 2 <= wait_after(failures, chance=chance) <= whole


def test_a_target_that_asks_for_time_gets_it_within_reason() -> None:
    asked = timedelta(seconds=40)

    assert wait_after(1, chance=0.5, asked=asked) == asked
    assert wait_after(1, chance=0.5, asked=timedelta(days=1)) == LONGEST_ASKED
