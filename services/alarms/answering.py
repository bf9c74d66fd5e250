"""Somebody acknowledges, comments on or closes an alarm: from MQTT, the command line, later the API.

    acknowledge  ->  timers stop, everyone told hears who is going, the home hears that somebody comes
    close        ->  the case is over; what was still on its way is replaced by that news

Two at the same moment: the second meets the state that the first one wrote and is told who and when.
"""

from dataclasses import dataclass, replace
from datetime import datetime

from devices.messages import ReceiptStatus
from services import audit
from services.access import may_receive, subject_of
from services.alarms import chain, telling
from services.domain.alarm_states import AlarmChange, AlarmState, ImpossibleChangeError, change
from services.domain.alarms import Acknowledgement, Alarm, DeliveryState, Notice, NoticeType
from services.domain.errors import AlreadyAcknowledgedError, NotGrantedError, UnknownError
from services.domain.homes import Organisation
from services.domain.ids import AlarmId, OrganisationId
from services.store import alarms as rows
from services.store import deliveries, registry
from services.store.connection import Connection


@dataclass(frozen=True, slots=True, kw_only=True)
class Actor:
    """Who answers."""

    organisation: Organisation | None
    """None: the operator of the hub itself, on its own machine."""
    person: str

    @property
    def public_name(self) -> str:
        """What a resident is told."""
        return self.organisation.name if self.organisation else "the city's operator"

    @property
    def full_name(self) -> str:
        """What colleagues and the log are told."""
        return f"{self.person} ({self.public_name})" if self.person else self.public_name


def acknowledge(
    connection: Connection, alarm_id: str, *, actor: Actor, note: str = "", now: datetime
) -> Alarm:
    """Say that somebody is dealing with it.

    Raises:
        NotGrantedError: The actor may not know of it, or it does not exist.
        AlreadyAcknowledgedError: Somebody was first; says who and when.
        ImpossibleChangeError: It is closed.
    """
    alarm = _visible(connection, alarm_id, actor=actor, now=now)
    answer = alarm.acknowledgement
    if alarm.state.is_acknowledged and answer is not None:
        raise AlreadyAcknowledgedError(
            alarm.id, by=answer.person, organisation=answer.organisation_name, at=answer.at
        )
    answer = Acknowledgement(
        organisation_id=actor.organisation.id if actor.organisation else None,
        organisation_name=actor.public_name,
        person=actor.person,
        at=now,
    )
    state = change(alarm.id, alarm.state, AlarmChange.ACKNOWLEDGE)
    alarm = replace(alarm, state=state, acknowledgement=answer)
    rows.update(connection, alarm)
    rows.stop_timers(connection, alarm.id)
    if state is AlarmState.CLEARED_ACKNOWLEDGED:
        chain.rest(connection, alarm, now=now)
    _knows(connection, alarm, actor=actor, now=now)
    telling.tell_audience(connection, alarm, _notice(alarm, NoticeType.ACKNOWLEDGED, actor, note, now))
    telling.tell_home(connection, alarm, ReceiptStatus.ACKNOWLEDGED, at=now, by=actor.public_name)
    _log(connection, alarm, "acknowledged", actor=actor, now=now)
    return alarm


def close(connection: Connection, alarm_id: str, *, actor: Actor, note: str = "", now: datetime) -> Alarm:
    """End the case.

    Raises:
        NotGrantedError: The actor may not know of it, or it does not exist.
        ImpossibleChangeError: Nobody has acknowledged it, or it is closed already.
    """
    alarm = _visible(connection, alarm_id, actor=actor, now=now)
    state = change(alarm.id, alarm.state, AlarmChange.CLOSE)
    alarm = replace(alarm, state=state, closed_at=now)
    _knows(connection, alarm, actor=actor, now=now)
    chain.finish(connection, alarm, _notice(alarm, NoticeType.CLOSED, actor, note, now))
    telling.tell_home(connection, alarm, ReceiptStatus.CLOSED, at=now)
    _log(connection, alarm, "closed", actor=actor, now=now)
    return alarm


def comment(connection: Connection, alarm_id: str, *, actor: Actor, note: str, now: datetime) -> Alarm:
    """Tell everyone who knows of it something more.

    Raises:
        NotGrantedError: The actor may not know of it, or it does not exist.
        ImpossibleChangeError: It is closed.
    """
    alarm = _visible(connection, alarm_id, actor=actor, now=now)
    if not alarm.state.is_open:
        raise ImpossibleChangeError(alarm.id, alarm.state, AlarmChange.REPEAT)
    telling.tell_audience(connection, alarm, _notice(alarm, NoticeType.UPDATED, actor, note, now))
    _log(connection, alarm, "commented", actor=actor, now=now)
    return alarm


def confirm(
    connection: Connection, notice_id: str, *, organisation: Organisation, channel: str | None, now: datetime
) -> None:
    """The receiver says that it has a notice; it is not sent to it again.

    Args:
        connection: The store.
        notice_id: The event's id.
        organisation: Who has it.
        channel: Which of its receivers says so, where each has to hear of it; None: for all of them.
        now: The time.

    Raises:
        NotGrantedError: It was never sent to this organisation.
    """
    sent = deliveries.sent_to(connection, organisation.id, notice_id)
    if not sent:
        raise NotGrantedError(organisation.id, "event")
    for delivery in sent:
        if channel in {None, delivery.channel}:
            deliveries.settle(connection, delivery.id, DeliveryState.CONFIRMED, now=now)


def may_know(connection: Connection, alarm: Alarm, *, organisation_id: OrganisationId, now: datetime) -> bool:
    """Whether an organisation is kept told of an alarm and may still know of it at this moment.

    Also what has not reached it yet can be answered: its way there may be broken while another one is not.
    """
    if organisation_id not in deliveries.told(connection, alarm.id):
        return False
    if alarm.escalated_at is not None and organisation_id in registry.cities(connection):
        return True
    grants = registry.grants_of_home(connection, alarm.home_id, alarm.data_class)
    subject = subject_of(alarm)
    return may_receive(organisation_id, subject, at=now, step=alarm.step, grants=grants) is not None


def _visible(connection: Connection, alarm_id: str, *, actor: Actor, now: datetime) -> Alarm:
    """The alarm, when the actor may know of it at this moment."""
    alarm = rows.get(connection, alarm_id)
    if actor.organisation is None:
        if alarm is None:
            raise UnknownError("alarm", alarm_id, mend="see `stadsnav alarm list`")
        return alarm
    if alarm is None or not may_know(connection, alarm, organisation_id=actor.organisation.id, now=now):
        raise NotGrantedError(actor.organisation.id, "alarm")
    return alarm


def _knows(connection: Connection, alarm: Alarm, *, actor: Actor, now: datetime) -> None:
    """Who acts on an alarm has evidently received what was sent about it."""
    if actor.organisation is not None:
        deliveries.confirm_of_alarm(connection, alarm.id, actor.organisation.id, now=now)


def _notice(alarm: Alarm, kind: NoticeType, actor: Actor, note: str, now: datetime) -> Notice:
    return telling.notice_of(alarm, kind, at=now, by=actor.full_name, note=note)


def _log(connection: Connection, alarm: Alarm, action: str, *, actor: Actor, now: datetime) -> None:
    entry = audit.Entry(
        actor=actor.full_name,
        action=action,
        organisation_id=actor.organisation.id if actor.organisation else None,
        home_id=alarm.home_id,
        subject=AlarmId(alarm.id),
    )
    audit.note(connection, entry, at=now)
