"""Releases what is due, in the transaction that has just made it due or in a later one.

    commit ─┬─ due deliveries: may this receiver know, now?  yes: numbered, leased  ─> handed to its channel
            │                                                no:  withheld, logged
            └─ receipts that the broker has not confirmed                           ─> handed to the homes

The lease is written before the attempt is made, so a crash in between repeats an attempt and never
loses one. Nothing is handed over while its channel is away: it stays due.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final, Protocol

import structlog

from services import audit
from services.access import may_receive, subject_of
from services.alarms import chain
from services.delivery.cloud_events import CareEvent, care_event
from services.delivery.retry import CLOSED_NEWS_FOR, WAITS, Allowance, wait_after
from services.domain.alarms import Alarm, Delivery, DeliveryState
from services.domain.clock import Clock
from services.domain.homes import Grant
from services.store import alarms, answers, deliveries, events, registry
from services.store.answers import HomeReceipt
from services.store.connection import Connection, StoreUnavailableError

DELIVERIES_PER_COMMIT: Final = 500
"""Bounds how long one transaction can take; the rest is due in the next one, at once."""

REPEATS_PER_COMMIT: Final = 50
"""Repeats take a small part of any transaction: a fresh alarm waits for at most one of them."""

RECEIPTS_PER_COMMIT: Final = 200

CITY_PURPOSE: Final = "nobody of the response chain has answered"

_log = structlog.get_logger(__name__)


class Channel(Protocol):
    """How events reach receivers."""

    def is_available(self) -> bool:
        """Whether handing over makes sense now."""

    def hand_over(self, event: CareEvent) -> None:
        """Take an event without waiting. It counts as told when its receiver confirms, not before."""


class Homes(Protocol):
    """How receipts reach homes."""

    def hand_over_receipt(self, receipt: HomeReceipt) -> None:
        """Take a receipt without waiting; one that is under way already is passed over."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Released:
    """What one commit has set free, and when to look again."""

    events: tuple[CareEvent, ...]
    receipts: tuple[HomeReceipt, ...]
    next_due_at: datetime | None


_ReleaseOne = Callable[[Connection, Delivery, datetime], CareEvent | None]


class Release:
    """The epilogue of every commit of the alarm process (a ``store.writer.Epilogue``)."""

    def __init__(self, *, channels: Mapping[str, Channel], homes: Homes, source: str, clock: Clock) -> None:
        self._channels = channels
        self._homes = homes
        self._source = source
        self._clock = clock
        self.next_due_at: datetime | None = None
        self.allowance = Allowance()

    def prepare(self, connection: Connection) -> Released:
        """Lease what is due, inside the transaction."""
        return self._prepared(connection, self._release)

    def prepare_carefully(self, connection: Connection) -> Released:
        """Lease what is due, so that one delivery that cannot be released holds up no other."""
        return self._prepared(connection, self._release_or_postpone)

    def _prepared(self, connection: Connection, release_one: _ReleaseOne) -> Released:
        now = self._clock.now()
        events_out = [release_one(connection, delivery, now) for delivery in self._due(connection, now)]
        return Released(
            events=tuple(event for event in events_out if event is not None),
            receipts=tuple(answers.unsent_receipts(connection, limit=RECEIPTS_PER_COMMIT)),
            next_due_at=deliveries.next_due_at(connection),
        )

    def _due(self, connection: Connection, now: datetime) -> list[Delivery]:
        """What was never told; then repeats, as many as each receiver's allowance lets through."""
        fresh = deliveries.due(connection, now, limit=DELIVERIES_PER_COMMIT, state=DeliveryState.PENDING)
        again = []
        for delivery in deliveries.due(connection, now, limit=REPEATS_PER_COMMIT, state=DeliveryState.SENT):
            if not self._is_available(delivery.channel):
                continue
            if self.allowance.takes_one(delivery.organisation_id, now):
                again.append(delivery)
            else:
                deliveries.postpone(connection, delivery.id, until=now + WAITS[-1])
        return [*(delivery for delivery in fresh if self._is_available(delivery.channel)), *again]

    def _is_available(self, name: str) -> bool:
        """Whether a channel takes anything now; one that this version does not have never does."""
        channel = self._channels.get(name)
        return channel is not None and channel.is_available()

    def _release(self, connection: Connection, delivery: Delivery, now: datetime) -> CareEvent | None:
        return release(connection, delivery, source=self._source, now=now)

    def _release_or_postpone(
        self, connection: Connection, delivery: Delivery, now: datetime
    ) -> CareEvent | None:
        try:
            with connection.savepoint():
                return self._release(connection, delivery, now)
        except StoreUnavailableError:
            raise
        except Exception:  # noqa: BLE001 - the guard around each delivery
            _log.exception("delivery_not_released", delivery_id=delivery.id)
            deliveries.postpone(connection, delivery.id, until=now + wait_after(delivery.hurry))
            return None

    def committed(self, prepared: Released) -> None:
        """Hand over what was leased, now that the lease is on disk."""
        self.next_due_at = prepared.next_due_at
        for event in prepared.events:
            self._channels[event.channel].hand_over(event)
        for receipt in prepared.receipts:
            self._homes.hand_over_receipt(receipt)


