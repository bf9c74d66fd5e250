"""Alarms, what homes said and who was told, as lists for somebody: in scope, filtered, by indices.

    one home, one device, one alarm    its rows
    open alarms                        the few that are open
    anything else                      the newest, a bounded number of them judged one by one

A page may be short although there is more: ``following`` says whether.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Generic, TypeVar

from devices.kinds import DataClass
from services.domain.alarm_states import AlarmState
from services.domain.alarms import Event
from services.domain.ids import AlarmId
from services.scopes import Scope
from services.store import overview
from services.store.connection import Connection, Row, from_micros, to_micros
from services.store.events import EVENT_COLUMNS, event_of
from services.store.overview import DeliveryRecord
from services.store.scoping import (
    BEHIND_ALL,
    JUDGED_AT_ONCE,
    AlarmIds,
    Clause,
    alarm_ids,
    alarms_in,
    few_homes,
)

OPEN: Final = "open"
"""Any state but closed."""

_LATE: Final = timedelta(minutes=1)
"""Ids sort by when they were made, which may be a little after what they stand for was received."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class AlarmFilter:
    """Which alarms; None: whichever."""

    home_id: str | None = None
    device_id: str | None = None
    state: str | None = None
    """An ``AlarmState``, or ``OPEN``."""
    data_class: DataClass | None = None
    since: datetime | None = None
    """Received then or later."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed(Generic[T]):
    """Some rows, the newest first."""

    rows: list[T]
    following: str | None
    """``before`` of the next page; None: there is none."""


def is_in_scope(connection: Connection, scope: Scope, alarm_id: str) -> bool:
    """Whether somebody may know of an alarm."""
    clause, parameters = alarms_in(scope)
    return (
        connection.row(f"SELECT 1 FROM alarms a WHERE a.id = ? AND {clause}", alarm_id, *parameters)
        is not None
    )


def alarms(
    connection: Connection, scope: Scope, wanted: AlarmFilter, *, before: str = BEHIND_ALL, limit: int
) -> AlarmIds:
    """The alarms that somebody may know of, the newest first."""
    home_id = wanted.home_id or _home_of(connection, wanted.device_id)
    if wanted.device_id is not None and home_id is None:
        return AlarmIds(ids=[], following=None)
    further = _further(wanted)
    if home_id is not None:
        further = _both(("a.home_id = ?", [home_id]), further)
        return _by_index(connection, "alarms a", _both(alarms_in(scope), further), before=before, limit=limit)
    if wanted.state is not None and wanted.state != AlarmState.CLOSED:
        index = "alarms a INDEXED BY open_alarms"
        clause = _both(("a.state <> 'closed'", []), alarms_in(scope), further)
        return _by_index(connection, index, clause, before=before, limit=limit)
    found = alarm_ids(connection, scope, further=further, before=before, limit=limit)
    if found.following is not None and _is_before(connection, found.following, wanted.since):
        return AlarmIds(ids=found.ids, following=None)
    return found


def events(
    connection: Connection,
    scope: Scope,
    *,
    home_id: str | None = None,
    device_id: str | None = None,
    alarm_id: str | None = None,
    before: str = BEHIND_ALL,
    limit: int,
) -> Listed[Event]:
    """What homes said of the alarms that somebody may know of, the newest first."""
    home_id = home_id or _home_of(connection, device_id)
    if device_id is not None and home_id is None:
        return Listed(rows=[], following=None)
    asked = _equal({"e.home_id": home_id, "e.device_id": device_id, "e.alarm_id": alarm_id})
    homes = None if asked[1] else few_homes(connection, scope)
    if homes is not None:
        of_each = [("e.home_id = ?", [one]) for one in homes]
        found = [row for one in of_each for row in _events(connection, scope, one, before, limit)]
        rows = sorted(found, key=lambda row: str(row[0]), reverse=True)[: limit + 1]
        return Listed(rows=[event_of(row) for row in rows[:limit]], following=_following(rows, limit, ""))
    floor = "" if asked[1] else _floor(connection, "events", before)
    rows = _events(connection, scope, _both(("e.id >= ?", [floor]), asked), before, limit)
    return Listed(rows=[event_of(row) for row in rows[:limit]], following=_following(rows, limit, floor))


def _events(connection: Connection, scope: Scope, which: Clause, before: str, limit: int) -> list[Row]:
    """One more than a page, so that whoever asks sees whether there is more."""
    clause, parameters = _both(("e.id < ?", [before]), which, alarms_in(scope))
    columns = ", ".join(f"e.{column}" for column in EVENT_COLUMNS)
    return connection.rows(
        f"""SELECT {columns} FROM events e JOIN alarms a ON a.id = e.alarm_id WHERE {clause}
            ORDER BY e.id DESC LIMIT ?""",
        *parameters,
        limit + 1,
    )


def event(connection: Connection, scope: Scope, event_id: str) -> Event | None:
    """One thing that a home said, if somebody may know of its alarm."""
    clause, parameters = alarms_in(scope)
    columns = ", ".join(f"e.{column}" for column in EVENT_COLUMNS)
    row = connection.row(
        f"SELECT {columns} FROM events e JOIN alarms a ON a.id = e.alarm_id WHERE e.id = ? AND {clause}",
        event_id,
        *parameters,
    )
    return event_of(row) if row else None


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryFilter:
    """Which deliveries; None: whichever."""

    organisation_id: str | None = None
    home_id: str | None = None
    alarm_id: str | None = None
    notice_id: str | None = None
    channel: str | None = None
    states: Sequence[str] = ()
    """Any of these; none: whichever."""


def deliveries(
    connection: Connection, scope: Scope, wanted: DeliveryFilter, *, before: str = BEHIND_ALL, limit: int
) -> Listed[DeliveryRecord]:
    """Who was told what of the alarms that somebody may know of, the newest first.

    Only those who see the whole see what others were told.
    """
    asked = _equal(
        {
            "d.organisation_id": wanted.organisation_id,
            "a.home_id": wanted.home_id,
            "d.alarm_id": wanted.alarm_id,
            "d.notice_id": wanted.notice_id,
            "d.channel": wanted.channel,
        }
    )
    is_narrow = wanted.home_id or wanted.alarm_id or wanted.notice_id
    floor = "" if is_narrow else _floor(connection, "deliveries", before)
    marks = ", ".join("?" * len(wanted.states))
    states: Clause = (f"d.state IN ({marks})", list(wanted.states)) if wanted.states else ("1 = 1", [])
    where = _both(
        ("d.id < ? AND d.id >= ?", [before, floor]), asked, states, _theirs(scope), alarms_in(scope)
    )
    rows = overview.deliveries_where(connection, where, limit=limit + 1)
    ids = [(row.id,) for row in rows]
    return Listed(rows=rows[:limit], following=_following(ids, limit, floor))


def delivery(connection: Connection, scope: Scope, delivery_id: str) -> DeliveryRecord | None:
    """One delivery, if somebody may know of its alarm and of its receiver."""
    where = _both(("d.id = ?", [delivery_id]), _theirs(scope), alarms_in(scope))
    found = overview.deliveries_where(connection, where, limit=1)
    return found[0] if found else None


def _theirs(scope: Scope) -> Clause:
    return ("1 = 1", []) if scope.is_whole else ("d.organisation_id = ?", [scope.organisation_id])


def _by_index(connection: Connection, source: str, where: Clause, *, before: str, limit: int) -> AlarmIds:
    rows = connection.rows(
        f"SELECT a.id FROM {source} WHERE a.id < ? AND {where[0]} ORDER BY a.id DESC LIMIT ?",
        before,
        *where[1],
        limit + 1,
    )
    ids = [AlarmId(row[0]) for row in rows[:limit]]
    return AlarmIds(ids=ids, following=ids[-1] if len(rows) > limit else None)


def _further(wanted: AlarmFilter) -> Clause:
    clauses = [_equal({"a.device_id": wanted.device_id})]
    if wanted.state == OPEN:
        clauses.append(("a.state <> 'closed'", []))
    elif wanted.state is not None:
        clauses.append(("a.state = ?", [wanted.state]))
    if wanted.data_class is not None:
        clauses.append(("a.kind LIKE ?", [f"{wanted.data_class}.%"]))
    if wanted.since is not None:
        clauses.append(("a.received_at >= ?", [to_micros(wanted.since)]))
    return _both(*clauses)


def _equal(columns: dict[str, str | None]) -> Clause:
    asked = {name: value for name, value in columns.items() if value is not None}
    return " AND ".join(f"{name} = ?" for name in asked) or "1 = 1", list(asked.values())


def _both(*clauses: Clause) -> Clause:
    return " AND ".join(f"({sql})" for sql, _ in clauses), [one for _, more in clauses for one in more]


def _home_of(connection: Connection, device_id: str | None) -> str | None:
    row = connection.row("SELECT home_id FROM devices WHERE id = ?", device_id) if device_id else None
    return str(row[0]) if row else None


def _is_before(connection: Connection, alarm_id: str, since: datetime | None) -> bool:
    """Whether everything behind an alarm was received before a time."""
    row = connection.row("SELECT received_at FROM alarms WHERE id = ?", alarm_id)
    return row is not None and since is not None and from_micros(row[0]) < since - _LATE


def _floor(connection: Connection, table: str, before: str) -> str:
    """How far back one page looks."""
    row = connection.row(
        f"SELECT id FROM {table} WHERE id < ? ORDER BY id DESC LIMIT 1 OFFSET ?", before, JUDGED_AT_ONCE - 1
    )
    return str(row[0]) if row else ""


def _following(rows: Sequence[Row], limit: int, floor: str) -> str | None:
    return str(rows[limit - 1][0]) if len(rows) > limit else floor or None
