"""What an event becomes: a new alarm, a part of an open one, the same as before, or a conflict."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from devices.kinds import DEFAULT_PRIORITY, AlarmKind, DataClass
from devices.messages import AlarmMessage, AlarmSignal, ReceiptStatus
from services.alarms import opening
from services.domain.alarm_states import AlarmState
from services.domain.ids import new_id
from services.store import alarms as alarm_rows
from services.store import status
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
