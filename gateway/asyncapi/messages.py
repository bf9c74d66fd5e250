"""How each message looks on the wire, as types that JSON Schemas are made from.

The codecs read and write by hand, forgiving on the way in; so these types are not what decodes. Tests hold
them to it: what the codecs write fits, and no member is written that is not here. What is not here is ignored
on the way in, and may be added on the way out.
"""

import re
from datetime import datetime
from typing import Annotated, Any, Literal

from msgspec import UNSET, Meta, Struct, UnsetType

from devices.codecs import members, own_json
from devices.codecs.senml.records import MAX_RECORDS, Record
from devices.kinds import AlarmKind, DataClass
from devices.messages import EVENT_ID_MAX_LENGTH, AlarmSignal, ReceiptStatus
from services.delivery.actions import Action
from services.delivery.cloud_events import SEQUENCE_DIGITS, TYPE_PREFIX
from services.domain.alarm_states import AlarmState
from services.domain.alarms import NoticeType
from services.readings.sharing import RECORDS_PER_EVENT, TYPE

HomesId = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=EVENT_ID_MAX_LENGTH,
        pattern=r"^(?! *$)[ -~]*$",
        description="The home's own id of the event, unique per device: the same id is the same event.",
    ),
]
Priority = Annotated[int, Meta(ge=members.PRIORITIES[0], le=members.PRIORITIES[-1])]
Voice = Annotated[
    list[Annotated[str, Meta(max_length=members.VOICE_MAX_LENGTH, examples=["sip:4711@example.org"])]],
    Meta(max_length=members.VOICE_MAX_ADDRESSES, description="Addresses that speak with the home."),
]
Sequence = Annotated[
    str,
    Meta(
        pattern=rf"^\d{{{SEQUENCE_DIGITS}}}$",
        description="Counts per organisation without gaps: a missing number is something not heard yet.",
    ),
]
Source = Annotated[str, Meta(pattern="^urn:stadsnav:")]


def _is(*types: str) -> str:
    """The pattern of these CloudEvents types."""
    return f"^({'|'.join(map(re.escape, types))})$"


EventType = Annotated[str, Meta(pattern=_is(*(f"{TYPE_PREFIX}.{notice}.v1" for notice in NoticeType)))]


class AlarmMessage(Struct, kw_only=True):
    """An alarm, as a home says it; at most 16 KiB. Answered with a receipt once it is on disk."""

    id: HomesId
    kind: Annotated[
        str,
        Meta(
            min_length=1,
            max_length=own_json.KIND_MAX_LENGTH,
            examples=list(AlarmKind),
            description="One that the hub does not know is still an alarm.",
        ),
    ]
    state: AlarmSignal = AlarmSignal.RAISED
    at: datetime | UnsetType = UNSET
    priority: Priority | UnsetType = UNSET
    room: Annotated[str, Meta(max_length=own_json.ROOM_MAX_LENGTH)] = ""
    text: Annotated[str, Meta(max_length=own_json.TEXT_MAX_LENGTH)] = ""
    test: bool = False
    voice: Voice = []
    data: dict[str, Any] = {}


class StatusMessage(Struct, kw_only=True):
    """What a device says of itself; an empty payload is a heartbeat."""

    id: str | UnsetType = UNSET
    at: datetime | UnsetType = UNSET
    battery_percent: Annotated[float, Meta(ge=0, le=100)] | UnsetType = UNSET
    mains: bool | UnsetType = UNSET
    link: Literal["fibre", "mobile"] | UnsetType = UNSET
    signal_dbm: Annotated[float, Meta(ge=-200, le=100)] | UnsetType = UNSET
    firmware: Annotated[str, Meta(max_length=own_json.NAME_MAX_LENGTH)] | UnsetType = UNSET


SenmlPack = Annotated[
    list[Record], Meta(min_length=1, max_length=MAX_RECORDS, description="SenML (RFC 8428), JSON or CBOR.")
]


class Receipt(Struct, kw_only=True):
    """What became of an alarm message. `stored` is the promise; nothing earlier is."""

    id: HomesId
    status: ReceiptStatus
    at: datetime
    alarm: (
        Annotated[str, Meta(description="Ours, the same for presses that belong together.")] | UnsetType
    ) = UNSET
    reason: Annotated[str, Meta(description="Why it was refused.")] | UnsetType = UNSET
    by: Annotated[str, Meta(description="The organisation that is coming.")] | UnsetType = UNSET


class AlarmFacts(Struct, kw_only=True, rename={"class_": "class"}):
    """The case as it is now."""

    id: str
    kind: AlarmKind
    class_: DataClass
    priority: Priority
    state: AlarmState
    test: bool
    home: str
    address: str
    position: str
    device: str
    room: str
    raised_at: datetime
    received_at: datetime
    acknowledged_at: datetime | None
    acknowledged_by: Annotated[str | None, Meta(description="The organisation.")]
    voice: Voice


