"""``/api/v1/grants``: who may know what about whom, in force or ended.

A grant comes about by a draft that somebody else approves; see ``drafts``. Here it is looked at, and ended.
An organisation sees its own, the city's administrators all.
"""

from collections.abc import Sequence
from datetime import datetime
from functools import partial
from typing import Annotated, Final

from fastapi import APIRouter, Depends, Query, Response
from pydantic import Field

from gateway.api.callers import Caller, Needs
from gateway.api.grant_answers import GrantItem, GrantPage, grant_item
from gateway.api.once import OnceHere
from gateway.api.openapi import problems
from gateway.api.pages import cut
from gateway.api.parts import Here
from gateway.api.problems import NotHereError
from gateway.api.queries import PageQuery, Text, each_once
from gateway.api.seen import seen
from services import granting
from services.domain.actors import Permission
from services.scopes import Scope
from services.store import registry as rows
from services.store import registry_pages as pages
from services.store.connection import Connection
from services.store.scoping import BEHIND_ALL

router = APIRouter(prefix="/grants", tags=["grants"], dependencies=[Depends(each_once)])

Reader = Annotated[Caller, Depends(Needs(Permission.GRANTS_READ))]
Approver = Annotated[Caller, Depends(Needs(Permission.GRANTS_APPROVE))]

_LISTING: Final = "grants"


class GrantsQuery(PageQuery):
    """Which grants."""

    home: Text | None = Field(default=None, description="Only about this home.")
    organisation: Text | None = Field(default=None, description="Only to this organisation.")


@router.get("", summary="Grants", responses=problems(403))
async def list_grants(parts: Here, caller: Reader, query: Annotated[GrantsQuery, Query()]) -> GrantPage:
    """Grants, the newest first, ended ones included: the organisation's own, for the city all."""
    now = parts.clock.now()
    (before,) = parts.cursors.after(_LISTING, query.cursor, (BEHIND_ALL,))
    find = partial(_found, scope=caller.scope(now), query=query, before=before, now=now)
    chosen, has_more = cut(await parts.read(find), query.limit)
    await seen(parts, caller, [grant.home for grant in chosen], "api grants list")
    return GrantPage(
        items=list(chosen), next=parts.cursors.of(_LISTING, (chosen[-1].id,)) if has_more else None
    )


@router.get("/{grant_id}", summary="One grant", responses=problems(403, 404))
async def get_grant(parts: Here, caller: Reader, grant_id: str) -> GrantItem:
    """In force or ended."""
    now = parts.clock.now()
    grant = await parts.read(partial(_here, scope=caller.scope(now), grant_id=grant_id, now=now))
    await seen(parts, caller, [grant.home], f"api grant {grant.id}")
    return grant


@router.post(
    "/{grant_id}/end",
    status_code=200,
    response_model=GrantItem,
    summary="End a grant now",
    responses=problems(403, 404),
)
async def end_grant(parts: Here, caller: Approver, grant_id: str, once: OnceHere) -> Response:
    """Also for what is on its way under it. Again, it has no further effect."""
    now = parts.clock.now()

    def work(connection: Connection) -> GrantItem:
        _here(connection, scope=caller.scope(now), grant_id=grant_id, now=now)
        ended = granting.end(connection, grant_id, actor=caller.who, now=now)
        return grant_item(connection, ended, now=now)

    return await parts.desk.carry_out_once(once, work, status=200)


def _found(
    connection: Connection, *, scope: Scope, query: GrantsQuery, before: str, now: datetime
) -> Sequence[GrantItem]:
    organisation_id = query.organisation if scope.is_whole else scope.organisation_id
    if query.organisation not in {None, organisation_id}:
        return []  # another's, as one that is not there
    found = pages.grants(
        connection,
        organisation_id=organisation_id,
        home_id=query.home,
        before=before,
        limit=query.limit + 1,
    )
    return [grant_item(connection, grant, now=now) for grant in found]


def _here(connection: Connection, *, scope: Scope, grant_id: str, now: datetime) -> GrantItem:
    grant = rows.grant(connection, grant_id)
    if grant is None or not (scope.is_whole or grant.organisation_id == scope.organisation_id):
        raise NotHereError("grant", grant_id)
    return grant_item(connection, grant, now=now)
