"""Around every answer: headers that a browser obeys, and an answer also when something of ours breaks."""

from typing import Final

import structlog
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway.api import problems
from services.domain.ids import new_id

HEADERS: Final = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Content-Security-Policy": (
        "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
    ),
    "Referrer-Policy": "no-referrer",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}
"""What an answer does not say itself. Nothing here may be kept by a browser or a proxy, shown in
somebody else's page, or taken for anything but what it says it is."""

TRANSPORT: Final = "max-age=31536000"
"""Whoever came by https comes by nothing else for a year (RFC 6797)."""

_log = structlog.get_logger(__name__)


class Onion:
    """The outermost layer. An answer that breaks half way is ended unfinished, never rounded off."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        has_started = False

        async def send_with_headers(message: Message) -> None:
            nonlocal has_started
            if message["type"] == "http.response.start":
                has_started = True
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
                if scope["scheme"] == "https":
                    headers.setdefault("Strict-Transport-Security", TRANSPORT)
            await send(message)

        try:
            await self._app(scope, receive, send_with_headers)
        except Exception:  # noqa: BLE001 - the HTTP error handler: an answer, always, and a traceback
            number = new_id()
            route = problems.route_of(scope)
            _log.exception("request_failed", instance=number, method=scope["method"], route=route)
            if not has_started:
                await problems.unexpected(number)(scope, receive, send_with_headers)
