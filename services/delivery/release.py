"""Releases what is due, in the transaction that has just made it due or in a later one.

    commit ─┬─ due deliveries: may this receiver know, now?  yes: numbered, leased  ─> handed to its channel
            │                                                no:  withheld, logged
            └─ receipts that the broker has not confirmed                           ─> handed to the homes

The lease is written before the attempt is made, so a crash in between repeats an attempt and never
loses one. Nothing is handed over while its channel is away: it stays due.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final, Protocol

import structlog

from services import audit
from services.access import may_receive, subject_of
from services.alarms import chain
from services.delivery import due
from services.delivery.channel import Channel
from services.delivery.cloud_events import CareEvent, care_event
from services.delivery.retry import CLOSED_NEWS_FOR, Allowance, schedule_of
from services.domain.alarms import Alarm, Delivery, DeliveryState
from services.domain.clock import Clock
from services.domain.homes import Grant
from services.store import alarms, answers, deliveries, events, registry
from services.store.answers import HomeReceipt
from services.store.connection import Connection, StoreUnavailableError

RECEIPTS_PER_COMMIT: Final = 200

NOT_NEEDED: Final = "confirmed over another channel"

CITY_PURPOSE: Final = "nobody of the response chain has answered"

_log = structlog.get_logger(__name__)


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
    """None also where another process fires the timers: that asks for itself, outside of a transaction."""


_ReleaseOne = Callable[[Connection, Delivery, datetime], CareEvent | None]


class Release:
    """The epilogue of every commit of the alarm process (a ``store.writer.Epilogue``)."""

    def __init__(
        self, *, channels: Mapping[str, Channel], homes: Homes | None, source: str, clock: Clock
    ) -> None:
        """Join the parts.

        Args:
            channels: Those of this process, by name; what is due over others is not its business.
            homes: Where receipts go; None: another process sends them, and fires the timers.
            source: ``urn:stadsnav:{city}``.
            clock: The time.
        """
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
        events_out = [release_one(connection, delivery, now) for delivery in [*self._due(connection, now)]]
        return Released(
            events=tuple(event for event in events_out if event is not None),
            receipts=self._unsent_receipts(connection),
            next_due_at=self.find_next_due(connection) if self._homes is not None else None,
        )

    def _unsent_receipts(self, connection: Connection) -> tuple[HomeReceipt, ...]:
        if self._homes is None:
            return ()
        return tuple(answers.unsent_receipts(connection, limit=RECEIPTS_PER_COMMIT))

    def find_next_due(self, connection: Connection) -> datetime | None:
        """When the next timer or delivery of these channels is due, whichever is first."""
        moments = [due.next_due_at(connection, name, channel) for name, channel in self._channels.items()]
        if self._homes is not None:
            moments.append(alarms.next_timer_at(connection))
        return min((moment for moment in moments if moment is not None), default=None)

    def _due(self, connection: Connection, now: datetime) -> Iterator[Delivery]:
        for name, channel in self._channels.items():
            yield from due.due(connection, name, channel, allowance=self.allowance, now=now)

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
            wait = schedule_of(delivery.channel).wait_after(delivery.hurry)
            deliveries.postpone(connection, delivery.id, until=now + wait)
            return None

    def committed(self, prepared: Released) -> None:
        """Hand over what was leased, now that the lease is on disk."""
        self.next_due_at = prepared.next_due_at
        for event in prepared.events:
            self._channels[event.channel].hand_over(event)
        for receipt in prepared.receipts:
            assert self._homes is not None  # noqa: S101 - only then are there any
            self._homes.hand_over_receipt(receipt)


def release(connection: Connection, delivery: Delivery, *, source: str, now: datetime) -> CareEvent | None:
    """Lease one attempt if the receiver may know at this moment; None when it may not, or it is over."""
    alarm = alarms.get(connection, delivery.alarm_id)
    notice = alarms.notice(connection, delivery.notice_id)
    assert alarm is not None  # noqa: S101 - foreign keys hold both
    assert notice is not None  # noqa: S101
    if alarm.closed_at is not None and now - (delivery.again_at or alarm.closed_at) > CLOSED_NEWS_FOR:
        deliveries.settle(connection, delivery.id, DeliveryState.EXPIRED, now=now, reason="never confirmed")
        return None
    if delivery.is_second and deliveries.is_confirmed_elsewhere(connection, delivery):
        deliveries.settle(connection, delivery.id, DeliveryState.SUPERSEDED, now=now, reason=NOT_NEEDED)
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


def may_leave(connection: Connection, delivery_id: str, *, now: datetime) -> bool:
    """Whether what was leased a moment ago may still be told: asked when it took a while to connect."""
    delivery = deliveries.get(connection, delivery_id)
    alarm = alarms.get(connection, delivery.alarm_id) if delivery else None
    if delivery is None or alarm is None or delivery.state is not DeliveryState.SENT:
        return False
    return _right(connection, delivery, alarm, now=now) is not None


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
    sequence = delivery.sequence or deliveries.sequence_of(
        connection, delivery.notice_id, delivery.organisation_id
    )
    if sequence is None:
        sequence = deliveries.next_sequence(connection, delivery.organisation_id)
    leased = replace(
        delivery,
        state=DeliveryState.SENT,
        grant_id=right.grant.id if right.grant else None,
        sequence=sequence,
        attempts=delivery.attempts + 1,
        hurry=delivery.hurry + 1,
        next_attempt_at=now + schedule_of(delivery.channel).lease_after(delivery.hurry),
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
