"""Who asks: known by the token in ``Authorization: Bearer …`` (RFC 6750), and by nothing else.

No token, a wrong one, one that ended and one that was revoked all get the same answer.
"""

from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from typing import Annotated, ClassVar, Final

import structlog
from fastapi import Depends, Security
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from gateway.api.parts import Here, Parts
from gateway.api.problems import ApiRefusedError
from services import audit, tokens
from services.domain.homes import Grant
from services.domain.ids import OrganisationId
from services.domain.tokens import ApiToken, TokenId

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
    """The organisation that asks."""

    organisation_id: OrganisationId
    actor: str
    """Its token, as the log names it."""
    token_id: TokenId

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
    token = await parts.threads.run(partial(_recognised, parts, shown.credentials)) if shown else None
    if token is None:
        raise NobodyError
    now = parts.clock.now()
    if tokens.is_use_to_note(token, now=now):
        await parts.ledger.used(token, at=now)
    structlog.contextvars.bind_contextvars(organisation_id=token.organisation_id)
    return Caller(organisation_id=token.organisation_id, actor=f"token:{token.id}", token_id=token.id)


Asking = Annotated[Caller, Depends(caller_of)]


def _recognised(parts: Parts, text: str) -> ApiToken | None:
    with parts.registry() as registry:
        return tokens.recognise(registry, text, now=parts.clock.now())
