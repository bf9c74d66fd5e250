"""Our own JSON: what counts as an alarm, what is set aside, what is refused."""

import json
from contextlib import suppress
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devices.codecs.errors import NaiveTimeError, PayloadError
from devices.codecs.own_json import (
    ROOM_MAX_LENGTH,
    TEXT_MAX_LENGTH,
    decode_alarm,
    decode_receipt,
    decode_status,
    encode_alarm,
    encode_receipt,
    encode_status,
)
from devices.messages import (
    ALARM_MAX_BYTES,
    AlarmMessage,
    AlarmSignal,
    Receipt,
    ReceiptStatus,
    StatusMessage,
)

FIRST = datetime(1970, 1, 1, tzinfo=UTC).replace(tzinfo=None)
LAST = datetime(2199, 12, 31, 23, tzinfo=UTC).replace(tzinfo=None)
AT = datetime(2026, 11, 23, 8, 15, 2, 120_000, tzinfo=UTC)

ids = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), min_size=1, max_size=64).filter(
    str.strip
)
plain = st.characters(exclude_categories=("Cc", "Cs", "Zl", "Zp", "Cf", "Cn"))
kinds = (
    st.text(plain, min_size=1, max_size=64).map(str.strip).filter(lambda text: text and "\ufffd" not in text)
)
moments = st.datetimes(min_value=FIRST, max_value=LAST, timezones=st.just(UTC)).map(
    lambda moment: moment.replace(microsecond=moment.microsecond // 1000 * 1000)
)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
harmless_json = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.text(plain, max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(plain, max_size=8), inner, max_size=4)
    ),
    max_leaves=12,
)
alarms = st.builds(
    AlarmMessage,
    id=ids,
    kind=kinds,
    signal=st.sampled_from(AlarmSignal),
    sent_at=st.none() | moments,
    priority=st.none() | st.integers(0, 9),
    room=st.text(plain, max_size=ROOM_MAX_LENGTH),
    text=st.text(plain, max_size=TEXT_MAX_LENGTH),
    is_test=st.booleans(),
    voice=st.lists(st.sampled_from(["sip:4711@example.org", "tel:+4640123456"]), max_size=8).map(tuple),
    data=st.dictionaries(st.text(plain, max_size=8), harmless_json, max_size=4),
)
statuses = st.builds(
    StatusMessage,
    sent_at=st.none() | moments,
    battery_percent=st.none() | st.floats(0, 100),
    has_mains=st.none() | st.booleans(),
    link=st.none() | st.sampled_from(["fibre", "mobile"]),
    signal_dbm=st.none() | st.floats(-200, 100),
    firmware=st.none() | st.text(plain, max_size=64),
)
receipts = st.builds(
    Receipt,
    id=ids,
    status=st.sampled_from(ReceiptStatus),
    at=moments,
    alarm_id=st.none() | st.text(plain, max_size=40),
    reason=st.none() | st.text(plain, max_size=200),
    by=st.none() | st.text(plain, max_size=80),
)


def id_that_came_back(payload: bytes) -> str | None:
    try:
        return decode_alarm(payload).id
    except PayloadError as error:
        return error.event_id


def written(**members: Any) -> bytes:
    return json.dumps({"id": "p7-1", "kind": "safety.manual", **members}).encode()


@given(message=alarms)
def test_an_alarm_message_survives_writing_and_reading(message: AlarmMessage) -> None:
    assert decode_alarm(encode_alarm(message)) == message


@given(message=statuses)
def test_a_status_message_survives_writing_and_reading(message: StatusMessage) -> None:
    assert decode_status(encode_status(message)) == message


@given(receipt=receipts)
def test_a_receipt_survives_writing_and_reading(receipt: Receipt) -> None:
    assert decode_receipt(encode_receipt(receipt)) == receipt


@given(
    payload=st.binary(max_size=200) | st.text(max_size=80).map(lambda text: text.encode("utf-8", "replace"))
)
def test_any_bytes_either_decode_or_raise_payload_error(payload: bytes) -> None:
    for decode in (decode_alarm, decode_status, decode_receipt):
        with suppress(PayloadError):
            decode(payload)


