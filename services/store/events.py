"""What homes said, and what could not be read, as rows."""

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from devices.kinds import DeviceId, HomeId
from devices.messages import AlarmSignal
from services.domain.alarms import Event
from services.domain.ids import AlarmId, EventId
from services.store.connection import (
    Connection,
    Row,
    from_micros,
    matching,
    optional_micros,
    optional_time,
    to_micros,
)

EVENT_COLUMNS: Final = (
    "id",
    "alarm_id",
    "home_id",
    "device_id",
    "external_id",
    "fingerprint",
    "kind",
    "signal",
    "is_test",
    "sent_at",
    "received_at",
    "text",
    "data",
    "payload",
    "is_conflict",
)
"""As ``event_of`` takes them."""

_EVENT: Final = f"SELECT {', '.join(EVENT_COLUMNS)} FROM events"


def insert(connection: Connection, event: Event, *, client_id: str) -> None:
    """Insert an event; ``client_id`` is the connection that its receipts go to."""
    connection.run(
        """INSERT INTO events (id, alarm_id, home_id, device_id, client_id, external_id, fingerprint, kind,
                               signal, is_test, sent_at, received_at, text, data, payload, is_conflict)
           VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)""",
        event.id,
        event.alarm_id,
        event.home_id,
        event.device_id,
        client_id,
        event.external_id,
        event.fingerprint,
        event.kind,
        event.signal,
        int(event.is_test),
        optional_micros(event.sent_at),
        to_micros(event.received_at),
        event.text,
        json.dumps(event.data, ensure_ascii=False),
        event.payload,
        int(event.is_conflict),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What is needed of an event to know it again."""

    id: EventId
    fingerprint: str
    alarm_id: AlarmId | None
    received_at: datetime


def said_before(connection: Connection, device_id: str, external_id: str) -> list[Said]:
    """What this device has said under this id: nothing, one event, or several in conflict."""
    rows = connection.rows(
        "SELECT id, fingerprint, alarm_id, received_at FROM events WHERE device_id = ? AND external_id = ?",
        device_id,
        external_id,
    )
    return [
        Said(
            id=EventId(row[0]),
            fingerprint=row[1],
            alarm_id=None if row[2] is None else AlarmId(row[2]),
            received_at=from_micros(row[3]),
        )
        for row in rows
    ]


def get(connection: Connection, event_id: str) -> Event | None:
    """The event with this id of ours."""
    row = connection.row(f"{_EVENT} WHERE id = ?", event_id)
    return event_of(row) if row else None


def events(
    connection: Connection,
    *,
    home_id: str | None = None,
    device_id: str | None = None,
    alarm_id: str | None = None,
    limit: int,
) -> list[Event]:
    """Events, newest first."""
    where, parameters = matching(home_id=home_id, device_id=device_id, alarm_id=alarm_id)
    rows = connection.rows(f"{_EVENT} {where} ORDER BY id DESC LIMIT ?", *parameters, limit)
    return [event_of(row) for row in rows]


def senders(connection: Connection, alarm_id: str, *, limit: int) -> list[tuple[str, DeviceId, str]]:
    """Client, device and home's id of the raising events of an alarm, newest first.

    Events that the hub made itself have no client and are left out.
    """
    rows = connection.rows(
        """SELECT client_id, device_id, external_id FROM events
           WHERE alarm_id = ? AND signal = 'raised' AND client_id <> '' ORDER BY id DESC LIMIT ?""",
        alarm_id,
        limit,
    )
    return [(row[0], DeviceId(row[1]), row[2]) for row in rows]


def last_at(connection: Connection, alarm_id: str) -> datetime:
    """When the newest event of an alarm was received."""
    row = connection.row(
        "SELECT received_at FROM events WHERE alarm_id = ? ORDER BY id DESC LIMIT 1", alarm_id
    )
    assert row is not None  # noqa: S101 - an alarm is written together with its first event
    return from_micros(row[0])


def has_raised_other_kind(connection: Connection, alarm_id: str, kind: str) -> bool:
    """Whether an event of another kind, as written, was raised of an alarm."""
    row = connection.row(
        "SELECT 1 FROM events WHERE alarm_id = ? AND signal = 'raised' AND kind <> ? LIMIT 1", alarm_id, kind
    )
    return row is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class Quarantined:
    """Something that arrived and could not be taken as what it claimed to be; kept as bytes."""

    id: str
    received_at: datetime
    lane: str
    topic: str
    client_id: str
    device_id: str
    home_id: HomeId | None
    external_id: str | None
    reason: str
    payload: bytes


def quarantine(connection: Connection, item: Quarantined) -> None:
    """Keep what could not be taken."""
    connection.run(
        """INSERT INTO quarantine (id, received_at, lane, topic, client_id, device_id, home_id, external_id,
                                   reason, payload)
           VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)""",
        item.id,
        to_micros(item.received_at),
        item.lane,
        item.topic,
        item.client_id,
        item.device_id,
        item.home_id,
        item.external_id,
        item.reason,
        item.payload,
    )


def quarantined_before(connection: Connection, client_id: str, *, back: int) -> datetime | None:
    """When the ``back``-th youngest message of a client was kept; None when there are fewer."""
    row = connection.row(
        "SELECT received_at FROM quarantine WHERE client_id = ? ORDER BY id DESC LIMIT 1 OFFSET ?",
        client_id,
        back - 1,
    )
    return from_micros(row[0]) if row else None


def quarantined(
    connection: Connection, *, home_id: str | None, device_id: str | None, limit: int
) -> list[Quarantined]:
    """What could not be taken, newest first."""
    where, parameters = matching(home_id=home_id, device_id=device_id)
    rows = connection.rows(
        f"""SELECT id, received_at, lane, topic, client_id, device_id, home_id, external_id, reason, payload
            FROM quarantine {where} ORDER BY id DESC LIMIT ?""",
        *parameters,
        limit,
    )
    return [_quarantined(row) for row in rows]


def forget_quarantined(
    connection: Connection, *, home_id: str, client_ids: Collection[str], limit: int
) -> int:
    """Delete what was set aside of a home, or of who sends for it, some at a time; returns how many went."""
    marks = ", ".join("?" * len(client_ids))
    return connection.run(
        f"""DELETE FROM quarantine WHERE id IN (
                SELECT id FROM quarantine WHERE home_id = ? OR client_id IN ({marks}) LIMIT ?)""",
        home_id,
        *client_ids,
        limit,
    )


def count(connection: Connection, *names: str) -> None:
    """Add one to counters that live as long as the data."""
    connection.run(
        f"""INSERT INTO counters (name, value) VALUES {", ".join(["(?, 1)"] * len(names))}
            ON CONFLICT (name) DO UPDATE SET value = counters.value + 1""",
        *names,
    )


def add(connection: Connection, amounts: Mapping[str, int]) -> None:
    """Add to counters that live as long as the data; a zero is passed over."""
    for name, amount in amounts.items():
        if amount:
            connection.run(
                """INSERT INTO counters (name, value) VALUES (?, ?)
                   ON CONFLICT (name) DO UPDATE SET value = counters.value + excluded.value""",
                name,
                amount,
            )


def counter(connection: Connection, name: str) -> int:
    """The value of a counter; 0 when it was never counted."""
    row = connection.row("SELECT value FROM counters WHERE name = ?", name)
    return int(row[0]) if row else 0


def set_counter(connection: Connection, name: str, value: int) -> None:
    """Set a counter that is a mark in time."""
    connection.run(
        "INSERT INTO counters (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = ?",
        name,
        value,
        value,
    )


def counters(connection: Connection) -> dict[str, int]:
    """Every counter."""
    return {row[0]: row[1] for row in connection.rows("SELECT name, value FROM counters ORDER BY name")}


def event_of(row: Row) -> Event:
    """An event from the columns of its table."""
    return Event(
        id=EventId(row[0]),
        alarm_id=None if row[1] is None else AlarmId(row[1]),
        home_id=HomeId(row[2]),
        device_id=DeviceId(row[3]),
        external_id=row[4],
        fingerprint=row[5],
        kind=row[6],
        signal=AlarmSignal(row[7]),
        is_test=bool(row[8]),
        sent_at=optional_time(row[9]),
        received_at=from_micros(row[10]),
        text=row[11],
        data=json.loads(row[12]),
        payload=row[13],
        is_conflict=bool(row[14]),
    )


def _quarantined(row: Row) -> Quarantined:
    return Quarantined(
        id=row[0],
        received_at=from_micros(row[1]),
        lane=row[2],
        topic=row[3],
        client_id=row[4],
        device_id=row[5],
        home_id=None if row[6] is None else HomeId(row[6]),
        external_id=row[7],
        reason=row[8],
        payload=row[9],
    )
