"""What the routes work with: joined once, when the application starts.

Ledger    what is written down of every request: looks, and the use of tokens; see ``ledger``
Desk      where requests change something, once; see ``desk``
Cursors   where the next page begins; see ``cursors``
Readers   connections for looking into the alarm path's store; see ``readers``
Threads   where the stores are read, apart from those that answer /readyz
Turns     how many histories an organisation may have under way
"""

from collections import Counter
from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import AsyncExitStack, asynccontextmanager, closing, contextmanager
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from typing import Annotated, ClassVar, Final, TypeVar

import anyio
from fastapi import Depends, Request

from devices.profiles import Profiles, load_profiles
from gateway.api.cursors import Cursors
from gateway.api.desk import Desk
from gateway.api.ledger import Ledger
from gateway.api.problems import ApiRefusedError
from gateway.api.readers import Readers
from gateway.api.secret import api_secret
from gateway.data_folder import DataFolder
from gateway.sealing import ResidentSealer
from services.domain.clock import Clock
from services.store.migrations import migrate
from services.store.readings.reader import ReadingsReader
from services.store.sqlite import SqliteConnection
from services.store.writer import Writer

THREADS: Final = 8
HISTORIES_AT_ONCE: Final = 4
"""Of one organisation; fewer than there are threads, so that it cannot hold up the others."""

T = TypeVar("T")


class TooManyAtOnceError(ApiRefusedError):
    """An organisation asks for more histories at the same time than it may."""

    code = "too_many_at_once"
    status = HTTPStatus.TOO_MANY_REQUESTS
    headers: ClassVar = {"Retry-After": "1"}
    mend = "wait for one of them to end"

    def __init__(self, at_once: int) -> None:
        self.at_once = at_once
        super().__init__(f"{at_once} histories of yours are under way, which is the most at the same time")


class Threads:
    """Threads for work that would hold up the event loop."""

    def __init__(self) -> None:
        self._limiter = anyio.CapacityLimiter(THREADS)

    async def run(self, work: Callable[[], T]) -> T:
        """Run ``work`` in a thread. Cancelled, it is waited for: it may be using what is closed next."""
        return await anyio.to_thread.run_sync(work, limiter=self._limiter)


class Turns:
    """Counts the histories that are under way."""

    def __init__(self) -> None:
        self._taken: Counter[str] = Counter()

    @contextmanager
    def turn(self, organisation_id: str) -> Generator[None]:
        """Have a turn until the end of the block.

        Raises:
            TooManyAtOnceError: The organisation has all of its turns already.
        """
        if self._taken[organisation_id] >= HISTORIES_AT_ONCE:
            raise TooManyAtOnceError(HISTORIES_AT_ONCE)
        self._taken[organisation_id] += 1
        try:
            yield
        finally:
            self._taken[organisation_id] -= 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Stores:
    """Both stores, open for reading. For one thread at a time."""

    registry: SqliteConnection
    readings: ReadingsReader


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """Everything that a route may use."""

    folder: DataFolder
    clock: Clock
    ledger: Ledger
    desk: Desk
    cursors: Cursors
    profiles: Profiles
    sealer: ResidentSealer
    readers: Readers
    threads: Threads
    turns: Turns

    @contextmanager
    def registry(self) -> Generator[SqliteConnection]:
        """The alarm path's store, to be read."""
        with self.readers.lent() as connection:
            yield connection

    async def read(self, work: Callable[[SqliteConnection], T]) -> T:
        """Run ``work`` in a thread, over one state of the alarm path's store."""
        return await self.threads.run(partial(self._read, work))

    def _read(self, work: Callable[[SqliteConnection], T]) -> T:
        with self.registry() as connection, connection.snapshot():
            return work(connection)

    @contextmanager
    def stores(self) -> Generator[Stores]:
        """Both stores, to be read."""
        with self.registry() as registry, ReadingsReader(self.folder.readings) as readings:
            yield Stores(registry=registry, readings=readings)


@asynccontextmanager
async def open_parts(folder: DataFolder, clock: Clock) -> AsyncGenerator[Parts]:
    """Open what the routes work with."""
    async with AsyncExitStack() as stack:
        connection = stack.enter_context(closing(SqliteConnection(folder.database)))
        migrate(connection)
        writer = Writer(connection, leaves_half=True)
        writer.start()
        stack.push_async_callback(writer.aclose)
        secret = api_secret(folder)
        yield Parts(
            folder=folder,
            clock=clock,
            ledger=Ledger(writer),
            desk=Desk(writer, clock, secret=secret),
            cursors=Cursors(secret),
            profiles=load_profiles(),
            sealer=ResidentSealer(folder),
            readers=stack.enter_context(closing(Readers(folder.database))),
            threads=Threads(),
            turns=Turns(),
        )


def parts_of(request: Request) -> Parts:
    """The parts of the application that a request came to."""
    parts: Parts = request.app.state.parts
    return parts


Here = Annotated[Parts, Depends(parts_of)]
