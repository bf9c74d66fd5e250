"""What an event becomes: a new alarm, a part of an open one, the same as before, or a conflict."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from devices.kinds import DEFAULT_PRIORITY, AlarmKind, DataClass
from devices.messages import AlarmMessage, AlarmSignal, ReceiptStatus
from services.alarms import opening
from services.domain.alarm_states import AlarmState
from services.domain.homes import DeviceState
from services.domain.ids import new_id
from services.store import alarms as alarm_rows
from services.store import status
from services.store.alarms import TimerKind
from services.store.connection import Connection
from tests.support.town import Town

TECHNICAL = "technical"


def test_an_event_opens_an_alarm_of_the_devices_position(town: Town) -> None:
    stored = town.say(
        "p-1",
        "safety.fall",
        event_id="p7-000123",
        priority=9,
        room="bathroom",
        text="hjälp",
        voice=("sip:4711@example.org",),
        sent_at=town.now - timedelta(seconds=3),
    )

    alarm, device = town.alarm_of(stored), town.device("p-1")
    assert (alarm.home_id, alarm.position_id, alarm.device_id) == ("h-1", device.position_id, "p-1")
    assert (alarm.kind, alarm.priority, alarm.room) == (AlarmKind.SAFETY_FALL, 9, "bathroom")
    assert (alarm.state, alarm.voice, alarm.is_test) == (
        AlarmState.RAISED,
        ("sip:4711@example.org",),
        False,
    )
    assert (alarm.raised_at, alarm.received_at) == (town.now - timedelta(seconds=3), town.now)
    assert (stored.external_id, stored.received_at, stored.is_known) == ("p7-000123", town.now, False)


@pytest.mark.parametrize("kind", AlarmKind)
def test_an_alarm_whose_home_named_no_priority_has_that_of_its_class(town: Town, kind: AlarmKind) -> None:
    alarm = town.alarm_of(town.say("p-1", kind))

    assert alarm.priority == DEFAULT_PRIORITY[kind.data_class]
    assert alarm.raised_at == town.now


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


@pytest.mark.parametrize("signal", AlarmSignal)
def test_the_same_message_again_gives_the_same_receipt_and_nothing_new(
    town: Town, signal: AlarmSignal
) -> None:
    town.grant("acme")
    town.press()
    first = town.say("p-1", "safety.manual", event_id="e", signal=signal)
    told, alarms = len(town.channel.events), town.alarms()

    town.clock.advance(timedelta(seconds=5))
    again = town.say("p-1", "safety.manual", event_id="e", signal=signal)

    assert again == replace(first, is_known=True)
    assert (len(town.channel.events), town.alarms()) == (told, alarms)
    assert len(town.events()) == 2


def test_a_message_written_otherwise_with_the_same_meaning_is_the_same(town: Town) -> None:
    first = town.say("p-1", "safety.manual", event_id="e", data={"a": 1, "b": [2, {"c": 3, "d": 4}]})
    again = town.say("p-1", "safety.manual", event_id="e", data={"b": [2, {"d": 4, "c": 3}], "a": 1})

    assert (again.event_id, again.is_known) == (first.event_id, True)


def test_the_same_message_after_the_close_still_gets_its_receipt_and_opens_nothing(town: Town) -> None:
    first = town.say("p-1", "safety.manual", event_id="e")
    alarm = town.alarm_of(first)
    town.acknowledge(None, alarm)
    town.close(None, alarm)

    again = town.say("p-1", "safety.manual", event_id="e")

    assert again == replace(first, is_known=True)
    assert len(town.alarms()) == 1


@pytest.mark.parametrize(
    "other", [{"text": "other"}, {"signal": AlarmSignal.CLEARED}, {"is_test": True}, {"data": {"n": 1}}]
)
def test_the_same_id_with_another_content_is_kept_beside_the_first_and_told_as_a_fault(
    town: Town, other: dict[str, Any]
) -> None:
    town.grant("acme", data_class=TECHNICAL)
    first = town.say("p-1", "safety.manual", event_id="e", text="one")

    second = town.say("p-1", "safety.manual", event_id="e", **({"text": "one"} | other))

    said = [event for event in town.events(device_id="p-1") if event.external_id == "e"]
    assert {event.id for event in said} == {first.event_id, second.event_id}
    assert {event.id: event.is_conflict for event in said} == {
        first.event_id: False,
        second.event_id: True,
    }
    assert not second.is_known
    assert opening.CONFLICT in {fault.code for fault in status.open_faults(town.connection)}
    [told] = town.channel.told("acme")
    assert told.alarm.kind is AlarmKind.TECHNICAL_FAULT
    assert told.event is not None
    assert told.event.data == {"code": opening.CONFLICT, "event": second.event_id}


def test_either_message_of_a_conflict_comes_again_as_known(town: Town) -> None:
    first = town.say("p-1", "safety.manual", event_id="e", text="one")
    second = town.say("p-1", "safety.manual", event_id="e", text="two")

    again = [town.say("p-1", "safety.manual", event_id="e", text=text) for text in ("one", "two")]

    assert again == [replace(first, is_known=True), replace(second, is_known=True)]


def test_the_same_id_of_another_device_is_another_event(town: Town) -> None:
    first = town.say("p-1", "safety.manual", event_id="e")
    second = town.say("p-2", "safety.manual", event_id="e")

    assert first.alarm_id != second.alarm_id
    assert not second.is_known


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


def test_a_test_travels_the_same_way_marked(town: Town) -> None:
    town.grant("acme")

    town.say("p-1", "safety.manual", is_test=True)

    [told] = town.channel.told("acme")
    assert told.alarm.is_test


def test_a_kind_that_nobody_knows_is_a_technical_fault_that_carries_it(town: Town) -> None:
    town.grant("acme", data_class=TECHNICAL)

    stored = town.say("p-1", "vendor.Panik 3", data={"zone": 4}, text="röd")

    assert town.alarm_of(stored).kind is AlarmKind.TECHNICAL_FAULT
    [told] = town.channel.told("acme")
    assert told.event is not None
    assert told.event.kind == "vendor.Panik 3"
    assert told.event.data == {"zone": 4, "original_kind": "vendor.Panik 3"}


def test_a_kind_that_the_profile_lacks_is_the_alarm_that_it_says(town: Town) -> None:
    assert town.alarm_of(town.say("s-1", "safety.fall")).kind is AlarmKind.SAFETY_FALL


def test_what_of_a_message_made_no_sense_is_kept_beside_it(town: Town) -> None:
    stored = town.say("p-1", "safety.manual", unreadable={"priority": "is not a number"})

    [event] = town.events(alarm_id=stored.alarm_id)
    assert event.data == {"unreadable": {"priority": "is not a number"}}


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


def test_what_the_hub_notices_itself_is_raised_once_while_it_is_active(town: Town) -> None:
    def notice() -> str:
        device = town.device("p-1")
        return town.commit(
            lambda connection: opening.raise_by_hub(
                connection, AlarmKind.TECHNICAL_SILENT, device=device, text="x", data={}, now=town.now
            )
        )

    first, second = notice(), notice()

    assert first == second
    assert len(town.events()) == 1


def test_what_the_hub_notices_itself_sends_no_receipt_home(town: Town) -> None:
    town.report("p-1", battery_percent=5)
    for alarm in town.alarms():
        town.acknowledge(None, alarm)

    assert town.heard_at_home() == []


def test_a_successor_joins_the_alarm_of_the_position_that_it_took_over(town: Town) -> None:
    opened = town.press()
    town.set_state("p-1", DeviceState.RETIRED)
    town.add_device("p-1b", "h-1", "safety-alarm")

    assert town.press("p-1b").id == opened.id


def test_everything_about_a_message_happens_or_nothing_does(town: Town) -> None:
    town.grant("acme")
    message = AlarmMessage(id=new_id(), kind="safety.manual")

    def store_and_fail(connection: Connection) -> None:
        town.saying("p-1", message)(connection)
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        town.commit(store_and_fail)

    assert (town.events(), town.alarms(), alarm_rows.timers(town.connection)) == ([], [], [])


def test_the_home_hears_of_every_press_that_somebody_is_coming_and_that_it_is_over(town: Town) -> None:
    town.grant("acme")
    town.say("p-1", "safety.manual", event_id="e-1")
    alarm = town.alarm_of(town.say("p-1", "safety.manual", event_id="e-2"))

    town.acknowledge("acme", alarm)
    acknowledged = town.heard_at_home()
    town.close("acme", alarm)
    closed = town.heard_at_home()[len(acknowledged) :]

    assert {(receipt.id, receipt.status, receipt.by) for receipt in acknowledged} == {
        ("e-1", ReceiptStatus.ACKNOWLEDGED, "Acme AB"),
        ("e-2", ReceiptStatus.ACKNOWLEDGED, "Acme AB"),
    }
    assert {(receipt.id, receipt.status) for receipt in closed} == {
        ("e-1", ReceiptStatus.CLOSED),
        ("e-2", ReceiptStatus.CLOSED),
    }
    assert {receipt.alarm_id for receipt in (*acknowledged, *closed)} == {alarm.id}


@pytest.mark.parametrize("data_class", [item for item in DataClass if item is not DataClass.SAFETY])
def test_an_organisation_hears_only_of_the_class_that_it_was_granted(
    town: Town, data_class: DataClass
) -> None:
    town.grant("acme", data_class=data_class)

    town.press()

    assert town.channel.told("acme") == []


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
