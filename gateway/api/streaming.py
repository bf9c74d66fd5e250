"""An answer in pieces, of which none leaves once the right to it has ended.

    a thread makes a part ──right still there?──> sent ──> the next part is made
                                 └─ no: the connection is closed in the middle of the answer

At most a part and what the operating system holds for the connection are ahead of the receiver, however
long the answer is. An answer that was cut short is not rounded off: HTTP shows that it is incomplete.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable, Generator, Iterable, Mapping
from contextlib import AsyncExitStack
from datetime import timedelta
from typing import Final

import structlog
from fastapi.responses import StreamingResponse
from starlette.types import Message, Receive, Scope, Send

from gateway.api.parts import Threads

PART_BYTES: Final = 65_536
READ_WITHIN: Final = timedelta(seconds=30)
"""How long a receiver may take for a part before it is left alone: it holds one of few turns."""

_log = structlog.get_logger(__name__)


class WithdrawnError(Exception):
    """The right to an answer ended before its end."""


def guarded(pieces: Iterable[bytes], may_leave: Callable[[], bool]) -> Generator[bytes]:
    """The pieces in parts of bounded length, each asked for right before it is handed on.

    Raises:
        WithdrawnError: The next part may not leave.
    """
    for piece in pieces:
        for start in range(0, len(piece), PART_BYTES):
            if not may_leave():
                raise WithdrawnError
            yield piece[start : start + PART_BYTES]


class GuardedResponse(StreamingResponse):
    """Sends guarded parts, and lets go of what they come from at the end, whichever way it ends."""

    def __init__(
        self,
        parts: Generator[bytes],
        *,
        threads: Threads,
        held: AsyncExitStack,
        media_type: str,
        headers: Mapping[str, str],
        refusal: Exception,
    ) -> None:
        """Take over what the parts come from.

        Args:
            parts: From ``guarded``.
            threads: Where they are made.
            held: What they come from; closed at the end.
            media_type: Of the whole.
            headers: More headers.
            refusal: Raised when the right has ended before anything was sent.
        """
        super().__init__(_made(parts, threads), headers=headers, media_type=media_type)
        held.callback(parts.close)
        self._held = held
        self._refusal = refusal

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it all, or up to where it is cut short."""
        async with self._held:
            await super().__call__(scope, receive, send)

    async def stream_response(self, send: Send) -> None:
        """Send the parts; without the mark of the end when the right to them ends before."""
        try:
            first = await anext(aiter(self.body_iterator), b"")  # what fails up to here gets a proper answer
        except WithdrawnError:
            raise self._refusal from None
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        try:
            await _send_part(send, first)
            async for part in self.body_iterator:
                await _send_part(send, part)
        except (WithdrawnError, TimeoutError) as error:
            _log.info("answer_cut_short", reason=type(error).__name__)
            return
        await send({"type": "http.response.body", "body": b"", "more_body": False})


async def _made(parts: Generator[bytes], threads: Threads) -> AsyncGenerator[bytes]:
    while (part := await threads.run(lambda: next(parts, None))) is not None:
        yield part


async def _send_part(send: Send, part: str | bytes | memoryview) -> None:
    message: Message = {"type": "http.response.body", "body": part, "more_body": True}
    async with asyncio.timeout(READ_WITHIN.total_seconds()):
        await send(message)
