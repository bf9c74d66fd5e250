"""``/api/v1/grant-drafts``: what somebody proposes, and somebody else approves or rejects.

propose ──> proposed ──approve (by a second person)──> a grant, in force
                └─────reject, with a reason
"""

from datetime import timedelta
from functools import partial
from typing import Annotated, Final

from fastapi import APIRouter, Depends, Query, Response
from pydantic import Field

from devices.kinds import DataClass
from gateway.api.bodies import Choice, ChosenId, Moment, StrictBody, Words
from gateway.api.callers import Caller, Needs
from gateway.api.grant_answers import ApprovedItem, DraftItem, DraftPage, draft_item, grant_item
from gateway.api.once import OnceHere
from gateway.api.openapi import problems
from gateway.api.pages import cut
from gateway.api.parts import Here
from gateway.api.queries import PageQuery, Text, each_once
from gateway.api.seen import seen
from services import granting
from services.domain.actors import Permission
from services.domain.granting import BasisKind, DraftState, LegalBasis, agreed_kind
from services.granting import Proposal
from services.registry import DEFAULT_WITHIN, LONGEST_WITHIN
from services.store.connection import Connection
from services.store.scoping import BEHIND_ALL

router = APIRouter(prefix="/grant-drafts", tags=["grants"], dependencies=[Depends(each_once)])

Reader = Annotated[Caller, Depends(Needs(Permission.GRANTS_READ))]
Proposer = Annotated[Caller, Depends(Needs(Permission.GRANTS_PROPOSE))]
Approver = Annotated[Caller, Depends(Needs(Permission.GRANTS_APPROVE))]

_LISTING: Final = "grant-drafts"


class ProposalBody(StrictBody):
    """A grant that is to be proposed."""

    organisation: ChosenId = Field(description="Who may know.", examples=["omsorg-nord"])
    home: ChosenId = Field(description="About which home.", examples=["h-0001"])
    position: Words | None = Field(default=None, description="Only this position; null: the whole home.")
    data_class: Choice[DataClass] = Field(alias="class")
    purpose: Words = Field(description="What for.", examples=["evening patrol"])
    basis: Choice[BasisKind] = Field(description="By which right: `consent`, `decision` or `contract`.")
    reference: str = Field(
        default="", max_length=200, description="Where the right can be found again.", examples=["form 12"]
    )
    valid_from: Moment | None = Field(default=None, alias="from", description="Null: from its approval.")
    valid_until: Moment | None = Field(
        default=None,
        alias="until",
        description="The first moment it no longer holds; null: until it is ended.",
    )
    step: int = Field(default=1, ge=1, le=99, description="Its place in the response chain.")
    within_seconds: float = Field(
        default=DEFAULT_WITHIN.total_seconds(),
        gt=0,
        le=LONGEST_WITHIN.total_seconds(),
        description="How long this step has to answer.",
    )


class RejectionBody(StrictBody):
    """Why a draft is rejected."""

    reason: Words


class DraftsQuery(PageQuery):
    """Which drafts."""

    state: DraftState | None = Field(default=None, description="Only those that have come so far.")
    home: Text | None = Field(default=None, description="Only about this home.")
    organisation: Text | None = Field(default=None, description="Only for this organisation.")


@router.get("", summary="Proposed grants", responses=problems(403))
async def list_grant_drafts(parts: Here, caller: Reader, query: Annotated[DraftsQuery, Query()]) -> DraftPage:
    """Drafts, the newest first: the organisation's own, for the city all."""
    (before,) = parts.cursors.after(_LISTING, query.cursor, (BEHIND_ALL,))
    find = partial(
        granting.drafts,
        actor=caller.who,
        state=query.state,
        home_id=query.home,
        organisation_id=query.organisation,
        before=before,
        limit=query.limit + 1,
    )
    chosen, has_more = cut(await parts.read(find), query.limit)
    await seen(parts, caller, [draft.home_id for draft in chosen], "api grant-drafts list")
    return DraftPage(
        items=[draft_item(draft) for draft in chosen],
        next=parts.cursors.of(_LISTING, (chosen[-1].id,)) if has_more else None,
    )


@router.post(
    "",
    status_code=201,
    response_model=DraftItem,
    summary="Propose a grant",
    responses=problems(403, 404, 409),
)
async def propose_grant(parts: Here, caller: Proposer, body: ProposalBody, once: OnceHere) -> Response:
    """It has no effect until somebody else approves it.

    An organisation proposes for itself, and is not told before the approval whether there is such a home.
    """
    proposal = Proposal(
        organisation_id=body.organisation,
        home_id=body.home,
        position=body.position,
        data_class=body.data_class,
        purpose=body.purpose,
        basis=LegalBasis(kind=agreed_kind(body.basis), reference=body.reference),
        valid_from=body.valid_from,
        valid_until=body.valid_until,
        step=body.step,
        within=timedelta(seconds=body.within_seconds),
    )

    def work(connection: Connection) -> DraftItem:
        return draft_item(granting.propose(connection, proposal, actor=caller.who, now=parts.clock.now()))

    return await parts.desk.carry_out_once(once, work)


@router.get("/{draft_id}", summary="One proposed grant", responses=problems(403, 404))
async def get_grant_draft(parts: Here, caller: Reader, draft_id: str) -> DraftItem:
    """Decided about or not."""
    draft = await parts.read(partial(granting.draft, draft_id=draft_id, actor=caller.who))
    await seen(parts, caller, [draft.home_id], f"api grant-draft {draft.id}")
    return draft_item(draft)


@router.post(
    "/{draft_id}/approve",
    status_code=200,
    response_model=ApprovedItem,
    summary="Let a proposed grant hold",
    responses=problems(403, 404, 409),
)
async def approve_grant(parts: Here, caller: Approver, draft_id: str, once: OnceHere) -> Response:
    """From now at the earliest; everything is checked again. Not by whoever has proposed it."""
    now = parts.clock.now()

    def work(connection: Connection) -> ApprovedItem:
        draft, grant = granting.approve(connection, draft_id, actor=caller.who, now=now)
        return ApprovedItem(draft=draft_item(draft), grant=grant_item(connection, grant, now=now))

    return await parts.desk.carry_out_once(once, work, status=200)


@router.post(
    "/{draft_id}/reject",
    status_code=200,
    response_model=DraftItem,
    summary="Reject a proposed grant, or take one's own back",
    responses=problems(403, 404, 409),
)
async def reject_grant(
    parts: Here, caller: Proposer, draft_id: str, body: RejectionBody, once: OnceHere
) -> Response:
    """With the reason, which whoever has proposed it can read."""

    def work(connection: Connection) -> DraftItem:
        return draft_item(
            granting.reject(connection, draft_id, reason=body.reason, actor=caller.who, now=parts.clock.now())
        )

    return await parts.desk.carry_out_once(once, work, status=200)
