"""One HTTP request to a receiver, and what came of it: never longer, larger or further than it may be.

post ──checked address, 10 s in all, no redirect, no proxy, no cookie──> 2xx, or why not

Until the connection stands nothing of the event has left, and a receiver can make that take seconds. So
whether it may leave is asked once more then.
"""

import asyncio
import errno
import ssl
from collections.abc import AsyncIterator, Callable, Mapping
from datetime import timedelta
from enum import StrEnum
from http import HTTPStatus
from typing import Final, Self

import aiohttp
from yarl import URL

from gateway.outward.addresses import (
    CheckedResolver,
    CheckedSockets,
    Destinations,
    ForbiddenAddressError,
    LookUp,
)
from gateway.outward.names import Names

ANSWERED_WITHIN: Final = timedelta(seconds=10)
"""For everything: name, connection, TLS, request and answer."""

ANSWER_BYTES: Final = 65_536
"""Nobody reads it; a connection with more behind it is not used again."""

READ_WITHIN: Final = timedelta(seconds=1)
"""For the rest of an answer whose status is known."""

CONNECTED_WITHIN: Final = timedelta(seconds=4)
"""For connection and TLS."""

KEPT_ALIVE: Final = timedelta(seconds=4)
"""Shorter than what common servers keep (five seconds): else they hang up while we send."""


class Failure(StrEnum):
    """Why a receiver has not taken what it was sent."""

    CUT = "cut"
    """The connection ended before there was an answer."""
    FORBIDDEN = "forbidden"
    TLS = "tls"
    GONE = "gone"
    REFUSED = "refused"
    LATE = "late"
    UNREACHABLE = "unreachable"


NOT_REACHED: Final = frozenset({Failure.FORBIDDEN, Failure.TLS, Failure.UNREACHABLE})
"""There was no connection: it has nothing to do with what was to be sent."""

LASTING: Final = frozenset({Failure.FORBIDDEN, Failure.TLS, Failure.GONE})
"""Somebody must mend these; waiting does not."""


class NotTakenError(Exception):
    """A receiver has not taken what it was sent, or nobody knows whether it has."""

    def __init__(self, failure: Failure, problem: str) -> None:
        self.failure = failure
        self.problem = problem
        super().__init__(problem)


class WithheldError(Exception):
    """The right to know ended while the connection was being made; nothing has left."""


def always() -> bool:
    """For what tells of nothing."""
    return True


class Sender:
    """Posts to receivers; opened in the event loop that it works in."""

    def __init__(
        self, destinations: Destinations, *, trust: ssl.SSLContext, ask: LookUp | None = None
    ) -> None:
        """Join the parts.

        Args:
            destinations: Where it may connect to.
            trust: For the receivers' certificates.
            ask: Resolves names; None: the machine does.
        """
        self._destinations = destinations
        self._trust = trust
        self._ask = ask or Names().look_up

    async def __aenter__(self) -> Self:
        self._sessions = {scheme: self._session(is_private=scheme == "https") for scheme in ("http", "https")}
        return self

    async def __aexit__(self, *_: object) -> None:
        for session in self._sessions.values():
            await session.close()

    async def post(
        self, url: str, body: bytes, headers: Mapping[str, str], *, may_leave: Callable[[], bool] = always
    ) -> None:
        """Send once; return when the receiver has said that it has it.

        Args:
            url: Where to.
            body: What of it is private.
            headers: What is not.
            may_leave: Asked when the connection stands, before the first byte of the body leaves.

        Raises:
            NotTakenError: Why not.
            WithheldError: It may not leave any more.
        """
        leaving = _Leaving(body, may_leave)
        try:
            async with asyncio.timeout(ANSWERED_WITHIN.total_seconds()):
                status = await self._post(url, leaving, headers)
        except (aiohttp.ClientError, OSError, ValueError) as error:
            if leaving.is_withheld:
                raise WithheldError from None
            raise _not_taken(error) from None
        if not HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES:
            failure = Failure.GONE if status == HTTPStatus.GONE else Failure.REFUSED
            raise NotTakenError(failure, f"the answer was {status}")

    async def _post(self, url: str, leaving: "_Leaving", headers: Mapping[str, str]) -> int:
        target = URL(url)
        own = {"Accept-Encoding": "identity", "Content-Length": str(len(leaving.body))}
        request = self._sessions[target.scheme].post(
            target, data=leaving.pieces(), headers={**headers, **own}, allow_redirects=False
        )
        async with request as response:
            await _read_away(response)
            return response.status

    def _session(self, *, is_private: bool) -> aiohttp.ClientSession:
        resolver = CheckedResolver(self._ask, self._destinations, is_private=is_private)
        connector = aiohttp.TCPConnector(
            resolver=resolver,
            socket_factory=CheckedSockets(destinations=self._destinations, is_private=is_private),
            use_dns_cache=False,  # an answer is good for the connection that it was asked for
            ssl=self._trust,
            limit=0,  # each receiver is bounded by itself; a common bound would join them
            keepalive_timeout=KEPT_ALIVE.total_seconds(),
        )
        return aiohttp.ClientSession(
            connector=connector,
            auto_decompress=False,
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=CONNECTED_WITHIN.total_seconds()),
            headers={"User-Agent": "Stadsnav"},
        )


