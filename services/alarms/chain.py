"""The response chain of an open alarm, one step further; at its end, the city.

Every open alarm has a next step: a timer is running, or somebody has answered, or the city has been
told. A timer is a row; firing takes the row and does its work in one transaction, so it fires once,
also across a restart.
"""

from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from typing import Final

from devices.kinds import DataClass
from services import routing
from services.access import subject_of
from services.alarms import telling
from services.domain.alarm_states import AlarmChange, AlarmState, change
from services.domain.alarms import Alarm, Notice, NoticeType
from services.domain.ids import AlarmId
from services.routing import ChainStep, Route
from services.store import alarms as rows
from services.store import deliveries, registry, status
from services.store.alarms import TimerKind
from services.store.apart import apart
from services.store.connection import Connection

ASK_AGAIN: Final = timedelta(seconds=60)
"""With nobody in the chain and no city organisation, look for a receiver again this often."""

PUT_AWAY_AFTER: Final = timedelta(hours=24)
"""How long a returned condition of the technique stays on the list before the hub closes it."""

TIMERS_PER_TURN: Final = 200

NOBODY_TO_TELL: Final = "nobody_to_tell"


def next_step(connection: Connection, alarm: Alarm, *, now: datetime) -> ChainStep | None:
    """Who is told next; None at the end of the chain."""
    grants = registry.grants_of_home(connection, alarm.home_id, alarm.data_class)
    return routing.next_step(grants, subject_of(alarm), after=alarm.step, at=now)


def tell(
    connection: Connection, alarm: Alarm, step: ChainStep | None, *, opening: Notice, now: datetime
) -> None:
    """Tell a step of the chain of an alarm, or the city when there is none, and watch for an answer."""
    if step is None:
        _tell_the_city(connection, alarm, now=now)
    else:
        telling.route(connection, opening, step.routes, at=now)
        rows.set_timer(connection, alarm.id, TimerKind.ESCALATE, now + step.within)


def advance(connection: Connection, alarm: Alarm, *, now: datetime) -> None:
    """Go one step further along the chain."""
    step = next_step(connection, alarm, now=now)
    opening = rows.opening_notice(connection, alarm.id)
    assert opening is not None  # noqa: S101 - an alarm is written together with its opening notice
    if step is not None:
        alarm = replace(alarm, step=step.number)
        rows.update(connection, alarm)
        status.end_fault(connection, NOBODY_TO_TELL, alarm.id, at=now)
    tell(connection, alarm, step, opening=opening, now=now)


def watch_again(connection: Connection, alarm: Alarm, *, now: datetime) -> None:
    """Run the reached step's time again: an answer that was given no longer counts.

    Where nobody has answered the time runs on: a cause that comes and goes puts no step off.
    """
    step = next_step(connection, replace(alarm, step=alarm.step - 1), now=now)
    within = step.within if step is not None and step.number == alarm.step else timedelta(0)
    rows.stop_timer(connection, alarm.id, TimerKind.PUT_AWAY)
    rows.start_timer(connection, alarm.id, TimerKind.ESCALATE, now + within)


def rest(connection: Connection, alarm: Alarm, *, now: datetime) -> None:
    """The cause is gone: what the technique said of itself is put away later, by itself.

    A person's alarm goes on through the chain: that its cause is gone is a claim, not an answer.
    """
    if alarm.data_class is DataClass.TECHNICAL:
        rows.stop_timers(connection, alarm.id)
        rows.set_timer(connection, alarm.id, TimerKind.PUT_AWAY, now + PUT_AWAY_AFTER)


def nobody_knows(connection: Connection, alarm: Alarm, *, now: datetime) -> bool:
    """Whether an alarm waits for an answer that nobody may give any more."""
    is_resting = alarm.state is AlarmState.CLEARED and alarm.data_class is DataClass.TECHNICAL
    is_answered = alarm.state.is_acknowledged or not alarm.state.is_open
    if is_answered or is_resting or alarm.escalated_at is not None:
        return False
    told = deliveries.told(connection, alarm.id)
    grants = registry.grants_of_home(connection, alarm.home_id, alarm.data_class)
    routes = routing.audience(told, [], subject_of(alarm), grants=grants, step=alarm.step, at=now)
    return bool(told) and not routes


