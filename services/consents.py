"""A resident's yes, and what rests on it.

    record ──> consent in force ──supports──> grants of the home for this class and purpose
    withdraw ──> those grants end, in the same transaction; what waits under them is judged again at once

A grant on consent holds while everybody who lives in the home permanently has said yes to its class and
purpose, and there is such a person. Whatever changes that (a withdrawal, an arrival, a move) ends it.
"""

from dataclasses import dataclass, replace
from datetime import datetime

from devices.kinds import DataClass
from services import audit, registry
from services.domain.actors import Actor, Permission
from services.domain.errors import InvalidError, RefusedError, UnknownError
from services.domain.granting import BasisKind, data_class
from services.domain.homes import Grant
from services.domain.ids import ConsentId, ResidentId, new_id
from services.domain.residents import Consent, How, Resident
from services.store import consents as rows
from services.store import residents
from services.store.connection import Connection

WITHDRAWN = "consent"
"""Why a grant ended whose consents were not there any more."""


class ConsentMissingError(RefusedError):
    """Somebody who lives there permanently has not said yes."""

    code = "consent_missing"

    def __init__(
        self, home_id: str, data_class: str, purpose: str, resident_ids: tuple[ResidentId, ...]
    ) -> None:
        self.home_id = home_id
        self.resident_ids = resident_ids
        wanted = f"{data_class} for {purpose!r}"
        if resident_ids:
            named = ", ".join(resident_ids)
            sentence = f"Residents of home {home_id!r} have not consented to {wanted}: {named}; record theirs"
        else:
            sentence = (
                f"Nobody who lives in home {home_id!r} permanently is registered to consent to {wanted}"
            )
        super().__init__(sentence)


