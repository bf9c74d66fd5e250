"""What all open streams share: one look at the store for all of them, whenever somebody has committed.

    data_version ──new──> tail: for each audience the next numbers, judged and encoded once
                                  └─> Stream.offer: the same bytes for all that have kept up

A stream that lags or resumes asks ``read`` for what is next to it, judged at that moment. So nothing that was
judged waits for a slow receiver.
"""

import asyncio
import threading
from collections import Counter
from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import ExitStack, asynccontextmanager, closing, contextmanager
from dataclasses import dataclass, field
from functools import partial
from http import HTTPStatus
from typing import ClassVar, Final, TypeVar

import anyio
import structlog
from fastapi import FastAPI, Request

from gateway import settings
from gateway.api.live.beginning import Beginning, beginning
from gateway.api.live.rights import Rights
from gateway.api.live.stream import Batch, Stream, batch_of
from gateway.api.problems import ApiRefusedError
from gateway.commits import LOOK_EVERY, Commits
from gateway.data_folder import DataFolder
from services.delivery.retelling import Audience, Retold, retell
from services.domain.clock import Clock
from services.store import told
from services.store.connection import StoreUnavailableError
from services.store.sqlite import SqliteConnection

STREAMS_OF_ONE: Final = 100
"""Open streams of one organisation; it cannot take the places of all others."""
STREAMS_AT_ONCE: Final = 500

STORE_AWAY_SECONDS: Final = 1.0

T = TypeVar("T")

_log = structlog.get_logger(__name__)


class TooManyStreamsError(ApiRefusedError):
    """There are as many open streams as there can be."""

    code = "too_many_streams"
    status = HTTPStatus.TOO_MANY_REQUESTS
    headers: ClassVar = {"Retry-After": "5"}
    mend = "let one stream serve all who listen at your side, or close one first"

    def __init__(self, at_once: int) -> None:
        self.at_once = at_once
        super().__init__(f"{at_once} streams are open, which is the most at the same time")


@dataclass(slots=True, kw_only=True)
class _Tail:
    """How far one audience has been told, and who of it listens."""

    position: int
    streams: set[Stream] = field(default_factory=set)


class Reader:
    """A store that is read in threads, one look at a time.

    Closing it waits for a look that nobody awaits any more: what is cut off leaves its thread at work.
    """

    def __init__(self, store: SqliteConnection) -> None:
        self._store = store
        self._turn = threading.Lock()

    def look(self, question: Callable[[SqliteConnection], T]) -> T:
        """Ask at one state of the store."""
        with self._turn, self._store.snapshot():
            return question(self._store)

    def close(self) -> None:
        """Close it once nobody looks."""
        with self._turn:
            self._store.close()


@dataclass(frozen=True, slots=True, kw_only=True)
class Stores:
    """Where it is read: those that lag hold up nobody."""

    tail: Reader
    laggards: Reader


@dataclass(frozen=True, slots=True, kw_only=True)
class _Threads:
    """One for each store."""

    tail: anyio.CapacityLimiter
    laggards: anyio.CapacityLimiter