def release(connection: Connection, delivery: Delivery, *, source: str, now: datetime) -> CareEvent | None:
    """Lease one attempt if the receiver may know at this moment; None when it may not, or it is over."""
    alarm = alarms.get(connection, delivery.alarm_id)
    notice = alarms.notice(connection, delivery.notice_id)
    assert alarm is not None  # noqa: S101 - foreign keys hold both
    assert notice is not None  # noqa: S101
    if alarm.closed_at is not None and now - alarm.closed_at > CLOSED_NEWS_FOR:
        deliveries.settle(connection, delivery.id, DeliveryState.EXPIRED, now=now, reason="never confirmed")
        return None
    right = _right(connection, delivery, alarm, now=now)
    if right is None:
        _withhold(connection, delivery, alarm, now=now)
        return None
    delivery = _leased(connection, delivery, right, now=now)
    if delivery.attempts == 1:
        _note(connection, delivery, alarm, "released", purpose=right.purpose, now=now)
    address, position = registry.place(connection, alarm.position_id)
    return care_event(
        delivery,
        source=source,
        notice=notice,
        alarm=alarm,
        event=events.get(connection, notice.event_id) if notice.event_id else None,
        address=address,
        position=position,
        purpose=right.purpose,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Right:
    """By what an organisation may be told."""

    grant: Grant | None
    purpose: str


def _right(connection: Connection, delivery: Delivery, alarm: Alarm, *, now: datetime) -> _Right | None:
    grants = registry.grants_of_home(connection, alarm.home_id, alarm.data_class)
    grant = may_receive(delivery.organisation_id, subject_of(alarm), at=now, step=alarm.step, grants=grants)
    if grant is not None:
        return _Right(grant=grant, purpose=grant.purpose)
    if alarm.escalated_at is not None and delivery.organisation_id in registry.cities(connection):
        return _Right(grant=None, purpose=CITY_PURPOSE)
    return None


def _leased(connection: Connection, delivery: Delivery, right: _Right, *, now: datetime) -> Delivery:
    sequence = delivery.sequence
    if sequence is None:
        sequence = deliveries.next_sequence(connection, delivery.organisation_id)
    leased = replace(
        delivery,
        state=DeliveryState.SENT,
        grant_id=right.grant.id if right.grant else None,
        sequence=sequence,
        attempts=delivery.attempts + 1,
        hurry=delivery.hurry + 1,
        next_attempt_at=now + wait_after(delivery.hurry),
    )
    deliveries.lease(connection, leased, now=now)
    return leased


def _withhold(connection: Connection, delivery: Delivery, alarm: Alarm, *, now: datetime) -> None:
    deliveries.settle(
        connection, delivery.id, DeliveryState.WITHHELD, now=now, reason="no grant at the moment of release"
    )
    _note(connection, delivery, alarm, "withheld", purpose="", now=now)
    chain.hasten(connection, alarm, now=now)
    _log.info("delivery_withheld", delivery_id=delivery.id, organisation_id=delivery.organisation_id)


def _note(
    connection: Connection, delivery: Delivery, alarm: Alarm, action: str, *, purpose: str, now: datetime
) -> None:
    entry = audit.Entry(
        actor="hub",
        action=action,
        organisation_id=delivery.organisation_id,
        home_id=alarm.home_id,
        subject=delivery.id,
        purpose=purpose,
        details=f"alarm {alarm.id} {alarm.kind}",
    )
    audit.note(connection, entry, at=now)
