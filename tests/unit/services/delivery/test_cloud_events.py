"""What a receiver is told, exactly as the public contract lays it out."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devices.kinds import AlarmKind
from devices.messages import AlarmSignal
from services.delivery.cloud_events import CareEvent, as_document, care_event, encode
from services.domain.alarm_states import AlarmState
from services.domain.alarms import Acknowledgement, DeliveryState, NoticeType
from tests.support.clock import START
from tests.support.rows import ACME, alarm_of, delivery_of, event_of, notice_of

ALARM = alarm_of(raised_at=datetime(2026, 11, 23, 8, 15, 1, 5_999, tzinfo=UTC))
EVENT = event_of(
    ALARM, external_id="p7-000123", sent_at=START, text="hjälp", data={"grip": 3, "original_kind": "x"}
)
NOTICE = notice_of(ALARM, event_id=EVENT.id)
DELIVERY = delivery_of(NOTICE, grant_id="g-1", state=DeliveryState.SENT, sequence=42, attempts=2)

TOP = {
    "specversion",
    "id",
    "source",
    "type",
    "subject",
    "time",
    "sequence",
    "datacontenttype",
    "data",
}
IN_DATA = {"alarm", "event", "grant", "purpose", "step", "attempt"}
IN_ALARM = {
    "id",
    "kind",
    "class",
    "priority",
    "state",
    "test",
    "home",
    "address",
    "position",
    "device",
    "room",
    "raised_at",
    "received_at",
    "voice",
}
IN_EVENT = {"id", "at", "text", "data"}


def told(**changed: Any) -> CareEvent:
    made = care_event(
        DELIVERY,
        source="urn:stadsnav:malmo",
        notice=NOTICE,
        alarm=ALARM,
        event=EVENT,
        address="Storgatan 1",
        position="bathroom pendant",
        purpose="answers alarms",
    )
    return replace(made, **changed)


def document(event: CareEvent) -> dict[str, Any]:
    """As the receiver reads it."""
    read = json.loads(encode(event))
    assert isinstance(read, dict)
    return read


def test_the_document_is_the_contracts_member_for_member() -> None:
    assert document(told()) == {
        "specversion": "1.0",
        "id": NOTICE.id,
        "source": "urn:stadsnav:malmo",
        "type": "se.stadsnav.alarm.raised.v1",
        "subject": ALARM.id,
        "time": "2026-11-23T08:15:02.120Z",
        "sequence": "00000000000000000042",
        "datacontenttype": "application/json",
        "data": {
            "alarm": {
                "id": ALARM.id,
                "kind": "safety.manual",
                "class": "safety",
                "priority": 8,
                "state": "raised",
                "test": False,
                "home": "h-1",
                "address": "Storgatan 1",
                "position": "bathroom pendant",
                "device": "p-1",
                "room": "bathroom",
                "raised_at": "2026-11-23T08:15:01.005Z",
                "received_at": "2026-11-23T08:15:02.120Z",
                "acknowledged_at": None,
                "acknowledged_by": None,
                "voice": ["sip:4711@example.org"],
            },
            "event": {
                "id": "p7-000123",
                "kind": "safety.manual",
                "state": "raised",
                "at": "2026-11-23T08:15:02.120Z",
                "text": "hjälp",
                "data": {"grip": 3, "original_kind": "x"},
            },
            "by": "",
            "note": "",
            "grant": "g-1",
            "purpose": "answers alarms",
            "step": 1,
            "attempt": 2,
        },
    }


@pytest.mark.parametrize("kind", NoticeType)
@pytest.mark.parametrize("event", [EVENT, None], ids=["of the home", "of the hub"])
def test_no_member_of_the_contract_is_ever_missing(kind: NoticeType, event: Any) -> None:
    read = document(told(notice=replace(NOTICE, type=kind), event=event, grant_id=None))

    assert read.keys() >= TOP
    assert read["data"].keys() >= IN_DATA
    assert read["data"]["alarm"].keys() >= IN_ALARM
    assert read["data"]["event"] is None or read["data"]["event"].keys() >= IN_EVENT
    assert read["type"] == f"se.stadsnav.alarm.{kind.value}.v1"


@given(first=st.integers(0, 2**64 - 1), second=st.integers(0, 2**64 - 1))
def test_sequences_sort_as_text_as_they_do_as_numbers(first: int, second: int) -> None:
    texts = [as_document(told(sequence=number))["sequence"] for number in (first, second)]

    assert [len(text) for text in texts] == [20, 20]
    assert (texts[0] < texts[1]) == (first < second)
    assert [int(text) for text in texts] == [first, second]


def test_the_id_stays_the_same_at_every_attempt() -> None:
    attempts = [document(told(attempt=attempt)) for attempt in (1, 2, 9)]

    assert {read["id"] for read in attempts} == {NOTICE.id}
    assert [read["data"]["attempt"] for read in attempts] == [1, 2, 9]


def test_who_acknowledged_is_told_by_the_organisations_public_name() -> None:
    answer = Acknowledgement(organisation_id=ACME.id, organisation_name=ACME.name, person="Eva Ek", at=START)

    read = document(told(alarm=replace(ALARM, state=AlarmState.ACKNOWLEDGED, acknowledgement=answer)))

    assert read["data"]["alarm"]["acknowledged_by"] == "Acme Omsorg AB"
    assert read["data"]["alarm"]["acknowledged_at"] == "2026-11-23T08:15:02.120Z"
    assert "Eva" not in json.dumps(read)


def test_what_the_hub_says_itself_names_who_did_it_and_has_no_event() -> None:
    notice = replace(NOTICE, type=NoticeType.CLOSED, event_id=None, by="Eva (Acme)", note="åkte dit")

    read = document(told(notice=notice, event=None))

    assert (read["data"]["event"], read["data"]["by"], read["data"]["note"]) == (
        None,
        "Eva (Acme)",
        "åkte dit",
    )


def test_an_event_whose_home_has_no_clock_has_no_time_of_its_own() -> None:
    read = document(told(event=replace(EVENT, sent_at=None, signal=AlarmSignal.CANCELLED)))

    assert (read["data"]["event"]["at"], read["data"]["event"]["state"]) == (None, "cancelled")


@pytest.mark.parametrize("kind", AlarmKind)
def test_the_class_is_the_part_of_the_kind_before_the_dot(kind: AlarmKind) -> None:
    read = document(told(alarm=replace(ALARM, kind=kind)))

    assert read["data"]["alarm"]["class"] == read["data"]["alarm"]["kind"].partition(".")[0]
