"""Foreign devices that nobody has adopted yet, as rows."""

from dataclasses import dataclass
from datetime import datetime

from services.store.connection import Connection, from_micros, matching, to_micros


@dataclass(frozen=True, slots=True, kw_only=True)
class UnknownDevice:
    """Something that an integration speaks for and that is registered nowhere."""

    integration_id: str
    external_id: str
    """What the foreign system calls it."""
    model: str
    first_seen_at: datetime
    last_seen_at: datetime
    messages: int
    example: str
    """What it last said, as JSON text."""


def seen(
    connection: Connection,
    *,
    integration_id: str,
    external_id: str,
    model: str,
    example: str,
    messages: int,
    at: datetime,
) -> None:
    """Note that an unknown device has spoken."""
    connection.run(
        """INSERT INTO unknown_devices (integration_id, external_id, model, first_seen_at, last_seen_at,
                                        messages, example)
           VALUES (?, ?, ?, ?, ?, ?, ?)
           ON CONFLICT (integration_id, external_id) DO UPDATE SET last_seen_at = excluded.last_seen_at,
               messages = unknown_devices.messages + excluded.messages, example = excluded.example,
               model = CASE WHEN excluded.model = '' THEN unknown_devices.model ELSE excluded.model END""",
        integration_id,
        external_id,
        model,
        to_micros(at),
        to_micros(at),
        messages,
        example,
    )


def unknown_devices(connection: Connection, *, integration_id: str | None, limit: int) -> list[UnknownDevice]:
    """Unknown devices, the one heard last first."""
    where, parameters = matching(integration_id=integration_id)
    rows = connection.rows(
        f"""SELECT integration_id, external_id, model, first_seen_at, last_seen_at, messages, example
            FROM unknown_devices {where} ORDER BY last_seen_at DESC, integration_id, external_id LIMIT ?""",
        *parameters,
        limit,
    )
    return [
        UnknownDevice(
            integration_id=row[0],
            external_id=row[1],
            model=row[2],
            first_seen_at=from_micros(row[3]),
            last_seen_at=from_micros(row[4]),
            messages=row[5],
            example=row[6],
        )
        for row in rows
    ]


def count(connection: Connection, integration_id: str) -> int:
    """How many of an integration are on the list."""
    row = connection.row("SELECT COUNT(*) FROM unknown_devices WHERE integration_id = ?", integration_id)
    return int(row[0]) if row else 0


def forget(connection: Connection, integration_id: str, external_id: str | None = None) -> None:
    """Take one off the list, or all of an integration."""
    where, parameters = matching(integration_id=integration_id, external_id=external_id)
    connection.run(f"DELETE FROM unknown_devices {where}", *parameters)
