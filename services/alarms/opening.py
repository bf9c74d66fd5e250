"""An event opens an alarm, joins the open one of its position and kind, or says that the cause is gone.

    same id, same body      ->  Known: the receipt of before, nothing new
    same id, other body     ->  both kept, and the operator is told
    raised, none open       ->  a new alarm, the first step of its chain told
    raised, one open        ->  its own event of that alarm, told as repeated
    cleared or cancelled    ->  the alarm returns; a person must still look at it

All of it happens in the caller's one transaction.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final

import msgspec

from devices.kinds import DEFAULT_PRIORITY, AlarmKind, DataClass, DeviceId, known_kind
from devices.messages import AlarmMessage, AlarmSignal
from services.alarms import chain, telling
from services.domain.alarm_states import AlarmChange, AlarmState, change
from services.domain.alarms import Alarm, Event, NoticeType
from services.domain.homes import Device
from services.domain.ids import AlarmId, EventId, new_id
from services.store import alarms as rows
from services.store import events, status
from services.store.connection import Connection
from services.store.events import Said

CONFLICT: Final = "conflicting_event"

FLOOD_NOTICES: Final = 2_000
FLOOD_WITHIN: Final = timedelta(seconds=10)
"""A stuck button: every press is stored and receipted, but no more than so many are told in this time."""

_ACTIVE: Final = {AlarmState.RAISED, AlarmState.ACKNOWLEDGED}


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """What the home may be told once the transaction is on disk."""

    event_id: EventId
    external_id: str
    alarm_id: AlarmId | None
    received_at: datetime
    is_known: bool
    """The very same event was stored before: nothing new happened."""


def take(
    connection: Connection,
    message: AlarmMessage,
    *,
    device: Device,
    client_id: DeviceId,
    payload: bytes,
    now: datetime,
) -> Stored:
    """Store what a home said on its alarm lane, and do what follows from it."""
    fingerprint = _fingerprint(message)
    before = events.said_before(connection, device.id, message.id)
    for said in before:
        if said.fingerprint == fingerprint:
            return _stored(message.id, said, is_known=True)
    event = Event(
        id=EventId(new_id()),
        alarm_id=None,
        home_id=device.home_id,
        device_id=device.id,
        external_id=message.id,
        fingerprint=fingerprint,
        kind=message.kind,
        signal=message.signal,
        is_test=message.is_test,
        sent_at=message.sent_at,
        received_at=now,
        text=message.text,
        data=_data_of(message),
        payload=payload,
        is_conflict=bool(before),
    )
    event = _file(connection, event, message, device=device, client_id=client_id)
    if event.is_conflict:
        _tell_of_conflict(connection, event, device=device)
    return _stored(message.id, event, is_known=False)


def raise_by_hub(
    connection: Connection,
    kind: AlarmKind,
    *,
    device: Device,
    text: str,
    data: Mapping[str, Any],
    now: datetime,
    again_after: timedelta | None = None,
) -> AlarmId:
    """Open an alarm about a device that the hub itself noticed, or join the open one.

    Args:
        connection: The caller's transaction.
        kind: What was noticed.
        device: About which device.
        text: For a person to read.
        data: For a program to read.
        now: The moment.
        again_after: Say it again about an active alarm when nothing was said for so long; None: once is
            enough while it is active.
    """
    known = rows.open_alarm(connection, device.position_id, kind, is_test=False)
    if (
        known is not None
        and known.state in _ACTIVE
        and not _is_due_again(connection, known, again_after, now)
    ):
        return known.id
    event = _event_by_hub(kind, AlarmSignal.RAISED, device=device, text=text, data=data, now=now)
    message = AlarmMessage(id=event.external_id, kind=kind, text=text)
    alarm_id = _file(connection, event, message, device=device, client_id=DeviceId("")).alarm_id
    assert alarm_id is not None  # noqa: S101 - a raised event always has its alarm
    return alarm_id


def clear_by_hub(
    connection: Connection, kind: AlarmKind, *, device: Device, text: str, now: datetime
) -> None:
    """What the hub noticed about a device is well again."""
    known = rows.open_alarm(connection, device.position_id, kind, is_test=False)
    if known is None or known.state not in _ACTIVE:
        return
    event = _event_by_hub(kind, AlarmSignal.CLEARED, device=device, text=text, data={}, now=now)
    message = AlarmMessage(id=event.external_id, kind=kind, text=text, signal=AlarmSignal.CLEARED)
    _file(connection, event, message, device=device, client_id=DeviceId(""))


def _file(
    connection: Connection, event: Event, message: AlarmMessage, *, device: Device, client_id: DeviceId
) -> Event:
    kind = known_kind(message.kind) or AlarmKind.TECHNICAL_FAULT
    alarm = rows.open_alarm(connection, device.position_id, kind, is_test=event.is_test)
    if event.signal is AlarmSignal.RAISED:
        if alarm is None:
            return _open(connection, event, message, kind=kind, device=device, client_id=client_id)
        return _join(connection, event, message, alarm=alarm, client_id=client_id)
    return _return(connection, event, alarm=alarm, client_id=client_id)


def _open(
    connection: Connection,
    event: Event,
    message: AlarmMessage,
    *,
    kind: AlarmKind,
    device: Device,
    client_id: DeviceId,
) -> Event:
    priority = DEFAULT_PRIORITY[kind.data_class] if message.priority is None else message.priority
    alarm = Alarm(
        id=AlarmId(new_id()),
        home_id=device.home_id,
        position_id=device.position_id,
        device_id=device.id,
        kind=kind,
        is_test=event.is_test,
        priority=priority,
        room=message.room,
        voice=message.voice,
        state=AlarmState.RAISED,
        raised_at=event.sent_at or event.received_at,
        received_at=event.received_at,
        step=0,
    )
    event = replace(event, alarm_id=alarm.id)
    step = chain.next_step(connection, alarm, now=event.received_at)
    alarm = replace(alarm, step=step.number if step else 0)
    rows.insert(connection, alarm)
    events.insert(connection, event, client_id=client_id)
    notice = telling.notice_of_event(alarm, NoticeType.RAISED, event.id, at=event.received_at)
    rows.insert_notice(connection, notice)
    chain.tell(connection, alarm, step, opening=notice, now=event.received_at)
    return event


def _join(
    connection: Connection, event: Event, message: AlarmMessage, *, alarm: Alarm, client_id: DeviceId
) -> Event:
    event = replace(event, alarm_id=alarm.id)
    events.insert(connection, event, client_id=client_id)
    what = AlarmChange.CALL if alarm.data_class is DataClass.SAFETY else AlarmChange.REPEAT
    state = change(alarm.id, alarm.state, what)
    is_unanswered_again = state is AlarmState.RAISED and alarm.state is not AlarmState.RAISED
    alarm = replace(
        alarm,
        state=state,
        priority=max(alarm.priority, message.priority or 0),
        acknowledgement=alarm.acknowledgement if state.is_acknowledged else None,
    )
    rows.update(connection, alarm)
    if not _is_flood(connection, alarm, now=event.received_at):
        notice = telling.notice_of_event(alarm, NoticeType.REPEATED, event.id, at=event.received_at)
        telling.tell_audience(connection, alarm, notice)
    if is_unanswered_again:
        chain.watch_again(connection, alarm, now=event.received_at)
    return event


def _return(connection: Connection, event: Event, *, alarm: Alarm | None, client_id: DeviceId) -> Event:
    if alarm is None:  # it ended something that is not open here; kept all the same
        events.insert(connection, event, client_id=client_id)
        return event
    event = replace(event, alarm_id=alarm.id)
    events.insert(connection, event, client_id=client_id)
    if _is_only_part_of(connection, alarm, event):  # a fault of several kinds: one has ended
        notice = telling.notice_of_event(alarm, NoticeType.UPDATED, event.id, at=event.received_at)
        telling.tell_audience(connection, alarm, notice)
        return event
    alarm = replace(alarm, state=change(alarm.id, alarm.state, AlarmChange.CLEAR))
    rows.update(connection, alarm)
    notice = telling.notice_of_event(alarm, NoticeType.CLEARED, event.id, at=event.received_at)
    telling.tell_audience(connection, alarm, notice)
    chain.rest(connection, alarm, now=event.received_at)
    return event


def _is_flood(connection: Connection, alarm: Alarm, *, now: datetime) -> bool:
    """Whether receivers have been told so often of late that once more would only hold up the others."""
    oldest = rows.notice_before(connection, alarm.id, back=FLOOD_NOTICES)
    return oldest is not None and now - oldest < FLOOD_WITHIN


def _is_due_again(connection: Connection, alarm: Alarm, again_after: timedelta | None, now: datetime) -> bool:
    return again_after is not None and now - events.last_at(connection, alarm.id) >= again_after


def _is_only_part_of(connection: Connection, alarm: Alarm, event: Event) -> bool:
    """Only ``technical.fault`` gathers events of several kinds: those that this version does not know."""
    return alarm.kind is AlarmKind.TECHNICAL_FAULT and events.has_raised_other_kind(
        connection, alarm.id, event.kind
    )


def _event_by_hub(
    kind: AlarmKind,
    signal: AlarmSignal,
    *,
    device: Device,
    text: str,
    data: Mapping[str, Any],
    now: datetime,
) -> Event:
    event_id = new_id()
    return Event(
        id=EventId(event_id),
        alarm_id=None,
        home_id=device.home_id,
        device_id=device.id,
        external_id=f"hub:{event_id}",
        fingerprint="",
        kind=kind,
        signal=signal,
        is_test=False,
        sent_at=None,
        received_at=now,
        text=text,
        data=data,
    )


def _tell_of_conflict(connection: Connection, event: Event, *, device: Device) -> None:
    message = f"Device {device.id} sent id {event.external_id!r} again with another content; both are kept"
    status.open_fault(connection, CONFLICT, f"{device.id} {event.external_id}", message, at=event.received_at)
    raise_by_hub(
        connection,
        AlarmKind.TECHNICAL_FAULT,
        device=device,
        text=message,
        data={"code": CONFLICT, "event": event.id},
        now=event.received_at,
    )


def _stored(external_id: str, event: Event | Said, *, is_known: bool) -> Stored:
    return Stored(
        event_id=event.id,
        external_id=external_id,
        alarm_id=event.alarm_id,
        received_at=event.received_at,
        is_known=is_known,
    )


def _data_of(message: AlarmMessage) -> Mapping[str, Any]:
    data = dict(message.data)
    if known_kind(message.kind) is None:
        data["original_kind"] = message.kind
    if message.unreadable:
        data["unreadable"] = dict(message.unreadable)
    return data


def _fingerprint(message: AlarmMessage) -> str:
    """Over what was said, not over how it was written: blanks and order of members do not matter."""
    return hashlib.sha256(msgspec.json.encode(message, order="sorted")).hexdigest()
