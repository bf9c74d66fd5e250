"""A device that should have spoken and has not; time in which the hub was away counts against nobody."""

from datetime import timedelta
from functools import partial

import pytest

from services.domain.alarm_states import AlarmState
from services.domain.alarms import Alarm
from services.domain.homes import DeviceState
from services.supervision import silence
from services.supervision.silence import AWAY_AFTER
from tests.support.town import Town

SILENT_AFTER = timedelta(minutes=6)
"""A safety alarm speaks every two minutes, and may miss three."""

INSTANT = timedelta(microseconds=1)


def silent_alarms(town: Town) -> list[Alarm]:
    return [alarm for alarm in town.alarms() if alarm.kind == "technical.silent"]


def welcome_back(town: Town) -> timedelta:
    return town.commit(partial(silence.welcome_back, now=town.now))


def test_a_device_is_silent_from_exactly_its_profiles_allowance_on(town: Town) -> None:
    town.report("p-1")

    town.clock.advance(SILENT_AFTER - INSTANT)
    before = town.look_for_silence()
    town.clock.advance(INSTANT)
    after = town.look_for_silence()

    assert (before, after) == (0, 1)
    [alarm] = silent_alarms(town)
    assert (alarm.device_id, alarm.state) == ("p-1", AlarmState.RAISED)
    assert town.events()[0].text == "not heard for 6 minutes"


def test_a_device_that_was_never_heard_is_not_silent(town: Town) -> None:
    town.clock.advance(timedelta(days=30))

    assert town.look_for_silence() == 0


def test_silence_is_raised_once_however_long_it_lasts(town: Town) -> None:
    town.report("p-1")

    for _ in range(20):
        town.clock.advance(SILENT_AFTER)
        town.look_for_silence()

    [alarm] = silent_alarms(town)
    assert len(town.events(alarm_id=alarm.id)) == 1


@pytest.mark.parametrize("how", ["a status message", "an alarm message"])
def test_a_device_that_is_heard_again_is_silent_no_longer(town: Town, how: str) -> None:
    town.report("p-1")
    town.clock.advance(SILENT_AFTER)
    town.look_for_silence()

    if how == "a status message":
        town.report("p-1")
    else:
        town.hear("p-1")

    [alarm] = silent_alarms(town)
    assert alarm.state is AlarmState.CLEARED
    assert town.look_for_silence() == 0


def test_a_device_that_falls_silent_again_is_raised_again(town: Town) -> None:
    for _ in range(2):
        town.report("p-1")
        town.clock.advance(SILENT_AFTER)
        town.look_for_silence()

    [alarm] = silent_alarms(town)
    assert alarm.state is AlarmState.RAISED
    assert [event.signal.value for event in reversed(town.events(alarm_id=alarm.id))] == [
        "raised",
        "cleared",
        "raised",
    ]


@pytest.mark.parametrize("state", [DeviceState.SUSPENDED, DeviceState.RETIRED])
def test_a_device_out_of_service_may_be_silent(town: Town, state: DeviceState) -> None:
    town.report("p-1")
    town.set_state("p-1", state)
    town.clock.advance(SILENT_AFTER)

    assert town.look_for_silence() == 0


def test_the_time_in_which_the_hub_was_away_does_not_count(town: Town) -> None:
    welcome_back(town)
    town.report("p-1")
    town.clock.advance(timedelta(minutes=5))
    town.commit(partial(silence.still_here, now=town.now))

    town.clock.advance(timedelta(hours=3))
    away = welcome_back(town)
    at_once = town.look_for_silence()
    town.clock.advance(timedelta(minutes=1) - INSTANT)
    just_before = town.look_for_silence()
    town.clock.advance(INSTANT)

    assert away == timedelta(hours=3)
    assert (at_once, just_before, town.look_for_silence()) == (0, 0, 1)


def test_an_ordinary_restart_gives_nobody_more_time(town: Town) -> None:
    welcome_back(town)
    town.report("p-1")
    town.clock.advance(SILENT_AFTER - AWAY_AFTER)
    town.commit(partial(silence.still_here, now=town.now))

    town.clock.advance(AWAY_AFTER)
    away = welcome_back(town)

    assert away == AWAY_AFTER
    assert town.look_for_silence() == 1


def test_the_very_first_start_was_away_for_no_time(town: Town) -> None:
    assert welcome_back(town) == timedelta(0)


def test_many_silent_devices_are_found_in_turns(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(silence, "DEVICES_PER_TURN", 1)
    for device_id in ("p-1", "p-2"):
        town.report(device_id)
    town.clock.advance(SILENT_AFTER)

    assert [town.look_for_silence() for _ in range(3)] == [1, 1, 0]
    assert {alarm.device_id for alarm in silent_alarms(town)} == {"p-1", "p-2"}


def test_a_device_whose_profile_is_gone_keeps_no_other_from_being_missed(town: Town) -> None:
    for device_id in ("p-1", "p-2"):
        town.report(device_id)
    town.write(lambda connection: connection.run("UPDATE devices SET profile = 'x' WHERE id = 'p-1'"))
    town.clock.advance(SILENT_AFTER)

    found = [town.look_for_silence() for _ in range(2)]

    assert found == [2, 0]
    assert [alarm.device_id for alarm in silent_alarms(town)] == ["p-2"]
