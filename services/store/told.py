"""What organisations were told, by the numbers of their sequence: read again, never by a cursor of our own.

A number is committed together with the row that uses it, and all writers take turns. So whoever has read up
to a number has missed nothing before it.
"""

from datetime import datetime

from services.domain.alarms import Delivery, DeliveryState
from services.domain.ids import AlarmId, DeliveryId, GrantId, NoticeId, OrganisationId
from services.domain.subscriptions import ChannelName
from services.store.connection import Connection, Row, from_micros, to_micros


def newest(connection: Connection, organisation_id: str) -> int:
    """The number that an organisation was given last; 0 before the first."""
    row = connection.row("SELECT last_sequence FROM organisations WHERE id = ?", organisation_id)
    return int(row[0]) if row else 0


def oldest(connection: Connection, organisation_id: str) -> int | None:
    """The lowest number that is still kept; None: there is none."""
    row = connection.row(
        "SELECT MIN(sequence) FROM deliveries WHERE organisation_id = ? AND sequence IS NOT NULL",
        organisation_id,
    )
    return None if row is None or row[0] is None else int(row[0])


def after(connection: Connection, organisation_id: str, sequence: int, *, limit: int) -> list[Delivery]:
    """Deliveries with a higher number, in its order; one of each number, the stream's where it has one.

    Args:
        connection: The store.
        organisation_id: Whose.
        sequence: Only what comes behind this number.
        limit: Rows that are looked at, so at most so many deliveries.
    """
    rows = connection.rows(
        """SELECT id, notice_id, alarm_id, organisation_id, channel, grant_id, step, state, sequence,
                  attempts, hurry, next_attempt_at
           FROM deliveries WHERE organisation_id = ? AND sequence > ? ORDER BY sequence, channel LIMIT ?""",
        organisation_id,
        sequence,
        limit,
    )
    of_each = {row[8]: row for row in sorted(rows, key=lambda row: row[4] == ChannelName.STREAM)}
    return [_delivery(of_each[number]) for number in sorted(of_each)]


def confirm_heard(connection: Connection, organisation_id: str, sequence: int, *, at: datetime) -> None:
    """Whoever listens to an organisation's stream has heard everything up to a number."""
    connection.run(
        """UPDATE deliveries SET state = ?, settled_at = ?
           WHERE organisation_id = ? AND sequence <= ? AND channel = ? AND state = ?""",
        DeliveryState.CONFIRMED,
        to_micros(at),
        organisation_id,
        sequence,
        ChannelName.STREAM,
        DeliveryState.SENT,
    )


def _delivery(row: Row) -> Delivery:
    return Delivery(
        id=DeliveryId(row[0]),
        notice_id=NoticeId(row[1]),
        alarm_id=AlarmId(row[2]),
        organisation_id=OrganisationId(row[3]),
        channel=row[4],
        grant_id=None if row[5] is None else GrantId(row[5]),
        step=row[6],
        state=DeliveryState(row[7]),
        sequence=row[8],
        attempts=row[9],
        hurry=row[10],
        next_attempt_at=from_micros(row[11]),
    )
