"""What is due and can leave: by channel, and where a channel asks for it by receiver.

    fresh      what was never told, first
    repeats    as many as each receiver's allowance lets through

A receiver without room is passed over, so that one that hangs never stands in the way of the others. One
that could not be reached is told what it missed in the order of the numbers, and then what is new.
"""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Final

from services.delivery.channel import CatchUp, Channel, Room
from services.delivery.retry import Allowance, schedule_of
from services.domain.alarms import Delivery, DeliveryState
from services.store import deliveries, webhook_queues
from services.store.connection import Connection

FRESH_AT_ONCE: Final = 500
"""Bounds how long one transaction can take; the rest is due in the next one, at once."""

LONG_AGO: Final = datetime.min.replace(tzinfo=UTC)

RECEIVERS_AT_ONCE: Final = 8
"""Of those with room of their own: a transaction keeps the alarm lane waiting, and each costs some of it."""

REPEATS_AT_ONCE: Final = 50
"""Repeats take a small part of any transaction: a fresh alarm waits for at most one of them."""


def due(
    connection: Connection, name: str, channel: Channel, *, allowance: Allowance, now: datetime
) -> list[Delivery]:
    """What a channel takes now."""
    if not channel.is_available():
        return []
    rooms = channel.room()
    if rooms is not None:  # such a receiver paces itself: it has room when it has answered
        return [
            delivery
            for receiver, room in _in_turn(connection, rooms, now)
            for delivery in _for_receiver(connection, channel, receiver, room, now)
        ]
    fresh = deliveries.due(connection, name, now, limit=FRESH_AT_ONCE, state=DeliveryState.PENDING)
    again = deliveries.due(connection, name, now, limit=REPEATS_AT_ONCE, state=DeliveryState.SENT)
    return [*fresh, *_allowed(connection, name, again, allowance, now)]


def next_due_at(connection: Connection, name: str, channel: Channel) -> datetime | None:
    """When a channel has something to do next; None: not before it says so itself."""
    rooms = channel.room()
    if rooms is None:
        return deliveries.next_due_at(connection, name)
    moments = (
        _next_for_receiver(connection, receiver, room) for receiver, room in rooms.items() if room.places
    )
    return min((moment for moment in moments if moment is not None), default=None)


def _in_turn(connection: Connection, rooms: Mapping[str, Room], now: datetime) -> Iterator[tuple[str, Room]]:
    """Whose turn it is: idle ones first, since others were given something; who waits longest first."""
    left = RECEIVERS_AT_ONCE
    in_order = sorted(rooms.items(), key=lambda item: (not item[1].is_idle, item[1].served_s))
    for receiver, room in in_order:
        is_over = left <= (1 if room.is_idle else 0)  # one turn is kept for those that are not
        due_at = _next_for_receiver(connection, receiver, room) if room.places and not is_over else None
        if due_at is not None and due_at <= now:
            left -= 1
            yield receiver, room


def _for_receiver(
    connection: Connection, channel: Channel, receiver: str, room: Room, now: datetime
) -> list[Delivery]:
    if room.catch_up is not None:
        due_at = _next_try_at(connection, receiver, room.catch_up)
        if due_at is not None and due_at > now:
            return []
        missed = webhook_queues.told_after(connection, receiver, room.catch_up.reached, limit=room.places)
        if missed:
            room.catch_up.reached = missed[-1].sequence or 0
            return missed
        channel.caught_up(receiver)
    fresh = webhook_queues.fresh(connection, receiver, now, limit=room.places)
    return fresh or webhook_queues.repeats(connection, receiver, now, limit=room.places)


def _next_for_receiver(connection: Connection, receiver: str, room: Room) -> datetime | None:
    catch_up = room.catch_up
    if catch_up is not None and webhook_queues.told_after(connection, receiver, catch_up.reached, limit=1):
        return _next_try_at(connection, receiver, catch_up) or LONG_AGO
    return webhook_queues.next_due_at(connection, receiver)


def _next_try_at(connection: Connection, receiver: str, catch_up: CatchUp) -> datetime | None:
    """When a receiver that could not be reached is tried again; None: now, it can be reached."""
    if catch_up.failed_at is None:
        return None
    news_at = webhook_queues.next_fresh_at(connection, receiver, after=catch_up.failed_at)
    return min((at for at in (catch_up.again_at, news_at) if at is not None), default=None)


def _allowed(
    connection: Connection, name: str, again: list[Delivery], allowance: Allowance, now: datetime
) -> Iterator[Delivery]:
    for delivery in again:
        if allowance.takes_one(delivery.organisation_id, now):
            yield delivery
        else:
            deliveries.postpone(connection, delivery.id, until=now + schedule_of(name).waits[-1])
