"""Alarms, their notices and their timers as rows."""

import json
from datetime import datetime
from enum import StrEnum
from typing import Final

from devices.kinds import AlarmKind, DeviceId, HomeId
from services.domain.alarm_states import AlarmState
from services.domain.alarms import Acknowledgement, Alarm, Notice, NoticeType
from services.domain.ids import AlarmId, EventId, NoticeId, OrganisationId, PositionId
from services.store.connection import (
    Connection,
    Row,
    from_micros,
    matching,
    optional_micros,
    optional_time,
    to_micros,
)

_ALARM: Final = """
    SELECT a.id, a.home_id, a.position_id, a.device_id, a.kind, a.is_test, a.priority, a.room, a.voice,
           a.state, a.raised_at, a.received_at, a.step, a.acknowledged_organisation, o.name,
           a.acknowledged_by, a.acknowledged_at, a.escalated_at, a.closed_at
    FROM alarms a LEFT JOIN organisations o ON o.id = a.acknowledged_organisation"""


_OPEN: Final = "a.state <> 'closed'"
_TOLD: Final = """EXISTS (SELECT 1 FROM deliveries d WHERE d.alarm_id = a.id
                  AND d.organisation_id = ? AND d.sequence IS NOT NULL)"""


class TimerKind(StrEnum):
    """What happens when a timer is due."""

    ESCALATE = "escalate"
    """The next step of the response chain is told, after the last one the city."""
    PUT_AWAY = "put_away"
    """A returned condition of the technique is closed by the hub."""


def insert(connection: Connection, alarm: Alarm) -> None:
    """Insert a new alarm."""
    connection.run(
        """INSERT INTO alarms (id, home_id, position_id, device_id, kind, is_test, priority, room, voice,
                               state, raised_at, received_at, step)
           VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)""",
        alarm.id,
        alarm.home_id,
        alarm.position_id,
        alarm.device_id,
        alarm.kind,
        int(alarm.is_test),
        alarm.priority,
        alarm.room,
        json.dumps(alarm.voice),
        alarm.state,
        to_micros(alarm.raised_at),
        to_micros(alarm.received_at),
        alarm.step,
    )


def update(connection: Connection, alarm: Alarm) -> None:
    """Write what can change in an alarm's life."""
    answer = alarm.acknowledgement
    connection.run(
        """UPDATE alarms SET state = ?, step = ?, priority = ?, acknowledged_organisation = ?,
               acknowledged_by = ?, acknowledged_at = ?, escalated_at = ?, closed_at = ? WHERE id = ?""",
        alarm.state,
        alarm.step,
        alarm.priority,
        answer.organisation_id if answer else None,
        answer.person if answer else None,
        to_micros(answer.at) if answer else None,
        optional_micros(alarm.escalated_at),
        optional_micros(alarm.closed_at),
        alarm.id,
    )


def get(connection: Connection, alarm_id: str) -> Alarm | None:
    """The alarm with this id."""
    row = connection.row(f"{_ALARM} WHERE a.id = ?", alarm_id)
    return _alarm(row) if row else None


def open_alarm(connection: Connection, position_id: str, kind: AlarmKind, *, is_test: bool) -> Alarm | None:
    """The one open alarm of a position and kind, if there is one."""
    row = connection.row(
        f"{_ALARM} WHERE a.position_id = ? AND a.kind = ? AND a.is_test = ? AND a.state <> 'closed'",
        position_id,
        kind,
        int(is_test),
    )
    return _alarm(row) if row else None


def alarms(
    connection: Connection,
    *,
    home_id: str | None,
    device_id: str | None,
    organisation_id: str | None,
    is_test: bool | None = None,
    only_open: bool = False,
    limit: int,
) -> list[Alarm]:
    """Alarms, newest first; of one organisation: those it was told of."""
    where, parameters = matching(
        a__home_id=home_id, a__device_id=device_id, a__is_test=None if is_test is None else int(is_test)
    )
    further = [_OPEN] if only_open else []
    if organisation_id is not None:
        further.append(_TOLD)
        parameters.append(organisation_id)
    for condition in further:
        where += f" {'AND' if where else 'WHERE'} {condition}"
    rows = connection.rows(f"{_ALARM} {where} ORDER BY a.id DESC LIMIT ?", *parameters, limit)
    return [_alarm(row) for row in rows]


