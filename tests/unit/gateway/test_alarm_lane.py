"""What the alarm lane makes of an envelope: stored and receipted, or kept aside and told why."""

import json
from datetime import timedelta
from typing import Any

import pytest

from devices.codecs.own_json import decode_receipt
from devices.kinds import AlarmKind
from devices.messages import ALARM_MAX_BYTES, Receipt, ReceiptStatus
from gateway.lanes import RETAINED, AlarmLane
from services import quarantine
from services.domain.homes import DeviceState
from services.store import status
from tests.support.lanes import counted, handled, quarantined, receipt_of
from tests.support.sessions import envelope
from tests.support.town import Town

PRESS = {"id": "e-1", "kind": "safety.manual"}


@pytest.fixture
def lane(town: Town) -> AlarmLane:
    return AlarmLane(profiles=town.profiles, clock=town.clock)


def kinds(town: Town) -> list[AlarmKind]:
    return [alarm.kind for alarm in town.alarms()]


def test_an_alarm_is_stored_counted_and_receipted_on_its_own_topic(town: Town, lane: AlarmLane) -> None:
    [answer] = handled(town, lane, "up/p-1/p-1/alarm", PRESS)

    [alarm] = town.alarms()
    assert answer.topic == "down/p-1/p-1/receipt"
    assert decode_receipt(answer.payload) == Receipt(
        id="e-1", status=ReceiptStatus.STORED, at=town.now, alarm_id=alarm.id
    )
    assert counted(town) == {"received": 1, "stored": 1}
    assert answer.expiry is None


def test_the_bytes_are_kept_as_they_came(town: Town, lane: AlarmLane) -> None:
    raw = b'{ "kind":"safety.manual",\n "id" : "e-1", "zz": 1 }'

    handled(town, lane, "up/p-1/p-1/alarm", raw)

    assert bytes(town.events()[0].payload) == raw


def test_a_duplicate_gets_the_very_same_receipt_and_is_counted_as_one(town: Town, lane: AlarmLane) -> None:
    first = handled(town, lane, "up/p-1/p-1/alarm", PRESS)
    town.clock.advance(timedelta(seconds=9))

    again = handled(town, lane, "up/p-1/p-1/alarm", PRESS)

    assert again == first
    assert counted(town) == {"received": 2, "stored": 1, "duplicate": 1}


def test_a_home_hub_speaks_for_a_device_of_its_home(town: Town, lane: AlarmLane) -> None:
    [answer] = handled(town, lane, "up/hub-1/p-1/alarm", PRESS)

    assert answer.topic == "down/hub-1/p-1/receipt"
    assert town.alarms()[0].device_id == "p-1"


def test_the_later_receipts_go_to_the_connection_that_carried_the_press(town: Town, lane: AlarmLane) -> None:
    handled(town, lane, "up/hub-1/p-1/alarm", PRESS)

    town.acknowledge(None, town.alarms()[0])

    [receipt] = town.homes.receipts
    assert (receipt.client_id, receipt.device_id) == ("hub-1", "p-1")


@pytest.mark.parametrize(
    ("topic", "reason", "home_id"),
    [
        ("up/hub-1/p-2/alarm", "device p-2 is not registered in this home", "h-1"),
        ("up/hub-1/x-9/alarm", "device x-9 is not registered in this home", "h-1"),
        ("up/p-1/s-1/alarm", "p-1 is not a home hub, it speaks only for itself", "h-1"),
        ("up/x-9/x-9/alarm", "client x-9 is not registered", None),
    ],
)
def test_who_may_not_speak_is_refused_kept_and_told_why(
    town: Town, lane: AlarmLane, topic: str, reason: str, home_id: str | None
) -> None:
    receipt = receipt_of(handled(town, lane, topic, PRESS))

    assert (receipt.id, receipt.status, receipt.reason) == ("e-1", ReceiptStatus.REFUSED, reason)
    [item] = quarantined(town)
    assert (item.topic, item.reason, item.home_id, item.external_id) == (topic, reason, home_id, "e-1")
    assert bytes(item.payload) == json.dumps(PRESS).encode()
    assert (town.alarms(), counted(town)) == ([], {"received": 1, "quarantined": 1})


