"""What monitoring counts: cheap looks, each bounded, by whoever does not carry alarms.

What is open now is found by the partial indices that the alarm path keeps anyway. What has ended is not
counted over and over: ``new_deliveries`` and ``new_alarms`` go on from an id, which sorts by its making.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from devices.kinds import AlarmKind
from services.domain.alarm_states import AlarmState
from services.domain.alarms import DeliveryState
from services.store.connection import Connection, Row, from_micros, optional_time, to_micros

_UNANSWERED = "state <> 'closed' AND state IN ('raised', 'cleared')"  # the first part finds the index


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenAlarms:
    """How many alarms of one kind are in one state."""

    kind: AlarmKind
    state: AlarmState
    is_test: bool
    count: int
    oldest_received_at: datetime


def open_alarms(connection: Connection) -> list[OpenAlarms]:
    """Every alarm that is not closed, counted."""
    rows = connection.rows(
        """SELECT kind, state, is_test, COUNT(*), MIN(received_at) FROM alarms
           WHERE state <> 'closed' GROUP BY kind, state, is_test"""
    )
    return [
        OpenAlarms(
            kind=AlarmKind(row[0]),
            state=AlarmState(row[1]),
            is_test=bool(row[2]),
            count=row[3],
            oldest_received_at=from_micros(row[4]),
        )
        for row in rows
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """How many deliveries one organisation has not confirmed on one channel."""

    channel: str
    organisation_id: str
    count: int
    waits_since: datetime
    """When the oldest of them was to be told."""


def waiting(connection: Connection, *, now: datetime) -> list[Waiting]:
    """Every delivery that is not settled, counted; a second channel's only once its time has come."""
    rows = connection.rows(
        """SELECT channel, organisation_id, SUM(number), MIN(oldest) FROM (
               SELECT channel, organisation_id, COUNT(*) AS number,
                      MIN(CASE WHEN is_second THEN next_attempt_at ELSE created_at END) AS oldest
               FROM deliveries WHERE state = 'pending' AND NOT (is_second AND next_attempt_at > ?)
               GROUP BY channel, organisation_id
               UNION ALL SELECT channel, organisation_id, COUNT(*),
                      MIN(CASE WHEN is_second THEN first_sent_at ELSE created_at END)
               FROM deliveries WHERE state = 'sent' GROUP BY channel, organisation_id) AS queues
           GROUP BY channel, organisation_id""",
        to_micros(now),
    )
    return [
        Waiting(channel=row[0], organisation_id=row[1], count=row[2], waits_since=from_micros(row[3]))
        for row in rows
    ]


def faults_by_code(connection: Connection) -> dict[str, int]:
    """How many faults are open, by code."""
    rows = connection.rows("SELECT code, COUNT(*) FROM faults WHERE ended_at IS NULL GROUP BY code")
    return {row[0]: row[1] for row in rows}


def devices_silent(connection: Connection) -> int:
    """How many devices in service are not heard."""
    row = connection.row(
        """SELECT COUNT(*) FROM device_status s JOIN devices d ON d.id = s.device_id
           WHERE s.is_silent = 1 AND d.state = 'in_service'"""
    )
    return int(row[0]) if row else 0


def audit_entries(connection: Connection) -> int:
    """How many entries the log has: they are numbered without gaps."""
    row = connection.row("SELECT MAX(number) FROM audit")
    return int(row[0] or 0) if row else 0


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryFate:
    """What has become of a delivery."""

    id: str
    channel: str
    state: DeliveryState
    created_at: datetime
    settled_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class AlarmFate:
    """Whether an alarm was answered."""

    id: str
    kind: AlarmKind
    is_test: bool
    state: AlarmState
    received_at: datetime
    acknowledged_at: datetime | None


_FATE_OF_DELIVERY = "SELECT id, channel, state, created_at, settled_at FROM deliveries"
_FATE_OF_ALARM = "SELECT id, kind, is_test, state, received_at, acknowledged_at FROM alarms"


def newest_delivery(connection: Connection) -> str:
    """The id of the newest delivery; empty when there is none."""
    row = connection.row("SELECT MAX(id) FROM deliveries")
    return str(row[0] or "") if row else ""


def newest_alarm(connection: Connection) -> str:
    """The id of the newest alarm; empty when there is none."""
    row = connection.row("SELECT MAX(id) FROM alarms")
    return str(row[0] or "") if row else ""


