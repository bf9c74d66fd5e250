"""Whether those who have opened streams may still listen: asked once for all streams of one caller.

stream ──every 3 s, each at another moment──> known for a second? ──no──> the store
"""

import time
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Final

from gateway.api.callers import Caller
from services.domain.clock import Clock
from services.store.connection import Connection

KNOWN_FOR: Final = timedelta(seconds=1)
MOST_KNOWN: Final = 1_000
"""Then all is forgotten, and asked again."""

Ask = Callable[[Callable[[Connection], bool]], Awaitable[bool]]


class Rights:
    """What was found of late."""

    def __init__(self, ask: Ask, clock: Clock, *, monotonic_s: Callable[[], float] = time.monotonic) -> None:
        self._ask = ask
        self._clock = clock
        self._monotonic_s = monotonic_s
        self._known: dict[object, tuple[float, bool]] = {}

    async def still_stand(self, caller: Caller) -> bool:
        """Whether what a caller has shown holds yet, and gives the same rights."""
        key = (caller.shown, caller.who)
        at_s, holds = self._known.get(key, (float("-inf"), False))
        if self._monotonic_s() - at_s < KNOWN_FOR.total_seconds():
            return holds
        holds = await self._ask(lambda connection: caller.still_stands(connection, at=self._clock.now()))
        if len(self._known) >= MOST_KNOWN:
            self._known.clear()
        self._known[key] = self._monotonic_s(), holds
        return holds
