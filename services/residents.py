"""Who lives in a home: registered under a pseudonym, with name and phone sealed.

    add ─┬─ lives there permanently: nothing is known on consent without theirs too
         └─ does not: their consent counts where it was given, and is not waited for
    move out ──> their consents support nothing any more

Whoever moves in permanently without consenting would end grants, and with them help that is on its way. So
that is refused until it is said: ``consent`` records the consents together with the arrival, ``ends_grants``
lets the grants end.
"""

import json
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Protocol

from services import audit, consents
from services.consents import NewConsent
from services.domain.actors import Actor, Permission
from services.domain.errors import ExistsError, InvalidError, RefusedError, UnknownError
from services.domain.granting import BasisKind
from services.domain.homes import Grant
from services.domain.ids import ResidentId, new_id
from services.domain.residents import Contact, How, Resident
from services.registry import check_id, check_text
from services.store import consents as consent_rows
from services.store import registry as registry_rows
from services.store import residents as rows
from services.store.connection import Connection


class Sealer(Protocol):
    """Keeps what nobody may read in the store."""

    def seal(self, text: bytes, *, about: str) -> bytes:
        """Encrypt; it opens only for the same ``about``, so that nobody can swap two rows."""

    def unseal(self, sealed: bytes, *, about: str) -> bytes:
        """Decrypt.

        Raises:
            UnreadableSealError: Its key is not there, or it was changed, or it is about somebody else.
        """


class UnreadableSealError(RefusedError):
    """What was sealed cannot be opened."""

    code = "unreadable_seal"

    def __init__(self, about: str, *, key: str) -> None:
        self.about = about
        super().__init__(
            f"Cannot read who {about!r} is: sealed with key {key}, which is not here or does not fit; "
            "restore secrets/residents.keys from a backup of the same time"
        )


