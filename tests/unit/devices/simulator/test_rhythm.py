"""How a day passes: as much in a day as there are seconds in it, and never backwards."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from devices.simulator.rhythm import READINGS_BY_HOUR, daily, steady


@given(day=st.floats(1, 86_400), length=st.floats(0, 86_400), second=st.floats(0, 200_000))
def test_when_and_how_much_are_each_other_s_inverse(day: float, length: float, second: float) -> None:
    for rhythm in (steady(), daily(day, length=min(length, 20 * day))):
        activity = rhythm.activity_at(second)

        assert rhythm.seconds_at(np.array([activity]))[0] == pytest.approx(second, abs=1e-6)


@given(day=st.floats(1, 86_400), days=st.integers(1, 5))
def test_a_day_has_as_much_activity_as_seconds(day: float, days: int) -> None:
    rhythm = daily(day, length=days * day)

    assert rhythm.activity_at(days * day) == pytest.approx(days * day)


def test_a_steady_city_is_always_the_same() -> None:
    assert steady().activity_at(12.5) == 12.5


def test_the_morning_is_the_busiest_part_of_a_day() -> None:
    rhythm = daily(24.0, length=24.0)
    by_hour = np.diff([rhythm.activity_at(hour) for hour in range(25)])

    assert by_hour.argmax() == READINGS_BY_HOUR.index(max(READINGS_BY_HOUR)) == 7
    assert by_hour[:5].max() < by_hour[7]
