"""When a device was last heard, what it said of itself, and what is wrong with the hub."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from devices.kinds import DeviceId
from devices.messages import StatusMessage
from services.domain.ids import new_id
from services.store.connection import Connection, from_micros, optional_time, to_micros


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceStatus:
    """The last that is known of a device."""

    device_id: DeviceId
    last_seen_at: datetime
    battery_percent: float | None
    has_mains: bool | None
    link: str | None
    signal_dbm: float | None
    firmware: str | None


def heard(
    connection: Connection,
    device_id: str,
    message: StatusMessage,
    *,
    at: datetime,
    silent_at: datetime,
) -> bool:
    """Note that a device spoke; what it left out keeps its last value.

    Returns:
        Whether it counted as silent until now.
    """
    row = connection.row(
        """INSERT INTO device_status (device_id, last_seen_at, silent_at, is_silent, battery_percent,
                                      has_mains, link, signal_dbm, firmware)
           VALUES (?, ?, ?, 0, ?, ?, ?, ?, ?)
           ON CONFLICT (device_id) DO UPDATE SET last_seen_at = excluded.last_seen_at,
               silent_at = excluded.silent_at,
               battery_percent = COALESCE(excluded.battery_percent, device_status.battery_percent),
               has_mains = COALESCE(excluded.has_mains, device_status.has_mains),
               link = COALESCE(excluded.link, device_status.link),
               signal_dbm = COALESCE(excluded.signal_dbm, device_status.signal_dbm),
               firmware = COALESCE(excluded.firmware, device_status.firmware)
           RETURNING is_silent""",
        device_id,
        to_micros(at),
        to_micros(silent_at),
        message.battery_percent,
        None if message.has_mains is None else int(message.has_mains),
        message.link,
        message.signal_dbm,
        message.firmware,
    )
    return bool(row and row[0])


def set_silent(connection: Connection, device_id: str, *, is_silent: bool) -> None:
    """Note whether a device counts as silent."""
    connection.run("UPDATE device_status SET is_silent = ? WHERE device_id = ?", int(is_silent), device_id)


def is_missed(connection: Connection, device_id: str) -> bool:
    """Whether a device was never heard, or counts as silent."""
    row = connection.row("SELECT is_silent FROM device_status WHERE device_id = ?", device_id)
    return row is None or bool(row[0])


def of_device(connection: Connection, device_id: str) -> DeviceStatus | None:
    """The last that is known of a device; None when it was never heard."""
    row = connection.row(
        """SELECT device_id, last_seen_at, battery_percent, has_mains, link, signal_dbm, firmware
           FROM device_status WHERE device_id = ?""",
        device_id,
    )
    if row is None:
        return None
    return DeviceStatus(
        device_id=DeviceId(row[0]),
        last_seen_at=from_micros(row[1]),
        battery_percent=row[2],
        has_mains=None if row[3] is None else bool(row[3]),
        link=row[4],
        signal_dbm=row[5],
        firmware=row[6],
    )


def silent(connection: Connection, now: datetime, *, limit: int) -> list[DeviceId]:
    """Devices in service that should have been heard by now, the longest silent first."""
    rows = connection.rows(
        """SELECT s.device_id FROM device_status s JOIN devices d ON d.id = s.device_id
           WHERE s.silent_at <= ? AND d.state = 'in_service' ORDER BY s.silent_at LIMIT ?""",
        to_micros(now),
        limit,
    )
    return [DeviceId(row[0]) for row in rows]


def look_again(connection: Connection, device_id: str, *, at: datetime) -> None:
    """Ask about this device's silence again at ``at``."""
    connection.run("UPDATE device_status SET silent_at = ? WHERE device_id = ?", to_micros(at), device_id)


def shift_silence(connection: Connection, *, by: timedelta) -> None:
    """Give every device this much more time."""
    connection.run("UPDATE device_status SET silent_at = silent_at + ?", by // timedelta(microseconds=1))


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """Something an operator must know of."""

    code: str
    subject: str
    message: str
    opened_at: datetime
    ended_at: datetime | None


def open_fault(connection: Connection, code: str, subject: str, message: str, *, at: datetime) -> bool:
    """Note a fault; False when it is known already."""
    return bool(
        connection.run(
            """INSERT INTO faults (id, code, subject, message, opened_at) VALUES (?, ?, ?, ?, ?)
               ON CONFLICT (code, subject) WHERE ended_at IS NULL DO NOTHING""",
            new_id(),
            code,
            subject,
            message,
            to_micros(at),
        )
    )


def end_fault(connection: Connection, code: str, subject: str, *, at: datetime) -> None:
    """It is well again."""
    connection.run(
        "UPDATE faults SET ended_at = ? WHERE code = ? AND subject = ? AND ended_at IS NULL",
        to_micros(at),
        code,
        subject,
    )


def end_faults(connection: Connection, code: str, *, still: set[str], at: datetime) -> None:
    """End the faults of a code whose subject is well again."""
    rows = connection.rows("SELECT subject FROM faults WHERE code = ? AND ended_at IS NULL", code)
    for (subject,) in rows:
        if subject not in still:
            end_fault(connection, code, subject, at=at)


def end_news(connection: Connection, code: str, *, before: datetime, at: datetime) -> None:
    """End the faults of a code that only tell of something that happened, once they are old."""
    connection.run(
        "UPDATE faults SET ended_at = ? WHERE code = ? AND opened_at < ? AND ended_at IS NULL",
        to_micros(at),
        code,
        to_micros(before),
    )


def open_faults(connection: Connection) -> list[Fault]:
    """The faults of now, oldest first."""
    rows = connection.rows(
        """SELECT code, subject, message, opened_at, ended_at FROM faults
           WHERE ended_at IS NULL ORDER BY opened_at"""
    )
    return [
        Fault(
            code=row[0],
            subject=row[1],
            message=row[2],
            opened_at=from_micros(row[3]),
            ended_at=optional_time(row[4]),
        )
        for row in rows
    ]