def answered(connection: Connection) -> list[Alarm]:
    """Every open alarm that somebody has answered, oldest first."""
    rows = connection.rows(
        f"""{_ALARM} WHERE a.state <> 'closed' AND a.state IN ('acknowledged', 'cleared_acknowledged')
            ORDER BY a.id"""
    )
    return [_alarm(row) for row in rows]


def unanswered(connection: Connection) -> list[Alarm]:
    """Every open alarm that nobody has answered and the city was not told of, oldest first."""
    rows = connection.rows(
        f"""{_ALARM} WHERE a.state <> 'closed' AND a.state IN ('raised', 'cleared')
              AND a.escalated_at IS NULL ORDER BY a.id"""
    )
    return [_alarm(row) for row in rows]


def unheard_by_city(connection: Connection, told_before: datetime) -> list[AlarmId]:
    """Unanswered alarms that the city was told of before a time and has not confirmed."""
    rows = connection.rows(
        """SELECT DISTINCT a.id FROM alarms a
             JOIN notices n ON n.alarm_id = a.id AND n.type = 'escalated'
             JOIN deliveries d ON d.notice_id = n.id AND d.state IN ('pending', 'sent')
           WHERE a.state <> 'closed' AND a.state IN ('raised', 'cleared') AND d.created_at < ?""",
        to_micros(told_before),
    )
    return [AlarmId(row[0]) for row in rows]


def insert_notice(connection: Connection, notice: Notice) -> None:
    """Insert something to tell."""
    connection.run(
        "INSERT INTO notices (id, alarm_id, event_id, type, at, by_whom, note) VALUES (?, ?, ?, ?, ?, ?, ?)",
        notice.id,
        notice.alarm_id,
        notice.event_id,
        notice.type,
        to_micros(notice.at),
        notice.by,
        notice.note,
    )


def notice(connection: Connection, notice_id: str) -> Notice | None:
    """The notice with this id."""
    row = connection.row(
        "SELECT id, alarm_id, event_id, type, at, by_whom, note FROM notices WHERE id = ?", notice_id
    )
    return notice_of(row) if row else None


def notices(connection: Connection, alarm_id: str) -> list[Notice]:
    """What was told of an alarm, oldest first."""
    rows = connection.rows(
        """SELECT id, alarm_id, event_id, type, at, by_whom, note FROM notices
           WHERE alarm_id = ? ORDER BY id""",
        alarm_id,
    )
    return [notice_of(row) for row in rows]


def notice_before(connection: Connection, alarm_id: str, *, back: int) -> datetime | None:
    """When the notice was written that has ``back`` younger ones of its alarm; None when there are fewer."""
    row = connection.row(
        "SELECT at FROM notices WHERE alarm_id = ? ORDER BY id DESC LIMIT 1 OFFSET ?", alarm_id, back
    )
    return from_micros(row[0]) if row else None


def opening_notice(connection: Connection, alarm_id: str) -> Notice | None:
    """The first notice of an alarm: what a later step of the chain is told."""
    row = connection.row(
        """SELECT id, alarm_id, event_id, type, at, by_whom, note FROM notices
           WHERE alarm_id = ? AND type = 'raised' ORDER BY id LIMIT 1""",
        alarm_id,
    )
    return notice_of(row) if row else None


def set_timer(connection: Connection, alarm_id: str, kind: TimerKind, due_at: datetime) -> None:
    """Set or move a timer. It fires once, also after a restart."""
    connection.run(
        """INSERT INTO timers (alarm_id, kind, due_at) VALUES (?, ?, ?)
           ON CONFLICT (alarm_id, kind) DO UPDATE SET due_at = excluded.due_at""",
        alarm_id,
        kind,
        to_micros(due_at),
    )


