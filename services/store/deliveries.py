"""Deliveries as rows that carry their own state: what a crash leaves behind is found again.

A cursor ("everything after number n") would skip rows that commit late; a state per row does not.
"""

from datetime import datetime, timedelta
from typing import Final

from services.domain.alarms import Delivery, DeliveryState
from services.domain.ids import AlarmId, DeliveryId, GrantId, NoticeId, OrganisationId
from services.store.connection import Connection, Row, from_micros, optional_time, to_micros

DELIVERY: Final = """
    SELECT id, notice_id, alarm_id, organisation_id, channel, grant_id, step, state, sequence, attempts,
           hurry, next_attempt_at, is_second, again_at
    FROM deliveries"""

_UNSETTLED: Final = "state IN ('pending', 'sent')"


def insert(connection: Connection, delivery: Delivery, *, at: datetime) -> None:
    """Insert a delivery; the same notice for the same receiver and channel is inserted once.

    One that was withheld from it waits again: the receiver is routed it by another right now.
    """
    connection.run(
        """INSERT INTO deliveries (id, notice_id, alarm_id, organisation_id, channel, grant_id, step, state,
                                   sequence, attempts, hurry, next_attempt_at, created_at, is_second, reason)
           VALUES (?, ?, ?, ?, ?, ?, ?, ?, NULL, 0, ?, ?, ?, ?, '')
           ON CONFLICT (notice_id, organisation_id, channel) DO UPDATE SET state = excluded.state,
               grant_id = excluded.grant_id, step = excluded.step, settled_at = NULL, reason = '',
               next_attempt_at = excluded.next_attempt_at WHERE deliveries.state = 'withheld'""",
        delivery.id,
        delivery.notice_id,
        delivery.alarm_id,
        delivery.organisation_id,
        delivery.channel,
        delivery.grant_id,
        delivery.step,
        delivery.state,
        delivery.hurry,
        to_micros(delivery.next_attempt_at),
        to_micros(at),
        int(delivery.is_second),
    )


def due(
    connection: Connection, channel: str, now: datetime, *, limit: int, state: DeliveryState
) -> list[Delivery]:
    """A channel's deliveries of one state whose time has come, the longest waiting first."""
    rows = connection.rows(
        f"""{DELIVERY} WHERE state = '{state}' AND channel = ? AND next_attempt_at <= ?
            ORDER BY next_attempt_at, id LIMIT ?""",
        channel,
        to_micros(now),
        limit,
    )
    return [delivery_of(row) for row in rows]


def next_due_at(connection: Connection, channel: str) -> datetime | None:
    """When the next unsettled delivery of a channel is due."""
    row = connection.row(
        """SELECT MIN(due) FROM (
               SELECT MIN(next_attempt_at) AS due FROM deliveries WHERE state = 'pending' AND channel = ?
               UNION ALL SELECT MIN(next_attempt_at) FROM deliveries WHERE state = 'sent' AND channel = ?
           ) AS queues""",
        channel,
        channel,
    )
    return optional_time(row[0]) if row else None


def sequence_of(connection: Connection, notice_id: str, organisation_id: str) -> int | None:
    """The number that a notice has for an organisation already, over whichever channel."""
    row = connection.row(
        """SELECT sequence FROM deliveries
           WHERE notice_id = ? AND organisation_id = ? AND +sequence IS NOT NULL LIMIT 1""",
        notice_id,
        organisation_id,
    )
    return int(row[0]) if row else None


def is_confirmed_elsewhere(connection: Connection, delivery: Delivery) -> bool:
    """Whether the receiver has confirmed the same notice over another channel."""
    row = connection.row(
        """SELECT 1 FROM deliveries
           WHERE notice_id = ? AND organisation_id = ? AND channel <> ? AND state = 'confirmed' LIMIT 1""",
        delivery.notice_id,
        delivery.organisation_id,
        delivery.channel,
    )
    return row is not None


def next_sequence(connection: Connection, organisation_id: str) -> int:
    """The organisation's next number; a number is only taken together with the row that uses it."""
    row = connection.row(
        "UPDATE organisations SET last_sequence = last_sequence + 1 WHERE id = ? RETURNING last_sequence",
        organisation_id,
    )
    assert row is not None  # noqa: S101 - the delivery's foreign key holds the organisation
    return int(row[0])


def lease(connection: Connection, delivery: Delivery, *, now: datetime) -> None:
    """Write one more attempt, before it is made."""
    connection.run(
        """UPDATE deliveries SET state = ?, grant_id = ?, sequence = ?, attempts = ?, hurry = ?,
               next_attempt_at = ?, first_sent_at = COALESCE(first_sent_at, ?) WHERE id = ?""",
        delivery.state,
        delivery.grant_id,
        delivery.sequence,
        delivery.attempts,
        delivery.hurry,
        to_micros(delivery.next_attempt_at),
        to_micros(now),
        delivery.id,
    )


def postpone(connection: Connection, delivery_id: str, *, until: datetime) -> None:
    """Let a delivery wait; nothing was sent."""
    connection.run("UPDATE deliveries SET next_attempt_at = ? WHERE id = ?", to_micros(until), delivery_id)


