"""A simulated day: the same for the same seed, in order, with the faults that were asked for."""

from collections import Counter
from datetime import timedelta
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from devices.codecs.errors import PayloadError
from devices.codecs.own_json import decode_alarm
from devices.kinds import DeviceId
from devices.messages import AlarmMessage, AlarmSignal
from devices.profiles import load_profiles
from devices.simulator import Action, Day, Fault, Measure, Press, Publish, Silence, Status, day_plan, town
from devices.simulator.plan import RHYTHM

HOUR = timedelta(hours=1)
TOWN = town("t", 20)


def a_day(
    faults: dict[Fault, float], *, seed: str = "1", run: str = "1", length: timedelta = HOUR
) -> list[Action]:
    return list(day_plan(seed, TOWN, Day(length=length, faults_per_home=faults), run=run))


def published(fault: Fault) -> list[Publish]:
    actions = a_day({fault: 2.0})
    return [action for action in actions if isinstance(action, Publish) and action.fault is fault]


def read(payload: bytes) -> AlarmMessage | None:
    try:
        return decode_alarm(payload)
    except PayloadError:
        return None


@settings(deadline=None, max_examples=30)
@given(seed=st.text(max_size=5))
def test_the_same_seed_gives_the_same_day(seed: str) -> None:
    day = Day(length=timedelta(minutes=10), faults_per_home=dict.fromkeys(Fault, 0.5))

    assert list(day_plan(seed, TOWN[:3], day)) == list(day_plan(seed, TOWN[:3], day))


def test_another_seed_gives_another_day() -> None:
    assert a_day({}, seed="1") != a_day({}, seed="2")


def test_a_home_and_its_day_are_the_same_in_a_larger_town() -> None:
    small, large = town("t", 3), town("t", 30)
    client_id = small[2].client_id

    day_in_small, day_in_large = (
        [a for a in day_plan("1", homes) if a.client_id == client_id] for homes in (small, large)
    )

    assert small == large[:3]
    assert day_in_small == day_in_large


@settings(deadline=None, max_examples=30)
@given(seed=st.integers().map(str))
def test_a_day_is_in_order_of_time(seed: str) -> None:
    day = Day(length=timedelta(minutes=30), faults_per_home=dict.fromkeys(Fault, 0.5))

    afters = [action.after for action in day_plan(seed, TOWN[:5], day)]

    assert all(earlier <= later for earlier, later in pairwise(afters))
    assert afters[0] >= timedelta(0)


def test_only_devices_of_the_home_speak_and_only_what_their_profile_says() -> None:
    profiles = {
        (home.client_id, device.device_id): load_profiles()[device.profile]
        for home in TOWN
        for device in home.devices
    }

    for action in a_day({Fault.STUCK_BUTTON: 1.0}, length=timedelta(days=1)):
        if isinstance(action, Press):
            assert action.kind in profiles[action.client_id, action.device_id].kinds


