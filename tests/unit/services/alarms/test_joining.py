"""Further events of an open alarm: what joins it, what takes the answer back, what only seems to end it."""

from datetime import timedelta

import pytest

from devices.kinds import AlarmKind
from devices.messages import AlarmSignal
from services.alarms import opening
from services.domain.alarm_states import AlarmState
from services.domain.homes import DeviceState
from services.store.alarms import TimerKind
from tests.support.town import Town

TECHNICAL = "technical"


def test_every_press_is_its_own_event_of_the_one_open_alarm(town: Town) -> None:
    town.grant("acme")

    first, second = town.press(), town.press()

    assert first.id == second.id
    assert len(town.events(alarm_id=first.id)) == 2
    assert town.types_told("acme") == ["raised", "repeated"]


def test_a_closed_alarm_is_not_joined_by_a_new_press(town: Town) -> None:
    first = town.press()
    town.acknowledge(None, first)
    town.close(None, first)

    assert town.press().id != first.id


def test_a_new_call_of_a_person_takes_back_the_answer_and_runs_the_steps_time_again(town: Town) -> None:
    town.grant("acme", within=timedelta(seconds=40))
    town.acknowledge("acme", town.press())
    town.clock.advance(timedelta(minutes=5))

    alarm = town.press()

    assert (alarm.state, alarm.acknowledgement) == (AlarmState.RAISED, None)
    assert town.timers_of(alarm) == {TimerKind.ESCALATE: town.now + timedelta(seconds=40)}
    assert town.types_told("acme") == ["raised", "acknowledged", "repeated"]


@pytest.mark.parametrize("kind", ["fire.smoke", "property.leak", "care.door", "technical.tamper"])
def test_a_repeat_of_what_no_person_called_for_keeps_the_answer(town: Town, kind: str) -> None:
    town.grant("acme", data_class=kind.partition(".")[0])
    opened = town.alarm_of(town.say("p-1", kind))
    town.acknowledge("acme", opened)

    alarm = town.alarm_of(town.say("p-1", kind))

    assert alarm.state is AlarmState.ACKNOWLEDGED
    assert alarm.acknowledgement is not None
    assert town.timers_of(alarm) == {}


def test_a_condition_that_had_returned_and_comes_back_asks_for_an_answer_again(town: Town) -> None:
    town.grant("acme", data_class="fire")
    opened = town.alarm_of(town.say("s-1", "fire.smoke"))
    town.acknowledge("acme", opened)
    town.clear("s-1", "fire.smoke")

    alarm = town.alarm_of(town.say("s-1", "fire.smoke"))

    assert (alarm.state, alarm.acknowledgement) == (AlarmState.RAISED, None)
    assert TimerKind.ESCALATE in town.timers_of(alarm)


def test_a_cause_that_comes_and_goes_does_not_put_off_the_next_step(town: Town) -> None:
    """Nobody has answered meanwhile, so nobody's time begins anew."""
    town.grant("acme")
    town.grant("beta", step=2)
    town.press()

    for _ in range(5):
        town.wait(11)
        town.clear("p-1", "safety.manual")
        town.press()
    town.wait(5)

    assert town.types_told("beta")[0] == "raised"


def test_a_priority_only_rises_while_an_alarm_is_open(town: Town) -> None:
    opened = town.say("p-1", "safety.manual", priority=5)

    town.say("p-1", "safety.manual", priority=7)
    town.say("p-1", "safety.manual", priority=2)
    town.say("p-1", "safety.manual")

    assert town.alarm_of(opened).priority == 7


def test_a_test_never_joins_a_real_alarm_nor_the_other_way_round(town: Town) -> None:
    real, trial = town.press(), town.alarm_of(town.say("p-1", "safety.manual", is_test=True))

    town.say("p-1", "safety.manual", is_test=True, signal=AlarmSignal.CLEARED)

    assert real.id != trial.id
    assert (trial.is_test, real.is_test) == (True, False)
    assert town.alarm(real.id).state is AlarmState.RAISED
    assert town.alarm(trial.id).state is AlarmState.CLEARED


@pytest.mark.parametrize("signal", [AlarmSignal.CLEARED, AlarmSignal.CANCELLED])
def test_the_end_of_something_that_is_not_open_is_kept_and_receipted(town: Town, signal: AlarmSignal) -> None:
    stored = town.say("p-1", "safety.manual", signal=signal)

    assert (stored.alarm_id, stored.is_known) == (None, False)
    assert [event.id for event in town.events()] == [stored.event_id]
    assert town.alarms() == []


@pytest.mark.parametrize("signal", [AlarmSignal.CLEARED, AlarmSignal.CANCELLED])
def test_a_persons_alarm_whose_cause_is_gone_still_asks_for_a_person(town: Town, signal: AlarmSignal) -> None:
    town.grant("acme")
    opened = town.press()
    before = town.timers_of(opened)

    alarm = town.alarm_of(town.say("p-1", "safety.manual", signal=signal))

    assert (alarm.id, alarm.state) == (opened.id, AlarmState.CLEARED)
    assert town.timers_of(alarm) == before
    assert town.types_told("acme") == ["raised", "cleared"]


def test_an_alarm_and_its_end_of_another_kind_have_nothing_to_do_with_each_other(town: Town) -> None:
    opened = town.press()

    town.clear("p-1", "safety.fall")

    assert town.alarm(opened.id).state is AlarmState.RAISED


def test_of_several_unknown_kinds_the_end_of_one_does_not_end_the_alarm(town: Town) -> None:
    town.grant("acme", data_class=TECHNICAL)
    opened = town.alarm_of(town.say("p-1", "vendor.panic"))
    before = town.timers_of(opened)
    town.say("p-1", "vendor.door")

    town.clear("p-1", "vendor.door")

    alarm = town.alarm(opened.id)
    assert (alarm.state, town.timers_of(alarm)) == (AlarmState.RAISED, before)
    assert town.types_told("acme") == ["raised", "repeated", "updated"]


def test_the_end_of_the_one_unknown_kind_returns_its_alarm(town: Town) -> None:
    opened = town.say("p-1", "vendor.panic")

    town.clear("p-1", "vendor.panic")

    assert town.alarm_of(opened).state is AlarmState.CLEARED


def test_a_successor_joins_the_alarm_of_the_position_that_it_took_over(town: Town) -> None:
    opened = town.press()
    town.set_state("p-1", DeviceState.RETIRED)
    town.add_device("p-1b", "h-1", "safety-alarm")

    assert town.press("p-1b").id == opened.id


def test_a_stuck_button_is_stored_press_by_press_and_told_only_so_often(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(opening, "FLOOD_NOTICES", 3)
    town.grant("acme")

    for _ in range(10):
        town.press()
    during = town.types_told("acme")
    town.clock.advance(opening.FLOOD_WITHIN)
    alarm = town.press()

    assert len(town.events(alarm_id=alarm.id)) == 11
    assert during == ["raised", "repeated", "repeated", "repeated"]
    assert town.types_told("acme") == [*during, "repeated"]


def test_a_stuck_button_of_one_alarm_silences_no_other(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(opening, "FLOOD_NOTICES", 1)
    town.grant("acme")
    for _ in range(5):
        town.press()

    town.say("p-1", "safety.fall")

    assert town.channel.told("acme")[-1].alarm.kind is AlarmKind.SAFETY_FALL
