"""The description is whole and true: every topic is in it, and what the running code says fits."""

import inspect
import json
from copy import deepcopy
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from jsonschema import Draft202012Validator, ValidationError

from broker import topics
from devices.codecs import own_json
from devices.codecs.senml import Measured, encode_json
from devices.kinds import DeviceId
from devices.messages import AlarmMessage, AlarmSignal, Receipt, ReceiptStatus, StatusMessage
from gateway.api.live import frames
from gateway.asyncapi import document
from gateway.asyncapi.messages import TYPES
from gateway.outward import pings
from services.delivery import cloud_events
from services.delivery.actions import decode as decode_action
from services.domain.alarms import NoticeType
from services.readings.sharing import Sharing
from tests.support.clock import FrozenClock
from tests.support.reading_lane import ReadingLane
from tests.support.town import Town

AT = datetime(2026, 11, 24, 8, 15, 2, 120_000, tzinfo=UTC)
DOCUMENT = document.document("malmo")


def validator(message: str, *, is_closed: bool = True) -> Draft202012Validator:
    """For one message; closed: a member that is not described is a mistake."""
    schemas = deepcopy(DOCUMENT["components"]["schemas"])
    if is_closed:
        _close(schemas)
    schema = {"$ref": f"#/components/schemas/{message}", "components": {"schemas": schemas}}
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema, format_checker=Draft202012Validator.FORMAT_CHECKER)


def _close(part: Any) -> None:
    if isinstance(part, dict):
        if "properties" in part:
            part["additionalProperties"] = False
        for value in part.values():
            _close(value)
    elif isinstance(part, list):
        for value in part:
            _close(value)


def fits(message: str, payload: bytes) -> dict[str, Any]:
    found = json.loads(payload)
    validator(message).validate(found)
    return found  # type: ignore[no-any-return]


def members(message: str) -> set[str]:
    return set(DOCUMENT["components"]["schemas"][message]["properties"])


# What is described.


def test_every_reference_leads_somewhere() -> None:
    def look_up(pointer: str) -> Any:
        found: Any = DOCUMENT
        for part in pointer.removeprefix("#/").split("/"):
            found = found[part]
        return found

    references = {value for key, value in _walk(DOCUMENT) if key == "$ref"}
    assert len(references) > 40
    for reference in references:
        assert look_up(reference) is not None


def _walk(part: Any) -> list[tuple[str, Any]]:
    if isinstance(part, dict):
        return [*part.items(), *(pair for value in part.values() for pair in _walk(value))]
    if isinstance(part, list):
        return [pair for value in part for pair in _walk(value)]
    return []


def test_every_topic_of_the_contract_is_an_address() -> None:
    addresses = {channel["address"] for channel in DOCUMENT["channels"].values()}
    makers = {
        name: make
        for name, make in inspect.getmembers(topics, inspect.isfunction)
        if name.endswith(("_topic", "_filter")) and not name.startswith("parse_")
    }
    names = {"client_id": "{client}", "device_id": "{device}", "organisation_id": "{organisation}"}

    assert makers.keys() == {"receipt_topic", "event_topic", "reading_topic", "reply_topic", "lane_filter"}
    for make in (make for name, make in makers.items() if name != "lane_filter"):
        assert make(*(names[parameter] for parameter in inspect.signature(make).parameters)) in addresses
    for lane in topics.Lane:
        assert topics.lane_filter(lane).replace("+", "{client}", 1).replace("+", "{device}") in addresses
    assert topics.ACTION_FILTER.replace("+", "{organisation}") in addresses
    assert {"in/{integration}/{rest}", "/api/v1/events/stream", "{webhook}"} <= addresses


def test_the_addresses_that_homes_and_partners_publish_on_are_read_back() -> None:
    for channel in DOCUMENT["channels"].values():
        example = channel["address"]
        for name in document.PARAMETERS:
            example = example.replace(f"{{{name}}}", "a-1")
        match example.split("/"):
            case ["up", *_]:
                assert topics.parse_home_topic(example).client_id == DeviceId("a-1")
            case ["care", _, "action"]:
                assert topics.parse_action_topic(example) == "a-1"
            case ["in", *_]:
                assert topics.parse_integration_topic(example) == ("a-1", "a-1")


def test_each_parameter_is_described_and_each_channel_has_an_operation() -> None:
    for channel in DOCUMENT["channels"].values():
        described = channel.get("parameters", {})
        assert all(f"{{{name}}}" in channel["address"] for name in described)
        assert channel["address"].count("{") == len(described)
    pointed_at = {
        item["channel"]["$ref"].removeprefix("#/channels/") for item in DOCUMENT["operations"].values()
    }
    assert pointed_at == DOCUMENT["channels"].keys()
    assert set(TYPES) == DOCUMENT["components"]["messages"].keys()


# What the running code says.


def test_alarm_messages_of_our_own_devices_fit() -> None:
    whole = AlarmMessage(
        id="p7-000123",
        kind="safety.manual",
        signal=AlarmSignal.CANCELLED,
        sent_at=AT,
        priority=8,
        room="bathroom",
        text="hello",
        is_test=True,
        voice=("sip:4711@example.org",),
        data={"a": 1},
    )

    assert fits("AlarmMessage", own_json.encode_alarm(whole)).keys() == members("AlarmMessage")
    fits("AlarmMessage", own_json.encode_alarm(AlarmMessage(id="1", kind="unheard.of")))