class EndsGrantsError(RefusedError):
    """It would end grants, which must not happen by the way."""

    code = "ends_grants"

    def __init__(self, home_id: str, grants: tuple[Grant, ...]) -> None:
        self.home_id = home_id
        self.grant_ids = tuple(grant.id for grant in grants)
        named = ", ".join(f"{grant.id} ({grant.data_class} for {grant.purpose!r})" for grant in grants)
        super().__init__(
            f"This would end grants of home {home_id!r} that need everybody's consent: {named}; "
            "give the consent with it, or say that they end"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class NewResident:
    """What somebody says about a person in a home."""

    home_id: str
    name: str
    phone: str = ""
    id: str | None = None
    """None: one that we make."""
    is_permanent: bool = True
    moved_in_at: datetime | None = None
    """None: now."""
    consent: How | None = None
    """They consent to all that grants of the home rest on consent for, in this form."""
    reference: str = ""
    """Where that consent can be found again."""
    ends_grants: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ResidentChange:
    """A correction; what is None stays."""

    name: str | None = None
    phone: str | None = None
    is_permanent: bool | None = None
    moved_in_at: datetime | None = None
    moved_out_at: datetime | None = None
    ends_grants: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Settled:
    """A resident, and the grants that ended because of them."""

    resident: Resident
    ended: tuple[Grant, ...]


def add(connection: Connection, new: NewResident, *, sealer: Sealer, actor: Actor, now: datetime) -> Settled:
    """Register a person in a home, once they have moved in.

    Raises:
        UnknownError: There is no such home.
        ExistsError: There is a resident with this id.
        InvalidError: Something that was said cannot be right.
        EndsGrantsError: They live there permanently and grants rest on a consent that is not theirs yet.
    """
    actor.demand(Permission.RESIDENTS_WRITE)
    resident = _checked(connection, new, now=now)
    contact = _checked_contact(new.name, new.phone)
    with connection.savepoint():
        rows.add(connection, resident, sealed=_sealed(sealer, resident.id, contact))
        _log(connection, "resident_added", resident, actor=actor, now=now)
        if new.consent is not None:
            _consent_to_all(connection, resident, new.consent, new.reference, actor=actor, now=now)
        return _settle(connection, resident, ends_grants=new.ends_grants, actor=actor, now=now)


def change(
    connection: Connection,
    resident_id: str,
    wanted: ResidentChange,
    *,
    sealer: Sealer,
    actor: Actor,
    now: datetime,
) -> Settled:
    """Correct what is known of a resident.

    Raises:
        UnknownError: There is no such resident.
        InvalidError: Something cannot be right, or their name is erased.
        EndsGrantsError: Grants would end because of it.
    """
    actor.demand(Permission.RESIDENTS_WRITE)
    known = get(connection, resident_id)
    resident = replace(
        known,
        is_permanent=known.is_permanent if wanted.is_permanent is None else wanted.is_permanent,
        moved_in_at=wanted.moved_in_at or known.moved_in_at,
        moved_out_at=wanted.moved_out_at or known.moved_out_at,
    )
    _check_times(resident, now=now)
    with connection.savepoint():
        if wanted.name is not None or wanted.phone is not None:
            _change_contact(connection, resident, wanted, sealer=sealer)
        rows.update(connection, resident)
        _log(connection, "resident_changed", resident, actor=actor, now=now, details=_changed(wanted))
        return _settle(connection, resident, ends_grants=wanted.ends_grants, actor=actor, now=now)


def move_out(
    connection: Connection, resident_id: str, *, at: datetime | None = None, actor: Actor, now: datetime
) -> Settled:
    """Note that a resident does not live in the home any more; again, it has no further effect.

    Grants on consent go on when the others who live there have consented, and end when nobody is left.

    Raises:
        UnknownError: There is no such resident.
        InvalidError: They cannot have moved out then.
    """
    actor.demand(Permission.RESIDENTS_WRITE)
    known = get(connection, resident_id)
    if not known.lives_there:
        return Settled(resident=known, ended=())
    resident = replace(known, moved_out_at=at or now)
    _check_times(resident, now=now)
    rows.update(connection, resident)
    _log(connection, "resident_moved_out", resident, actor=actor, now=now)
    return _settle(connection, resident, ends_grants=True, actor=actor, now=now)


def get(connection: Connection, resident_id: str) -> Resident:
    """A resident, without who they are.

    Raises:
        UnknownError: There is no such resident.
    """
    resident = rows.get(connection, resident_id)
    if resident is None:
        raise UnknownError("resident", resident_id, mend="see `stadsnav resident list`")
    return resident


def contact(connection: Connection, resident: Resident, *, sealer: Sealer) -> Contact | None:
    """Who a resident is; None once that is erased. Whoever shows it logs a ``look`` first.

    Raises:
        UnreadableSealError: The key that it was sealed with is not there.
    """
    sealed = rows.sealed(connection, resident.id)
    if sealed is None:
        return None
    document = json.loads(sealer.unseal(sealed, about=resident.id))
    return Contact(name=document["name"], phone=document["phone"])


def look(resident: Resident, asked: str, *, actor: Actor, purpose: str = "") -> audit.Entry:
    """That somebody looked at who a resident is.

    Args:
        resident: Whose name it was.
        asked: What for, in the words of the question.
        actor: Who looked.
        purpose: For what, where a grant says so.
    """
    return audit.Entry(
        actor=actor.id,
        action="looked",
        organisation_id=actor.organisation_id or None,
        home_id=resident.home_id,
        resident_id=resident.id,
        subject=resident.id,
        purpose=purpose,
        details=asked,
    )


def reseal(connection: Connection, resident: Resident, *, sealer: Sealer) -> bool:
    """Seal who a resident is anew, with the newest key; False: that is erased."""
    known = contact(connection, resident, sealer=sealer)
    if known is not None:
        rows.seal(connection, resident.id, _sealed(sealer, resident.id, known))
    return known is not None


def _settle(
    connection: Connection, resident: Resident, *, ends_grants: bool, actor: Actor, now: datetime
) -> Settled:
    """End what cannot hold any more; refuse where that was not asked for (inside the caller's savepoint)."""
    ended = consents.end_unsupported(connection, resident.home_id, actor=actor, now=now)
    if ended and not ends_grants:
        raise EndsGrantsError(resident.home_id, ended)
    return Settled(resident=resident, ended=ended)


def _consent_to_all(
    connection: Connection, resident: Resident, how: How, reference: str, *, actor: Actor, now: datetime
) -> None:
    needed = {
        (grant.data_class, grant.purpose)
        for grant in consent_rows.of_kind(connection, resident.home_id, BasisKind.CONSENT, at=now)
    }
    for data_class, purpose in sorted(needed):
        new = NewConsent(
            resident_id=resident.id, data_class=data_class, purpose=purpose, how=how, reference=reference
        )
        consents.record(connection, new, actor=actor, now=now)


def _checked(connection: Connection, new: NewResident, *, now: datetime) -> Resident:
    home = registry_rows.home(connection, new.home_id)
    if home is None:
        raise UnknownError("home", new.home_id, mend="register it first with `stadsnav home add`")
    if new.id is not None:
        check_id("resident id", new.id)
        if rows.get(connection, new.id) is not None:
            raise ExistsError("resident", new.id)
    resident = Resident(
        id=ResidentId(new.id or new_id()),
        home_id=home.id,
        is_permanent=new.is_permanent,
        moved_in_at=new.moved_in_at or now,
    )
    _check_times(resident, now=now)
    return resident


def _check_times(resident: Resident, *, now: datetime) -> None:
    if resident.moved_in_at > now:
        raise InvalidError("moved in", resident.moved_in_at, expected="a time that has passed")
    if resident.moved_out_at is not None and not resident.moved_in_at <= resident.moved_out_at <= now:
        expected = f"a time from {resident.moved_in_at.isoformat()} that has passed"
        raise InvalidError("moved out", resident.moved_out_at, expected=expected)


def _checked_contact(name: str, phone: str) -> Contact:
    for what, text in (("name", name), ("phone", phone)):
        try:
            if text or what == "name":
                check_text(what, text)
        except InvalidError as error:  # who somebody is stays out of messages, also when it cannot be right
            raise InvalidError(what, f"({len(text)} characters)", expected=error.expected) from None
    return Contact(name=name, phone=phone)


def _change_contact(
    connection: Connection, resident: Resident, wanted: ResidentChange, *, sealer: Sealer
) -> None:
    known = contact(connection, resident, sealer=sealer)
    if known is None:
        raise InvalidError("resident", resident.id, expected="somebody whose name is not erased")
    corrected = _checked_contact(
        known.name if wanted.name is None else wanted.name,
        known.phone if wanted.phone is None else wanted.phone,
    )
    rows.seal(connection, resident.id, _sealed(sealer, resident.id, corrected))


def _sealed(sealer: Sealer, resident_id: str, who: Contact) -> bytes:
    document = json.dumps({"name": who.name, "phone": who.phone}, ensure_ascii=False)
    return sealer.seal(document.encode(), about=resident_id)


def _changed(wanted: ResidentChange) -> str:
    """Which members a correction is about; never their values."""
    members = ("name", "phone", "is_permanent", "moved_in_at", "moved_out_at")
    return " ".join(name for name in members if getattr(wanted, name) is not None)


def _log(
    connection: Connection, action: str, resident: Resident, *, actor: Actor, now: datetime, details: str = ""
) -> None:
    entry = audit.Entry(
        actor=actor.id,
        action=action,
        organisation_id=actor.organisation_id or None,
        home_id=resident.home_id,
        resident_id=resident.id,
        subject=resident.id,
        details=details,
    )
    audit.note(connection, entry, at=now)
