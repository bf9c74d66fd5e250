"""Who asks: known by the token in ``Authorization: Bearer …`` (RFC 6750), and by nothing else.

No token, a wrong one, one that ended and one that was revoked all get the same answer.
"""

from dataclasses import dataclass
from datetime import datetime
from functools import partial
from http import HTTPStatus
from typing import Annotated, ClassVar, Final

import structlog
from fastapi import Depends, Security
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from gateway.api.parts import Here, Parts
from gateway.api.problems import ApiRefusedError
from services import audit, tokens
from services.domain.actors import Actor, Permission, Role
from services.domain.homes import Grant, OrganisationKind
from services.domain.ids import OrganisationId
from services.domain.tokens import ApiToken, TokenId
from services.scopes import Scope, scope
from services.store import registry as registry_rows

BEARER: Final = HTTPBearer(
    scheme_name="token",
    description="An organisation's API token: `stadsnav org token add ORG`.",
    auto_error=False,
)


class NobodyError(ApiRefusedError):
    """Whoever asks has not shown a token that holds."""

    code = "unauthorized"
    status = HTTPStatus.UNAUTHORIZED
    headers: ClassVar = {"WWW-Authenticate": "Bearer"}
    mend = "send `Authorization: Bearer TOKEN` with a token that holds; the city issues them"

    def __init__(self) -> None:
        super().__init__("There is no token here that holds")


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Who asks, and for whom."""

    who: Actor
    token_id: TokenId

    @property
    def organisation_id(self) -> OrganisationId:
        """The organisation that asks."""
        return self.who.organisation_id

    @property
    def actor(self) -> str:
        """As the log names it."""
        return self.who.id

    def scope(self, at: datetime) -> Scope:
        """What it may know at a moment."""
        return scope(self.who, at=at)

    def look(self, grant: Grant, asked: str) -> audit.Entry:
        """That it looks at a home, by a grant.

        Args:
            grant: By what right.
            asked: What for, in the words of the question.
        """
        return audit.Entry(
            actor=self.actor,
            action="looked",
            organisation_id=self.organisation_id,
            home_id=grant.home_id,
            subject=grant.id,
            purpose=grant.purpose,
            details=asked,
        )


async def caller_of(
    parts: Here, shown: Annotated[HTTPAuthorizationCredentials | None, Security(BEARER)]
) -> Caller:
    """Who asks; notes once an hour that the token is in use.

    Raises:
        NobodyError: There is no token that holds.
    """
    found = await parts.threads.run(partial(_recognised, parts, shown.credentials)) if shown else None
    if found is None:
        raise NobodyError
    token, who = found
    now = parts.clock.now()
    if tokens.is_use_to_note(token, now=now):
        await parts.ledger.used(token, at=now)
    structlog.contextvars.bind_contextvars(organisation_id=token.organisation_id)
    return Caller(who=who, token_id=token.id)


Asking = Annotated[Caller, Depends(caller_of)]


class Needs:
    """A dependency: who asks, and that they may do this at all; ``permission`` says what, for tests too.

    Raises:
        NotPermittedError: Their roles do not permit it.
    """

    def __init__(self, permission: Permission) -> None:
        self.permission = permission

    async def __call__(self, caller: Asking) -> Caller:
        """Who asks."""
        caller.who.demand(self.permission)
        return caller


_ROLES: Final = {
    OrganisationKind.CITY: frozenset({Role.CARE_OPERATOR}),
    OrganisationKind.INSTALLER: frozenset({Role.INSTALLER}),
}
"""Of an organisation's machines; all others are care administrators."""


def _recognised(parts: Parts, text: str) -> tuple[ApiToken, Actor] | None:
    with parts.registry() as registry:
        token = tokens.recognise(registry, text, now=parts.clock.now())
        if token is None:
            return None
        organisation = registry_rows.organisation(registry, token.organisation_id)
        assert organisation is not None  # noqa: S101 - a foreign key holds it
        id_ = f"token:{token.id}"
        return token, Actor(
            id=id_,
            principal=id_,
            name=organisation.name,
            organisation_id=organisation.id,
            is_city=organisation.kind is OrganisationKind.CITY,
            roles=_ROLES.get(organisation.kind, frozenset({Role.CARE_ADMIN})),
        )
