"""``/api/v1/session``: people sign in with name, password and code, see who they are, and sign out.

POST      a session and its cookie       GET    who asks, what they may do, their CSRF token
DELETE    ends it                        POST password    another password; other sessions end
"""

from datetime import timedelta
from functools import partial
from http import HTTPStatus
from typing import Annotated, Final

import anyio
from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, Field, StringConstraints

from gateway.api import session_cookie
from gateway.api.bodies import StrictBody
from gateway.api.callers import Asking, Caller, TooOftenError
from gateway.api.door import PASSWORDS_WAITING, Door, DoorHere
from gateway.api.openapi import problems
from gateway.api.parts import Here, Parts
from gateway.api.problems import ApiRefusedError, NotHereError
from gateway.api.standing import Means, Shown
from gateway.setting_tables.web import LOOPBACK_HOSTS
from services.domain.actors import Permission, Role
from services.identity import accounts, passwords, sessions, signing_in, tries
from services.identity.sessions import Opened
from services.identity.signing_in import Begun, SignInRefusedError
from services.identity.tries import TooManyTriesError, Try
from services.store import accounts as account_rows
from services.store import sessions as session_rows
from services.store.connection import Connection

router = APIRouter(prefix="/session", tags=["session"])

Secret = Annotated[str, StringConstraints(max_length=passwords.LONGEST)]
_LOCAL: Final = frozenset(name.strip("[]") for name in LOOPBACK_HOSTS)


class NeedsHttpsError(ApiRefusedError):
    """A password would travel in the clear."""

    code = "needs_https"
    status = HTTPStatus.FORBIDDEN
    mend = "use https; whoever runs the server sets web.certificate_file, or web.public_url behind a proxy"

    def __init__(self) -> None:
        super().__init__("Nobody signs in over plain HTTP from another machine")


class TriedTooOftenError(ApiRefusedError):
    """Somebody must wait before the next try."""

    code = "too_many_tries"
    status = HTTPStatus.TOO_MANY_REQUESTS
    mend = "wait as long as Retry-After says; sessions that are open go on"

    def __init__(self, wait: timedelta) -> None:
        seconds = int(wait.total_seconds()) + 1
        self.headers = {"Retry-After": str(seconds)}  # type: ignore[misc]  # of this refusal
        super().__init__(f"There were too many tries; wait {seconds} s")


class SignIn(StrictBody):
    """What somebody shows."""

    name: Annotated[str, StringConstraints(max_length=200)]
    password: Secret
    code: Annotated[str, StringConstraints(max_length=64)] = Field(
        default="", description="Of the authenticator app, or a recovery code; where the account has one."
    )


class NewPassword(StrictBody):
    """Another password of one's own."""

    old: Secret
    new: Secret


class Me(BaseModel):
    """Who asks."""

    id: str = Field(description="As the log names it.", examples=["account:0192…"])
    name: str
    organisation: str
    means: Means = Field(description="By what it is known.")
    roles: list[Role]
    permissions: list[Permission]
    csrf_token: str | None = Field(description="For `X-CSRF-Token`, with a session; null: none is needed.")


@router.post("", summary="Sign in", status_code=HTTPStatus.CREATED, responses=problems(403))
async def sign_in(request: Request, response: Response, parts: Here, door: DoorHere, body: SignIn) -> Me:
    """Open a session; its cookie comes with the answer. Whatever is wrong, the answer is the same."""
    if not (door.web.is_https or request.url.scheme == "https" or request.url.hostname in _LOCAL):
        raise NeedsHttpsError
    before = session_cookie.text_in(request, door.web)
    begun = await _begun(request, parts, body.name.lower())
    is_right = await _checked(door, begun, body.password)
    now = parts.clock.now()

    def finish(connection: Connection) -> Opened | None:
        opened = signing_in.finish(
            connection,
            begun,
            is_password_right=is_right,
            code=body.code,
            sealer=door.sealer,
            limits=door.limits,
            is_break_glass=door.flow is not None,
            now=now,
        )
        known = sessions.recognise(connection, before, door.limits, now=now) if opened and before else None
        if known is not None:
            sessions.end(connection, known, action="session_ended", actor="sign-in", now=now)
        return opened

    opened = await parts.desk.carry_out(finish)
    if opened is None:
        raise SignInRefusedError
    session_cookie.put(response, door.web, opened.text)
    return await _me_in(parts, opened)