@pytest.mark.parametrize("state", [DeviceState.SUSPENDED, DeviceState.RETIRED])
def test_a_device_out_of_service_is_refused(town: Town, lane: AlarmLane, state: DeviceState) -> None:
    town.set_state("p-1", state)

    receipts = [
        receipt_of(handled(town, lane, f"up/{client}/p-1/alarm", PRESS)) for client in ("p-1", "hub-1")
    ]

    assert [receipt.reason for receipt in receipts] == [f"client p-1 is {state}", f"device p-1 is {state}"]
    assert town.alarms() == []


def test_a_retained_alarm_is_refused_since_it_may_be_of_any_time(town: Town, lane: AlarmLane) -> None:
    receipt = receipt_of(handled(town, lane, "up/p-1/p-1/alarm", PRESS, is_retained=True))

    assert (receipt.status, receipt.reason) == (ReceiptStatus.REFUSED, RETAINED)
    assert [item.reason for item in quarantined(town)] == [RETAINED]
    assert town.alarms() == []


def test_a_retained_alarm_of_a_stranger_is_refused_as_a_strangers(town: Town, lane: AlarmLane) -> None:
    receipt = receipt_of(handled(town, lane, "up/x-9/x-9/alarm", PRESS, is_retained=True))

    assert receipt.reason == "client x-9 is not registered"


@pytest.mark.parametrize(
    ("payload", "external_id"),
    [
        (b"", None),
        (b"\x00\xff\xfe", None),
        (b'{"id": "e-1"', None),
        (b'{"kind": "safety.manual"}', None),
        (b'{"id": "e-1"}', "e-1"),
        (b'{"id": "e-1", "kind": "safety.manual", "state": "perhaps"}', "e-1"),
        (b" " * (ALARM_MAX_BYTES + 1), None),
    ],
    ids=["empty", "no text", "broken", "no id", "no kind", "unknown state", "too large"],
)
def test_what_cannot_be_read_is_kept_refused_where_it_has_an_id_and_told_to_a_person(
    town: Town, lane: AlarmLane, payload: bytes, external_id: str | None
) -> None:
    town.grant("acme", data_class="technical")

    answers = handled(town, lane, "up/p-1/p-1/alarm", payload)

    [item] = quarantined(town)
    assert (bytes(item.payload), item.external_id, item.home_id) == (payload, external_id, "h-1")
    assert [decode_receipt(answer.payload).reason for answer in answers] == (
        [item.reason] if external_id else []
    )
    [told] = town.channel.told("acme")
    assert told.alarm.kind is AlarmKind.TECHNICAL_FAULT
    assert told.event is not None
    assert told.event.text == f"an alarm message could not be read: {item.reason}"
    assert counted(town) == {"received": 1, "quarantined": 1}


def test_a_call_for_help_with_harm_in_a_member_that_decides_nothing_is_an_alarm(
    town: Town, lane: AlarmLane
) -> None:
    payload = b'{"id": "e-1", "kind": "safety.manual", "data": {"uptime": 1' + b"0" * 40 + b"}}"

    [answer] = handled(town, lane, "up/p-1/p-1/alarm", payload)

    assert decode_receipt(answer.payload).status == "stored"
    assert [alarm.kind for alarm in town.alarms()] == ["safety.manual"]


def test_a_hubs_unreadable_message_is_a_fault_of_the_device_that_it_spoke_for(
    town: Town, lane: AlarmLane
) -> None:
    handled(town, lane, "up/hub-1/p-1/alarm", b"{")

    assert [alarm.device_id for alarm in town.alarms()] == ["p-1"]


def test_unreadable_again_and_again_is_one_alarm_that_is_told_again_once_a_minute(
    town: Town, lane: AlarmLane
) -> None:
    town.grant("acme", data_class="technical")
    for _ in range(7):
        handled(town, lane, "up/p-1/p-1/alarm", b"{")
        town.clock.advance(timedelta(seconds=20))

    assert kinds(town) == [AlarmKind.TECHNICAL_FAULT]
    assert len(quarantined(town)) == 7
    assert town.types_told("acme") == ["raised", "repeated", "repeated"]


def test_an_alarm_of_a_device_whose_profile_is_gone_is_an_alarm(town: Town, lane: AlarmLane) -> None:
    town.write(lambda connection: connection.run("UPDATE devices SET profile = 'x' WHERE id = 'p-1'"))

    receipts = [
        receipt_of(handled(town, lane, f"up/{client}/p-1/alarm", PRESS | {"id": client}))
        for client in ("p-1", "hub-1")
    ]

    assert [receipt.status for receipt in receipts] == [ReceiptStatus.STORED] * 2


