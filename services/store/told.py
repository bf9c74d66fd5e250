"""What organisations were told, by the numbers of their sequence: read again, never by a cursor of our own.

A number is committed together with the row that uses it, and all writers take turns. So whoever has read up
to a number has missed nothing before it.
"""

from datetime import datetime

from services.domain.alarms import Delivery, DeliveryState
from services.domain.subscriptions import ChannelName
from services.store.connection import Connection, to_micros
from services.store.deliveries import DELIVERY, delivery_of


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
        f"{DELIVERY} WHERE organisation_id = ? AND sequence > ? ORDER BY sequence, channel LIMIT ?",
        organisation_id,
        sequence,
        limit,
    )
    of_each = {row[8]: row for row in sorted(rows, key=lambda row: row[4] == ChannelName.STREAM)}
    return [delivery_of(of_each[number]) for number in sorted(of_each)]


def confirm_heard(connection: Connection, organisation_id: str, sequence: int, *, at: datetime) -> None:
    """Whoever listens to an organisation's stream has heard everything up to a number."""
    connection.run(
        # +: else SQLite goes through everything that it was ever told (gap_free_sequence)
        """UPDATE deliveries SET state = ?, settled_at = ?
           WHERE channel = ? AND state = 'sent' AND +organisation_id = ? AND +sequence <= ?""",
        DeliveryState.CONFIRMED,
        to_micros(at),
        ChannelName.STREAM,
        organisation_id,
        sequence,
    )
