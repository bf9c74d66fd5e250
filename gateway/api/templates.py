"""``/api/v1/grant-templates``: the grants that a service needs, under a name; proposed for a home at once."""

from datetime import timedelta
from functools import partial
from typing import Annotated, Final

from fastapi import APIRouter, Depends, Query, Response
from pydantic import BaseModel, Field

from devices.kinds import DataClass
from gateway.api.bodies import Choice, ChosenId, Moment, StrictBody, Words
from gateway.api.callers import Caller, Needs
from gateway.api.grant_answers import DraftList, draft_item
from gateway.api.once import OnceHere
from gateway.api.openapi import problems
from gateway.api.pages import PageOf, cut
from gateway.api.parts import Here
from gateway.api.queries import PageQuery, each_once
from services import templates
from services.domain.actors import Permission
from services.domain.granting import BasisKind, Template, TemplateItem, agreed_kind
from services.domain.homes import OrganisationKind
from services.domain.ids import OrganisationId
from services.registry import DEFAULT_WITHIN, LONGEST_WITHIN
from services.store.connection import Connection
from services.templates import Application

router = APIRouter(prefix="/grant-templates", tags=["grants"], dependencies=[Depends(each_once)])

Reader = Annotated[Caller, Depends(Needs(Permission.GRANTS_READ))]
Proposer = Annotated[Caller, Depends(Needs(Permission.GRANTS_PROPOSE))]
Approver = Annotated[Caller, Depends(Needs(Permission.GRANTS_APPROVE))]

MOST_ITEMS: Final = 20

_LISTING: Final = "grant-templates"


class TemplateGrant(BaseModel):
    """One grant of a template."""

    data_class: DataClass = Field(serialization_alias="class")
    purpose: str
    basis: BasisKind
    step: int
    within_seconds: float


class TemplateView(BaseModel):
    """The grants that a service needs."""

    id: str
    title: str = Field(examples=["Evening patrol"])
    organisation_kind: OrganisationKind | None = Field(
        description="For every organisation of this kind; null: for one."
    )
    organisation: str | None = Field(description="For this one; null: for a kind.")
    grants: list[TemplateGrant]


class TemplatePage(PageOf[TemplateView]):
    """Templates by id."""


class TemplateGrantBody(StrictBody):
    """One grant of a template."""

    data_class: Choice[DataClass] = Field(alias="class")
    purpose: Words
    basis: Choice[BasisKind] = Field(description="`consent`, `decision` or `contract`.")
    step: int = Field(default=1, ge=1, le=99)
    within_seconds: float = Field(
        default=DEFAULT_WITHIN.total_seconds(), gt=0, le=LONGEST_WITHIN.total_seconds()
    )


class NewTemplateBody(StrictBody):
    """A template: for a kind of organisations, or for one of them."""

    id: ChosenId = Field(examples=["evening-patrol"])
    title: Words = Field(examples=["Evening patrol"])
    organisation_kind: Choice[OrganisationKind] | None = None
    organisation: ChosenId | None = None
    grants: list[TemplateGrantBody] = Field(min_length=1, max_length=MOST_ITEMS)


class ApplicationBody(StrictBody):
    """For whom and which home a template is to be proposed."""

    organisation: ChosenId
    home: ChosenId
    reference: str = Field(default="", max_length=200, description="Where the right can be found again.")
    valid_from: Moment | None = Field(default=None, alias="from", description="Null: from the approval.")
    valid_until: Moment | None = Field(default=None, alias="until")


class RemovedItem(BaseModel):
    """What is gone."""

    id: str


@router.get("", summary="Templates of grants", responses=problems(403))
async def list_grant_templates(
    parts: Here, caller: Reader, query: Annotated[PageQuery, Query()]
) -> TemplatePage:
    """Those that the organisation can use, by id; for the city all."""
    (after,) = parts.cursors.after(_LISTING, query.cursor, ("",))
    find = partial(templates.templates, actor=caller.who, after=after, limit=query.limit + 1)
    chosen, has_more = cut(await parts.read(find), query.limit)
    return TemplatePage(
        items=[_view(template) for template in chosen],
        next=parts.cursors.of(_LISTING, (chosen[-1].id,)) if has_more else None,
    )


@router.post(
    "",
    status_code=201,
    response_model=TemplateView,
    summary="Keep a template",
    responses=problems(403, 404, 409),
)
async def add_grant_template(
    parts: Here, caller: Approver, body: NewTemplateBody, once: OnceHere
) -> Response:
    """The very same again changes nothing."""
    template = Template(
        id=body.id,
        title=body.title,
        organisation_kind=body.organisation_kind,
        organisation_id=None if body.organisation is None else OrganisationId(body.organisation),
        items=tuple(_item(grant) for grant in body.grants),
    )

    def work(connection: Connection) -> TemplateView:
        return _view(templates.add(connection, template, actor=caller.who, now=parts.clock.now()))

    return await parts.desk.carry_out_once(once, work)


@router.get("/{template_id}", summary="One template", responses=problems(403, 404))
async def get_grant_template(parts: Here, caller: Reader, template_id: str) -> TemplateView:
    """One that the organisation can use."""
    return _view(await parts.read(partial(templates.get, template_id=template_id, actor=caller.who)))


@router.delete("/{template_id}", summary="Delete a template", responses=problems(403, 404))
async def remove_grant_template(parts: Here, caller: Approver, template_id: str) -> RemovedItem:
    """The grants that were made of it stay."""
    await parts.desk.carry_out(
        partial(templates.remove, template_id=template_id, actor=caller.who, now=parts.clock.now())
    )
    return RemovedItem(id=template_id)


@router.post(
    "/{template_id}/apply",
    status_code=201,
    response_model=DraftList,
    summary="Propose each grant of a template",
    responses=problems(403, 404, 409),
)
async def apply_grant_template(
    parts: Here, caller: Proposer, template_id: str, body: ApplicationBody, once: OnceHere
) -> Response:
    """All of them, or none."""
    application = Application(
        template_id=template_id,
        organisation_id=body.organisation,
        home_id=body.home,
        reference=body.reference,
        valid_from=body.valid_from,
        valid_until=body.valid_until,
    )

    def work(connection: Connection) -> DraftList:
        drafts = templates.apply(connection, application, actor=caller.who, now=parts.clock.now())
        return DraftList(items=[draft_item(draft) for draft in drafts])

    return await parts.desk.carry_out_once(once, work)


def _item(grant: TemplateGrantBody) -> TemplateItem:
    return TemplateItem(
        data_class=grant.data_class,
        purpose=grant.purpose,
        basis_kind=agreed_kind(grant.basis),
        step=grant.step,
        within=timedelta(seconds=grant.within_seconds),
    )


def _view(template: Template) -> TemplateView:
    return TemplateView(
        id=template.id,
        title=template.title,
        organisation_kind=template.organisation_kind,
        organisation=template.organisation_id,
        grants=[
            TemplateGrant(
                data_class=item.data_class,
                purpose=item.purpose,
                basis=item.basis_kind,
                step=item.step,
                within_seconds=item.within.total_seconds(),
            )
            for item in template.items
        ],
    )
