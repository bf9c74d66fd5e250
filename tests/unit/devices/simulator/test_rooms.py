"""Rooms that are measured: as people live in them, and never outside of what a device can measure."""

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devices.kinds import DeviceId
from devices.profiles import load_profiles
from devices.simulator import SimulatedDevice
from devices.simulator.rooms import DAMP_SHARE, HOURS, measure, room_of

PROFILES = (
    "humidity-meter",
    "stove-guard",
    "smoke-detector",
    "water-leak-sensor",
    "bed-sensor",
    "door-sensor",
)


def a_device(profile: str, number: int = 1) -> SimulatedDevice:
    return SimulatedDevice(device_id=DeviceId(f"{profile}-{number}"), profile=profile, room="kitchen")


def values(profile: str, hour: float, *, number: int = 1) -> dict[str, float]:
    return dict(measure(a_device(profile, number), hour, Random(1)))  # noqa: S311 - repeatable, not secret


@given(
    profile=st.sampled_from(PROFILES),
    number=st.integers(1, 10_000),
    hour=st.floats(0, HOURS, exclude_max=True),
    seed=st.integers(),
)
def test_whatever_is_measured_is_in_the_profile_s_range(
    profile: str, number: int, hour: float, seed: int
) -> None:
    ranges = {reading.name: (reading.low, reading.high) for reading in load_profiles()[profile].readings}

    for name, value in measure(a_device(profile, number), hour, Random(seed)):  # noqa: S311 - as above
        low, high = ranges[name]
        assert low <= value <= high


def test_a_stove_draws_power_at_meals_and_somebody_is_there() -> None:
    assert values("stove-guard", 18.0)["power"] > 500
    assert values("stove-guard", 18.0)["presence"] == 1.0
    assert values("stove-guard", 3.0)["power"] == 0.0


def test_it_is_warmer_in_the_afternoon_and_damper_after_a_shower() -> None:
    assert values("smoke-detector", 15.0)["temperature"] > values("smoke-detector", 3.0)["temperature"] + 2
    assert values("humidity-meter", 7.5)["humidity"] > values("humidity-meter", 12.0)["humidity"] + 10


def test_some_rooms_are_damp_day_and_night_and_most_are_not() -> None:
    numbers = range(400)
    damp = [number for number in numbers if room_of(a_device("humidity-meter", number)).humidity_percent > 75]

    assert len(numbers) * DAMP_SHARE == pytest.approx(len(damp), rel=0.3)
    assert all(values("humidity-meter", hour, number=damp[0])["humidity"] > 75 for hour in range(HOURS))


def test_a_device_that_measures_nothing_says_nothing() -> None:
    assert measure(a_device("safety-alarm"), 12.0, Random(1)) == ()  # noqa: S311 - as above