@router.get("", summary="Who you are and what you may do")
async def who_am_i(request: Request, door: DoorHere, caller: Asking) -> Me:
    """Who asks, however they are known."""
    text = session_cookie.text_in(request, door.web) if caller.shown.means is Means.SESSION else None
    return _me(caller, text)


@router.delete("", summary="Sign out", status_code=HTTPStatus.NO_CONTENT, responses=problems(403, 404))
async def sign_out(parts: Here, door: DoorHere, caller: Asking) -> Response:
    """End the session that is shown, at once and everywhere."""
    session_id = _session_of(caller)

    def end(connection: Connection) -> None:
        session = session_rows.get(connection, session_id)
        if session is not None:
            sessions.end(connection, session, action="signed_out", actor=caller.actor, now=parts.clock.now())

    await parts.desk.carry_out(end)
    response = Response(status_code=HTTPStatus.NO_CONTENT)
    session_cookie.take_away(response, door.web)
    return response


@router.post("/password", summary="Change your password", responses=problems(403, 404))
async def change_password(
    request: Request, response: Response, parts: Here, door: DoorHere, caller: Asking, body: NewPassword
) -> Me:
    """Give yourself another password. Your other sessions end; this one goes on under another cookie."""
    session_id = _session_of(caller)
    account_id = caller.who.id.partition(":")[2]
    account = await parts.read(lambda connection: account_rows.get(connection, account_id))
    assert account is not None  # noqa: S101 - it has just acted
    begun = await _begun(request, parts, account.login)
    if not await _checked(door, begun, body.old):
        await parts.desk.carry_out(
            partial(signing_in.note_refusal, account=account, how="old password", now=parts.clock.now())
        )
        raise SignInRefusedError
    passwords.check(body.new, names=(account.login, account.name))
    hashed = await anyio.to_thread.run_sync(passwords.hashed, body.new, limiter=door.passwords)

    def change(connection: Connection) -> Opened:
        now = parts.clock.now()
        session = session_rows.get(connection, session_id)
        assert session is not None  # noqa: S101 - sessions are kept for a month after their end
        tries.succeeded(connection, begun.tried, now=now)
        accounts.set_password(connection, account_id, hashed, by=None, actor=caller.actor, now=now)
        return sessions.renew(connection, session, now=now)

    opened = await parts.desk.carry_out(change)
    session_cookie.put(response, door.web, opened.text)
    return await _me_in(parts, opened)


async def _begun(request: Request, parts: Parts, login: str) -> Begun:
    """A try that has been counted.

    Raises:
        TriedTooOftenError: It comes too soon.
    """
    tried = Try(login=login, address=request.client.host if request.client else "")
    try:
        return await parts.desk.carry_out(partial(signing_in.begin, tried=tried, now=parts.clock.now()))
    except TooManyTriesError as error:
        raise TriedTooOftenError(error.wait) from None


async def _checked(door: Door, begun: Begun, password: str) -> bool:
    """Whether a password is right, when it is its turn."""
    if door.passwords.statistics().tasks_waiting >= PASSWORDS_WAITING:
        raise TooOftenError(1.0)
    return await anyio.to_thread.run_sync(begun.is_right, password, limiter=door.passwords)


async def _me_in(parts: Parts, opened: Opened) -> Me:
    who = await parts.read(
        lambda connection: sessions.actor_of(connection, opened.session.id, at=opened.session.seen_at)
    )
    if who is None:  # suspended in the same moment
        raise SignInRefusedError
    return _me(Caller(who=who, shown=_shown(opened)), opened.text)


def _shown(opened: Opened) -> Shown:
    return Shown(means=Means.SESSION, id=opened.session.id)


def _me(caller: Caller, text: str | None) -> Me:
    return Me(
        id=caller.who.id,
        name=caller.who.name,
        organisation=caller.organisation_id,
        means=caller.shown.means,
        roles=sorted(caller.who.roles),
        permissions=sorted(caller.who.permissions),
        csrf_token=None if text is None else sessions.csrf_token_of(text),
    )


def _session_of(caller: Caller) -> str:
    if caller.shown.means is not Means.SESSION:
        raise NotHereError("session", caller.shown.means)
    return caller.shown.id