@pytest.mark.parametrize(
    "payload",
    [
        {"kind": "safety.manual"},
        {"id": "1"},
        {"id": "", "kind": "a"},
        {"id": "1", "kind": "a", "state": "on"},
    ],
)
def test_what_is_refused_as_an_alarm_does_not_fit(payload: dict[str, str]) -> None:
    with pytest.raises(ValidationError):
        validator("AlarmMessage").validate(payload)


def test_status_messages_fit() -> None:
    whole = StatusMessage(
        sent_at=AT, battery_percent=80.5, has_mains=True, link="fibre", signal_dbm=-70.0, firmware="1.2"
    )

    assert fits("StatusMessage", own_json.encode_status(whole)).keys() | {"id"} == members("StatusMessage")


@pytest.mark.parametrize("status", ReceiptStatus)
def test_receipts_fit(status: ReceiptStatus) -> None:
    receipt = Receipt(id="p7-1", status=status, at=AT, alarm_id="0192", reason="why", by="Acme AB")

    assert fits("Receipt", own_json.encode_receipt(receipt)).keys() == members("Receipt")
    fits("Receipt", own_json.encode_receipt(Receipt(id="p7-1", status=status, at=AT)))


def test_packs_of_readings_fit() -> None:
    pack = [Measured(name="urn:x:humidity", unit="%RH", at_us=1_795_421_702_000_000, value=57.1)]

    fits("SenmlPack", encode_json(pack))


def test_what_partners_are_told_and_answered_fits(town: Town) -> None:
    town.add_city()
    town.grant("acme")
    alarm = town.press()
    town.press()
    town.comment("acme", alarm, "on the way")
    town.clear("p-1", "safety.manual")
    town.wait(61)
    town.acknowledge("acme", alarm, note="I go")
    again = town.ask("acme", {"request": "r2", "action": "acknowledge", "alarm": alarm.id})
    town.close("acme", alarm)

    told = [fits("AlarmEvent", cloud_events.encode(event)) for event in town.channel.events]
    assert fits("ThinEvent", cloud_events.encode_thin(town.channel.events[0])).keys() == members("ThinEvent")
    for reply in (again, town.ask("acme", b"not JSON"), town.confirm("acme", told[0]["id"])):
        fits("Reply", json.dumps(reply).encode())

    assert {item["type"].split(".")[3] for item in told} == set(NoticeType)
    assert all(item.keys() == members("AlarmEvent") for item in told)
    assert again["error"].keys() == members("ReplyError")
    assert {"null", "object"} == {"null" if item["data"]["event"] is None else "object" for item in told}


async def test_the_trial_of_a_webhook_fits(monkeypatch: pytest.MonkeyPatch) -> None:
    class Signer:
        def headers(self, *_: object) -> dict[str, str]:
            return {}

    class Sender:
        async def post(self, _url: str, body: bytes, _headers: object) -> None:
            assert fits("PingEvent", body).keys() == members("PingEvent")

    monkeypatch.setattr(pings, "signer_of", lambda *_, **__: Signer())
    subscription = SimpleNamespace(id="0192", organisation_id="acme")
    trial = SimpleNamespace(clock=FrozenClock(), source="urn:stadsnav:malmo", sender=Sender(), sealer=None)

    await pings.Pings._send(trial, SimpleNamespace(id="0193"), subscription, "https://x")  # type: ignore[arg-type]


async def test_readings_for_partners_fit(town: Town, lane: ReadingLane) -> None:
    town.grant("acme", data_class="climate")
    sharing = Sharing(town.connection, lane.store, source="urn:stadsnav:malmo")
    lane.hear("m-1", humidity=57.1)

    [share] = sharing.shares([await lane.commit()], now=town.now + timedelta(seconds=1))

    assert fits("ReadingEvent", share.payload).keys() == members("ReadingEvent")


@pytest.mark.parametrize(
    "action",
    [
        {"request": "r1", "action": "received", "event": "0192"},
        {"action": "acknowledge", "alarm": "0192", "by": "operator-17", "note": "I go"},
        {"request": "r1", "action": "dance"},
        {"request": "r1"},
        {"request": "r" * 65, "action": "close", "alarm": "a"},
        {"request": 1, "action": "close"},
        {"action": "comment", "note": "n" * 2_001},
    ],
)
def test_an_action_fits_when_it_is_read_and_else_not(action: dict[str, Any]) -> None:
    try:
        decode_action(json.dumps(action).encode())
        is_read = True
    except Exception:  # noqa: BLE001 - whatever refuses it
        is_read = False

    assert validator("Action", is_closed=False).is_valid(action) is is_read


def test_what_the_stream_says_of_itself_fits() -> None:
    for message, frame in (
        ("StreamStart", frames.start(42)),
        ("StreamWithheld", frames.withheld(42)),
        ("StreamReset", frames.reset("unknown", oldest=1, newest=42)),
    ):
        [data] = [line for line in frame.splitlines() if line.startswith(b"data: ")]
        assert fits(message, data.removeprefix(b"data: ")).keys() == members(message)
