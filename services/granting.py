"""How a grant comes into force: proposed by one person, approved by another.

    propose ──> draft ──approve (somebody else)──> everything is checked again ──> grant, in force
                  └──── reject, with a reason

Whoever does not run the city proposes for their own organisation, and is told nothing about the home: a draft
for a home that does not exist looks like any other, until the city decides. ``add_now`` is the operator on
the machine, who needs no second person and is logged as such.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from devices.kinds import DataClass, HomeId
from services import audit, consents, registry
from services.domain.actors import Actor, Permission
from services.domain.errors import UnknownError
from services.domain.granting import (
    BasisKind,
    DecidedError,
    Draft,
    DraftState,
    LegalBasis,
    SamePersonError,
    agreed_kind,
    basis_in,
    sees_all,
)
from services.domain.homes import Grant
from services.domain.ids import ConsentId, DraftId, new_id
from services.registry import DEFAULT_WITHIN, NewGrant, check_id, check_text
from services.store import consents as consent_rows
from services.store import drafts as rows
from services.store import registry as registry_rows
from services.store.connection import Connection


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """What somebody proposes."""

    organisation_id: str
    home_id: str
    data_class: str
    purpose: str
    basis: LegalBasis
    position: str | None = None
    valid_from: datetime | None = None
    """None, or before the approval: from the approval."""
    valid_until: datetime | None = None
    step: int = 1
    within: timedelta = DEFAULT_WITHIN


@dataclass(frozen=True, slots=True, kw_only=True)
class BasisView:
    """By which right a grant holds."""

    kind: BasisKind | None
    """None: a text of people's own, from before there were kinds or from the command line."""
    reference: str
    consent_ids: tuple[ConsentId, ...]
    ended_because: str
    """``consent``: not everybody's was there any more; empty: it holds, or time or a person has ended it."""


def propose(connection: Connection, proposal: Proposal, *, actor: Actor, now: datetime) -> Draft:
    """Propose a grant. It has no effect until somebody else approves it.

    Raises:
        UnknownError: It is not for their own organisation; for the city: what it names does not exist.
        InvalidError: It cannot be right.
    """
    actor.demand(Permission.GRANTS_PROPOSE)
    _check_proposal(connection, proposal, actor=actor, now=now)
    organisation = registry_rows.organisation(connection, proposal.organisation_id)
    assert organisation is not None  # noqa: S101 - checked, or their own
    draft = Draft(
        id=DraftId(new_id()),
        organisation_id=organisation.id,
        home_id=HomeId(proposal.home_id),
        position=proposal.position,
        data_class=DataClass(proposal.data_class),
        purpose=proposal.purpose,
        basis=proposal.basis,
        valid_from=proposal.valid_from,
        valid_until=proposal.valid_until,
        step=proposal.step,
        within=proposal.within,
        proposed_at=now,
        proposed_by=actor.id,
        proposed_principal=actor.principal,
    )
    rows.add(connection, draft)
    _log(connection, "grant_proposed", draft, actor=actor, now=now, details=_terms(draft))
    return draft


def approve(connection: Connection, draft_id: str, *, actor: Actor, now: datetime) -> tuple[Draft, Grant]:
    """Let a proposed grant hold, from now at the earliest. Everything is checked again.

    Raises:
        UnknownError: There is no such draft, or what it names does not exist.
        DecidedError: Somebody has decided about it.
        SamePersonError: They have proposed it themselves.
        ConsentMissingError: It is to rest on consents that are not all there.
        InvalidError: It cannot be right any more.
    """
    actor.demand(Permission.GRANTS_APPROVE)
    proposed = _undecided(draft(connection, draft_id, actor=actor))
    if proposed.proposed_principal == actor.principal:
        raise SamePersonError("draft", proposed.id)
    grant = _add(connection, _new_grant(proposed, now=now), proposed.basis, actor=actor, now=now)
    approved = replace(
        proposed, state=DraftState.APPROVED, decided_at=now, decided_by=actor.id, grant_id=grant.id
    )
    rows.decide(connection, approved)
    details = f"grant {grant.id}, proposed by {proposed.proposed_by}"
    _log(connection, "grant_approved", approved, actor=actor, now=now, details=details)
    return approved, grant


def reject(connection: Connection, draft_id: str, *, reason: str, actor: Actor, now: datetime) -> Draft:
    """Decide against a proposed grant; whoever proposed it may take it back in the same way.

    Raises:
        UnknownError: There is no such draft.
        DecidedError: Somebody has decided about it.
        InvalidError: There is no reason.
    """
    proposed = draft(connection, draft_id, actor=actor)
    is_own = proposed.proposed_principal == actor.principal
    actor.demand(Permission.GRANTS_PROPOSE if is_own else Permission.GRANTS_APPROVE)
    check_text("reason", reason)
    rejected = replace(
        _undecided(proposed), state=DraftState.REJECTED, decided_at=now, decided_by=actor.id, reason=reason
    )
    rows.decide(connection, rejected)
    _log(connection, "grant_rejected", rejected, actor=actor, now=now)
    return rejected


def end(connection: Connection, grant_id: str, *, actor: Actor, now: datetime) -> Grant:
    """End a grant now.

    Raises:
        UnknownError: There is no such grant.
    """
    actor.demand(Permission.GRANTS_APPROVE)
    return registry.revoke_grant(connection, grant_id, actor=actor.id, now=now)