def hasten(connection: Connection, alarm: Alarm, *, now: datetime) -> None:
    """Tell the next step now: everybody who was told has lost the right to know."""
    if nobody_knows(connection, alarm, now=now):
        rows.set_timer(connection, alarm.id, TimerKind.ESCALATE, now)


def withdraw_answer(connection: Connection, alarm: Alarm, *, now: datetime) -> None:
    """Whoever answered may no longer know of the alarm: the chain goes on at once."""
    state = change(alarm.id, alarm.state, AlarmChange.WITHDRAW)
    alarm = replace(alarm, state=state, acknowledgement=None)
    rows.update(connection, alarm)
    note = "the organisation that answered has no access any more"
    telling.tell_audience(connection, alarm, telling.notice_of(alarm, NoticeType.UPDATED, at=now, note=note))
    rows.set_timer(connection, alarm.id, TimerKind.ESCALATE, now)


def fire_due(connection: Connection, *, now: datetime) -> int:
    """Do what the timers that are due ask for; returns how many there were.

    One that cannot be done is tried again a little later, and keeps no other from its turn.
    """
    due = rows.take_due_timers(connection, now, limit=TIMERS_PER_TURN)
    for alarm_id, kind in due:
        if not apart(connection, "timer", alarm_id, partial(_fire, connection, alarm_id, kind, now=now)):
            rows.set_timer(connection, alarm_id, kind, now + ASK_AGAIN)
    return len(due)


def _fire(connection: Connection, alarm_id: AlarmId, kind: TimerKind, *, now: datetime) -> None:
    alarm = rows.get(connection, alarm_id)
    if alarm is None or not alarm.state.is_open:
        return
    match kind:
        case TimerKind.ESCALATE if not alarm.state.is_acknowledged:
            advance(connection, alarm, now=now)
        case TimerKind.PUT_AWAY if alarm.state is not AlarmState.RAISED:
            _put_away(connection, alarm, now=now)
        case _:  # answered meanwhile; the answer took the timer's reason away
            pass


def _tell_the_city(connection: Connection, alarm: Alarm, *, now: datetime) -> None:
    cities = registry.cities(connection)
    if not cities:
        message = "Nobody may be told of this alarm and there is no city organisation; add a grant or one"
        status.open_fault(connection, NOBODY_TO_TELL, alarm.id, message, at=now)
        rows.set_timer(connection, alarm.id, TimerKind.ESCALATE, now + ASK_AGAIN)
        return
    status.end_fault(connection, NOBODY_TO_TELL, alarm.id, at=now)
    alarm = replace(alarm, escalated_at=now)
    rows.update(connection, alarm)
    notice = telling.notice_of(alarm, NoticeType.ESCALATED, at=now)
    rows.insert_notice(connection, notice)
    routes = tuple(Route(organisation_id=city, grant_id=None, step=alarm.step) for city in cities)
    telling.route(connection, notice, routes, at=now)


def _put_away(connection: Connection, alarm: Alarm, *, now: datetime) -> None:
    state = change(alarm.id, alarm.state, AlarmChange.EXPIRE)
    finish(connection, replace(alarm, state=state, closed_at=now), _closing(alarm, now))


def finish(connection: Connection, alarm: Alarm, notice: Notice) -> None:
    """Write a closed alarm; what was still on its way about it is replaced by the news of the close."""
    rows.update(connection, alarm)
    rows.stop_timers(connection, alarm.id)
    status.end_fault(connection, NOBODY_TO_TELL, alarm.id, at=notice.at)
    deliveries.supersede(connection, alarm.id, now=notice.at)
    telling.tell_audience(connection, alarm, notice)


def _closing(alarm: Alarm, now: datetime) -> Notice:
    return telling.notice_of(alarm, NoticeType.CLOSED, at=now, note="returned by itself")