class _Leaving:
    """A body that asks before it leaves."""

    def __init__(self, body: bytes, may_leave: Callable[[], bool]) -> None:
        self.body = body
        self.is_withheld = False
        self._may_leave = may_leave

    async def pieces(self) -> AsyncIterator[bytes]:
        """All of it, or an error that breaks the request off."""
        self.is_withheld = not self._may_leave()
        if self.is_withheld:
            raise aiohttp.ClientPayloadError
        yield self.body


async def _read_away(response: aiohttp.ClientResponse) -> None:
    """Let go of the rest of an answer, so that its connection can be used again; or end the connection."""
    left = ANSWER_BYTES
    try:
        async with asyncio.timeout(READ_WITHIN.total_seconds()):
            while left > 0 and (chunk := await response.content.read(left)):
                left -= len(chunk)
    except (TimeoutError, aiohttp.ClientError):
        left = 0
    if left <= 0:
        response.close()


def _not_taken(error: Exception) -> NotTakenError:
    """The library wraps whatever its resolver and its sockets raise."""
    if isinstance(error.__cause__, ForbiddenAddressError):
        return NotTakenError(Failure.FORBIDDEN, str(error.__cause__))
    return NotTakenError(*_failure(error))


def _failure(error: Exception) -> tuple[Failure, str]:
    match error:
        case aiohttp.ConnectionTimeoutError():
            found = Failure.UNREACHABLE, f"no connection within {CONNECTED_WITHIN.total_seconds():.0f} s"
        case TimeoutError():
            found = Failure.LATE, f"no answer within {ANSWERED_WITHIN.total_seconds():.0f} s"
        case aiohttp.ClientConnectorDNSError():
            found = Failure.UNREACHABLE, "its name has no address"
        case aiohttp.ClientSSLError() | ssl.SSLError():
            found = Failure.TLS, _tls_problem(error)
        case ValueError():
            found = Failure.FORBIDDEN, "its address is not a URL that is connected to"
        case aiohttp.ClientConnectorError():
            found = Failure.UNREACHABLE, f"no connection: {_reason(error)}"
        case _:
            found = Failure.CUT, f"no answer: {type(error).__name__}"
    return found


def _reason(error: aiohttp.ClientConnectorError) -> str:
    """As the system names it, such as ECONNREFUSED."""
    number = error.os_error.errno
    return errno.errorcode.get(number, type(error.os_error).__name__) if number else "nobody is there"


def _tls_problem(error: Exception) -> str:
    cause = error.__cause__ if isinstance(error.__cause__, ssl.SSLError) else error
    reason = getattr(cause, "verify_message", None) or getattr(cause, "reason", None)
    return f"TLS failed: {reason or 'the handshake was broken off'}"
