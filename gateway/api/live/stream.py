"""One open stream: what is next for it, from the tail while it keeps up, else from the store.

    offered ──young, in order──> next        lags, or offered too long ago ──> the store, judged anew

Nothing that was judged waits here for more than half a second, however slow the receiver is.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Final

from devices.kinds import HomeId
from gateway.api.live import frames
from services.delivery.retelling import Retold
from services.domain.homes import Grant

JUDGED_FOR_SECONDS: Final = 0.5
"""A judgement that is older is made again before what it allows leaves."""

BATCHES: Final = 16
"""That wait for a stream; one that is further behind reads from the store."""

LAG_AT_MOST: Final = 2_000
"""Numbers that a stream may fall behind once it has caught up: whoever is slower is cut off, and resumes."""


class TooSlowError(Exception):
    """The receiver does not keep up with what is told."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """Some numbers in a row, written once for all who are told the same."""

    after: int
    """The number before its first."""
    last: int
    body: bytes
    judged_at_s: float
    """By the event loop's clock."""
    rights: frozenset[tuple[HomeId, Grant | None]]
    """What was looked at, by what right; None: the city's duty."""


def batch_of(after: int, retold: Sequence[Retold]) -> Batch | None:
    """Numbers as they leave; None: there are none."""
    if not retold:
        return None
    return Batch(
        after=after,
        last=retold[-1].sequence,
        body=b"".join(
            frames.withheld(one.sequence) if one.event is None else frames.event(one.event) for one in retold
        ),
        judged_at_s=asyncio.get_running_loop().time(),
        rights=frozenset((one.event.alarm.home_id, one.grant) for one in retold if one.event is not None),
    )


class Stream:
    """What one receiver has yet to hear."""

    def __init__(
        self,
        position: int,
        *,
        newest: Callable[[], int],
        read: Callable[[int], Awaitable[Batch | None]],
    ) -> None:
        """Listen behind a number.

        Args:
            position: The number.
            newest: How far all others have been told.
            read: The next batch behind a number, from the store, judged now.
        """
        self.position = position
        self.is_ending = False
        self._newest = newest
        self._read = read
        self._offered: deque[Batch] = deque()
        self._expected = position
        self._has_caught_up = False
        self._wake = asyncio.Event()

    def offer(self, batch: Batch) -> None:
        """Take what has just been told, if it is next; a stream that lags will read it."""
        if batch.after == self._expected and len(self._offered) < BATCHES:
            self._offered.append(batch)
            self._expected = batch.last
        self._wake.set()

    def end(self) -> None:
        """There is nothing more to come."""
        self.is_ending = True
        self._wake.set()

    async def next(self, *, within_seconds: float) -> Batch | None:
        """What is next; None: nothing in time, or ``is_ending``.

        Raises:
            TooSlowError: It lags too far behind the others.
        """
        loop = asyncio.get_running_loop()
        gives_up_at_s = loop.time() + within_seconds
        while not self.is_ending:
            batch = self._fresh() or await self._from_store()
            if batch is not None:
                self.position = batch.last
                return batch
            self._wake.clear()
            try:
                async with asyncio.timeout_at(gives_up_at_s):
                    await self._wake.wait()
            except TimeoutError:
                return None
        return None

    def takes_back(self, batch: Batch) -> bool:
        """Whether what ``next`` has just returned was judged too long ago meanwhile: then it comes anew."""
        if _is_fresh(batch):
            return False
        self.position = batch.after
        self._start_over()
        return True

    def _fresh(self) -> Batch | None:
        """The first that was offered, unless it was judged too long ago: then all is read again."""
        if not self._offered:
            return None
        batch = self._offered.popleft()
        if _is_fresh(batch):
            return batch
        self._start_over()
        return None

    async def _from_store(self) -> Batch | None:
        lag = self._newest() - self.position
        if lag <= 0:
            self._has_caught_up = True
            return None
        if self._has_caught_up and lag > LAG_AT_MOST:
            raise TooSlowError
        batch = await self._read(self.position)
        if batch is not None:
            self.position = batch.last
        self._start_over()
        return batch

    def _start_over(self) -> None:
        """Nothing of what was offered counts; the next is what comes behind the position."""
        self._offered.clear()
        self._expected = self.position


def _is_fresh(batch: Batch) -> bool:
    return asyncio.get_running_loop().time() - batch.judged_at_s <= JUDGED_FOR_SECONDS
