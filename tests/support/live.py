"""A listener of the live stream in this process: no socket, and it can leave off reading.

async with listening(app, token) as listener:
    frames = await listener.heard(2)
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from tests.support.asgi import ASGIApp, scope_of
from tests.support.event_sources import Frame, FrameReader

PATH = "/api/v1/events/stream"
PATIENCE_SECONDS = 10


class Listener:
    """What one listener has heard so far."""

    def __init__(self) -> None:
        self.status = 0
        self.headers: dict[str, str] = {}
        self.frames: list[Frame] = []
        self.body = b""
        self.is_whole = False
        self.has_ended = asyncio.Event()
        self.reads = asyncio.Event()
        """Cleared, it takes nothing more."""
        self.reads.set()
        self._leaves = asyncio.Event()
        self._news = asyncio.Event()
        self._reader = FrameReader()
        self._has_asked = False

    def numbers(self) -> list[tuple[int, str]]:
        """Sequence and type of every event."""
        return [
            (int(frame["id"]), frame["event"].removeprefix("se.stadsnav.alarm.")) for frame in self.frames
        ]

    async def heard(self, many: int) -> list[tuple[int, str]]:
        """Wait for so many events."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            while len(self.frames) < many:
                self._news.clear()
                await self._news.wait()
        return self.numbers()

    async def ended(self) -> None:
        """Wait for the other side to end it."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            await self.has_ended.wait()

    def leave(self) -> None:
        """Hang up."""
        self._leaves.set()

    async def receive(self) -> dict[str, Any]:
        """As the server hears us."""
        if not self._has_asked:
            self._has_asked = True
            return {"type": "http.request", "body": b"", "more_body": False}
        await self._leaves.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: dict[str, Any]) -> None:
        """As the server speaks to us."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
            self.headers = {name.decode(): value.decode() for name, value in message["headers"]}
            return
        await self.reads.wait()
        self.is_whole = not message.get("more_body", False)
        self.body += message.get("body", b"")
        for line in message.get("body", b"").decode().split("\n")[:-1]:
            if (frame := self._reader.take(line)) is not None:
                self.frames.append(frame)
        self._news.set()


@asynccontextmanager
async def listening(app: ASGIApp, token: str, *, last: str | None = None) -> AsyncIterator[Listener]:
    """Open a stream, and hang up at the end of the block.

    Args:
        app: The application; its lifespan has begun.
        token: Of whoever listens.
        last: ``Last-Event-ID``; None: none.
    """
    listener = Listener()
    scope = scope_of(PATH, token)
    if last is not None:
        scope["headers"].append((b"last-event-id", last.encode()))

    async def run() -> None:
        try:
            await app(scope, listener.receive, listener.send)
        finally:
            listener.has_ended.set()

    async with asyncio.TaskGroup() as group:
        group.create_task(run(), name="listener")
        try:
            yield listener
        finally:
            listener.leave()
            listener.reads.set()
