"""Access that an organisation takes itself when somebody is in danger; the city reviews every case.

    take (reason, at most 4 h) ──> grants on the basis "emergency" ──> a fault until the city has reviewed it

For homes that the organisation knows: it is granted something there, or was in the last 90 days while
somebody lived there who still does. What it took itself makes it know nothing, so one emergency is no way to
the next. A home that it does not know gets the answer of one that does not exist. Somebody who lives there
and has taken back their yes to a class is not overruled: a reason can be typed by anybody.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from devices.kinds import DataClass, HomeId
from services import audit, registry
from services.access import is_in_force
from services.domain.actors import Actor, Permission
from services.domain.errors import InvalidError, RefusedError, UnknownError
from services.domain.granting import (
    BasisKind,
    DecidedError,
    Emergency,
    LegalBasis,
    Outcome,
    SamePersonError,
    data_class,
    sees_all,
)
from services.domain.homes import Grant
from services.domain.ids import EmergencyId, new_id
from services.registry import DEFAULT_WITHIN, NewGrant, check_text
from services.store import consents, residents, status
from services.store import emergencies as rows
from services.store import registry as registry_rows
from services.store.connection import Connection

LASTS: Final = timedelta(hours=1)
LONGEST: Final = timedelta(hours=4)
KNOWN_FOR: Final = timedelta(days=90)
"""How long an organisation knows a home after its last grant there."""

LOOKS_BACK: Final = timedelta(hours=24)
"""What led to the emergency; an alarm from before a grant is not shown under it."""

PURPOSE: Final = "emergency"
FAULT: Final = "emergency_access"


class ConsentWithdrawnError(RefusedError):
    """Somebody who lives there has said no."""

    code = "consent_withdrawn"

    def __init__(self, home_id: str, classes: tuple[DataClass, ...]) -> None:
        self.home_id = home_id
        self.classes = classes
        super().__init__(
            f"Somebody who lives in home {home_id!r} has withdrawn consent to {', '.join(classes)}; "
            "ask for the other classes, or call the city"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Taking:
    """What an operator says when taking access."""

    organisation_id: str
    home_id: str
    classes: tuple[str, ...]
    reason: str
    lasts: timedelta = LASTS


def take(connection: Connection, taking: Taking, *, actor: Actor, now: datetime) -> Emergency:
    """Take access to a home, now and for a while.

    Raises:
        UnknownError: It is not for their own organisation, or the organisation does not know this home.
        InvalidError: Something that was said cannot be right.
        ConsentWithdrawnError: Somebody who lives there has said no to one of the classes.
    """
    actor.demand(Permission.GRANTS_EMERGENCY)
    if taking.organisation_id != actor.organisation_id:
        raise UnknownError("organisation", taking.organisation_id)
    classes = _checked(taking)
    if not _knows(connection, taking, now=now):
        raise UnknownError("home", taking.home_id, mend="or it is none that you know; call the city")
    refused = tuple(one for one in classes if consents.has_been_refused(connection, taking.home_id, one))
    if refused:
        raise ConsentWithdrawnError(taking.home_id, refused)
    id_ = EmergencyId(new_id())
    grants = [_grant(connection, taking, one, id_, actor=actor, now=now) for one in classes]
    emergency = Emergency(
        id=id_,
        organisation_id=actor.organisation_id,
        home_id=HomeId(taking.home_id),
        classes=classes,
        grant_ids=tuple(grant.id for grant in grants),
        reason=taking.reason,
        taken_at=now,
        taken_by=actor.id,
        taken_principal=actor.principal,
        valid_until=now + taking.lasts,
    )
    rows.add(connection, emergency)
    _log(connection, "emergency_taken", emergency, actor=actor, now=now, details=" ".join(classes))
    status.open_fault(connection, FAULT, id_, _to_do(emergency), at=now)
    return emergency


def review(
    connection: Connection,
    emergency_id: str,
    *,
    outcome: Outcome,
    note: str,
    actor: Actor,
    now: datetime,
) -> Emergency:
    """Say what the city finds about an emergency; one that was not justified ends.

    Raises:
        UnknownError: There is no such emergency.
        DecidedError: Somebody has reviewed it.
        SamePersonError: They have taken it themselves.
        InvalidError: The note cannot be right.
    """
    actor.demand(Permission.GRANTS_APPROVE)
    taken = get(connection, emergency_id, actor=actor)
    if taken.outcome is not None:
        raise DecidedError("emergency", taken.id, outcome=taken.outcome, by=taken.reviewed_by)
    if taken.taken_principal == actor.principal:
        raise SamePersonError("emergency", taken.id)
    check_text("note", note)
    reviewed = replace(taken, reviewed_at=now, reviewed_by=actor.id, outcome=outcome, note=note)
    rows.review(connection, reviewed)
    _log(connection, "emergency_reviewed", reviewed, actor=actor, now=now, details=outcome)
    status.end_fault(connection, FAULT, taken.id, at=now)
    if outcome is Outcome.UNJUSTIFIED:
        for grant_id in taken.grant_ids:
            registry.revoke_grant(connection, grant_id, actor=actor.id, now=now)
    return reviewed


def get(connection: Connection, emergency_id: str, *, actor: Actor) -> Emergency:
    """An emergency of the actor's organisation, or any for the city.

    Raises:
        UnknownError: There is none that is theirs to see.
    """
    found = rows.get(connection, emergency_id)
    if found is None or not (sees_all(actor) or found.organisation_id == actor.organisation_id):
        raise UnknownError("emergency", emergency_id, mend="see `stadsnav grant emergencies`")
    return found


def emergencies(
    connection: Connection,
    *,
    actor: Actor,
    unreviewed: bool = False,
    before: str | None = None,
    limit: int,
) -> list[Emergency]:
    """Emergencies of the actor's organisation, or all for the city, the newest first."""
    return rows.emergencies(
        connection,
        organisation_id=None if sees_all(actor) else actor.organisation_id,
        unreviewed=unreviewed,
        before=before,
        limit=limit,
    )


