"""``/api/v1/emergencies``: access that is taken with a reason, for hours, and reviewed by the city."""

from datetime import datetime, timedelta
from functools import partial
from typing import Annotated, Final

from fastapi import APIRouter, Depends, Query, Response
from pydantic import BaseModel, Field

from devices.kinds import DataClass
from gateway.api.bodies import Choice, ChosenId, StrictBody, Words
from gateway.api.callers import Caller, Needs
from gateway.api.once import OnceHere
from gateway.api.openapi import problems
from gateway.api.pages import PageOf, cut
from gateway.api.parts import Here
from gateway.api.queries import PageQuery, each_once
from gateway.api.seen import seen
from services import emergencies
from services.domain.actors import Permission
from services.domain.granting import Emergency, Outcome
from services.emergencies import LASTS, LONGEST, Taking
from services.store.connection import Connection
from services.store.scoping import BEHIND_ALL

router = APIRouter(prefix="/emergencies", tags=["grants"], dependencies=[Depends(each_once)])

Reader = Annotated[Caller, Depends(Needs(Permission.GRANTS_READ))]
Taker = Annotated[Caller, Depends(Needs(Permission.GRANTS_EMERGENCY))]
Approver = Annotated[Caller, Depends(Needs(Permission.GRANTS_APPROVE))]

_LISTING: Final = "emergencies"


class EmergencyItem(BaseModel):
    """Access that an organisation has taken, and what the city found about it."""

    id: str
    organisation: str
    home: str
    classes: list[DataClass]
    grants: list[str] = Field(description="One for each class, in their order.")
    reason: str
    taken_at: datetime
    taken_by: str
    valid_until: datetime
    reviewed_at: datetime | None = Field(description="Null: it still has to be reviewed.")
    reviewed_by: str | None
    outcome: Outcome | None
    note: str


class EmergencyPage(PageOf[EmergencyItem]):
    """Emergencies, the newest first."""


class EmergencyBody(StrictBody):
    """What is taken, and why."""

    home: ChosenId
    classes: list[Choice[DataClass]] = Field(min_length=1, max_length=len(DataClass))
    reason: Words = Field(description="Why there was no time for a grant.")
    lasts_seconds: float = Field(
        default=LASTS.total_seconds(), gt=0, le=LONGEST.total_seconds(), description="For how long."
    )


class ReviewBody(StrictBody):
    """What the city finds."""

    outcome: Choice[Outcome] = Field(description="`unjustified` ends the access at once.")
    note: Words


class EmergenciesQuery(PageQuery):
    """Which emergencies."""

    unreviewed: bool = Field(default=False, description="Only those that still have to be reviewed.")


@router.get("", summary="Access that was taken", responses=problems(403))
async def list_emergencies(
    parts: Here, caller: Reader, query: Annotated[EmergenciesQuery, Query()]
) -> EmergencyPage:
    """The newest first: the organisation's own, for the city all."""
    (before,) = parts.cursors.after(_LISTING, query.cursor, (BEHIND_ALL,))
    find = partial(
        emergencies.emergencies,
        actor=caller.who,
        unreviewed=query.unreviewed,
        before=before,
        limit=query.limit + 1,
    )
    chosen, has_more = cut(await parts.read(find), query.limit)
    await seen(parts, caller, [one.home_id for one in chosen], "api emergencies list")
    return EmergencyPage(
        items=[_item(one) for one in chosen],
        next=parts.cursors.of(_LISTING, (chosen[-1].id,)) if has_more else None,
    )


@router.post(
    "",
    status_code=201,
    response_model=EmergencyItem,
    summary="Take access to a home, now and for a while",
    responses=problems(403, 404, 409),
)
async def take_emergency(parts: Here, caller: Taker, body: EmergencyBody, once: OnceHere) -> Response:
    """For a home that the organisation has had to do with. The city reviews it."""
    taking = Taking(
        organisation_id=caller.organisation_id,
        home_id=body.home,
        classes=tuple(body.classes),
        reason=body.reason,
        lasts=timedelta(seconds=body.lasts_seconds),
    )

    def work(connection: Connection) -> EmergencyItem:
        return _item(emergencies.take(connection, taking, actor=caller.who, now=parts.clock.now()))

    return await parts.desk.carry_out_once(once, work)


@router.get("/{emergency_id}", summary="One emergency", responses=problems(403, 404))
async def get_emergency(parts: Here, caller: Reader, emergency_id: str) -> EmergencyItem:
    """Reviewed or not."""
    found = await parts.read(partial(emergencies.get, emergency_id=emergency_id, actor=caller.who))
    await seen(parts, caller, [found.home_id], f"api emergency {found.id}")
    return _item(found)


@router.post(
    "/{emergency_id}/review",
    status_code=200,
    response_model=EmergencyItem,
    summary="Say what the city finds about an emergency",
    responses=problems(403, 404, 409),
)
async def review_emergency(
    parts: Here, caller: Approver, emergency_id: str, body: ReviewBody, once: OnceHere
) -> Response:
    """One that was not justified ends."""

    def work(connection: Connection) -> EmergencyItem:
        reviewed = emergencies.review(
            connection,
            emergency_id,
            outcome=body.outcome,
            note=body.note,
            actor=caller.who,
            now=parts.clock.now(),
        )
        return _item(reviewed)

    return await parts.desk.carry_out_once(once, work, status=200)


def _item(emergency: Emergency) -> EmergencyItem:
    return EmergencyItem(
        id=emergency.id,
        organisation=emergency.organisation_id,
        home=emergency.home_id,
        classes=list(emergency.classes),
        grants=list(emergency.grant_ids),
        reason=emergency.reason,
        taken_at=emergency.taken_at,
        taken_by=emergency.taken_by,
        valid_until=emergency.valid_until,
        reviewed_at=emergency.reviewed_at,
        reviewed_by=emergency.reviewed_by,
        outcome=emergency.outcome,
        note=emergency.note,
    )
