"""What a resident may ask for: to see what is kept about them, and to be forgotten as far as the law lets us.

    export ──> one document: who they are, consents, grants, alarms, events, who was told, who looked
    erase  ──> name and phone are gone; what must stay stays under the pseudonym, and is named with its reason

Correcting is ``services.residents.change``. A home's measured values are apart: see ``gateway.erasing``.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final

from devices.codecs.rfc3339 import time_text
from services import audit, residents
from services.domain.actors import Actor, Permission
from services.domain.residents import Consent, Resident
from services.residents import Sealer
from services.store import audit as audit_rows
from services.store import consents, extracts
from services.store import residents as rows
from services.store.audit import AuditRow, Wanted
from services.store.connection import Connection, from_micros, to_micros

EVERYTHING: Final = 1_000_000
_MICROSECOND: Final = timedelta(microseconds=1)

ALARMS_STAY: Final = (
    "documentation of care that was asked for and given, without a name; kept as long as the city's plan says"
)
CONSENTS_STAY: Final = "whoever has a consent must be able to show it (GDPR, article 7.1)"
LOG_STAYS: Final = "who looked must stay provable for five years, for you and for supervision"


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """Something that was not erased, and why."""

    what: str
    count: int
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Erased:
    """What became of a resident's data."""

    resident: Resident
    kept: tuple[Kept, ...]


def export(
    connection: Connection, resident_id: str, *, sealer: Sealer, actor: Actor, now: datetime
) -> dict[str, Any]:
    """Everything that is kept about a resident and, for the time they lived there, about the home.

    What concerns the home concerns everybody in it: hand it out to the resident, not to one for another.

    Raises:
        UnknownError: There is no such resident.
        UnreadableSealError: The key to their name is not there.
    """
    actor.demand(Permission.RESIDENTS_READ)
    resident = residents.get(connection, resident_id)
    _log(connection, "resident_exported", resident, actor=actor, now=now)
    since, until = _stay(resident, now=now)
    contact = residents.contact(connection, resident, sealer=sealer)
    given = consents.consents(connection, resident_id=resident.id, limit=EVERYTHING)
    about_home = (connection, resident.home_id, since, until)
    return {
        "made_at": time_text(now),
        "resident": {
            **_resident(resident),
            "name": contact.name if contact else None,
            "phone": contact.phone if contact else None,
        },
        "consents": [_consent(one) for one in given],
        "grants": extracts.grants(*about_home),
        "alarms": extracts.alarms(*about_home),
        "events": extracts.events(*about_home),
        "told": extracts.told(*about_home),
        "log": [_entry(row) for row in _log_about(connection, resident, since, until)],
    }


def erase(connection: Connection, resident_id: str, *, actor: Actor, now: datetime) -> Erased:
    """Forget who a resident is; again, it has no further effect.

    Raises:
        UnknownError: There is no such resident.
    """
    actor.demand(Permission.RESIDENTS_WRITE)
    resident = residents.get(connection, resident_id)
    if resident.erased_at is None:
        resident = replace(resident, erased_at=now)
        rows.erase(connection, resident)
        _log(connection, "resident_erased", resident, actor=actor, now=now)
    return Erased(resident=resident, kept=_kept(connection, resident, now=now))


def _kept(connection: Connection, resident: Resident, *, now: datetime) -> tuple[Kept, ...]:
    since, until = _stay(resident, now=now)
    alarms, events = (
        extracts.count(connection, table, resident.home_id, since, until) for table in ("alarms", "events")
    )
    given = consents.consents(connection, resident_id=resident.id, limit=EVERYTHING)
    entries = sum(1 for _ in _log_about(connection, resident, since, until))
    return (
        Kept(what="alarms", count=alarms, why=ALARMS_STAY),
        Kept(what="events", count=events, why=ALARMS_STAY),
        Kept(what="consents", count=len(given), why=CONSENTS_STAY),
        Kept(what="log", count=entries, why=LOG_STAYS),
    )


def _stay(resident: Resident, *, now: datetime) -> tuple[datetime, datetime]:
    """When they lived there, or up to and including now."""
    return resident.moved_in_at, resident.moved_out_at or now + _MICROSECOND


def _log_about(
    connection: Connection, resident: Resident, since: datetime, until: datetime
) -> Iterator[AuditRow]:
    """What the log says of the home while they lived there, and of themselves at any time; not of others."""
    stay = Wanted(home_id=resident.home_id, since=to_micros(since), until=to_micros(until))
    own = audit_rows.in_order(connection, Wanted(resident_id=resident.id))
    of_home = (row for row in audit_rows.in_order(connection, stay) if row.resident_id in {None, resident.id})
    found = {row.number: row for rows_ in (of_home, own) for row in rows_}
    return (found[number] for number in sorted(found))


def _resident(resident: Resident) -> dict[str, Any]:
    return {
        "id": resident.id,
        "home": resident.home_id,
        "permanent": resident.is_permanent,
        "moved_in_at": time_text(resident.moved_in_at),
        "moved_out_at": _time(resident.moved_out_at),
        "erased_at": _time(resident.erased_at),
    }


def _consent(consent: Consent) -> dict[str, Any]:
    return {
        "id": consent.id,
        "class": consent.data_class,
        "purpose": consent.purpose,
        "how": consent.how,
        "reference": consent.reference,
        "given_at": time_text(consent.given_at),
        "recorded_at": time_text(consent.recorded_at),
        "recorded_by": consent.recorded_by,
        "withdrawn_at": _time(consent.withdrawn_at),
        "withdrawn_by": consent.withdrawn_by,
    }


def _entry(row: AuditRow) -> dict[str, Any]:
    return {
        "number": row.number,
        "at": time_text(from_micros(row.at)),
        "who": row.actor,
        "organisation": row.organisation_id,
        "what": row.action,
        "about": row.subject,
        "purpose": row.purpose,
        "details": row.details,
    }


def _time(moment: datetime | None) -> str | None:
    return None if moment is None else time_text(moment)


def _log(connection: Connection, action: str, resident: Resident, *, actor: Actor, now: datetime) -> None:
    entry = audit.Entry(
        actor=actor.id,
        action=action,
        organisation_id=actor.organisation_id or None,
        home_id=resident.home_id,
        resident_id=resident.id,
        subject=resident.id,
    )
    audit.note(connection, entry, at=now)