def add_now(connection: Connection, new: NewGrant, *, actor: Actor, now: datetime) -> Grant:
    """Let a grant hold at once, without a second person: for the operator on the machine.

    Raises:
        RefusedError: Something that it names does not exist, or cannot be right.
        ConsentMissingError: Its basis begins with ``consent:``, and not everybody's is there.
    """
    actor.demand(Permission.GRANTS_APPROVE)
    basis = basis_in(new.legal_basis)
    if basis is None:
        grant = registry.add_grant(connection, new, actor=actor.id, now=now)
    else:
        grant = _add(connection, replace(new, legal_basis=basis.text), basis, actor=actor, now=now)
    entry = audit.Entry(
        actor=actor.id,
        action="granted_at_once",
        organisation_id=grant.organisation_id,
        home_id=grant.home_id,
        subject=grant.id,
        purpose=grant.purpose,
        details="on the machine, without a second person",
    )
    audit.note(connection, entry, at=now)
    return grant


def draft(connection: Connection, draft_id: str, *, actor: Actor) -> Draft:
    """A draft of the actor's organisation, or any for the city.

    Raises:
        UnknownError: There is none that is theirs to see.
    """
    found = rows.get(connection, draft_id)
    if found is None or not (sees_all(actor) or found.organisation_id == actor.organisation_id):
        raise UnknownError("draft", draft_id, mend="see `stadsnav grant drafts`")
    return found


def drafts(
    connection: Connection,
    *,
    actor: Actor,
    state: DraftState | None = None,
    home_id: str | None = None,
    organisation_id: str | None = None,
    before: str | None = None,
    limit: int,
) -> list[Draft]:
    """Drafts of the actor's organisation, or all for the city, the newest first."""
    if not sees_all(actor):
        if organisation_id not in {None, actor.organisation_id}:
            return []
        organisation_id = actor.organisation_id
    return rows.drafts(
        connection,
        state=state,
        home_id=home_id,
        organisation_id=organisation_id,
        before=before,
        limit=limit,
    )


def basis_of(connection: Connection, grant: Grant) -> BasisView:
    """By which right a grant holds, and what it rests on."""
    found = consent_rows.basis(connection, grant.id)
    if found is None:
        return BasisView(kind=None, reference=grant.legal_basis, consent_ids=(), ended_because="")
    basis, ended_because = found
    return BasisView(
        kind=basis.kind,
        reference=basis.reference,
        consent_ids=tuple(consent_rows.under(connection, grant.id)),
        ended_because=ended_because,
    )


def _check_proposal(connection: Connection, proposal: Proposal, *, actor: Actor, now: datetime) -> None:
    if not (sees_all(actor) or proposal.organisation_id == actor.organisation_id):
        raise UnknownError("organisation", proposal.organisation_id)
    agreed_kind(proposal.basis.kind)
    _check_reference(proposal.basis)
    check_id("home id", proposal.home_id)
    if proposal.position is not None:
        check_text("position", proposal.position)
    new = NewGrant(
        organisation_id=proposal.organisation_id,
        home_id=proposal.home_id,
        data_class=proposal.data_class,
        purpose=proposal.purpose,
        legal_basis=proposal.basis.text,
        position=proposal.position,
        valid_from=_from(proposal.valid_from, now=now),
        valid_until=proposal.valid_until,
        step=proposal.step,
        within=proposal.within,
    )
    registry.check_terms(new, now=now)
    if sees_all(actor):
        registry.check_grant(connection, new, now=now)


def _check_reference(basis: LegalBasis) -> None:
    """A decision or a contract has a number; consents are found by themselves."""
    if basis.reference or basis.kind is not BasisKind.CONSENT:
        check_text("basis reference", basis.reference)


def _from(wanted: datetime | None, *, now: datetime) -> datetime:
    """From when a grant holds: nobody is let into the past by proposing (DECISIONS 23)."""
    return now if wanted is None else max(wanted, now)


def _new_grant(proposed: Draft, *, now: datetime) -> NewGrant:
    return NewGrant(
        organisation_id=proposed.organisation_id,
        home_id=proposed.home_id,
        data_class=proposed.data_class,
        purpose=proposed.purpose,
        legal_basis=proposed.basis.text,
        position=proposed.position,
        valid_from=_from(proposed.valid_from, now=now),
        valid_until=proposed.valid_until,
        step=proposed.step,
        within=proposed.within,
    )


def _add(connection: Connection, new: NewGrant, basis: LegalBasis, *, actor: Actor, now: datetime) -> Grant:
    registry.check_grant(connection, new, now=now)
    _check_reference(basis)
    is_on_consent = basis.kind is BasisKind.CONSENT
    needed = (new.home_id, new.data_class, new.purpose)
    given = consents.demand(connection, *needed) if is_on_consent else ()
    grant = registry.add_grant(connection, new, actor=actor.id, now=now)
    consent_rows.add_basis(connection, grant.id, basis)
    for consent in given:
        consent_rows.link(connection, grant.id, consent.id)
    return grant


def _undecided(proposed: Draft) -> Draft:
    if proposed.state is not DraftState.PROPOSED:
        raise DecidedError("draft", proposed.id, outcome=proposed.state, by=proposed.decided_by)
    return proposed


def _terms(proposed: Draft) -> str:
    return f"{proposed.data_class} step {proposed.step} basis {proposed.basis.text}"


def _log(
    connection: Connection, action: str, proposed: Draft, *, actor: Actor, now: datetime, details: str = ""
) -> None:
    entry = audit.Entry(
        actor=actor.id,
        action=action,
        organisation_id=proposed.organisation_id,
        home_id=proposed.home_id,
        subject=proposed.id,
        purpose=proposed.purpose,
        details=details,
    )
    audit.note(connection, entry, at=now)
