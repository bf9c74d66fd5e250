"""Alarms, events and deliveries as they are answered, member by member; named as on ``care/{org}/event``."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from pydantic import BaseModel, Field

from devices.kinds import AlarmKind, DataClass
from devices.messages import AlarmSignal
from gateway.api.pages import PageOf
from services.domain.alarm_states import AlarmState
from services.domain.alarms import Alarm, DeliveryState, Event, Notice, NoticeType
from services.store import alarms, events, overview, registry
from services.store.connection import Connection
from services.store.overview import DeliveryRecord

PARTS_SHOWN: Final = 200
"""Events, notices and deliveries of one alarm, each; the newest."""


class AlarmItem(BaseModel):
    """One case."""

    id: str
    kind: AlarmKind
    data_class: DataClass = Field(serialization_alias="class", description="Whose grants cover it.")
    priority: int
    state: AlarmState
    test: bool
    home: str
    address: str
    position: str
    device: str = Field(description="The one whose event opened it.")
    room: str
    voice: list[str]
    raised_at: datetime = Field(description="By the home's clock where it gave a time.")
    received_at: datetime
    step: int = Field(description="How far the response chain has been told.")
    acknowledged_at: datetime | None
    acknowledged_by: str | None = Field(description="The organisation's public name.")
    escalated_at: datetime | None = Field(description="When the city was told that nobody had answered.")
    closed_at: datetime | None


class EventItem(BaseModel):
    """What a home said."""

    id: str = Field(description="Ours; also the `id` of the CloudEvent that told of it.")
    external_id: str = Field(description="The home's own.")
    alarm: str | None
    home: str
    device: str
    kind: str = Field(description="As the home wrote it.")
    state: AlarmSignal
    test: bool
    sent_at: datetime | None = Field(description="By the home's clock.")
    received_at: datetime
    text: str
    data: Mapping[str, Any]


class NoticeItem(BaseModel):
    """What was told of an alarm."""

    id: str = Field(description="The CloudEvents `id`.")
    type: NoticeType
    at: datetime
    by: str
    note: str


class DeliveryItem(BaseModel):
    """One notice for one receiver over one channel."""

    id: str
    event: str = Field(description="The CloudEvents `id`.")
    type: NoticeType
    alarm: str
    home: str
    organisation: str
    channel: str
    grant: str | None
    step: int
    state: DeliveryState
    sequence: int | None = Field(description="Null: it was never sent.")
    attempts: int
    first_sent_at: datetime | None
    settled_at: datetime | None
    reason: str


class AlarmDetail(AlarmItem):
    """One case, with what led to it and what became of it; of each the newest 200."""

    events: list[EventItem]
    notices: list[NoticeItem] = Field(description="Those that your organisation was told of.")
    deliveries: list[DeliveryItem] = Field(description="Those to your organisation.")


class AlarmPage(PageOf[AlarmItem]):
    """Alarms, the newest first."""


class EventPage(PageOf[EventItem]):
    """Events, the newest first."""


class DeliveryPage(PageOf[DeliveryItem]):
    """Deliveries, the newest first."""


def alarm_item(connection: Connection, alarm: Alarm) -> AlarmItem:
    """An alarm as it is answered."""
    return AlarmItem(**_alarm(connection, alarm))


def alarm_detail(connection: Connection, alarm: Alarm, *, organisation_id: str | None) -> AlarmDetail:
    """An alarm with its parts.

    Args:
        connection: The store.
        alarm: The alarm.
        organisation_id: Whose deliveries, and notices of which; None: everybody's.
    """
    where: tuple[str, list[Any]] = ("d.alarm_id = ?", [alarm.id])
    if organisation_id is not None:
        where = ("d.alarm_id = ? AND d.organisation_id = ?", [alarm.id, organisation_id])
    told = overview.deliveries_where(connection, where, limit=PARTS_SHOWN)
    known = {delivery.notice_id for delivery in told if delivery.sequence is not None}
    notices = [
        notice
        for notice in alarms.notices(connection, alarm.id)
        if organisation_id is None or notice.id in known
    ]
    said = events.events(connection, alarm_id=alarm.id, limit=PARTS_SHOWN)
    return AlarmDetail(
        **_alarm(connection, alarm),
        events=[event_item(event) for event in said],
        notices=[_notice_item(notice) for notice in notices[-PARTS_SHOWN:]],
        deliveries=[delivery_item(delivery) for delivery in told],
    )


def event_item(event: Event) -> EventItem:
    """An event as it is answered."""
    return EventItem(
        id=event.id,
        external_id=event.external_id,
        alarm=event.alarm_id,
        home=event.home_id,
        device=event.device_id,
        kind=event.kind,
        state=event.signal,
        test=event.is_test,
        sent_at=event.sent_at,
        received_at=event.received_at,
        text=event.text,
        data=event.data,
    )


def delivery_item(delivery: DeliveryRecord) -> DeliveryItem:
    """A delivery as it is answered."""
    return DeliveryItem(
        id=delivery.id,
        event=delivery.notice_id,
        type=delivery.type,
        alarm=delivery.alarm_id,
        home=delivery.home_id,
        organisation=delivery.organisation_id,
        channel=delivery.channel,
        grant=delivery.grant_id,
        step=delivery.step,
        state=delivery.state,
        sequence=delivery.sequence,
        attempts=delivery.attempts,
        first_sent_at=delivery.first_sent_at,
        settled_at=delivery.settled_at,
        reason=delivery.reason,
    )


def _alarm(connection: Connection, alarm: Alarm) -> dict[str, Any]:
    address, position = registry.place(connection, alarm.position_id)
    answer = alarm.acknowledgement
    return {
        "id": alarm.id,
        "kind": alarm.kind,
        "data_class": alarm.data_class,
        "priority": alarm.priority,
        "state": alarm.state,
        "test": alarm.is_test,
        "home": alarm.home_id,
        "address": address,
        "position": position,
        "device": alarm.device_id,
        "room": alarm.room,
        "voice": list(alarm.voice),
        "raised_at": alarm.raised_at,
        "received_at": alarm.received_at,
        "step": alarm.step,
        "acknowledged_at": answer.at if answer else None,
        "acknowledged_by": answer.organisation_name if answer else None,
        "escalated_at": alarm.escalated_at,
        "closed_at": alarm.closed_at,
    }


def _notice_item(notice: Notice) -> NoticeItem:
    return NoticeItem(id=notice.id, type=notice.type, at=notice.at, by=notice.by, note=notice.note)