class Hub:
    """The open streams of this process."""

    def __init__(self, commits: Commits, stores: Stores, clock: Clock, *, source: str) -> None:
        self._commits = commits
        self._stores = stores
        self._clock = clock
        self._source = source
        self._tails: dict[Audience, _Tail] = {}
        self._open = Counter[str]()
        self._somebody_listens = asyncio.Event()
        self._is_news = False
        self._is_ending = False
        self.rights = Rights(self.ask, clock)
        self._threads = _Threads(tail=anyio.CapacityLimiter(1), laggards=anyio.CapacityLimiter(1))

    async def begin(self, organisation_id: str, last: str | None) -> Beginning:
        """How a stream of an organisation begins; see ``beginning``."""

        def look(reader: SqliteConnection) -> Beginning:
            newest = told.newest(reader, organisation_id)
            return beginning(last, oldest=told.oldest(reader, organisation_id), newest=newest)

        return await self.ask(look)

    async def ask(self, question: Callable[[SqliteConnection], T]) -> T:
        """Look something up, at one state of the store."""
        look = partial(self._stores.laggards.look, question)
        return await anyio.to_thread.run_sync(look, limiter=self._threads.laggards)

    @contextmanager
    def stream(self, audience: Audience, begun: Beginning) -> Generator[Stream]:
        """Listen until the end of the block, from where ``begin`` said.

        Raises:
            TooManyStreamsError: There are too many of the organisation, or in all.
        """
        if self._open[audience.organisation_id] >= STREAMS_OF_ONE:
            raise TooManyStreamsError(STREAMS_OF_ONE)
        if self._open.total() >= STREAMS_AT_ONCE:
            raise TooManyStreamsError(STREAMS_AT_ONCE)
        tail = self._tails.setdefault(audience, _Tail(position=begun.newest))
        stream = Stream(begun.position, newest=lambda: tail.position, read=partial(self._read, audience))
        tail.streams.add(stream)
        self._open[audience.organisation_id] += 1
        self._is_news = True  # perhaps there was a commit since it was asked where to begin
        self._somebody_listens.set()
        if self._is_ending:
            stream.end()
        try:
            yield stream
        finally:
            self._open[audience.organisation_id] -= 1
            tail.streams.discard(stream)
            if not tail.streams:
                del self._tails[audience]

    async def run(self) -> None:
        """Tell all open streams what is new, until cancelled."""
        try:
            while True:
                await self._somebody_listens.wait()
                await self._tell_news()
        finally:
            self.end()

    def end(self) -> None:
        """End every stream properly; its receiver comes back."""
        self._is_ending = True
        for tail in self._tails.values():
            for stream in tail.streams:
                stream.end()

    async def _tell_news(self) -> None:
        """Look, and tell what is new, until nobody listens any more."""
        while self._tails:
            try:
                if self._commits.are_new() or self._is_news:
                    self._is_news = await self._tell()
                else:
                    await asyncio.sleep(LOOK_EVERY.total_seconds())
            except StoreUnavailableError as error:
                _log.warning("streams_cannot_read", reason=str(error))
                self._is_news = True
                await asyncio.sleep(STORE_AWAY_SECONDS)
        self._somebody_listens.clear()

    async def _tell(self) -> bool:
        """Hand out the next numbers; returns whether there may be more of them."""
        asked = {audience: tail.position for audience, tail in self._tails.items()}
        self._is_news = False

        look = partial(self._stores.tail.look, partial(self._read_all, asked=asked))
        found = await anyio.to_thread.run_sync(look, limiter=self._threads.tail)
        for audience, numbers in found.items():
            batch, tail = batch_of(asked[audience], numbers), self._tails.get(audience)
            if batch is None or tail is None or tail.position != batch.after:
                continue  # the last of them left meanwhile, and perhaps another one came
            tail.position = batch.last
            for stream in tail.streams:
                stream.offer(batch)
        return self._is_news or any(found.values())

    async def _read(self, audience: Audience, after: int) -> Batch | None:
        """The next numbers of one audience, judged now; None: there are none."""
        found = await self.ask(partial(self._read_all, asked={audience: after}))
        return batch_of(after, found[audience])

    def _read_all(self, reader: SqliteConnection, asked: dict[Audience, int]) -> dict[Audience, list[Retold]]:
        return {
            audience: retell(reader, audience, after=after, source=self._source, clock=self._clock)
            for audience, after in asked.items()
        }


@asynccontextmanager
async def open_hub(folder: DataFolder, clock: Clock) -> AsyncGenerator[Hub]:
    """The hub of a process, at work; its store is there already."""
    source = f"urn:stadsnav:{settings.load(folder.path).city}"
    with ExitStack() as stack:
        watched = stack.enter_context(closing(SqliteConnection(folder.database)))
        tail, laggards = (
            stack.enter_context(closing(Reader(SqliteConnection(folder.database)))) for _ in range(2)
        )
        hub = Hub(Commits(watched), Stores(tail=tail, laggards=laggards), clock, source=source)
        async with asyncio.TaskGroup() as group:
            running = group.create_task(hub.run(), name="stream tail")
            yield hub
            running.cancel()


def hub_of(request: Request) -> Hub:
    """The hub of the application that a request came to."""
    hub: Hub = request.app.state.streams
    return hub


def end_streams(app: FastAPI) -> None:
    """End all streams of an application that ends, so that nothing waits for them."""
    hub: Hub | None = getattr(app.state, "streams", None)
    if hub is not None:
        hub.end()
