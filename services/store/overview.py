"""What people look at: lists and counts, joined for reading. The way of an alarm never waits for these."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from devices.kinds import DataClass, HomeId
from services.domain.alarms import DeliveryState, NoticeType
from services.store.connection import Connection, Row, matching, optional_time, to_micros

_UNSETTLED: Final = "state IN ('pending', 'sent')"


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryRecord:
    """One delivery with what it was about and how it went."""

    id: str
    notice_id: str
    """The CloudEvents id."""
    type: NoticeType
    alarm_id: str
    home_id: HomeId
    organisation_id: str
    channel: str
    grant_id: str | None
    step: int
    state: DeliveryState
    sequence: int | None
    attempts: int
    first_sent_at: datetime | None
    settled_at: datetime | None
    reason: str


def deliveries(
    connection: Connection,
    *,
    organisation_id: str | None = None,
    home_id: str | None = None,
    device_id: str | None = None,
    alarm_id: str | None = None,
    state: DeliveryState | None = None,
    limit: int,
) -> list[DeliveryRecord]:
    """Deliveries, newest first."""
    where, parameters = matching(
        d__organisation_id=organisation_id,
        a__home_id=home_id,
        a__device_id=device_id,
        d__alarm_id=alarm_id,
        d__state=state,
    )
    return deliveries_where(connection, (where.removeprefix("WHERE ") or "1 = 1", parameters), limit=limit)


def deliveries_where(
    connection: Connection, condition: tuple[str, list[Any]], *, limit: int
) -> list[DeliveryRecord]:
    """Deliveries ``d`` of alarms ``a`` for which a condition holds, newest first."""
    where, parameters = condition
    rows = connection.rows(
        f"""SELECT d.id, d.notice_id, n.type, d.alarm_id, a.home_id, d.organisation_id, d.channel, d.grant_id,
                   d.step, d.state, d.sequence, d.attempts, d.first_sent_at, d.settled_at, d.reason
            FROM deliveries d JOIN alarms a ON a.id = d.alarm_id JOIN notices n ON n.id = d.notice_id
            WHERE {where} ORDER BY d.id DESC LIMIT ?""",
        *parameters,
        limit,
    )
    return [_delivery(row) for row in rows]


def waiting_deliveries(connection: Connection, *, since: datetime) -> int:
    """How many were sent before a time and not confirmed, or were due before it and not sent.

    The live stream apart: whoever listens need not confirm.
    """
    row = connection.row(
        f"""SELECT COUNT(*) FROM deliveries
            WHERE {_UNSETTLED} AND channel <> 'stream' AND COALESCE(first_sent_at, next_attempt_at) < ?""",
        to_micros(since),
    )
    return int(row[0]) if row else 0


def unanswered_alarms(connection: Connection) -> tuple[int, datetime | None]:
    """How many open alarms nobody has answered, and since when the oldest of them waits."""
    row = connection.row(
        """SELECT COUNT(*), MIN(received_at) FROM alarms
           WHERE state <> 'closed' AND state IN ('raised', 'cleared')"""
    )
    return (int(row[0]), optional_time(row[1])) if row else (0, None)


def quarantined(connection: Connection, *, since: datetime) -> int:
    """How many messages could not be taken since a time."""
    row = connection.row("SELECT COUNT(*) FROM quarantine WHERE received_at >= ?", to_micros(since))
    return int(row[0]) if row else 0


def homes_without_grant(connection: Connection, data_class: DataClass, *, at: datetime) -> list[HomeId]:
    """Homes with a device in service about which no organisation may know facts of a class, by id."""
    rows = connection.rows(
        """SELECT DISTINCT d.home_id FROM devices d WHERE d.state = 'in_service' AND NOT EXISTS (
               SELECT 1 FROM grants g WHERE g.home_id = d.home_id AND g.data_class = ?
               AND g.revoked_at IS NULL AND g.valid_from <= ?
               AND (g.valid_until IS NULL OR g.valid_until > ?))
           ORDER BY d.home_id""",
        data_class,
        to_micros(at),
        to_micros(at),
    )
    return [HomeId(row[0]) for row in rows]


def _delivery(row: Row) -> DeliveryRecord:
    return DeliveryRecord(
        id=row[0],
        notice_id=row[1],
        type=NoticeType(row[2]),
        alarm_id=row[3],
        home_id=HomeId(row[4]),
        organisation_id=row[5],
        channel=row[6],
        grant_id=row[7],
        step=row[8],
        state=DeliveryState(row[9]),
        sequence=row[10],
        attempts=row[11],
        first_sent_at=optional_time(row[12]),
        settled_at=optional_time(row[13]),
        reason=row[14],
    )
