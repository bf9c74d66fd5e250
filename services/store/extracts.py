"""What is kept about a home between two moments, for the people who lived there then."""

import json
from datetime import datetime
from typing import Any, Final

from devices.codecs.rfc3339 import time_text
from services.store.connection import Connection, from_micros, to_micros

_ALARMS: Final = """
    SELECT a.id, a.kind, a.is_test, a.room, a.state, a.raised_at, a.received_at, a.acknowledged_organisation,
           a.acknowledged_at, a.closed_at
    FROM alarms a WHERE a.home_id = ? AND a.received_at >= ? AND a.received_at < ? ORDER BY a.id"""

_EVENTS: Final = """
    SELECT e.id, e.alarm_id, e.kind, e.signal, e.is_test, e.sent_at, e.received_at, e.text, e.data
    FROM events e WHERE e.home_id = ? AND e.received_at >= ? AND e.received_at < ? ORDER BY e.id"""

_TOLD: Final = """
    SELECT d.alarm_id, d.organisation_id, d.channel, d.state, d.first_sent_at
    FROM alarms a JOIN deliveries d ON d.alarm_id = a.id
    WHERE a.home_id = ? AND a.received_at >= ? AND a.received_at < ? AND d.first_sent_at IS NOT NULL
    ORDER BY d.first_sent_at, d.id"""

_GRANTS: Final = """
    SELECT g.id, g.organisation_id, o.name, g.data_class, g.purpose, g.legal_basis, g.valid_from,
           g.valid_until, g.revoked_at
    FROM grants g JOIN organisations o ON o.id = g.organisation_id
    WHERE g.home_id = ? AND g.valid_from < ? AND COALESCE(g.revoked_at, ?) > ?
        AND COALESCE(g.valid_until, ?) > ? ORDER BY g.id"""

_COLUMNS: Final = {
    _ALARMS: "id kind test room state raised_at received_at acknowledged_by acknowledged_at closed_at",
    _EVENTS: "id alarm kind state test sent_at received_at text data",
    _TOLD: "alarm organisation channel state first_sent_at",
    _GRANTS: "id organisation name class purpose basis from until revoked_at",
}
"""The names of the columns; those of times end in ``_at``, or are ``from`` and ``until``."""

Document = dict[str, Any]


def alarms(connection: Connection, home_id: str, since: datetime, until: datetime) -> list[Document]:
    """The alarms that came in from ``since`` up to, not including, ``until``."""
    return _documents(connection, _ALARMS, home_id, to_micros(since), to_micros(until))


def events(connection: Connection, home_id: str, since: datetime, until: datetime) -> list[Document]:
    """What the home's devices said."""
    return _documents(connection, _EVENTS, home_id, to_micros(since), to_micros(until))


def told(connection: Connection, home_id: str, since: datetime, until: datetime) -> list[Document]:
    """Which organisations were told of these alarms, and when first."""
    return _documents(connection, _TOLD, home_id, to_micros(since), to_micros(until))


def grants(connection: Connection, home_id: str, since: datetime, until: datetime) -> list[Document]:
    """The grants that held at some time between."""
    begin, end = to_micros(since), to_micros(until)
    return _documents(connection, _GRANTS, home_id, end, end, begin, end, begin)


def count(connection: Connection, table: str, home_id: str, since: datetime, until: datetime) -> int:
    """How many alarms or events came in between; ``table`` is ours, never input."""
    row = connection.row(
        f"SELECT COUNT(*) FROM {table} WHERE home_id = ? AND received_at >= ? AND received_at < ?",
        home_id,
        to_micros(since),
        to_micros(until),
    )
    return int(row[0]) if row else 0


def _documents(connection: Connection, sql: str, *parameters: object) -> list[Document]:
    names = _COLUMNS[sql].split()
    return [
        {name: _value(name, value) for name, value in zip(names, row, strict=True)}
        for row in connection.rows(sql, *parameters)
    ]


def _value(name: str, value: Any) -> Any:
    if value is not None and (name.endswith("_at") or name in {"from", "until"}):
        return time_text(from_micros(value))
    match name:
        case "test":
            return bool(value)
        case "data":
            return json.loads(value)
        case _:
            return value