def test_there_are_about_as_many_presses_as_were_asked_for_and_most_in_the_morning() -> None:
    day = Day(presses_per_home=10)
    presses = [
        action
        for action in day_plan("1", town("t", 100), day)
        if isinstance(action, Press) and action.signal is AlarmSignal.RAISED
    ]
    hours = Counter(action.after // HOUR for action in presses)

    assert 900 < len(presses) < 1100
    assert hours.most_common(1)[0][0] == RHYTHM.index(max(RHYTHM))
    assert 0 < sum(press.is_test for press in presses) < 100


@pytest.mark.parametrize("presses", [0, 40])
def test_the_number_of_presses_may_be_none_or_many(presses: float) -> None:
    count = sum(
        isinstance(action, Press) and action.signal is AlarmSignal.RAISED
        for action in day_plan("1", TOWN, Day(length=HOUR, presses_per_home=presses))
    )

    assert count == pytest.approx(presses * len(TOWN), rel=0.2)


def test_heartbeats_keep_the_pace_of_their_profile_however_short_the_day_is() -> None:
    hub = TOWN[0].client_id
    beats = [action.after for action in a_day({}) if isinstance(action, Status) and action.device_id == hub]

    gaps = {later - earlier for earlier, later in pairwise(beats)}
    assert gaps == {timedelta(seconds=load_profiles()["home-hub"].heartbeat.interval_seconds)}


def test_without_faults_nothing_goes_wrong() -> None:
    assert not any(action.fault for action in a_day({}))


@pytest.mark.parametrize("fault", Fault)
def test_every_fault_happens_when_it_is_asked_for(fault: Fault) -> None:
    assert {action.fault for action in a_day({fault: 1.0})} == {None, fault}


def test_a_duplicate_is_the_same_bytes_twice() -> None:
    payloads = Counter(action.payload for action in published(Fault.DUPLICATE))

    assert set(payloads.values()) == {2}


def test_another_body_has_the_same_id() -> None:
    bodies = {action.payload for action in published(Fault.OTHER_BODY)}
    ids = Counter(decode_alarm(body).id for body in bodies)

    assert set(ids.values()) == {2}


def test_what_is_malformed_cannot_be_read_and_a_retained_alarm_can() -> None:
    assert not any(read(action.payload) for action in published(Fault.MALFORMED))
    assert all(read(action.payload) and action.is_retained for action in published(Fault.RETAINED))


def test_ids_published_past_the_agent_differ_from_run_to_run_and_within_a_run() -> None:
    ids = [
        [decode_alarm(a.payload).id for a in a_day({Fault.RETAINED: 3.0}, run=run) if isinstance(a, Publish)]
        for run in ("monday", "tuesday")
    ]

    assert len(set(ids[0] + ids[1])) == len(ids[0]) * 2


def test_a_stuck_button_presses_many_times_within_seconds() -> None:
    presses = [a for a in a_day({Fault.STUCK_BUTTON: 0.2}) if a.fault is Fault.STUCK_BUTTON]
    by_device = Counter(action.device_id for action in presses)

    assert min(by_device.values()) >= 20


def test_a_silent_device_says_nothing_more() -> None:
    silent: set[DeviceId] = set()

    for action in a_day({Fault.SILENT: 1.0, Fault.DUPLICATE: 1.0}, length=timedelta(days=1)):
        assert action.device_id not in silent
        if isinstance(action, Silence):
            silent.add(action.device_id)

    assert silent


def test_a_battery_gets_low_then_fails_then_is_changed() -> None:
    devices = {device.device_id: load_profiles()[device.profile] for home in TOWN for device in home.devices}
    levels: dict[str, list[float]] = {}
    for action in a_day({Fault.LOW_BATTERY: 0.2}, length=timedelta(days=1)):
        if isinstance(action, Status) and action.fault is Fault.LOW_BATTERY:
            levels.setdefault(action.device_id, []).append(action.message.battery_percent or 0.0)

    for device_id, percents in levels.items():
        battery = devices[DeviceId(device_id)].power.battery
        assert battery
        assert min(percents) < battery.failed_percent <= battery.recovered_percent < max(percents)
    assert levels


def test_without_being_asked_nobody_measures() -> None:
    assert not any(isinstance(action, Measure) for action in a_day({}))


def test_devices_measure_at_the_pace_that_was_asked_for_what_their_profile_has() -> None:
    every = timedelta(seconds=30)
    day = list(day_plan("1", TOWN, Day(length=HOUR, measures_every=every)))
    measures = [action for action in day if isinstance(action, Measure)]
    profiles = {device.device_id: device.profile for home in TOWN for device in home.devices}

    assert all(earlier.after <= later.after for earlier, later in pairwise(day))
    assert set(Counter(action.device_id for action in measures).values()) == {120}
    for action in measures:
        readings = {reading.name: reading for reading in load_profiles()[profiles[action.device_id]].readings}
        for name, unit, value in action.values:
            assert unit == readings[name].unit
            assert readings[name].low <= value <= readings[name].high


def test_a_device_that_has_gone_silent_measures_no_more() -> None:
    day = Day(length=HOUR, measures_every=timedelta(seconds=30), faults_per_home={Fault.SILENT: 1.0})
    silent: set[str] = set()
    for action in day_plan("1", TOWN, day):
        assert action.device_id not in silent
        if isinstance(action, Silence):
            silent.add(action.device_id)

    assert silent
