"""One request to an ASGI application, part by part: a test can act between two parts of the answer.

heard = await asked(app, "/api/v1/…", token=…, between=lambda number: …)
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

ASGIApp = Callable[[Any, Any, Any], Awaitable[None]]


@dataclass(slots=True)
class Heard:
    """An answer as far as it came."""

    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    parts: list[bytes] = field(default_factory=list)
    is_whole: bool = False

    @property
    def body(self) -> bytes:
        """What came, joined."""
        return b"".join(self.parts)


async def asked(
    app: ASGIApp,
    path: str,
    *,
    token: str,
    between: Callable[[int], object] = lambda _: None,
    leaves: asyncio.Event | None = None,
    method: str = "GET",
    content: bytes = b"",
) -> Heard:
    """Ask, and hear the answer to its end.

    Args:
        app: The application; its lifespan has begun.
        path: With its query.
        token: Shown as a bearer token.
        between: Called after each part with its number, from 1.
        leaves: Set, the client is gone.
        method: Of the request.
        content: JSON; empty: none.
    """
    heard = Heard()
    leaves = leaves or asyncio.Event()
    began = False

    async def receive() -> dict[str, Any]:
        nonlocal began
        if not began:
            began = True
            return {"type": "http.request", "body": content, "more_body": False}
        await leaves.wait()
        return {"type": "http.disconnect"}

    async def send(message: dict[str, Any]) -> None:
        if message["type"] == "http.response.start":
            heard.status = message["status"]
            heard.headers = {name.decode(): value.decode() for name, value in message["headers"]}
            return
        heard.is_whole = not message.get("more_body", False)
        if message.get("body"):
            heard.parts.append(message["body"])
            between(len(heard.parts))
            await asyncio.sleep(0)  # as a socket would: others have a turn

    scope = scope_of(path, token) | {"method": method}
    if content:
        scope["headers"].append((b"content-type", b"application/json"))
    await app(scope, receive, send)
    return heard


def scope_of(path: str, token: str) -> dict[str, Any]:
    """The scope of a GET, as uvicorn makes it."""
    plain, _, query = path.partition("?")
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},  # as uvicorn says
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": plain,
        "raw_path": plain.encode(),
        "query_string": query.encode(),
        "root_path": "",
        "headers": [(b"host", b"localhost"), (b"authorization", f"Bearer {token}".encode())],
        "client": ("127.0.0.1", 1),
        "server": ("localhost", 80),
    }