def test_a_home_hub_whose_profile_is_gone_speaks_for_itself_only(town: Town, lane: AlarmLane) -> None:
    town.write(lambda connection: connection.run("UPDATE devices SET profile = 'x' WHERE id = 'hub-1'"))

    receipt = receipt_of(handled(town, lane, "up/hub-1/p-1/alarm", PRESS))

    assert receipt.reason == "hub-1 is not a home hub, it speaks only for itself"


def test_of_one_clients_garbage_only_so_much_is_kept_a_day_and_all_of_it_counted(
    town: Town, lane: AlarmLane, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(quarantine, "KEPT_A_DAY", 3)
    for _ in range(5):
        handled(town, lane, "up/x-9/x-9/alarm", b"{")
    handled(town, lane, "up/x-8/x-8/alarm", b"{")
    kept = [item.client_id for item in quarantined(town)]

    town.clock.advance(timedelta(days=1))
    handled(town, lane, "up/x-9/x-9/alarm", b"{")

    assert kept == ["x-9", "x-9", "x-9", "x-8"]
    assert [item.client_id for item in quarantined(town)] == [*kept, "x-9"]
    assert counted(town) == {"received": 7, "quarantined": 7}


def test_a_stranger_cannot_raise_anything_with_what_cannot_be_read(town: Town, lane: AlarmLane) -> None:
    answers = handled(town, lane, "up/x-9/x-9/alarm", b"{")

    assert (answers, town.alarms(), len(quarantined(town))) == ([], [], 1)


@pytest.mark.parametrize("topic", ["up/P-1/P-1/alarm", "up/p-1/alarm", "up/p-1/p-1/alarm/more", "x", ""])
def test_a_topic_that_is_none_of_ours_is_kept_all_the_same(town: Town, lane: AlarmLane, topic: str) -> None:
    handled(town, lane, topic, PRESS)

    [item] = quarantined(town)
    assert item.topic == topic
    assert "Cannot read topic" in item.reason
    assert counted(town) == {"received": 1, "quarantined": 1}


def test_a_kind_that_nobody_knows_is_stored_not_refused(town: Town, lane: AlarmLane) -> None:
    receipt = receipt_of(handled(town, lane, "up/p-1/p-1/alarm", {"id": "e-1", "kind": "vendor.x"}))

    assert receipt.status is ReceiptStatus.STORED
    assert kinds(town) == [AlarmKind.TECHNICAL_FAULT]


def test_what_makes_no_sense_beside_a_good_alarm_does_not_stop_it(town: Town, lane: AlarmLane) -> None:
    odd: dict[str, Any] = PRESS | {
        "priority": "urgent",
        "at": "yesterday",
        "voice": 7,
        "room": None,
        "data": [],
    }

    receipt = receipt_of(handled(town, lane, "up/p-1/p-1/alarm", PRESS | odd))

    assert receipt.status is ReceiptStatus.STORED
    assert set(town.events()[0].data["unreadable"]) == {"priority", "at", "voice", "data"}


def test_a_device_that_raises_an_alarm_has_been_heard_and_one_that_is_refused_has_not(
    town: Town, lane: AlarmLane
) -> None:
    handled(town, lane, "up/p-1/p-1/alarm", PRESS)
    handled(town, lane, "up/hub-1/p-2/alarm", PRESS)
    handled(town, lane, "up/s-1/s-1/alarm", PRESS, is_retained=True)

    heard = [status.of_device(town.connection, device_id) is not None for device_id in ("p-1", "p-2", "s-1")]
    assert heard == [True, False, False]


def test_an_alarm_set_aside_by_the_intake_is_kept_refused_and_told_to_a_person(
    town: Town, lane: AlarmLane
) -> None:
    item = envelope("up/p-1/p-1/alarm", json.dumps(PRESS).encode())

    answers = town.commit(lambda connection: lane.set_aside(connection, item, "internal error"))

    assert receipt_of(answers).reason == "internal error"
    assert kinds(town) == [AlarmKind.TECHNICAL_FAULT]
    assert counted(town) == {"received": 1, "quarantined": 1}
