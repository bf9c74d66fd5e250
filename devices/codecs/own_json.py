"""Our own JSON: alarm and status messages from homes, receipts to them.

    bytes ──decode_alarm──> AlarmMessage     id, kind and state right: an alarm, whatever else is odd
                       └──> PayloadError     with the id, when one could be read: answer ``refused``

Decided for the person on the floor. An alarm needs an id (or it could not be receipted) and a kind;
a ``state`` that we do not understand is refused, since it might mean the opposite. Every other
member is set aside with a note when it makes no sense, and never stops the alarm.
"""

import json
import re
from typing import Any, Final, TypeVar

import msgspec

from devices.codecs import members as read
from devices.codecs.errors import PayloadError
from devices.codecs.rfc3339 import time_text
from devices.codecs.safe_json import Harmful, parse_object
from devices.messages import (
    ALARM_MAX_BYTES,
    EVENT_ID_MAX_LENGTH,
    AlarmMessage,
    AlarmSignal,
    Receipt,
    ReceiptStatus,
    StatusMessage,
)

KIND_MAX_LENGTH: Final = 64
ROOM_MAX_LENGTH: Final = 100
TEXT_MAX_LENGTH: Final = 1000
NAME_MAX_LENGTH: Final = 200
"""Of a firmware, an alarm's id or an organisation's public name."""

_ID: Final = re.compile(rf"(?! *\Z)[ -~]{{1,{EVENT_ID_MAX_LENGTH}}}")
_CONTROL: Final = re.compile("[\0-\x1f\x7f-\x9f\ufffd]")  # a NUL has become U+FFFD by then

T = TypeVar("T")


def decode_alarm(payload: bytes) -> AlarmMessage:
    """Read one alarm message.

    Raises:
        PayloadError: It is no JSON object, or has no id, no kind, or a state that we do not know.
    """
    members = _members(payload)
    unreadable: dict[str, str] = {}

    def take(name: str, reader: read.Reader[T], *, otherwise: T) -> T:
        if members.get(name) is None:
            return otherwise
        member = members[name]
        value, note = (otherwise, member.reason) if isinstance(member, Harmful) else reader(member)
        if note:
            unreadable[name] = note
        return value

    return AlarmMessage(
        id=_event_id(members),
        kind=_kind(members),
        signal=_signal(members),
        sent_at=take("at", read.time, otherwise=None),
        priority=take("priority", read.priority, otherwise=None),
        room=take("room", read.text_up_to(ROOM_MAX_LENGTH), otherwise=""),
        text=take("text", read.text_up_to(TEXT_MAX_LENGTH), otherwise=""),
        is_test=take("test", read.test_mark, otherwise=False),
        voice=take("voice", read.voice, otherwise=()),
        data=take("data", read.data, otherwise={}),
        unreadable=unreadable,
    )


def encode_alarm(message: AlarmMessage) -> bytes:
    """Write an alarm message; text is cleaned and cut here as a reader would do.

    What is left out says the same as its default, so that a small radio link carries little.
    """
    optional = {
        "at": time_text(message.sent_at) if message.sent_at else None,
        "priority": message.priority,
        "room": _cut(message.room, ROOM_MAX_LENGTH) or None,
        "text": _cut(message.text, TEXT_MAX_LENGTH) or None,
        "test": message.is_test or None,
        "voice": message.voice or None,
        "data": dict(message.data) or None,
    }
    return _written({"id": message.id, "kind": message.kind, "state": message.signal.value, **optional})


def decode_status(payload: bytes) -> StatusMessage:
    """Read one status message; an empty payload is a heartbeat.

    Raises:
        PayloadError: It is no JSON object, or a member is not what the contract says.
    """
    if not payload:
        return StatusMessage()
    take = _Strict(_members(payload))
    return StatusMessage(
        sent_at=take("at", read.time),
        battery_percent=take("battery_percent", read.number_within(0, 100)),
        has_mains=take("mains", read.boolean),
        link=take("link", read.one_of("fibre", "mobile")),
        signal_dbm=take("signal_dbm", read.number_within(-200, 100)),
        firmware=take("firmware", read.text_up_to(NAME_MAX_LENGTH)),
    )


def encode_status(message: StatusMessage) -> bytes:
    """Write a status message; one that says nothing is the empty payload."""
    members = {
        "at": time_text(message.sent_at) if message.sent_at else None,
        "battery_percent": message.battery_percent,
        "mains": message.has_mains,
        "link": message.link,
        "signal_dbm": message.signal_dbm,
        "firmware": _cut(message.firmware, NAME_MAX_LENGTH),
    }
    return b"" if message == StatusMessage() else _written(members)