@given(
    members=st.dictionaries(st.sampled_from(["kind", "state", "at", "priority", "data", "x"]), json_values),
    event_id=ids,
)
def test_whatever_stands_beside_a_readable_id_the_id_comes_back(
    members: dict[str, Any], event_id: str
) -> None:
    payload = json.dumps({**members, "id": event_id}).encode()

    assert id_that_came_back(payload) == event_id


optional_members = st.dictionaries(
    st.sampled_from(["at", "priority", "room", "text", "test", "voice", "data", "something_else"]),
    harmless_json,
)


@given(members=optional_members)
def test_no_optional_member_ever_stops_an_alarm(members: dict[str, Any]) -> None:
    message = decode_alarm(written(**members))

    assert (message.id, message.kind) == ("p7-1", "safety.manual")


def test_the_smallest_alarm_is_an_id_and_a_kind() -> None:
    assert decode_alarm(b'{"id":"1","kind":"k"}') == AlarmMessage(id="1", kind="k")


def test_the_example_of_the_contract_is_read_in_full() -> None:
    payload = (
        b'{"id": "p7-000123", "kind": "safety.manual", "at": "2026-11-23T08:15:02.120Z", "state": "raised", '
        b'"priority": 8, "room": "bathroom", "text": "", "test": false, "voice": ["sip:4711@example.org"], '
        b'"data": {}}'
    )

    assert decode_alarm(payload) == AlarmMessage(
        id="p7-000123",
        kind="safety.manual",
        sent_at=AT,
        priority=8,
        room="bathroom",
        voice=("sip:4711@example.org",),
    )


@pytest.mark.parametrize(
    ("member", "value"),
    [
        ("at", "2026-11-23T08:15:02"),
        ("at", "2026-11-23"),
        ("at", "2026-02-30T08:15:02Z"),
        ("at", "0001-01-01T00:00:00+23:00"),
        ("at", "9999-12-31T23:59:59-23:00"),
        ("at", "2500-01-01T00:00:00Z"),
        ("at", 1763885702),
        ("priority", 10),
        ("priority", -1),
        ("priority", True),
        ("priority", "8"),
        ("priority", 8.5),
        ("room", ["kitchen"]),
        ("text", 7),
        ("voice", "sip:4711@example.org"),
        ("data", [1]),
    ],
)
def test_an_odd_optional_member_is_set_aside_with_a_note(member: str, value: object) -> None:
    message = decode_alarm(written(**{member: value}))

    assert list(message.unreadable) == [member]
    assert message == AlarmMessage(id="p7-1", kind="safety.manual", unreadable=message.unreadable)


@pytest.mark.parametrize("value", ["true", 1, 0, "", [], {}])
def test_a_test_mark_that_is_no_boolean_leaves_a_real_alarm(value: object) -> None:
    message = decode_alarm(written(test=value))

    assert not message.is_test
    assert "test" in message.unreadable


def test_null_says_the_same_as_leaving_a_member_out() -> None:
    names = ("state", "at", "priority", "room", "text", "test", "voice", "data")

    assert decode_alarm(written(**dict.fromkeys(names))) == decode_alarm(written())


def test_good_voice_addresses_are_kept_beside_bad_ones() -> None:
    message = decode_alarm(
        written(voice=["sip:1@example.org", "javascript:x", 7, "tel:+46", "sip:" + "x" * 300])
    )

    assert message.voice == ("sip:1@example.org", "tel:+46")
    assert "3 of 5" in message.unreadable["voice"]


def test_text_that_is_too_long_is_cut_and_noted() -> None:
    message = decode_alarm(written(text="x" * (TEXT_MAX_LENGTH + 1)))

    assert len(message.text) == TEXT_MAX_LENGTH
    assert "cut" in message.unreadable["text"]


