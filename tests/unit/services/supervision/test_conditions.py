"""What a status message says is wrong or well again: pure, with hysteresis, and silent where it is silent."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devices.kinds import AlarmKind, DeviceId
from devices.messages import StatusMessage
from devices.profiles import load_profiles
from services.store.status import DeviceStatus
from services.supervision.status import conditions
from tests.support.clock import START

PROFILE = load_profiles()["safety-alarm"]
LOW, FAILED = AlarmKind.TECHNICAL_BATTERY_LOW, AlarmKind.TECHNICAL_BATTERY_FAILED


def known(link: str | None) -> DeviceStatus:
    return DeviceStatus(
        device_id=DeviceId("p-1"),
        last_seen_at=START,
        battery_percent=None,
        has_mains=None,
        link=link,
        signal_dbm=None,
        firmware=None,
    )


def judged(
    message: StatusMessage, before: DeviceStatus | None = None, profile: str = "safety-alarm"
) -> dict[AlarmKind, bool]:
    """For each kind that the message speaks of: whether it is wrong."""
    found = conditions(load_profiles()[profile], before, message)
    assert len({condition.kind for condition in found}) == len(found)
    return {condition.kind: condition.is_wrong for condition in found}


@pytest.mark.parametrize(
    ("percent", "expected"),
    [
        (100, {LOW: False, FAILED: False}),
        (40, {LOW: False, FAILED: False}),
        (39.9, {}),
        (30.1, {}),
        (30, {LOW: True}),
        (10.1, {LOW: True}),
        (10, {LOW: True, FAILED: True}),
        (0, {LOW: True, FAILED: True}),
    ],
)
def test_a_battery_is_low_failed_or_well_at_exactly_the_profiles_limits(
    percent: float, expected: dict[AlarmKind, bool]
) -> None:
    assert judged(StatusMessage(battery_percent=percent)) == expected


@given(levels=st.lists(st.floats(30.001, 39.999), min_size=1))
def test_a_battery_that_wavers_between_low_and_recovered_changes_nothing(levels: list[float]) -> None:
    assert all(judged(StatusMessage(battery_percent=level)) == {} for level in levels)


@given(
    name=st.sampled_from([name for name, profile in load_profiles().items() if profile.power.battery]),
    level=st.floats(0, 100),
    lower=st.floats(0, 100),
)
def test_a_lower_battery_is_never_better(name: str, level: float, lower: float) -> None:
    """Wrong stays wrong, and what is not well again does not become well, as the charge falls."""
    lower, level = sorted((lower, level))
    at_level, at_lower = (judged(StatusMessage(battery_percent=one), profile=name) for one in (level, lower))

    for kind in (LOW, FAILED):
        assert at_level.get(kind) is not True or at_lower.get(kind) is True
        assert at_lower.get(kind) is not False or at_level.get(kind) is False


def test_a_device_without_a_battery_has_none_to_be_low() -> None:
    assert judged(StatusMessage(battery_percent=0), profile="energy-meter") == {}


@pytest.mark.parametrize("has_mains", [True, False])
def test_mains_that_are_gone_are_wrong_and_that_are_back_are_well(*, has_mains: bool) -> None:
    assert judged(StatusMessage(has_mains=has_mains)) == {AlarmKind.TECHNICAL_MAINS_LOST: not has_mains}


@pytest.mark.parametrize(
    ("before", "now", "expected"),
    [
        (known("fibre"), "mobile", {AlarmKind.TECHNICAL_LINK_LOST: True}),
        (known("mobile"), "mobile", {}),
        (known(None), "mobile", {}),
        (None, "mobile", {}),
        (known("fibre"), "fibre", {AlarmKind.TECHNICAL_LINK_LOST: False}),
        (known("mobile"), "fibre", {AlarmKind.TECHNICAL_LINK_LOST: False}),
        (None, "fibre", {AlarmKind.TECHNICAL_LINK_LOST: False}),
        (known("fibre"), None, {}),
    ],
)
def test_a_link_is_lost_only_by_who_had_fibre(
    before: DeviceStatus | None, now: str | None, expected: dict[AlarmKind, bool]
) -> None:
    assert judged(StatusMessage(link=now), before) == expected


def test_a_heartbeat_says_nothing_of_all_this() -> None:
    assert judged(StatusMessage(), known("fibre")) == {}


def test_each_condition_says_in_words_what_it_saw() -> None:
    message = StatusMessage(battery_percent=9.5, has_mains=False, link="mobile")

    texts = [condition.text for condition in conditions(PROFILE, known("fibre"), message)]

    assert texts == [
        "battery at 9.5 %",
        "battery at 9.5 %",
        "no mains, running on battery",
        "the fibre link is lost, on mobile now",
    ]