def decode_receipt(payload: bytes) -> Receipt:
    """Read one receipt.

    Raises:
        PayloadError: It is no JSON object, or no receipt of this version.
    """
    members = _members(payload)
    take = _Strict(members)
    sent_at = take("at", read.time)
    status = take("status", read.one_of(*ReceiptStatus))
    if sent_at is None or status is None:
        reason = f"{'at' if sent_at is None else 'status'} is missing"
        raise PayloadError(reason, event_id=_readable_id(members))
    return Receipt(
        id=_event_id(members),
        status=ReceiptStatus(status),
        at=sent_at,
        alarm_id=take("alarm", read.text_up_to(NAME_MAX_LENGTH)),
        reason=take("reason", read.text_up_to(TEXT_MAX_LENGTH)),
        by=take("by", read.text_up_to(NAME_MAX_LENGTH)),
    )


def encode_receipt(receipt: Receipt) -> bytes:
    """Write a receipt; text is cleaned and cut here as a reader would do."""
    return _written({
        "id": receipt.id,
        "status": receipt.status.value,
        "alarm": _cut(receipt.alarm_id, NAME_MAX_LENGTH),
        "at": time_text(receipt.at),
        "reason": _cut(receipt.reason, TEXT_MAX_LENGTH),
        "by": _cut(receipt.by, NAME_MAX_LENGTH),
    })  # fmt: skip


def _written(members: dict[str, Any]) -> bytes:
    return msgspec.json.encode({name: value for name, value in members.items() if value is not None})


def _cut(text: str | None, max_length: int) -> str | None:
    return None if text is None else read.clean_text(text)[:max_length]


def _members(payload: bytes) -> dict[str, Any]:
    try:
        return parse_object(payload, max_bytes=ALARM_MAX_BYTES)
    except PayloadError as error:
        raise PayloadError(error.reason, event_id=_salvaged_id(payload)) from None


def _salvaged_id(payload: bytes) -> str | None:
    """The id of a message that a more forgiving reader can still make out.

    Only the whole message will do: an ``id`` picked out of broken text might be one that stands
    inside ``data``, and ``refused`` would then stop the repeats of another, good alarm.
    """
    if len(payload) > ALARM_MAX_BYTES:
        return None
    try:
        value = json.loads(payload.decode(), parse_int=str, parse_float=str)
    except (ValueError, RecursionError):
        return None
    return _readable_id(value) if isinstance(value, dict) else None


def _readable_id(members: dict[str, Any]) -> str | None:
    event_id = members.get("id")
    return event_id if isinstance(event_id, str) and _ID.fullmatch(event_id) else None


def _event_id(members: dict[str, Any]) -> str:
    if event_id := _readable_id(members):
        return event_id
    state = "missing" if members.get("id") is None else "not what it should be"
    reason = f"id is {state}; right would be 1-{EVENT_ID_MAX_LENGTH} printable ASCII characters"
    raise PayloadError(reason)


def _kind(members: dict[str, Any]) -> str:
    kind = members.get("kind")
    text = kind.strip() if isinstance(kind, str) else ""
    if 0 < len(text) <= KIND_MAX_LENGTH and not _CONTROL.search(text):
        return text
    state = "missing" if kind is None else "not what it should be"
    reason = f"kind is {state}; right would be text of 1-{KIND_MAX_LENGTH} characters, like safety.manual"
    raise PayloadError(reason, event_id=_readable_id(members))


def _signal(members: dict[str, Any]) -> AlarmSignal:
    state = members.get("state")
    if state is None:
        return AlarmSignal.RAISED
    try:
        return AlarmSignal(state)
    except ValueError:
        reason = f"state is {state!r:.40}; right would be one of {', '.join(AlarmSignal)}"
        raise PayloadError(reason, event_id=_readable_id(members)) from None


class _Strict:
    """Takes members one by one, and stops at the first that is wrong."""

    def __init__(self, members: dict[str, Any]) -> None:
        self._members = members

    def __call__(self, name: str, reader: read.Reader[T | None]) -> T | None:
        if self._members.get(name) is None:
            return None
        value, note = reader(self._members[name])
        if note:
            reason = f"{name} {note}"
            raise PayloadError(reason, event_id=_readable_id(self._members))
        return value