def settle(
    connection: Connection, delivery_id: str, state: DeliveryState, *, now: datetime, reason: str = ""
) -> None:
    """End a delivery; an ended one stays as it ended."""
    connection.run(
        f"UPDATE deliveries SET state = ?, settled_at = ?, reason = ? WHERE id = ? AND {_UNSETTLED}",
        state,
        to_micros(now),
        reason,
        delivery_id,
    )


def sent_to(connection: Connection, organisation_id: str, notice_id: str) -> list[Delivery]:
    """The deliveries that an organisation means when it names a notice that it was sent: one a channel."""
    rows = connection.rows(  # +: else SQLite goes through all that it was ever sent (gap_free_sequence)
        f"{DELIVERY} WHERE notice_id = ? AND organisation_id = ? AND +sequence IS NOT NULL ORDER BY channel",
        notice_id,
        organisation_id,
    )
    return [delivery_of(row) for row in rows]


def confirm_of_alarm(connection: Connection, alarm_id: str, organisation_id: str, *, now: datetime) -> None:
    """An organisation has evidently received what it was sent of an alarm."""
    connection.run(
        """UPDATE deliveries SET state = ?, settled_at = ?
           WHERE alarm_id = ? AND organisation_id = ? AND state = ?""",
        DeliveryState.CONFIRMED,
        to_micros(now),
        alarm_id,
        organisation_id,
        DeliveryState.SENT,
    )


def supersede(connection: Connection, alarm_id: str, *, now: datetime) -> None:
    """End what is on its way about a closed alarm; what was never sent needs no number in the sequence."""
    connection.run(
        f"UPDATE deliveries SET state = ?, settled_at = ? WHERE alarm_id = ? AND {_UNSETTLED}",
        DeliveryState.SUPERSEDED,
        to_micros(now),
        alarm_id,
    )


def reconsider(connection: Connection, grant_id: str, *, now: datetime) -> None:
    """What is on its way under a grant is due now, so that the right to it is judged again."""
    connection.run(
        f"UPDATE deliveries SET next_attempt_at = ? WHERE grant_id = ? AND {_UNSETTLED}",
        to_micros(now),
        grant_id,
    )


def keep_told(connection: Connection, alarm_id: str, organisation_id: str, *, step: int) -> None:
    """Note that an organisation hears of an alarm from now on."""
    connection.run(
        """INSERT INTO alarm_receivers (alarm_id, organisation_id, step) VALUES (?, ?, ?)
           ON CONFLICT (alarm_id, organisation_id) DO NOTHING""",
        alarm_id,
        organisation_id,
        step,
    )


def told(connection: Connection, alarm_id: str) -> list[OrganisationId]:
    """Who has been routed anything of this alarm, in the order of the chain."""
    rows = connection.rows(
        "SELECT organisation_id FROM alarm_receivers WHERE alarm_id = ? ORDER BY step, organisation_id",
        alarm_id,
    )
    return [OrganisationId(row[0]) for row in rows]


def was_sent(connection: Connection, organisation_id: str, alarm_id: str) -> bool:
    """Whether an organisation has been sent anything of this alarm."""
    row = connection.row(
        """SELECT 1 FROM deliveries
           WHERE alarm_id = ? AND organisation_id = ? AND sequence IS NOT NULL LIMIT 1""",
        alarm_id,
        organisation_id,
    )
    return row is not None


def hurry(connection: Connection, channel: str, now: datetime) -> None:
    """Try what is unconfirmed of a channel at once, then with the hurried waits: it was lost and is back."""
    connection.run(
        f"""UPDATE deliveries SET next_attempt_at = ?, hurry = 0
            WHERE channel = ? AND {_UNSETTLED} AND is_second = 0""",
        to_micros(now),
        channel,
    )


def shift_due_times(connection: Connection, *, by: timedelta) -> None:
    """The wall clock was set: what was due in so long is still due in so long."""
    micros = by // timedelta(microseconds=1)
    connection.run(f"UPDATE deliveries SET next_attempt_at = next_attempt_at + ? WHERE {_UNSETTLED}", micros)
    connection.run("UPDATE timers SET due_at = due_at + ?", micros)
    connection.run("UPDATE device_status SET silent_at = silent_at + ?", micros)


def bring_forward(connection: Connection, channel: str, organisation_id: str, *, now: datetime) -> None:
    """Try what an organisation has not confirmed over a channel at once: it seems to be listening now."""
    connection.run(
        f"""UPDATE deliveries SET next_attempt_at = ?
            WHERE channel = ? AND organisation_id = ? AND {_UNSETTLED} AND is_second = 0""",
        to_micros(now),
        channel,
        organisation_id,
    )


def tell_again(connection: Connection, delivery_id: str, *, now: datetime) -> None:
    """Make a delivery that had ended due, as if its attempts began; its number stays."""
    connection.run(
        """UPDATE deliveries SET state = 'pending', settled_at = NULL, reason = '', hurry = 0, is_second = 0,
               next_attempt_at = ?, again_at = ? WHERE id = ?""",
        to_micros(now),
        to_micros(now),
        delivery_id,
    )


def get(connection: Connection, delivery_id: str) -> Delivery | None:
    """The delivery with this id."""
    row = connection.row(f"{DELIVERY} WHERE id = ?", delivery_id)
    return delivery_of(row) if row else None


def delivery_of(row: Row) -> Delivery:
    """A row of ``DELIVERY``."""
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
        is_second=bool(row[12]),
        again_at=optional_time(row[13]),
    )