def start_timer(connection: Connection, alarm_id: str, kind: TimerKind, due_at: datetime) -> None:
    """Set a timer unless it is running."""
    connection.run(
        """INSERT INTO timers (alarm_id, kind, due_at) VALUES (?, ?, ?)
           ON CONFLICT (alarm_id, kind) DO NOTHING""",
        alarm_id,
        kind,
        to_micros(due_at),
    )


def stop_timer(connection: Connection, alarm_id: str, kind: TimerKind) -> None:
    """Take away one timer of an alarm."""
    connection.run("DELETE FROM timers WHERE alarm_id = ? AND kind = ?", alarm_id, kind)


def stop_timers(connection: Connection, alarm_id: str) -> None:
    """Take away every timer of an alarm."""
    connection.run("DELETE FROM timers WHERE alarm_id = ?", alarm_id)


def next_timer_at(connection: Connection) -> datetime | None:
    """When the next timer is due."""
    row = connection.row("SELECT MIN(due_at) FROM timers")
    return optional_time(row[0]) if row else None


def take_due_timers(connection: Connection, now: datetime, *, limit: int) -> list[tuple[AlarmId, TimerKind]]:
    """Remove and return the timers that are due, most overdue first; firing is the caller's, at once."""
    rows = connection.rows(
        "SELECT alarm_id, kind FROM timers WHERE due_at <= ? ORDER BY due_at LIMIT ?", to_micros(now), limit
    )
    for alarm_id, kind in rows:
        stop_timer(connection, alarm_id, kind)
    return [(AlarmId(row[0]), TimerKind(row[1])) for row in rows]


def timers(connection: Connection) -> list[tuple[AlarmId, TimerKind, datetime]]:
    """Every timer that is running, the next one first."""
    rows = connection.rows("SELECT alarm_id, kind, due_at FROM timers ORDER BY due_at")
    return [(AlarmId(row[0]), TimerKind(row[1]), from_micros(row[2])) for row in rows]


def without_next_step(connection: Connection) -> list[AlarmId]:
    """Open alarms that nobody has answered, no timer watches, and the city was not told of."""
    rows = connection.rows(
        """SELECT a.id FROM alarms a WHERE a.state <> 'closed' AND a.state IN ('raised', 'cleared')
             AND a.escalated_at IS NULL
             AND NOT EXISTS (SELECT 1 FROM timers t WHERE t.alarm_id = a.id)"""
    )
    return [AlarmId(row[0]) for row in rows]


def with_late_timer(connection: Connection, due_before: datetime) -> list[AlarmId]:
    """Alarms whose timer was due before a time and is still there."""
    rows = connection.rows("SELECT DISTINCT alarm_id FROM timers WHERE due_at < ?", to_micros(due_before))
    return [AlarmId(row[0]) for row in rows]


def notice_of(row: Row) -> Notice:
    """A notice from its seven columns."""
    return Notice(
        id=NoticeId(row[0]),
        alarm_id=AlarmId(row[1]),
        event_id=None if row[2] is None else EventId(row[2]),
        type=NoticeType(row[3]),
        at=from_micros(row[4]),
        by=row[5],
        note=row[6],
    )


def _alarm(row: Row) -> Alarm:
    return Alarm(
        id=AlarmId(row[0]),
        home_id=HomeId(row[1]),
        position_id=PositionId(row[2]),
        device_id=DeviceId(row[3]),
        kind=AlarmKind(row[4]),
        is_test=bool(row[5]),
        priority=row[6],
        room=row[7],
        voice=tuple(json.loads(row[8])),
        state=AlarmState(row[9]),
        raised_at=from_micros(row[10]),
        received_at=from_micros(row[11]),
        step=row[12],
        acknowledgement=_acknowledgement(row[13:17]),
        escalated_at=optional_time(row[17]),
        closed_at=optional_time(row[18]),
    )


def _acknowledgement(row: Row) -> Acknowledgement | None:
    if row[3] is None:
        return None
    return Acknowledgement(
        organisation_id=None if row[0] is None else OrganisationId(row[0]),
        organisation_name=row[1] or "",
        person=row[2],
        at=from_micros(row[3]),
    )