def test_what_cannot_be_shown_or_stored_is_replaced() -> None:
    message = decode_alarm(written(text="a\0b\x1b[2Jc\u202ed\ne", data={"k\0": ["v\0"]}))

    assert message.text == "a\ufffdb\ufffd[2Jc\ufffdd e"
    assert message.data == {"k\ufffd": ["v\ufffd"]}


def test_a_text_with_a_lone_surrogate_is_still_sent() -> None:
    payload = encode_alarm(AlarmMessage(id="1", kind="safety.manual", text="help \ud800"))

    assert decode_alarm(payload).text == "help \ufffd"


@pytest.mark.parametrize("event_id", ["", " ", "x" * 65, "å", "a\n", "a\0", 7, None, ["a"]])
def test_an_id_that_cannot_be_receipted_is_refused_without_an_id(event_id: object) -> None:
    with pytest.raises(PayloadError, match="id is") as caught:
        decode_alarm(json.dumps({"id": event_id, "kind": "safety.manual"}).encode())

    assert caught.value.event_id is None


@pytest.mark.parametrize("kind", ["", " ", "x" * 65, "a\nb", "a\0", 7, None, {}])
def test_a_kind_that_is_no_short_text_is_refused_with_the_id(kind: object) -> None:
    with pytest.raises(PayloadError, match="kind is") as caught:
        decode_alarm(written(kind=kind))

    assert caught.value.event_id == "p7-1"


def test_blanks_around_a_kind_do_not_make_it_unknown() -> None:
    assert decode_alarm(written(kind=" safety.manual\n")).kind == "safety.manual"


@pytest.mark.parametrize("state", ["Raised", "", 1, [], {"a": "b" * 400}])
def test_a_state_that_we_do_not_know_is_refused_and_the_known_ones_are_named(state: object) -> None:
    with pytest.raises(PayloadError, match="raised, cleared, cancelled") as caught:
        decode_alarm(written(state=state))

    assert caught.value.event_id == "p7-1"
    assert len(str(caught.value)) < 150


@pytest.mark.parametrize(
    "broken",
    [
        b'{"id":"p7-1","kind":"k","data":{"v":NaN}}',
        b'{"id":"p7-1","kind":"k","data":{"v":-Infinity}}',
        b'{"id":"p7-1","kind":"k","data":{"v":1e999}}',
        b'{"id":"p7-1","kind":"k","data":{"v":1e130000}}',
        b'{"id":"p7-1","kind":"k","data":{"v":18446744073709551616}}',
        b'{"id":"p7-1","kind":"k","data":{"v":' + b"9" * 5000 + b"}}",
        b'{"id":"p7-1","kind":"k","text":"\\ud800"}',
        b'{"id":"p7-1","kind":"k","data":' + b"[" * 40 + b"]" * 40 + b"}",
        b'{"id":"p7-1","kind":"k","unknown":' + b"[" * 40 + b"]" * 40 + b"}",
    ],
)
def test_a_member_that_would_do_harm_further_in_is_set_aside_and_the_alarm_stands(broken: bytes) -> None:
    message = decode_alarm(broken)

    assert (message.id, message.kind) == ("p7-1", "k")
    assert (message.data, message.text) == ({}, "")
    assert set(message.unreadable) <= {"data", "text"}
    assert b"unknown" in broken or message.unreadable
    assert decode_alarm(encode_alarm(message)).id == "p7-1"


@pytest.mark.parametrize(
    "broken",
    [
        b'{"id":"p7-1","kind":NaN}',
        b'{"id":"p7-1","kind":"\\ud800"}',
        b'{"id":"p7-1","kind":"k","state":1e999}',
    ],
)
def test_harm_in_what_decides_about_an_alarm_is_refused_with_the_id(broken: bytes) -> None:
    with pytest.raises(PayloadError) as caught:
        decode_alarm(broken)

    assert caught.value.event_id == "p7-1"


