"""Who asks: known by one thing that they show, the first of these that is there.

    Authorization: Bearer …   an API token, or a JWT of the city's identity provider (RFC 6750)
    session cookie            a person who has signed in
    client certificate        an organisation's, on a TLS connection of our own

Nothing, something wrong, something that ended and something that was revoked all get the same answer. What a
browser sends unasked (a cookie, a certificate) changes something only for a page of ours: see ``origins``.
"""

from dataclasses import dataclass
from datetime import datetime
from functools import partial
from http import HTTPStatus
from typing import Annotated, ClassVar, Final

import structlog
from fastapi import Depends, Request, Security
from fastapi.security import APIKeyCookie, HTTPAuthorizationCredentials, HTTPBearer

from gateway.api import origins, session_cookie, standing
from gateway.api.door import Door, DoorHere
from gateway.api.parts import Here, Parts
from gateway.api.problems import ApiRefusedError
from gateway.api.standing import Means, Shown
from gateway.identity import machine_tokens
from gateway.identity.documents import ProviderAwayError
from gateway.identity.jwts import BadTokenError
from gateway.identity.peer_certificates import peer_of
from services import audit, tokens
from services.domain.accounts import Session
from services.domain.actors import Actor, Permission
from services.domain.homes import Grant
from services.domain.ids import OrganisationId
from services.domain.tokens import ApiToken
from services.identity import sessions
from services.scopes import Scope, scope
from services.store import sessions as session_rows
from services.store.connection import Connection

BEARER: Final = HTTPBearer(
    scheme_name="token",
    description="An organisation's API token (`stadsnav org token add ORG`), or a JWT of the city's identity "
    "provider for a client that is registered (`stadsnav org client add ORG CLIENT_ID`).",
    auto_error=False,
)
COOKIE: Final = APIKeyCookie(
    name=f"__Host-{session_cookie.NAME}",
    scheme_name="session",
    description="Of a person who has signed in. What changes something needs the header `X-CSRF-Token` too.",
    auto_error=False,
)
ANSWERING: Final = "/api/v1/alarms/"
"""Posts below this answer alarms: nobody is kept from that by how often they ask."""

_log = structlog.get_logger(__name__)


class NobodyError(ApiRefusedError):
    """Whoever asks has not shown anything that holds."""

    code = "unauthorized"
    status = HTTPStatus.UNAUTHORIZED
    headers: ClassVar = {"WWW-Authenticate": "Bearer"}
    mend = "send `Authorization: Bearer TOKEN` with a token that holds, or sign in"

    def __init__(self) -> None:
        super().__init__("There is nothing here that shows who asks, or it does not hold")


class ForeignPageError(ApiRefusedError):
    """A browser asks for a change, and not clearly for a page of ours."""

    code = "foreign_page"
    status = HTTPStatus.FORBIDDEN
    mend = "send `X-CSRF-Token` with `csrf_token` of GET /api/v1/session, from a page of this server"

    def __init__(self) -> None:
        super().__init__("This changes something, and it is not shown that a page of this server asks for it")


class TooOftenError(ApiRefusedError):
    """Somebody asks more often than they may."""

    code = "too_often"
    status = HTTPStatus.TOO_MANY_REQUESTS
    mend = "ask again later, and less often"

    def __init__(self, wait_seconds: float) -> None:
        self.headers = {"Retry-After": str(int(wait_seconds) + 1)}  # type: ignore[misc]  # of this refusal
        super().__init__("You ask more often than you may")