class ConsentInForceError(RefusedError):
    """There is a yes to this already, given in another way."""

    code = "consent_in_force"

    def __init__(self, known: Consent) -> None:
        self.consent_id = known.id
        super().__init__(
            f"Resident {known.resident_id!r} has consented to {known.data_class} for {known.purpose!r} "
            f"{known.how} already (consent {known.id}); withdraw that first to replace it"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class NewConsent:
    """What somebody says about a resident's yes."""

    resident_id: str
    data_class: str
    purpose: str
    how: How
    reference: str = ""
    given_at: datetime | None = None
    """None: now."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Withdrawn:
    """A consent that was taken back, and the grants that ended with it."""

    consent: Consent
    ended: tuple[Grant, ...]


def record(connection: Connection, new: NewConsent, *, actor: Actor, now: datetime) -> Consent:
    """Keep a resident's yes; grants of its class and purpose rest on it too. The same again changes nothing.

    Raises:
        UnknownError: There is no such resident.
        InvalidError: They have moved out, or something that was said cannot be right.
        ConsentInForceError: They have said yes to it before, in another way.
    """
    actor.demand(Permission.CONSENTS_WRITE)
    resident = _checked(connection, new, now=now)
    known = rows.in_force(connection, new.resident_id, new.data_class, new.purpose)
    if known is not None:
        if (known.how, known.reference) == (new.how, new.reference):
            return known
        raise ConsentInForceError(known)
    consent = Consent(
        id=ConsentId(new_id()),
        resident_id=resident.id,
        data_class=DataClass(new.data_class),
        purpose=new.purpose,
        how=new.how,
        reference=new.reference,
        given_at=new.given_at or now,
        recorded_at=now,
        recorded_by=actor.id,
    )
    rows.add(connection, consent)
    for grant in rows.of_kind(connection, resident.home_id, BasisKind.CONSENT, at=now):
        if (grant.data_class, grant.purpose) == (consent.data_class, consent.purpose):
            rows.link(connection, grant.id, consent.id)
    _log(connection, "consent_recorded", consent, resident, actor=actor, now=now)
    return consent


def withdraw(connection: Connection, consent_id: str, *, actor: Actor, now: datetime) -> Withdrawn:
    """Take a consent back, now: every grant that rests on it ends with it. Again, it has no further effect.

    Access to its class that was taken in an emergency ends too: nobody types a reason against a no.

    Raises:
        UnknownError: There is no such consent.
    """
    actor.demand(Permission.CONSENTS_WRITE)
    consent = rows.get(connection, consent_id)
    if consent is None:
        raise UnknownError("consent", consent_id, mend="see `stadsnav consent list`")
    if not consent.is_in_force:
        return Withdrawn(consent=consent, ended=())
    resident = residents.get(connection, consent.resident_id)
    assert resident is not None  # noqa: S101 - a foreign key holds it
    rows.withdraw(connection, consent.id, at=now, by=actor.id)
    _log(connection, "consent_withdrawn", consent, resident, actor=actor, now=now)
    ended = tuple(
        _end(connection, grant, actor=actor, now=now)
        for grant in rows.ended_by(connection, consent, resident.home_id, at=now)
    )
    return Withdrawn(consent=replace(consent, withdrawn_at=now, withdrawn_by=actor.id), ended=ended)


def missing(connection: Connection, home_id: str, data_class: str, purpose: str) -> tuple[ResidentId, ...]:
    """Those who live in a home permanently and have not said yes to something, by id."""
    return tuple(rows.missing(connection, home_id, data_class, purpose))


def is_supported(connection: Connection, home_id: str, data_class: str, purpose: str) -> bool:
    """Whether a grant on consent can hold: somebody lives there permanently, and all such have said yes."""
    has_anybody = any(one.is_permanent for one in residents.living_in(connection, home_id))
    return has_anybody and not rows.missing(connection, home_id, data_class, purpose)


def demand(connection: Connection, home_id: str, data_class: str, purpose: str) -> tuple[Consent, ...]:
    """The consents that a grant rests on: also those of people who do not live there permanently.

    Raises:
        ConsentMissingError: Says whose is missing, by id.
    """
    if not is_supported(connection, home_id, data_class, purpose):
        lacking = missing(connection, home_id, data_class, purpose)
        raise ConsentMissingError(home_id, data_class, purpose, lacking)
    return tuple(rows.supporting(connection, home_id, data_class, purpose))


def end_unsupported(
    connection: Connection, home_id: str, *, actor: Actor, now: datetime
) -> tuple[Grant, ...]:
    """End the grants of a home whose consents are not all there any more."""
    return tuple(
        _end(connection, grant, actor=actor, now=now)
        for grant in rows.of_kind(connection, home_id, BasisKind.CONSENT, at=now)
        if not is_supported(connection, home_id, grant.data_class, grant.purpose)
    )


def _end(connection: Connection, grant: Grant, *, actor: Actor, now: datetime) -> Grant:
    rows.note_end(connection, grant.id, because=WITHDRAWN)
    return registry.revoke_grant(connection, grant.id, actor=actor.id, now=now)


def _checked(connection: Connection, new: NewConsent, *, now: datetime) -> Resident:
    resident = residents.get(connection, new.resident_id)
    if resident is None:
        raise UnknownError("resident", new.resident_id, mend="see `stadsnav resident list`")
    if not resident.lives_there:
        raise InvalidError("resident", new.resident_id, expected="somebody who lives in the home")
    data_class(new.data_class)
    registry.check_text("purpose", new.purpose)
    if new.reference:
        registry.check_text("reference", new.reference)
    if new.given_at is not None and new.given_at > now:
        raise InvalidError("given", new.given_at, expected="a time that has passed")
    return resident


def _log(
    connection: Connection, action: str, consent: Consent, resident: Resident, *, actor: Actor, now: datetime
) -> None:
    entry = audit.Entry(
        actor=actor.id,
        action=action,
        organisation_id=actor.organisation_id or None,
        home_id=resident.home_id,
        resident_id=resident.id,
        subject=consent.id,
        purpose=consent.purpose,
        details=f"{consent.data_class} {consent.how}",
    )
    audit.note(connection, entry, at=now)
