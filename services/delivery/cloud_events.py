"""What a receiver is told, and how it is written: CloudEvents 1.0, structured JSON.

Pure. The same value for every channel; ``id`` stays the same at every attempt.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import msgspec

from devices.codecs.rfc3339 import time_text
from services.domain.alarms import Alarm, Delivery, Event, Notice
from services.domain.ids import OrganisationId

TYPE_PREFIX: Final = "se.stadsnav.alarm"
SEQUENCE_DIGITS: Final = 20
"""Wide enough for 64 bits, so that text order is number order."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CareEvent:
    """One attempt to tell one organisation one thing."""

    organisation_id: OrganisationId
    channel: str
    delivery_id: str
    source: str
    """``urn:stadsnav:{city}``."""
    notice: Notice
    alarm: Alarm
    event: Event | None
    address: str
    position: str
    sequence: int
    grant_id: str | None
    purpose: str
    step: int
    attempt: int


def care_event(
    delivery: Delivery,
    *,
    source: str,
    notice: Notice,
    alarm: Alarm,
    event: Event | None,
    address: str,
    position: str,
    purpose: str,
) -> CareEvent:
    """Put together what one attempt says."""
    assert delivery.sequence is not None  # noqa: S101 - given in the lease, before this
    return CareEvent(
        organisation_id=delivery.organisation_id,
        channel=delivery.channel,
        delivery_id=delivery.id,
        source=source,
        notice=notice,
        alarm=alarm,
        event=event,
        address=address,
        position=position,
        sequence=delivery.sequence,
        grant_id=delivery.grant_id,
        purpose=purpose,
        step=delivery.step,
        attempt=delivery.attempts,
    )


def encode(event: CareEvent) -> bytes:
    """The event as structured-mode JSON (CloudEvents 1.0.2, JSON format 1.0.2)."""
    return msgspec.json.encode(as_document(event))


def encode_thin(event: CareEvent) -> bytes:
    """Which event of which alarm, and nothing of what it is about: that is fetched with a token."""
    document = as_document(event)
    return msgspec.json.encode(
        {**document, "data": {"alarm": {"id": event.alarm.id}, "attempt": event.attempt}}
    )


def as_document(event: CareEvent) -> dict[str, Any]:
    """The event as the public contract lays it out."""
    return {
        "specversion": "1.0",
        "id": event.notice.id,
        "source": event.source,
        "type": f"{TYPE_PREFIX}.{event.notice.type}.v1",
        "subject": event.alarm.id,
        "time": time_text(event.notice.at),
        "sequence": f"{event.sequence:0{SEQUENCE_DIGITS}d}",
        "datacontenttype": "application/json",
        "data": {
            "alarm": _alarm(event),
            "event": _event(event.event),
            "by": event.notice.by,
            "note": event.notice.note,
            "grant": event.grant_id,
            "purpose": event.purpose,
            "step": event.step,
            "attempt": event.attempt,
        },
    }


def _alarm(event: CareEvent) -> dict[str, Any]:
    alarm = event.alarm
    return {
        "id": alarm.id,
        "kind": alarm.kind,
        "class": alarm.data_class,
        "priority": alarm.priority,
        "state": alarm.state,
        "test": alarm.is_test,
        "home": alarm.home_id,
        "address": event.address,
        "position": event.position,
        "device": alarm.device_id,
        "room": alarm.room,
        "raised_at": time_text(alarm.raised_at),
        "received_at": time_text(alarm.received_at),
        "acknowledged_at": _time(alarm.acknowledgement.at if alarm.acknowledgement else None),
        "acknowledged_by": alarm.acknowledgement.organisation_name if alarm.acknowledgement else None,
        "voice": list(alarm.voice),
    }


def _event(event: Event | None) -> dict[str, Any] | None:
    if event is None:
        return None
    return {
        "id": event.external_id,
        "kind": event.kind,
        "state": event.signal,
        "at": _time(event.sent_at),
        "text": event.text,
        "data": event.data,
    }


def _time(moment: datetime | None) -> str | None:
    return None if moment is None else time_text(moment)