class ProviderAwayRefusedError(ApiRefusedError):
    """Nobody can say now whether a token or a sign-in is right."""

    code = "identity_provider_away"
    status = HTTPStatus.SERVICE_UNAVAILABLE
    headers: ClassVar = {"Retry-After": "30"}
    mend = "try again soon; local accounts and API tokens work meanwhile"

    def __init__(self) -> None:
        super().__init__("The city's identity provider does not answer now")


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Who asks, and for whom."""

    who: Actor
    shown: Shown

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

    def still_stands(self, connection: Connection, *, at: datetime) -> bool:
        """Whether what it has shown holds yet, and gives the same rights."""
        return standing.still_stands(connection, self.shown, self.who, at=at)


async def caller_of(
    request: Request,
    parts: Here,
    door: DoorHere,
    shown: Annotated[HTTPAuthorizationCredentials | None, Security(BEARER)],
    _: Annotated[str | None, Security(COOKIE)],
) -> Caller:
    """Who asks; notes now and then that a token or a session is in use.

    Raises:
        NobodyError: There is nothing that holds.
        ForeignPageError: A browser asks for a change, not for a page of ours.
        TooOftenError: They ask too often.
    """
    is_bearer = "authorization" in request.headers
    cookie = None if is_bearer else session_cookie.text_in(request, door.web)
    try:
        found = await _found(request, parts, door, shown.credentials if shown else None, cookie)
    except NobodyError:
        _count_stranger(request, door)
        raise
    if found.shown.is_sent_unasked:
        _check_page(request, door, cookie if found.shown.means is Means.SESSION else None)
    if not (request.method == "POST" and request.url.path.startswith(ANSWERING)):
        _check_rate(door, found.who.id)
    structlog.contextvars.bind_contextvars(organisation_id=found.organisation_id)
    return found


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


async def _found(
    request: Request, parts: Parts, door: Door, bearer: str | None, cookie: str | None
) -> Caller:
    """Who shows something that holds.

    Raises:
        NobodyError: Nobody.
    """
    now = parts.clock.now()
    if bearer is not None and _is_jwt(bearer, door):
        believed = await _machine(bearer, door, now=now)
        return await _standing(parts, believed, now=now)
    if bearer is not None:
        return await _with_token(parts, bearer, now=now)
    if cookie is not None:
        return await _with_session(parts, door, cookie, now=now)
    peer = None if "authorization" in request.headers else peer_of(request.scope)
    if peer is None:
        raise NobodyError
    certificate = Shown(means=Means.CERTIFICATE, id=peer.name, serial=peer.serial)
    return await _standing(parts, certificate, now=now)


def _is_jwt(text: str, door: Door) -> bool:
    return not text.startswith(tokens.PREFIX) and door.machine_tokens is not None and "." in text


async def _machine(text: str, door: Door, *, now: datetime) -> Shown:
    assert door.issuer is not None  # noqa: S101 - asked by ``_is_jwt``
    assert door.machine_tokens is not None  # noqa: S101
    try:
        token = await machine_tokens.recognise(text, door.issuer, door.machine_tokens, now=now)
    except BadTokenError as error:
        _log.info("machine_token_refused", reason=error.reason)
        raise NobodyError from None
    except ProviderAwayError:
        raise ProviderAwayRefusedError from None
    return Shown(means=Means.CLIENT, id=token.client_id, ends_at=token.ends_at)


async def _with_token(parts: Parts, text: str, *, now: datetime) -> Caller:
    def look(connection: Connection) -> tuple[ApiToken, Caller] | None:
        token = tokens.recognise(connection, text, now=now)
        return None if token is None else (token, _caller(connection, Means.TOKEN, token.id, now=now))

    found = await parts.read(look)
    if found is None:
        raise NobodyError
    token, caller = found
    if tokens.is_use_to_note(token, now=now):
        await parts.ledger.used(token, at=now)
    return caller


async def _with_session(parts: Parts, door: Door, text: str, *, now: datetime) -> Caller:
    def look(connection: Connection) -> tuple[Session, Caller] | None:
        session = sessions.recognise(connection, text, door.limits, now=now)
        return None if session is None else (session, _caller(connection, Means.SESSION, session.id, now=now))

    found = await parts.read(look)
    if found is None:
        raise NobodyError
    session, caller = found
    if sessions.is_use_to_note(session, now=now):
        await parts.desk.carry_out(partial(session_rows.note_seen, session_id=session.id, at=now))
    return caller


async def _standing(parts: Parts, shown: Shown, *, now: datetime) -> Caller:
    who = await parts.read(partial(standing.actor_of, shown=shown, at=now))
    if who is None:
        raise NobodyError
    return Caller(who=who, shown=shown)


def _caller(connection: Connection, means: Means, id_: str, *, now: datetime) -> Caller:
    shown = Shown(means=means, id=id_)
    who = standing.actor_of(connection, shown, at=now)
    if who is None:
        raise NobodyError
    return Caller(who=who, shown=shown)


def _check_page(request: Request, door: Door, cookie: str | None) -> None:
    """Refuse a change that a page of somebody else may have asked for."""
    if request.method in origins.SAFE_METHODS:
        return
    own = origins.own_origins(request.url.scheme, request.headers, door.web)
    if cookie is None:  # a certificate, which programs show too
        if origins.is_foreign(request.headers, own=own):
            raise ForeignPageError
        return
    token = request.headers.get(session_cookie.CSRF_HEADER, "")
    if not origins.is_ours(request.headers, own=own) or not sessions.is_csrf_token(cookie, token):
        raise ForeignPageError


def _check_rate(door: Door, who: str) -> None:
    if (wait_s := door.callers.take(who)) > 0:
        raise TooOftenError(wait_s)


def _count_stranger(request: Request, door: Door) -> None:
    """Log who was turned away, and have those wait who come too often."""
    address = request.client.host if request.client else ""
    if (wait_s := door.strangers.take(address)) > 0:
        raise TooOftenError(wait_s) from None
    _log.info("caller_refused", method=request.method, address=address)
