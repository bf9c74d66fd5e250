"""Values for the store's contract: each made once, with only what a test is about said out loud."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

from devices.kinds import AlarmKind, DataClass, DeviceId, HomeId
from devices.messages import AlarmSignal
from services.domain.alarm_states import AlarmState
from services.domain.alarms import Alarm, Delivery, DeliveryState, Event, Notice, NoticeType
from services.domain.homes import Device, DeviceState, Grant, Home, Organisation, OrganisationKind, Position
from services.domain.ids import (
    AlarmId,
    DeliveryId,
    EventId,
    GrantId,
    NoticeId,
    OrganisationId,
    PositionId,
    new_id,
)
from services.store import alarms, deliveries, events, registry
from services.store.connection import Connection
from tests.support.clock import START

HOME = Home(id=HomeId("h-1"), address="Storgatan 1", co_id="co", access_id="0001", node="n-3")
POSITION = Position(id=PositionId("position-1"), home_id=HOME.id, name="safety alarm")
DEVICE = Device(
    id=DeviceId("p-1"),
    home_id=HOME.id,
    position_id=POSITION.id,
    position=POSITION.name,
    profile="safety-alarm",
    state=DeviceState.IN_SERVICE,
)
ACME = Organisation(id=OrganisationId("acme"), name="Acme Omsorg AB", kind=OrganisationKind.CARE)
BETA = Organisation(id=OrganisationId("beta"), name="Beta Larm AB", kind=OrganisationKind.ALARM_CENTRE)


def grant_of(organisation: Organisation = ACME, **changed: Any) -> Grant:
    """A grant of ``HOME``, class safety, step 1, without end."""
    grant = Grant(
        id=GrantId(new_id()),
        organisation_id=organisation.id,
        home_id=HOME.id,
        position_id=None,
        data_class=DataClass.SAFETY,
        purpose="answers alarms",
        legal_basis="contract",
        valid_from=START,
        valid_until=None,
        step=1,
        within=timedelta(seconds=60),
    )
    return replace(grant, **changed)


def alarm_of(device: Device = DEVICE, **changed: Any) -> Alarm:
    """A raised alarm, ``safety.manual``, received at ``START``."""
    alarm = Alarm(
        id=AlarmId(new_id()),
        home_id=device.home_id,
        position_id=device.position_id,
        device_id=device.id,
        kind=AlarmKind.SAFETY_MANUAL,
        is_test=False,
        priority=8,
        room="bathroom",
        voice=("sip:4711@example.org",),
        state=AlarmState.RAISED,
        raised_at=START,
        received_at=START,
        step=1,
    )
    return replace(alarm, **changed)


def event_of(alarm: Alarm | None = None, **changed: Any) -> Event:
    """An event of ``DEVICE``, by default without an alarm."""
    event = Event(
        id=EventId(new_id()),
        alarm_id=alarm.id if alarm else None,
        home_id=HOME.id,
        device_id=DEVICE.id,
        external_id=f"e-{new_id()}",
        fingerprint="f1",
        kind="safety.manual",
        signal=AlarmSignal.RAISED,
        is_test=False,
        sent_at=None,
        received_at=START,
        text="hjälp",
        data={"grip": 3},
        payload=b"\x00\xff{",
    )
    return replace(event, **changed)


def notice_of(alarm: Alarm, **changed: Any) -> Notice:
    """A notice that an alarm was raised."""
    notice = Notice(id=NoticeId(new_id()), alarm_id=alarm.id, event_id=None, type=NoticeType.RAISED, at=START)
    return replace(notice, **changed)


def delivery_of(notice: Notice, organisation: Organisation = ACME, **changed: Any) -> Delivery:
    """A fresh delivery of a notice, due at ``START``."""
    delivery = Delivery(
        id=DeliveryId(new_id()),
        notice_id=notice.id,
        alarm_id=notice.alarm_id,
        organisation_id=organisation.id,
        channel="mqtt",
        grant_id=None,
        step=1,
        state=DeliveryState.PENDING,
        sequence=None,
        attempts=0,
        hurry=3,
        next_attempt_at=START,
    )
    return replace(delivery, **changed)


def settle(connection: Connection) -> None:
    """Write what the other rows hang on: home, position, device and two organisations."""
    registry.add_home(connection, HOME)
    registry.add_position(connection, POSITION)
    registry.add_device(connection, DEVICE)
    registry.add_organisation(connection, ACME)
    registry.add_organisation(connection, BETA)


def add_alarm(connection: Connection, **changed: Any) -> Alarm:
    """Insert an alarm."""
    alarm = alarm_of(**changed)
    alarms.insert(connection, alarm)
    return alarm


def add_event(
    connection: Connection, alarm: Alarm | None = None, *, client_id: str = "p-1", **changed: Any
) -> Event:
    """Insert an event."""
    event = event_of(alarm, **changed)
    events.insert(connection, event, client_id=client_id)
    return event


def add_notice(connection: Connection, alarm: Alarm, **changed: Any) -> Notice:
    """Insert a notice."""
    notice = notice_of(alarm, **changed)
    alarms.insert_notice(connection, notice)
    return notice


def add_delivery(
    connection: Connection, notice: Notice, organisation: Organisation = ACME, **changed: Any
) -> Delivery:
    """Insert a delivery, made at ``START``."""
    delivery = delivery_of(notice, organisation, **changed)
    deliveries.insert(connection, delivery, at=START)
    return delivery
