"""What waits for each receiver of webhooks: fresh, told without a confirmation, missed while it was away."""

from datetime import datetime
from typing import Final

from services.domain.alarms import Delivery
from services.store.connection import Connection, optional_time, to_micros
from services.store.deliveries import DELIVERY, delivery_of

LOOKED_AT: Final = 50
"""Fresh ones that are put in order at once."""


def fresh(connection: Connection, organisation_id: str, now: datetime, *, limit: int) -> list[Delivery]:
    """What was never sent and is due: by the number that another channel gave it, else as it came."""
    rows = connection.rows(
        f"""WITH waiting AS ({DELIVERY} WHERE channel = 'webhook' AND organisation_id = ?
                AND state = 'pending' AND next_attempt_at <= ? ORDER BY next_attempt_at, id LIMIT ?)
            SELECT waiting.*, (SELECT other.sequence FROM deliveries AS other
                WHERE other.notice_id = waiting.notice_id AND other.organisation_id = waiting.organisation_id
                    AND +other.sequence IS NOT NULL LIMIT 1) AS number
            FROM waiting ORDER BY number IS NULL, number, next_attempt_at, id LIMIT ?""",
        organisation_id,
        to_micros(now),
        LOOKED_AT,
        limit,
    )
    return [delivery_of(row) for row in rows]


def repeats(connection: Connection, organisation_id: str, now: datetime, *, limit: int) -> list[Delivery]:
    """What was sent, not confirmed, and is due again, the longest waiting first."""
    rows = connection.rows(
        f"""{DELIVERY} WHERE channel = 'webhook' AND organisation_id = ? AND state = 'sent'
            AND next_attempt_at <= ? ORDER BY next_attempt_at, id LIMIT ?""",
        organisation_id,
        to_micros(now),
        limit,
    )
    return [delivery_of(row) for row in rows]


def told_after(connection: Connection, organisation_id: str, number: int, *, limit: int) -> list[Delivery]:
    """What was sent and not confirmed and has a higher number, in its order, whenever it is due."""
    rows = connection.rows(
        f"""{DELIVERY} WHERE channel = 'webhook' AND organisation_id = ? AND state = 'sent'
            AND sequence > ? ORDER BY sequence LIMIT ?""",
        organisation_id,
        number,
        limit,
    )
    return [delivery_of(row) for row in rows]


def next_due_at(connection: Connection, organisation_id: str) -> datetime | None:
    """When a receiver's next delivery is due."""
    row = connection.row(
        """SELECT MIN(due) FROM (
               SELECT MIN(next_attempt_at) AS due FROM deliveries
                   WHERE channel = 'webhook' AND organisation_id = ? AND state = 'pending'
               UNION ALL SELECT MIN(next_attempt_at) FROM deliveries
                   WHERE channel = 'webhook' AND organisation_id = ? AND state = 'sent') AS queues""",
        organisation_id,
        organisation_id,
    )
    return optional_time(row[0]) if row else None


def next_fresh_at(connection: Connection, organisation_id: str, *, after: datetime) -> datetime | None:
    """When the next one that was never sent is due, of those that become due after a moment."""
    row = connection.row(
        """SELECT MIN(next_attempt_at) FROM deliveries
           WHERE channel = 'webhook' AND organisation_id = ? AND state = 'pending' AND next_attempt_at > ?""",
        organisation_id,
        to_micros(after),
    )
    return optional_time(row[0]) if row else None
