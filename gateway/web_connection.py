"""A connection of the web process, with as little of an answer in our memory as can be.

What the right to an answer has ended for cannot be taken back once it is written. So uvicorn is held to
writing the next part only when the last one has left for the kernel (its own mark is 64 KiB), and an answer
that must end at once, what the kernel still holds of it included, can have its connection aborted.

Nor does a connection wait for ever to be asked something: whoever does not finish the head of a request takes
a place from somebody else.
"""

import asyncio
import socket
import struct
from typing import Any, Final

from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

EXTENSION: Final = "stadsnav.connection"

UNSENT_BYTES: Final = 16_384
"""Of a stream: what the kernel may hold beyond what is on its way (Linux, ``TCP_NOTSENT_LOWAT``)."""

HEAD_WITHIN_SECONDS: Final = 15.0
"""For the head of a request, from the connection or the answer before on."""

_TCP_NOTSENT_LOWAT: Final = 25
_LINGER_NOT: Final = struct.pack("ii", 1, 0)


class Connection(H11Protocol):
    """Hands each request its connection, as ``scope["extensions"]["stadsnav.connection"]``."""

    _gives_up: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin."""
        super().connection_made(transport)
        transport.set_write_buffer_limits(high=1)  # with 0 a TLS transport of asyncio waits for ever
        app: Any = self.app
        self.app = _Knowing(app, transport)
        self._await_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """End."""
        self._give_up_never()
        super().connection_lost(exc)

    def on_response_complete(self) -> None:
        """Wait for the next request."""
        super().on_response_complete()
        self._await_head()

    def _await_head(self) -> None:
        self._give_up_never()
        if not self.transport.is_closing():
            self._gives_up = self.loop.call_later(HEAD_WITHIN_SECONDS, self._end_unless_asked, self.cycle)

    def _end_unless_asked(self, before: object) -> None:
        """End the connection when no further request has come, and none is being answered."""
        is_answering = bool(self.cycle) and not self.cycle.response_complete
        if self.cycle is before and not is_answering:
            self.transport.close()

    def _give_up_never(self) -> None:
        if self._gives_up is not None:
            self._gives_up.cancel()


class _Knowing:
    def __init__(self, app: ASGIApp, transport: asyncio.Transport) -> None:
        self._app = app
        self._transport = transport

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope.setdefault("extensions", {})[EXTENSION] = self._transport
        await self._app(scope, receive, send)


def hold_little(scope: Scope) -> None:
    """Have the kernel hold little of an answer that goes on for long."""
    if (connection := _socket(scope)) is not None:
        connection.setsockopt(socket.IPPROTO_TCP, _TCP_NOTSENT_LOWAT, UNSENT_BYTES)


def has_all_left(scope: Scope) -> bool:
    """Whether nothing of an answer waits in our memory, as far as that is known."""
    transport = _transport(scope)
    return transport is not None and transport.get_write_buffer_size() == 0


def abort(scope: Scope) -> None:
    """End a connection at once; what was written and has not left is thrown away."""
    transport = _transport(scope)
    if transport is None:
        return
    if (connection := _socket(scope)) is not None:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_NOT)
    transport.abort()


def _socket(scope: Scope) -> socket.socket | None:
    transport = _transport(scope)
    found: socket.socket | None = None if transport is None else transport.get_extra_info("socket")
    return found


def _transport(scope: Scope) -> asyncio.Transport | None:
    found: asyncio.Transport | None = scope.get("extensions", {}).get(EXTENSION)
    return found
