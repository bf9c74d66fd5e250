"""``/api/v1/tokens``: what machines of one's own organisation show; for the city's administrators, of all."""

from datetime import datetime, timedelta
from http import HTTPStatus
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Query, Response
from pydantic import BaseModel, Field, StringConstraints

from gateway.api.bodies import Choice, StrictBody
from gateway.api.callers import Caller, Needs
from gateway.api.once import OnceHere
from gateway.api.openapi import problems
from gateway.api.pages import PageOf, cut
from gateway.api.parts import Here
from gateway.api.queries import PageQuery, Text, each_once
from services import audit, tokens
from services.domain.actors import Permission, Role
from services.domain.errors import UnknownError
from services.domain.tokens import ApiToken
from services.identity import accounts
from services.store import tokens as rows
from services.store.connection import Connection
from services.store.scoping import BEHIND_ALL
from services.tokens import Limits

LISTING: Final = "tokens"

router = APIRouter(prefix="/tokens", tags=["accounts"], dependencies=[Depends(each_once)])

Reading = Annotated[Caller, Depends(Needs(Permission.ACCOUNTS_READ))]
Writing = Annotated[Caller, Depends(Needs(Permission.ACCOUNTS_WRITE))]
Name = Annotated[str, StringConstraints(max_length=200)]


class TokenQuery(PageQuery):
    """Which tokens."""

    organisation: Text | None = Field(default=None, description="Only of this one; your own is meant else.")


class TokenBody(StrictBody):
    """A token that a machine shall have."""

    name: Name = Field(default="", description="Which machine gets it.")
    organisation: Name = Field(default="", description="Your own when empty.")
    roles: list[Choice[Role]] = Field(
        default=[], max_length=10, description="None: those that machines of such an organisation have."
    )
    only: list[Choice[Permission]] = Field(
        default=[], max_length=len(Permission), description="Only these of what the roles permit; none: all."
    )
    days: Annotated[int, Field(ge=1, le=tokens.LONGEST_LIFETIME.days)] = tokens.LIFETIME.days


class TokenItem(BaseModel):
    """A token, without its text."""

    id: str
    organisation: str
    name: str
    roles: list[Role] = Field(description="None: those that machines of such an organisation have.")
    only: list[Permission] | None = Field(description="null: all that the roles permit.")
    created_by: str
    created_at: datetime
    expires_at: datetime
    revoked_at: datetime | None
    last_used_at: datetime | None = Field(description="To the hour.")


class NewToken(TokenItem):
    """A token with its text, which is shown this once."""

    token: str = Field(description="For `Authorization: Bearer …`.")


@router.get("", summary="The machines that have tokens")
async def list_tokens(
    parts: Here, caller: Reading, query: Annotated[TokenQuery, Query()]
) -> PageOf[TokenItem]:
    """Tokens, the newest first, ended ones included."""
    (before,) = parts.cursors.after(LISTING, query.cursor, (BEHIND_ALL,))
    whose = query.organisation or (None if accounts.keeps_all(caller.who) else caller.organisation_id)
    if whose is not None and not accounts.sees(caller.who, whose):
        return PageOf(items=[], next=None)

    def look(connection: Connection) -> list[ApiToken]:
        return rows.tokens(connection, organisation_id=whose, before=before, limit=query.limit + 1)

    found, is_more = cut(await parts.read(look), query.limit)
    entry = audit.Entry(
        actor=caller.actor,
        action="looked",
        organisation_id=caller.organisation_id,
        details="api tokens list",
    )
    await parts.ledger.looked([entry], at=parts.clock.now())
    following = parts.cursors.of(LISTING, (found[-1].id,)) if is_more else None
    return PageOf(items=[TokenItem(**_members(token)) for token in found], next=following)


@router.post(
    "",
    summary="Make a token",
    status_code=HTTPStatus.CREATED,
    response_model=NewToken,
    responses=problems(403, 404),
)
async def add_token(parts: Here, caller: Writing, once: OnceHere, body: TokenBody) -> Response:
    """Make a token with roles that are yours to give. Its text is shown now and never again."""
    organisation_id = body.organisation or caller.organisation_id

    def issue(connection: Connection) -> NewToken:
        if not accounts.sees(caller.who, organisation_id):
            raise UnknownError("organisation", organisation_id)
        issued = tokens.issue(
            connection,
            organisation_id,
            name=body.name,
            lifetime=timedelta(days=body.days),
            limits=Limits(roles=tuple(body.roles), permissions=tuple(body.only)),
            by=caller.who,
            actor=caller.actor,
            now=parts.clock.now(),
        )
        return NewToken(**_members(issued.token), token=issued.text)

    return await parts.desk.carry_out_once(once, issue)


@router.delete(
    "/{token_id}", summary="End a token", status_code=HTTPStatus.NO_CONTENT, responses=problems(404)
)
async def revoke_token(parts: Here, caller: Writing, token_id: str) -> None:
    """End a token at once."""

    def revoke(connection: Connection) -> None:
        token = rows.get(connection, token_id)
        if token is None or not accounts.sees(caller.who, token.organisation_id):
            raise UnknownError("token", token_id)
        tokens.revoke(connection, token_id, actor=caller.actor, now=parts.clock.now())

    await parts.desk.carry_out(revoke)


def _members(token: ApiToken) -> dict[str, Any]:
    return {
        "id": token.id,
        "organisation": token.organisation_id,
        "name": token.name,
        "roles": sorted(token.roles),
        "only": None if token.narrowed_to is None else sorted(token.narrowed_to),
        "created_by": token.created_by,
        "created_at": token.created_at,
        "expires_at": token.expires_at,
        "revoked_at": token.revoked_at,
        "last_used_at": token.last_used_at,
    }
