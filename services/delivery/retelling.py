"""What an organisation was told already, for those who listen now: judged anew, number by number.

    numbers behind the last one heard ──> may it know, now?  yes: the event    no: the number, withheld

Whoever listens can count: no number is left out.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

import structlog

from devices.kinds import DataClass
from services.access import may_receive, subject_of
from services.delivery.cloud_events import CareEvent, care_event
from services.delivery.release import CITY_PURPOSE
from services.domain.alarms import Alarm, Delivery
from services.domain.clock import Clock
from services.domain.homes import Grant
from services.domain.ids import OrganisationId
from services.store import alarms, events, registry, told
from services.store.connection import Connection, StoreUnavailableError

NUMBERS_AT_ONCE: Final = 200
"""Bounds how long the store is read at a stretch."""

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Audience:
    """Listeners with the same right: they are told the very same."""

    organisation_id: OrganisationId
    classes: frozenset[DataClass]
    """What those of this role may know of at all; see ``services.scopes``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Retold:
    """What stands behind one number."""

    sequence: int
    event: CareEvent | None
    """None: it may not be known any more."""
    grant: Grant | None = None
    """By which right; None with an event: the city, by its own duty."""


def retell(
    connection: Connection, audience: Audience, *, after: int, source: str, clock: Clock
) -> list[Retold]:
    """The next numbers of an organisation, in order and without a gap; nothing when there are none.

    Args:
        connection: The store, at one state of it (a snapshot).
        audience: Who listens.
        after: The last number that is known.
        source: ``urn:stadsnav:{city}``.
        clock: The time; rights are judged for the moment after the state was taken, so that one that was
            withdrawn in it holds no more.
    """
    newest = told.newest(connection, audience.organisation_id)
    now = clock.now()
    if newest <= after:
        return []
    rows = told.after(connection, audience.organisation_id, after, limit=NUMBERS_AT_ONCE)
    by_number = {row.sequence: row for row in rows}
    last = min(rows[-1].sequence or newest, after + NUMBERS_AT_ONCE) if rows else newest
    return list(_numbered(connection, audience, by_number, range(after + 1, last + 1), source, now))


def _numbered(
    connection: Connection,
    audience: Audience,
    by_number: dict[int | None, Delivery],
    numbers: range,
    source: str,
    now: datetime,
) -> Iterator[Retold]:
    for number in numbers:
        delivery = by_number.get(number)
        if delivery is None:  # erased
            yield Retold(sequence=number, event=None)
            continue
        try:
            yield _judged(connection, audience, delivery, number, source=source, now=now)
        except StoreUnavailableError:
            raise
        except Exception:  # noqa: BLE001 - the guard around each delivery
            _log.exception("delivery_not_retold", delivery_id=delivery.id)
            yield Retold(sequence=number, event=None)


def _judged(
    connection: Connection, audience: Audience, delivery: Delivery, number: int, *, source: str, now: datetime
) -> Retold:
    alarm = alarms.get(connection, delivery.alarm_id)
    notice = alarms.notice(connection, delivery.notice_id)
    assert alarm is not None  # noqa: S101 - foreign keys hold both
    assert notice is not None  # noqa: S101
    if alarm.data_class not in audience.classes:
        return Retold(sequence=number, event=None)
    grant = _grant(connection, audience.organisation_id, alarm, now=now)
    if grant is None and not _is_escalated_to(connection, audience.organisation_id, alarm):
        return Retold(sequence=number, event=None)
    address, position = registry.place(connection, alarm.position_id)
    event = care_event(
        replace(delivery, grant_id=grant.id if grant else None),
        source=source,
        notice=notice,
        alarm=alarm,
        event=events.get(connection, notice.event_id) if notice.event_id else None,
        address=address,
        position=position,
        purpose=grant.purpose if grant else CITY_PURPOSE,
    )
    return Retold(sequence=number, event=event, grant=grant)


def _grant(
    connection: Connection, organisation_id: OrganisationId, alarm: Alarm, *, now: datetime
) -> Grant | None:
    grants = registry.grants_of_home(connection, alarm.home_id, alarm.data_class)
    return may_receive(organisation_id, subject_of(alarm), at=now, step=alarm.step, grants=grants)


def _is_escalated_to(connection: Connection, organisation_id: OrganisationId, alarm: Alarm) -> bool:
    return alarm.escalated_at is not None and organisation_id in registry.cities(connection)
