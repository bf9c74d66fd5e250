"""``/api/v1/usage``: how much was used in a month; one's own, and for the city everybody's."""

from functools import partial
from typing import Annotated, Final

from fastapi import APIRouter, Depends, Query
from fastapi.responses import Response
from pydantic import AwareDatetime, BaseModel, Field

from gateway.api.callers import Caller, Needs
from gateway.api.openapi import Responses, problems
from gateway.api.parts import Here, Parts
from gateway.api.problems import NotHereError
from gateway.api.queries import StrictQuery, Text, each_once
from gateway.usage_of import unfiled_readings
from services import audit, usage
from services.domain.actors import Permission, Role
from services.store import registry
from services.usage import Month, OrganisationUsage, Usage

router = APIRouter(prefix="/usage", tags=["usage"], dependencies=[Depends(each_once)])

CSV: Final = "text/csv; charset=utf-8"

_CSV: Final[Responses] = {200: {"content": {CSV: {"schema": {"type": "string"}}}}}


class UsageQuery(StrictQuery):
    """Which month, whose."""

    month: Text | None = Field(
        default=None, description="As 2026-11, UTC; this one when not given.", examples=["2026-11"]
    )
    organisation: Text | None = Field(default=None, description="Only this organisation's.")


class OrganisationItem(BaseModel):
    """What one organisation has used."""

    organisation: str
    name: str
    homes: int = Field(description="Homes of which it could know something at any moment of the month.")
    homes_by_class: dict[str, int]
    deliveries: dict[str, int] = Field(description="By channel and state, as `mqtt/confirmed`.")
    readings: dict[str, int] = Field(description="Readings that were released to it, by class.")
    looks: int = Field(description="How often it looked at a home.")


class MonthOfUsage(BaseModel):
    """What was used in a month."""

    month: str
    closed_at: AwareDatetime | None = Field(description="Since when it is counted for good; null: as of now.")
    organisations: list[OrganisationItem]


User = Annotated[Caller, Depends(Needs(Permission.USAGE_READ))]


@router.get("", summary="What was used in a month", responses=problems(404))
async def get_usage(parts: Here, caller: User, query: Annotated[UsageQuery, Query()]) -> MonthOfUsage:
    """Homes, deliveries, readings and looks: the basis for equal prices."""
    found = await _usage(parts, caller, query)
    return MonthOfUsage(
        month=found.month.name,
        closed_at=found.closed_at,
        organisations=[_item(one) for one in found.organisations],
    )


@router.get(
    "/csv", summary="The same for a spreadsheet", responses=_CSV | problems(404), response_class=Response
)
async def get_usage_csv(parts: Here, caller: User, query: Annotated[UsageQuery, Query()]) -> Response:
    """One count a line."""
    found = await _usage(parts, caller, query)
    return Response(
        "".join(usage.csv_lines(found)),
        media_type=CSV,
        headers={"Content-Disposition": f'attachment; filename="usage-{found.month.name}.csv"'},
    )


async def _usage(parts: Parts, caller: Caller, query: UsageQuery) -> Usage:
    """What may be seen, once it is logged that it is looked at."""
    now = parts.clock.now()
    month = Month.of(now) if query.month is None else Month.parse(query.month)
    whose = query.organisation
    who = caller.who
    if not (who.governs or (who.is_city and Role.AUDITOR in who.roles)):
        if whose not in {None, caller.organisation_id}:
            raise NotHereError("organisation", str(whose))
        whose = caller.organisation_id
    elif (
        whose is not None and await parts.read(partial(registry.organisation, organisation_id=whose)) is None
    ):
        raise NotHereError("organisation", whose)
    unfiled = await parts.threads.run(partial(unfiled_readings, parts.folder, month))
    found = await parts.read(
        partial(usage.show, month=month, organisation_id=whose, unfiled=unfiled, now=now)
    )
    entry = audit.Entry(
        actor=caller.actor,
        action="usage_read",
        organisation_id=caller.organisation_id,
        details=f"api usage month={month.name} organisation={whose or 'all'}",
    )
    await parts.ledger.looked([entry], at=now)
    return found


def _item(one: OrganisationUsage) -> OrganisationItem:
    return OrganisationItem(
        organisation=one.organisation_id,
        name=one.name,
        homes=one.count("homes"),
        homes_by_class=one.parts("homes"),
        deliveries=one.parts("deliveries"),
        readings=one.parts("readings"),
        looks=one.count("looks"),
    )
