"""What HTTP adds to a stream: its headers, pings, the ends of it.

    sender      the frame it begins with, then batch after batch; a ping when there is nothing
    rights      asks every 3 s whether whoever opened it may still listen
    receiver    whether it is still there

Whichever of them ends first ends the others. A receiver that does not take what is sent is cut off, so that
nothing of it waits here or in the kernel; it comes back and resumes.
"""

import asyncio
import secrets
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import AsyncExitStack
from datetime import timedelta
from typing import Final

import structlog
from fastapi.responses import Response
from starlette.types import Message, Receive, Scope, Send

from gateway import web_connection
from gateway.api.live import frames
from gateway.api.live.beginning import Beginning
from gateway.api.live.stream import Batch, Stream, TooSlowError
from services.store.connection import StoreUnavailableError

PING_EVERY: Final = timedelta(seconds=15)
TAKEN_WITHIN: Final = timedelta(seconds=10)
"""How long a receiver may leave what was sent to it unread."""
ASK_EVERY: Final = timedelta(seconds=3)

MEDIA_TYPE: Final = "text/event-stream"

_log = structlog.get_logger(__name__)


class EventStream(Response):
    """Sends a stream until one side ends it."""

    media_type = MEDIA_TYPE

    def __init__(
        self,
        stream: Stream,
        begun: Beginning,
        *,
        held: AsyncExitStack,
        looked: Callable[[Batch], Awaitable[None]],
        may_listen: Callable[[], Awaitable[bool]],
    ) -> None:
        """Take over an open stream.

        Args:
            stream: What is to be sent.
            begun: How it begins.
            held: Closed at the end, whichever way it ends.
            looked: Logs a batch that was released before this stream was opened; awaited before it leaves.
            may_listen: Whether whoever opened it may still listen.
        """
        super().__init__(
            headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no", "Content-Type": MEDIA_TYPE}
        )
        del self.headers["content-length"]
        self._stream = stream
        self._begun = begun
        self._held = held
        self._looked = looked
        self._may_listen = may_listen

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it until it ends; cut off, the connection is closed in the middle of the answer."""
        async with self._held:
            web_connection.hold_little(scope)
            await send(
                {"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers}
            )
            try:
                await _until_the_first_ends(
                    {
                        "stream sender": self._send_all(scope, send),
                        "stream rights": self._while_it_may_listen(),
                        "stream receiver": _while_it_is_there(receive),
                    }
                )
                await _part(send, b"", more_body=False)
            except* (TimeoutError, TooSlowError, StoreUnavailableError) as errors:
                _log.info("stream_cut_off", reason=type(errors.exceptions[0]).__name__)
                web_connection.abort(scope)

    async def _send_all(self, scope: Scope, send: Send) -> None:
        await _part(send, frames.RETRY + self._begun.frame)
        while not self._stream.is_ending:
            if not web_connection.has_all_left(scope):
                await _part(send, b"")  # returns once it has: only then is the next one judged
            batch = await self._stream.next(within_seconds=PING_EVERY.total_seconds())
            if batch is None:
                await _part(send, frames.PING)
                continue
            if batch.after < self._begun.newest:
                await self._looked(batch)
                if self._stream.takes_back(batch):
                    continue
            await _part(send, batch.body)

    async def _while_it_may_listen(self) -> None:
        await asyncio.sleep(secrets.randbelow(1_000) / 1_000 * ASK_EVERY.total_seconds())  # not all at once
        while await self._may_listen():  # noqa: ASYNC110 - the store has no event for it
            await asyncio.sleep(ASK_EVERY.total_seconds())
        _log.info("stream_ended", reason="the right to it has ended")


async def _while_it_is_there(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _part(send: Send, body: bytes, *, more_body: bool = True) -> None:
    message: Message = {"type": "http.response.body", "body": body, "more_body": more_body}
    async with asyncio.timeout(TAKEN_WITHIN.total_seconds()):
        await send(message)


async def _until_the_first_ends(works: dict[str, Coroutine[None, None, None]]) -> None:
    ended = asyncio.Event()

    async def run(work: Coroutine[None, None, None]) -> None:
        try:
            await work
        finally:
            ended.set()

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(run(work), name=name) for name, work in works.items()]
        await ended.wait()
        for task in tasks:
            task.cancel()
