"""What is turned away before anything of ours looks at it: another's name, a foreign page, too large a body.

    Host not ours ─> 421      a foreign page's change ─> 403      compressed body ─> 415
    more than 1 MiB ─> 413    a body that takes longer than 30 s ─> 408
    64 MiB of large bodies are here already ─> 503

A name that is not ours would let a page read us under its own name (DNS rebinding) or poison what is built of
it. Whether the process lives is told under any name: it tells nothing else.
"""

import asyncio
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from http import HTTPStatus
from typing import Final

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway.api import origins, problems
from gateway.api.problems import Problem
from gateway.setting_tables.web import LOOPBACK_HOSTS, WebSettings

LARGEST_BODY_BYTES: Final = 1_048_576
SMALL_BODY_BYTES: Final = 16_384
"""Whatever is large, answers to alarms are not, and find room."""
LARGE_BODIES_BYTES: Final = 67_108_864
"""Of memory, for all larger ones together: nobody has shown yet who they are."""
BODY_WITHIN_SECONDS: Final = 30.0
UNDER_ANY_NAME: Final = frozenset({"/healthz", "/readyz"})


class TurnedAwayError(Exception):
    """A request that goes no further."""

    def __init__(self, status: HTTPStatus, code: str, detail: str, mend: str) -> None:
        self.problem = Problem(title=status.phrase, status=status, code=code, detail=detail, mend=mend)
        super().__init__(detail)


class Gate:
    """Around the application, inside the onion."""

    def __init__(self, app: ASGIApp, *, web: WebSettings, server_names: Iterable[str]) -> None:
        self._app = app
        self._web = web
        public = [] if web.public_url is None else [web.public_url.partition("://")[2]]
        names = (*LOOPBACK_HOSTS, *server_names, *web.hosts, *map(_name, public))
        self._hosts = frozenset(name.lower() for name in names)
        self._bodies = _Bodies()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass one request on, or turn it away."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        with self._bodies.one() as body:
            try:
                self._check(scope, headers)
                receive = await _bounded(headers, receive, body)
            except TurnedAwayError as error:
                response = problems.answer(error.problem, {"Connection": "close"})
                await response(scope, receive, send)
                return
            await self._app(scope, receive, send)

    def _check(self, scope: Scope, headers: Headers) -> None:
        hosts = headers.getlist("host")
        if scope["path"] not in UNDER_ANY_NAME and (len(hosts) != 1 or _name(hosts[0]) not in self._hosts):
            raise TurnedAwayError(
                HTTPStatus.MISDIRECTED_REQUEST,
                "wrong_host",
                "This server does not answer under that name",
                "use its own name; whoever runs it adds names with the setting web.hosts",
            )
        own = origins.own_origins(scope["scheme"], headers, self._web)
        if scope["method"] not in origins.SAFE_METHODS and origins.is_foreign(headers, own=own):
            raise TurnedAwayError(
                HTTPStatus.FORBIDDEN,
                "foreign_page",
                "A page of another server asks for a change here",
                "do it from a page of this server, or from a program",
            )
        if "content-length" in headers and "transfer-encoding" in headers:  # RFC 9112, 6.1
            raise TurnedAwayError(
                HTTPStatus.BAD_REQUEST,
                "two_lengths",
                "Content-Length and Transfer-Encoding say where the body ends, and perhaps not the same",
                "send one of the two",
            )
        if headers.get("content-encoding", "identity").lower() != "identity":
            raise TurnedAwayError(
                HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
                "compressed_body",
                "A compressed body is not read here",
                "send it as it is",
            )


class _Bodies:
    """What the large bodies take of memory, from their first byte until they are answered."""

    def __init__(self) -> None:
        self._held = 0

    @contextmanager
    def one(self) -> Iterator["_Body"]:
        """A body that is about to come."""
        body = _Body(self)
        try:
            yield body
        finally:
            self._held -= body.counted

    def grow(self, size: int) -> None:
        """Make room for so many bytes more.

        Raises:
            TurnedAwayError: There is none.
        """
        if self._held + size > LARGE_BODIES_BYTES:
            raise TurnedAwayError(
                HTTPStatus.SERVICE_UNAVAILABLE,
                "busy",
                "Too many large bodies are being read at this moment",
                "send it again in some seconds, or in parts",
            )
        self._held += size


class _Body:
    """One body as far as it has come."""

    def __init__(self, all_: _Bodies) -> None:
        self.content = b""
        self.counted = 0
        self._all = all_

    def add(self, part: bytes) -> None:
        """Take a further part.

        Raises:
            TurnedAwayError: It is too large, or all are together.
        """
        size = len(self.content) + len(part)
        if size > LARGEST_BODY_BYTES:
            raise _too_large()
        if size > SMALL_BODY_BYTES:
            self._all.grow(size - self.counted)
            self.counted = size
        self.content += part


async def _bounded(headers: Headers, receive: Receive, body: _Body) -> Receive:
    """The body, read as far as it may go, and handed on as one piece."""
    length = headers.get("content-length")
    if length is None and "transfer-encoding" not in headers:
        return receive
    if length is not None and (not length.isdecimal() or int(length) > LARGEST_BODY_BYTES):
        raise _too_large()
    try:
        async with asyncio.timeout(BODY_WITHIN_SECONDS):
            message = await _read(receive, body)
    except TimeoutError:
        raise TurnedAwayError(
            HTTPStatus.REQUEST_TIMEOUT, "too_slow", "The body did not come in time", "send it at once"
        ) from None
    return _handing_on(message, receive)


async def _read(receive: Receive, body: _Body) -> Message:
    while True:
        message = await receive()
        if message["type"] != "http.request":
            return message
        body.add(message.get("body", b""))
        if not message.get("more_body", False):
            return {"type": "http.request", "body": body.content, "more_body": False}


def _handing_on(first: Message, receive: Receive) -> Receive:
    waiting = [first]

    async def hand_on() -> Message:
        return waiting.pop() if waiting else await receive()

    return hand_on


def _too_large() -> TurnedAwayError:
    return TurnedAwayError(
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        "too_large",
        f"The body has more than {LARGEST_BODY_BYTES} bytes",
        "send it in parts",
    )


def _name(host: str) -> str:
    """A Host without its port, in lower case."""
    name, bracket, _ = host.rpartition("]")
    return (f"{name}]" if bracket else host.partition(":")[0]).lower()