def open_deliveries(connection: Connection, *, limit: int) -> list[str]:
    """The ids of deliveries that are not settled."""
    rows = connection.rows(
        """SELECT id FROM deliveries WHERE state = 'pending'
           UNION ALL SELECT id FROM deliveries WHERE state = 'sent' LIMIT ?""",
        limit,
    )
    return [row[0] for row in rows]


def unanswered_alarms(connection: Connection, *, limit: int) -> list[str]:
    """The ids of open alarms that nobody has answered."""
    return [row[0] for row in connection.rows(f"SELECT id FROM alarms WHERE {_UNANSWERED} LIMIT ?", limit)]


def new_deliveries(connection: Connection, after: str, *, limit: int) -> list[DeliveryFate]:
    """Deliveries that were made after one, oldest first."""
    rows = connection.rows(f"{_FATE_OF_DELIVERY} WHERE id > ? ORDER BY id LIMIT ?", after, limit)
    return [_delivery(row) for row in rows]


def new_alarms(connection: Connection, after: str, *, limit: int) -> list[AlarmFate]:
    """Alarms that were opened after one, oldest first."""
    rows = connection.rows(f"{_FATE_OF_ALARM} WHERE id > ? ORDER BY id LIMIT ?", after, limit)
    return [_alarm(row) for row in rows]


def fates_of_deliveries(connection: Connection, ids: Sequence[str]) -> list[DeliveryFate]:
    """What has become of some deliveries; those that are gone are left out."""
    marks = ", ".join("?" * len(ids))
    return [_delivery(row) for row in connection.rows(f"{_FATE_OF_DELIVERY} WHERE id IN ({marks})", *ids)]


def fates_of_alarms(connection: Connection, ids: Sequence[str]) -> list[AlarmFate]:
    """What has become of some alarms; those that are gone are left out."""
    marks = ", ".join("?" * len(ids))
    return [_alarm(row) for row in connection.rows(f"{_FATE_OF_ALARM} WHERE id IN ({marks})", *ids)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Raised:
    """The alarms of one kind that came in within some time."""

    kind: AlarmKind
    count: int
    answered: int
    mean_seconds: float | None
    """Until they were answered; None: none was."""
    longest_seconds: float | None


def raised_between(connection: Connection, since: datetime, until: datetime) -> list[Raised]:
    """Alarms received at ``since`` or later and before ``until``, tests left out, by kind.

    Goes through all of that time's alarms: for once a day, not for every scrape.
    """
    rows = connection.rows(
        """SELECT kind, COUNT(*), COUNT(acknowledged_at), AVG(acknowledged_at - received_at),
                  MAX(acknowledged_at - received_at)
           FROM alarms WHERE received_at >= ? AND received_at < ? AND is_test = 0
           GROUP BY kind ORDER BY kind""",
        to_micros(since),
        to_micros(until),
    )
    return [
        Raised(
            kind=AlarmKind(row[0]),
            count=row[1],
            answered=row[2],
            mean_seconds=None if row[3] is None else row[3] / 1_000_000,
            longest_seconds=None if row[4] is None else row[4] / 1_000_000,
        )
        for row in rows
    ]


def expired_since(connection: Connection, since: datetime) -> int:
    """How many deliveries made since a time were never confirmed; for once a day, too."""
    row = connection.row(
        "SELECT COUNT(*) FROM deliveries WHERE id > ? AND state = 'expired'", first_id_of(since)
    )
    return int(row[0]) if row else 0


def first_id_of(moment: datetime) -> str:
    """Sorts before every id that was made at a moment or later (UUIDv7: 48 bits of milliseconds)."""
    digits = f"{max(to_micros(moment) // 1_000, 0):012x}"
    return f"{digits[:8]}-{digits[8:]}"


def _delivery(row: Row) -> DeliveryFate:
    return DeliveryFate(
        id=row[0],
        channel=row[1],
        state=DeliveryState(row[2]),
        created_at=from_micros(row[3]),
        settled_at=optional_time(row[4]),
    )


def _alarm(row: Row) -> AlarmFate:
    return AlarmFate(
        id=row[0],
        kind=AlarmKind(row[1]),
        is_test=bool(row[2]),
        state=AlarmState(row[3]),
        received_at=from_micros(row[4]),
        acknowledged_at=optional_time(row[5]),
    )
