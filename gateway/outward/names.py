"""Looks names up, so that a name server that hangs keeps nobody waiting but who asked for its names.

    name ──asked already? the same answer for both──> a thread of its own ──within 5 s──> addresses

The machine's resolver blocks the thread that asks it, for as long as it likes. Threads that all look-ups
share would soon be full of names that nobody answers for.
"""

import asyncio
import socket
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import timedelta
from functools import partial
from typing import Final

LOOK_UP_WITHIN: Final = timedelta(seconds=5)
NAMES_AT_ONCE: Final = 200
"""More than there are receivers; a further name is refused, and asked for again with the next attempt."""

_Answer = list[str] | OSError


class Names:
    """The look-ups of one event loop that are under way."""

    def __init__(self) -> None:
        self._under_way: dict[tuple[str, int], asyncio.Future[_Answer]] = {}

    async def look_up(self, host: str, port: int) -> Sequence[str]:
        """Every address of a name, IPv4 and IPv6 (a ``gateway.outward.addresses.LookUp``).

        Raises:
            OSError: It has none, or nobody says so in time.
        """
        answer = self._under_way.get((host, port)) or self._ask(host, port)
        try:
            async with asyncio.timeout(LOOK_UP_WITHIN.total_seconds()):
                found = await asyncio.shield(answer)
        except TimeoutError:
            raise OSError(f"nobody answers for {host}") from None
        if isinstance(found, OSError):
            raise found
        return found

    def _ask(self, host: str, port: int) -> asyncio.Future[_Answer]:
        if len(self._under_way) >= NAMES_AT_ONCE:
            raise OSError(f"{len(self._under_way)} names are being looked up already")
        loop = asyncio.get_running_loop()
        answer = self._under_way[host, port] = loop.create_future()
        answer.add_done_callback(lambda _: self._under_way.pop((host, port), None))
        tell = partial(_tell, loop, answer)
        # A daemon: nobody waits for it when the process ends.
        threading.Thread(target=_resolve, args=(host, port, tell), name="look-up", daemon=True).start()
        return answer


def _resolve(host: str, port: int, tell: Callable[[_Answer], None]) -> None:
    """Ask the machine (in the thread of one look-up)."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        tell(OSError(str(error)))
    else:
        tell(list(dict.fromkeys(str(sockaddr[0]) for *_, sockaddr in found)))


def _tell(loop: asyncio.AbstractEventLoop, answer: asyncio.Future[_Answer], found: _Answer) -> None:
    with suppress(RuntimeError):  # the loop has ended meanwhile
        loop.call_soon_threadsafe(answer.set_result, found)