def _checked(taking: Taking) -> tuple[DataClass, ...]:
    check_text("reason", taking.reason)
    if not timedelta(0) < taking.lasts <= LONGEST:
        raise InvalidError("duration", taking.lasts, expected=f"more than 0 and at most {LONGEST}")
    if not taking.classes:
        raise InvalidError("classes", "nothing", expected="one or more of " + ", ".join(DataClass))
    return tuple(data_class(one) for one in dict.fromkeys(taking.classes))


def _knows(connection: Connection, taking: Taking, *, now: datetime) -> bool:
    living = residents.living_in(connection, taking.home_id)
    since = now - KNOWN_FOR
    if living:
        since = max(since, min(one.moved_in_at for one in living))
    return rows.has_known(connection, taking.organisation_id, taking.home_id, since=since, at=now)


def _grant(
    connection: Connection,
    taking: Taking,
    data_class: DataClass,
    id_: EmergencyId,
    *,
    actor: Actor,
    now: datetime,
) -> Grant:
    basis = LegalBasis(kind=BasisKind.EMERGENCY, reference=id_)
    step, within = _beside_others(registry_rows.grants_of_home(connection, taking.home_id, data_class), now)
    new = NewGrant(
        organisation_id=taking.organisation_id,
        home_id=taking.home_id,
        data_class=data_class,
        purpose=PURPOSE,
        legal_basis=basis.text,
        valid_from=now - LOOKS_BACK,
        valid_until=now + taking.lasts,
        step=step,
        within=within,
    )
    grant = registry.add_grant(connection, new, actor=actor.id, now=now)
    consents.add_basis(connection, grant.id, basis)
    return grant


def _beside_others(grants: list[Grant], now: datetime) -> tuple[int, timedelta]:
    """A place in the response chain that makes nobody else wait longer, or be passed over sooner."""
    first = min(
        (grant for grant in grants if is_in_force(grant, now)),
        key=lambda grant: (grant.step, grant.within),
        default=None,
    )
    return (1, DEFAULT_WITHIN) if first is None else (first.step, first.within)


def _to_do(emergency: Emergency) -> str:
    return (
        f"Organisation {emergency.organisation_id} has taken access to home {emergency.home_id} "
        f"({', '.join(emergency.classes)}); review it with `stadsnav grant review {emergency.id}`"
    )


def _log(
    connection: Connection, action: str, emergency: Emergency, *, actor: Actor, now: datetime, details: str
) -> None:
    entry = audit.Entry(
        actor=actor.id,
        action=action,
        organisation_id=emergency.organisation_id,
        home_id=emergency.home_id,
        subject=emergency.id,
        purpose=PURPOSE,
        details=details,
    )
    audit.note(connection, entry, at=now)