@pytest.mark.parametrize(
    ("broken", "why"),
    [
        (b"", "not JSON"),
        (b"[]", "array"),
        (b"null", "null"),
        (b"7", "number"),
        (b'"p7-1"', "text"),
        (b"true", "boolean"),
        (b'{"id":"p7-1","kind":"k"', "not JSON"),
        (b'{"id":"p7-1","kind":"\xff"}', "not UTF-8"),
        (b"[" * 8000 + b"]" * 8000, "nested deeper"),
        (b'{"a":' * 2500 + b"1" + b"}" * 2500, "nested deeper"),
    ],
)
def test_what_is_no_json_object_is_refused_and_named(broken: bytes, why: str) -> None:
    with pytest.raises(PayloadError, match=why) as caught:
        decode_alarm(broken)

    assert caught.value.event_id is None


def test_an_id_is_never_picked_out_of_broken_text_where_it_may_belong_to_another_alarm() -> None:
    with pytest.raises(PayloadError) as caught:
        decode_alarm(b'{"kind":"k","data":{"id":"p7-5"},"text":"\xff"}')

    assert caught.value.event_id is None


def test_size_is_judged_before_anything_is_parsed() -> None:
    fits = written(text="x" * 900).ljust(ALARM_MAX_BYTES)

    assert decode_alarm(fits).id == "p7-1"
    with pytest.raises(PayloadError, match=r"16385 bytes; right would be at most 16384") as caught:
        decode_alarm(fits + b" ")
    assert caught.value.event_id is None


def test_times_are_written_in_utc_with_milliseconds_and_z() -> None:
    stockholm = timezone(timedelta(hours=1))
    message = AlarmMessage(id="1", kind="k", sent_at=AT.astimezone(stockholm) + timedelta(microseconds=999))

    assert b'"at":"2026-11-23T08:15:02.120Z"' in encode_alarm(message)


def test_a_time_without_an_offset_is_not_written() -> None:
    with pytest.raises(NaiveTimeError, match="no time zone"):
        encode_alarm(AlarmMessage(id="1", kind="k", sent_at=AT.replace(tzinfo=None)))


@pytest.mark.parametrize(
    "text", ["2026-11-23T09:15:02.120+01:00", "2026-11-23t08:15:02.1200009z", "2026-11-23 08:15:02.12Z"]
)
def test_every_rfc_3339_way_of_writing_a_moment_is_that_moment(text: str) -> None:
    assert decode_alarm(written(at=text)).sent_at == AT


def test_an_empty_status_is_a_heartbeat_both_ways() -> None:
    assert decode_status(b"") == StatusMessage()
    assert encode_status(StatusMessage()) == b""


@pytest.mark.parametrize(
    ("member", "value", "right"),
    [
        ("battery_percent", 101, "from 0 to 100"),
        ("battery_percent", True, "from 0 to 100"),
        ("mains", "yes", "true nor false"),
        ("link", "wifi", "fibre, mobile"),
        ("signal_dbm", "-70", "from -200 to 100"),
        ("firmware", 2, "text"),
        ("at", "yesterday", "RFC 3339"),
    ],
)
def test_a_wrong_member_of_a_status_is_named_with_what_would_be_right(
    member: str, value: object, right: str
) -> None:
    payload = json.dumps({"id": "s-1", member: value}).encode()

    with pytest.raises(PayloadError, match=rf"{member} .*{right}") as caught:
        decode_status(payload)

    assert caught.value.event_id == "s-1"


@pytest.mark.parametrize(
    "payload",
    [
        b'{"id":"1","at":"2026-11-23T08:15:02Z"}',
        b'{"id":"1","status":"stored"}',
        b'{"id":"1","status":"lost","at":null}',
    ],
)
def test_a_receipt_without_a_known_status_and_a_time_is_no_receipt(payload: bytes) -> None:
    with pytest.raises(PayloadError, match=r"status|at") as caught:
        decode_receipt(payload)

    assert caught.value.event_id == "1"


def test_a_receipt_leaves_out_what_it_does_not_say() -> None:
    receipt = Receipt(id="p7-1", status=ReceiptStatus.STORED, at=AT, alarm_id="0192")

    assert json.loads(encode_receipt(receipt)) == {
        "id": "p7-1", "status": "stored", "alarm": "0192", "at": "2026-11-23T08:15:02.120Z"
    }  # fmt: skip
