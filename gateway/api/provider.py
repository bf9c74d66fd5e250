"""``/auth/oidc``: people sign in at the city's identity provider, and come back with a session.

start ─> the provider's page ─> callback ─> session, and on to ``next`` on this server
"""

from functools import partial
from http import HTTPStatus
from typing import Annotated, Final
from urllib.parse import urlsplit

import structlog
from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import RedirectResponse

from gateway.api import origins, session_cookie
from gateway.api.callers import ProviderAwayRefusedError, TooOftenError
from gateway.api.door import Door, DoorHere
from gateway.api.parts import Here, Parts
from gateway.api.problems import NotHereError
from gateway.identity.code_flow import CodeFlow, CodeRefusedError, UnderWay
from gateway.identity.documents import ProviderAwayError
from gateway.identity.jwts import BadTokenError
from services.domain.errors import InvalidError
from services.identity import provided, signing_in
from services.identity.provided import Vouched
from services.identity.signing_in import SignInRefusedError

PREFIX: Final = "/auth/oidc"
COOKIE: Final = "stadsnav-provider"

router = APIRouter(prefix=PREFIX, tags=["session"], include_in_schema=False)

_log = structlog.get_logger(__name__)


@router.get("/start")
async def start(
    request: Request, parts: Here, door: DoorHere, next_: Annotated[str, Query(alias="next")] = "/"
) -> Response:
    """Send a browser to the provider."""
    flow = _flow(door)
    then = origins.safe_next(next_)
    if then is None:
        raise InvalidError("next", next_, expected="a path on this server, as /alarms")
    if (wait_s := door.strangers.take(_address(request))) > 0:
        raise TooOftenError(wait_s)
    redirect_uri = f"{_base(request, door)}{PREFIX}/callback"
    try:
        where, cookie = await flow.start(redirect_uri=redirect_uri, next_=then, now=parts.clock.now())
    except ProviderAwayError:
        raise ProviderAwayRefusedError from None
    response = RedirectResponse(where, status_code=HTTPStatus.SEE_OTHER)
    session_cookie.put(response, door.web, cookie, of=COOKIE)
    return response


@router.get("/callback")
async def callback(request: Request, parts: Here, door: DoorHere) -> Response:
    """Take in who comes back from the provider."""
    vouched, under_way = await _back(request, parts, door)
    opened = await parts.desk.carry_out(
        partial(
            provided.sign_in,
            vouched=vouched,
            rights=door.group_rights,
            limits=door.limits,
            now=parts.clock.now(),
        )
    )
    if opened is None:
        raise SignInRefusedError
    response = RedirectResponse(under_way.next, status_code=HTTPStatus.SEE_OTHER)
    session_cookie.put(response, door.web, opened.text)
    session_cookie.take_away(response, door.web, of=COOKIE)
    return response


async def _back(request: Request, parts: Parts, door: Door) -> tuple[Vouched, UnderWay]:
    """Who came back, by what the provider says.

    Raises:
        SignInRefusedError: Nobody whom it vouches for.
        ProviderAwayRefusedError: It cannot be asked.
    """
    flow, now = _flow(door), parts.clock.now()
    cookie = session_cookie.text_in(request, door.web, of=COOKIE)
    if (wait_s := door.strangers.take(_address(request))) > 0:
        raise TooOftenError(wait_s)
    try:
        return await flow.finish(request.query_params, cookie, now=now)
    except ProviderAwayError as error:
        _log.warning("identity_provider_away", reason=error.reason)
        raise ProviderAwayRefusedError from None
    except (CodeRefusedError, BadTokenError) as error:
        _log.info("sign_in_refused", reason=error.reason)
        await parts.desk.carry_out(
            partial(signing_in.note_refusal, account=None, how=f"provider ({error.reason})", now=now)
        )
        raise SignInRefusedError from None


def _flow(door: Door) -> CodeFlow:
    if door.flow is None:
        raise NotHereError("identity provider", "oidc")
    return door.flow


def _base(request: Request, door: Door) -> str:
    """Our own address; the name was checked by ``gate``."""
    named = urlsplit(str(request.url))
    return door.web.public_url or f"{named.scheme}://{named.netloc}"


def _address(request: Request) -> str:
    return request.client.host if request.client else ""
