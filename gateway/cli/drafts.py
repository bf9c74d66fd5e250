"""``stadsnav grant draft|approve|reject|drafts``: grants that one person proposes and another approves."""

from typing import Annotated, Any, Final

import typer

from gateway.cli import printing
from gateway.cli.desk import desk
from gateway.cli.operator import operator
from gateway.cli.options import LIMIT, AsJson, Data, Limit, OfHome, OfOrganisation
from gateway.times import duration, moment
from services import granting
from services.domain.granting import BasisKind, Draft, DraftState, LegalBasis
from services.granting import Proposal
from services.registry import DEFAULT_WITHIN

COLUMNS: Final = ("id", "org", "home", "position", "class", "purpose", "basis", "state", "proposed_by")

Id = Annotated[str, typer.Argument(metavar="ID")]


def draft(
    context: typer.Context,
    *,
    org: Annotated[str, typer.Option(metavar="ID", help="Who is to know.")],
    home: Annotated[str, typer.Option(metavar="ID", help="About which home.")],
    data_class: Annotated[str, typer.Option("--class", metavar="CLASS", help="safety, care, fire, …")],
    purpose: Annotated[str, typer.Option(metavar="TEXT", help="What for.")],
    basis: Annotated[BasisKind, typer.Option(help="By which right: consent, decision or contract.")],
    reference: Annotated[str, typer.Option(metavar="TEXT", help="Of the decision or contract.")] = "",
    position: Annotated[str | None, typer.Option(metavar="NAME", help="Only this position.")] = None,
    valid_from: Annotated[
        str | None, typer.Option("--from", metavar="TIME", help="From its approval at the earliest.")
    ] = None,
    valid_until: Annotated[str | None, typer.Option("--until", metavar="TIME")] = None,
    step: Annotated[int, typer.Option(metavar="N", help="Its place in the response chain.")] = 1,
    within: Annotated[
        float, typer.Option(metavar="SECONDS", help="How long this step has to answer.")
    ] = DEFAULT_WITHIN.total_seconds(),
    data: Data = None,
    as_json: AsJson = False,
) -> None:
    """Propose a grant; it has no effect until somebody else approves it."""
    proposal = Proposal(
        organisation_id=org,
        home_id=home,
        data_class=data_class,
        purpose=purpose,
        basis=LegalBasis(kind=basis, reference=reference),
        position=position,
        valid_from=None if valid_from is None else moment("from", valid_from),
        valid_until=None if valid_until is None else moment("until", valid_until),
        step=step,
        within=duration("within", within),
    )
    with desk(context, data) as at:
        proposed = at.write(
            lambda connection: granting.propose(connection, proposal, actor=operator(at), now=at.now)
        )
    printing.show(row(proposed), as_json=as_json)


def approve(context: typer.Context, *, draft_id: Id, data: Data = None, as_json: AsJson = False) -> None:
    """Let a grant hold that somebody else has proposed. Everything is checked again."""
    with desk(context, data) as at:
        approved, _ = at.write(
            lambda connection: granting.approve(connection, draft_id, actor=operator(at), now=at.now)
        )
    printing.show(row(approved), as_json=as_json)


def reject(
    context: typer.Context,
    *,
    draft_id: Id,
    reason: Annotated[str, typer.Option(metavar="TEXT")],
    data: Data = None,
    as_json: AsJson = False,
) -> None:
    """Decide against a proposed grant, or take your own back."""
    with desk(context, data) as at:
        rejected = at.write(
            lambda connection: granting.reject(
                connection, draft_id, reason=reason, actor=operator(at), now=at.now
            )
        )
    printing.show(row(rejected), as_json=as_json)


def drafts(
    context: typer.Context,
    *,
    state: Annotated[DraftState | None, typer.Option(help="Only these.")] = None,
    home: OfHome = None,
    org: OfOrganisation = None,
    limit: Limit = LIMIT,
    data: Data = None,
    as_json: AsJson = False,
) -> None:
    """List proposed grants, the newest first, decided ones included."""
    with desk(context, data) as at:
        found = granting.drafts(
            at.store, actor=operator(at), state=state, home_id=home, organisation_id=org, limit=limit
        )
    printing.show([row(one) for one in found], COLUMNS, as_json=as_json)


def row(draft: Draft) -> dict[str, Any]:
    """A draft as it is printed."""
    return {
        "id": draft.id,
        "org": draft.organisation_id,
        "home": draft.home_id,
        "position": draft.position,
        "class": draft.data_class,
        "purpose": draft.purpose,
        "basis": draft.basis.text,
        "from": draft.valid_from,
        "until": draft.valid_until,
        "step": draft.step,
        "within": draft.within.total_seconds(),
        "state": draft.state,
        "proposed_at": draft.proposed_at,
        "proposed_by": draft.proposed_by,
        "decided_at": draft.decided_at,
        "decided_by": draft.decided_by,
        "reason": draft.reason,
        "grant": draft.grant_id,
    }
