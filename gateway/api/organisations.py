"""``/api/v1/organisations``: who may be told. Each sees itself and the city; the city sees all."""

from functools import partial
from typing import Annotated, Final

from fastapi import APIRouter, Depends, Query, Response
from pydantic import BaseModel, Field

from gateway.api.bodies import Choice, ChosenId, StrictBody, Words
from gateway.api.callers import Caller, Needs
from gateway.api.once import OnceHere
from gateway.api.openapi import problems
from gateway.api.pages import PageOf, cut
from gateway.api.parts import Here
from gateway.api.problems import NotHereError
from gateway.api.queries import PageQuery, each_once
from services import registry
from services.domain.actors import Permission, Role
from services.domain.homes import Organisation, OrganisationKind
from services.domain.ids import OrganisationId
from services.store import registry_pages as pages
from services.store.connection import Connection

router = APIRouter(prefix="/organisations", tags=["organisations"], dependencies=[Depends(each_once)])

Reader = Annotated[Caller, Depends(Needs(Permission.ORGANISATIONS_READ))]
Registrar = Annotated[Caller, Depends(Needs(Permission.ORGANISATIONS_WRITE))]

_LISTING: Final = "organisations"


class OrganisationView(BaseModel):
    """Somebody who may be told, or who answers for the whole (the city)."""

    id: str = Field(examples=["omsorg-nord"])
    name: str = Field(description="What a resident is told when somebody is coming.")
    kind: OrganisationKind


class OrganisationPage(PageOf[OrganisationView]):
    """Organisations by id."""


class NewOrganisationBody(StrictBody):
    """An organisation that is to be registered."""

    id: ChosenId = Field(examples=["omsorg-nord"])
    name: Words = Field(description="What residents are told.", examples=["Omsorg Nord AB"])
    kind: Choice[OrganisationKind]


@router.get("", summary="Organisations that you may know of", responses=problems(403))
async def list_organisations(
    parts: Here, caller: Reader, query: Annotated[PageQuery, Query()]
) -> OrganisationPage:
    """Organisations by id."""
    (after,) = parts.cursors.after(_LISTING, query.cursor, ("",))
    found = await parts.read(
        partial(pages.organisations, seen_by=_seen_by(caller), after=after, limit=query.limit + 1)
    )
    chosen, has_more = cut(found, query.limit)
    return OrganisationPage(
        items=[_item(one) for one in chosen],
        next=parts.cursors.of(_LISTING, (chosen[-1].id,)) if has_more else None,
    )


@router.post(
    "",
    status_code=201,
    response_model=OrganisationView,
    summary="Register an organisation",
    responses=problems(403, 409),
)
async def add_organisation(
    parts: Here, caller: Registrar, body: NewOrganisationBody, once: OnceHere
) -> Response:
    """The very same again changes nothing. What it may know is said by grants."""
    organisation = Organisation(id=OrganisationId(body.id), name=body.name, kind=body.kind)

    def work(connection: Connection) -> OrganisationView:
        added = registry.add_organisation(connection, organisation, actor=caller.actor, now=parts.clock.now())
        return _item(added)

    return await parts.desk.carry_out_once(once, work)


@router.get("/{organisation_id}", summary="One organisation", responses=problems(403, 404))
async def get_organisation(parts: Here, caller: Reader, organisation_id: str) -> OrganisationView:
    """One that you may know of."""
    found = await parts.read(
        partial(pages.organisation, organisation_id=organisation_id, seen_by=_seen_by(caller))
    )
    if found is None:
        raise NotHereError("organisation", organisation_id)
    return _item(found)


def _seen_by(caller: Caller) -> str | None:
    who = caller.who
    sees_all = who.governs or (who.is_city and Role.AUDITOR in who.roles)
    return None if sees_all else caller.organisation_id


def _item(organisation: Organisation) -> OrganisationView:
    return OrganisationView(id=organisation.id, name=organisation.name, kind=organisation.kind)