class HomesEvent(Struct, kw_only=True):
    """What the home said."""

    id: str
    kind: str
    state: AlarmSignal
    at: datetime | None
    text: str
    data: dict[str, Any]


class AlarmEventData(Struct, kw_only=True):
    """What is told, by what right."""

    alarm: AlarmFacts
    event: Annotated[HomesEvent | None, Meta(description="null: the home is not the cause.")]
    by: Annotated[str, Meta(description="Who did it, where somebody did.")]
    note: str
    grant: Annotated[str | None, Meta(description="null: the city, by its own duty.")]
    purpose: str
    step: int
    attempt: Annotated[int, Meta(ge=1)]


class AlarmEvent(Struct, kw_only=True):
    """Something about an alarm, as CloudEvents 1.0: over every channel the same, `id` at every attempt."""

    specversion: Literal["1.0"]
    id: str
    source: Source
    type: EventType
    subject: Annotated[str, Meta(description="The alarm.")]
    time: datetime
    sequence: Sequence
    datacontenttype: Literal["application/json"]
    data: AlarmEventData


class ThinAlarm(Struct, kw_only=True):
    """Which case: what it is about is fetched with a token."""

    id: str


class ThinData(Struct, kw_only=True):
    """As little as can be told."""

    alarm: ThinAlarm
    attempt: Annotated[int, Meta(ge=1)]


class ThinEvent(Struct, kw_only=True):
    """For a webhook whose subscription asks for `thin`: that there is something, and nothing of it."""

    specversion: Literal["1.0"]
    id: str
    source: Source
    type: EventType
    subject: Annotated[str, Meta(description="The alarm.")]
    time: datetime
    sequence: Sequence
    datacontenttype: Literal["application/json"]
    data: ThinData


class PingData(Struct, kw_only=True):
    """Whose subscription is tried."""

    organisation: str


class PingEvent(Struct, kw_only=True):
    """A trial: answered with 2xx, the webhook goes live."""

    specversion: Literal["1.0"]
    id: str
    source: Source
    type: Annotated[str, Meta(pattern=_is("se.stadsnav.ping.v1"))]
    subject: Annotated[str, Meta(description="The subscription.")]
    time: datetime
    datacontenttype: Literal["application/json"]
    data: PingData


class ReadingEvent(Struct, kw_only=True):
    """Readings of one position and class, CloudEvents 1.0 with SenML in it. Not confirmed, not repeated."""

    specversion: Literal["1.0"]
    id: str
    source: Source
    type: Annotated[str, Meta(pattern=_is(TYPE))]
    subject: Annotated[str, Meta(description="The home.")]
    time: datetime
    datacontenttype: Literal["application/senml+json"]
    home: str
    position: str
    dataclass: DataClass
    grant: str
    purpose: str
    data: Annotated[list[Record], Meta(min_length=1, max_length=RECORDS_PER_EVENT)]


class ReplyError(Struct, kw_only=True):
    """Why an action was not carried out."""

    code: Annotated[str, Meta(description="Stable.", examples=["not_granted", "already_acknowledged"])]
    message: str
    by: str | UnsetType = UNSET
    organisation: str | UnsetType = UNSET
    at: datetime | UnsetType = UNSET


class Reply(Struct, kw_only=True):
    """What came of an action."""

    request: str | None
    ok: bool
    error: ReplyError | UnsetType = UNSET


class StreamStart(Struct, kw_only=True):
    """`start`: nothing was to be resumed; the newest number by now."""

    sequence: Sequence


class StreamWithheld(Struct, kw_only=True):
    """`withheld`: the number stands for what may not be known any more."""

    sequence: Sequence


class StreamReset(Struct, kw_only=True):
    """`reset`: the stream cannot go on where its receiver was; it goes on behind `newest`."""

    reason: str
    oldest: Sequence
    newest: Sequence


TYPES: dict[str, Any] = {
    "AlarmMessage": AlarmMessage,
    "StatusMessage": StatusMessage,
    "SenmlPack": SenmlPack,
    "Receipt": Receipt,
    "AlarmEvent": AlarmEvent,
    "ThinEvent": ThinEvent,
    "PingEvent": PingEvent,
    "ReadingEvent": ReadingEvent,
    "Action": Action,
    "Reply": Reply,
    "StreamStart": StreamStart,
    "StreamWithheld": StreamWithheld,
    "StreamReset": StreamReset,
    "ForeignMessage": Any,
}
"""By the name of the message. ``ForeignMessage``: whatever the dialect of an integration says."""
