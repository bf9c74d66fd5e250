"""What this process writes to the alarm path's store: who looked at what, and that a token is in use.

    looked, used ──> waiting ──┐   a commit (at most 200 entries), then a rest at least as long
    looked, used ──> waiting ──┴─> a commit, a rest, …

The alarm lane needs the same lock: so there is one commit at a time, what comes meanwhile shares the next,
and the lock is free at least half of the time however much is asked here. One look alone does not wait.
"""

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from functools import partial

import anyio

from gateway.small_steps import SHORTEST_PAUSE_SECONDS, write_in_steps
from services import audit
from services.domain.tokens import ApiToken
from services.store import tokens
from services.store.connection import Connection
from services.store.sqlite import SqliteConnection

Unit = Callable[[Connection], None]


@dataclass(frozen=True, slots=True)
class _Job:
    units: list[Unit]
    done: asyncio.Future[None]


class Ledger:
    """Writes for all requests. What waits is bounded by the requests, each of which awaits its own."""

    def __init__(self, store: SqliteConnection) -> None:
        self._store = store
        self._turn = asyncio.Lock()
        self._waiting: list[_Job] = []
        self._rest_until_s = 0.0

    async def looked(self, looks: Iterable[audit.Entry], *, at: datetime) -> None:
        """Log looks; on disk when this returns, so that only then what was asked for may leave.

        Raises:
            StoreUnavailableError: They are not logged, or not all: nothing may leave.
        """
        await self._write([partial(audit.note, entry=entry, at=at) for entry in looks])

    async def used(self, token: ApiToken, *, at: datetime) -> None:
        """Note that a token was used."""
        await self._write([partial(tokens.note_use, token_id=token.id, at=at)])

    async def _write(self, units: list[Unit]) -> None:
        if not units:
            return
        job = _Job(units, asyncio.get_running_loop().create_future())
        self._waiting.append(job)
        async with self._turn:
            if not job.done.done():  # nobody has taken it along meanwhile
                await self._write_waiting()
        await job.done

    async def _write_waiting(self) -> None:
        loop = asyncio.get_running_loop()
        await asyncio.sleep(max(0.0, self._rest_until_s - loop.time()))
        jobs, self._waiting = self._waiting, []
        began_s = loop.time()
        try:
            units = [unit for job in jobs for unit in job.units]
            await anyio.to_thread.run_sync(partial(_write_all, self._store, units))
        except Exception as error:  # noqa: BLE001 - whatever it is, a caller that is told nothing waits for ever
            for job in jobs:
                job.done.set_exception(error)
        else:
            for job in jobs:
                job.done.set_result(None)
        self._rest_until_s = loop.time() + max(SHORTEST_PAUSE_SECONDS, loop.time() - began_s)


def _write_all(store: SqliteConnection, units: list[Unit]) -> None:
    for _ in write_in_steps(store, units, _run):
        pass


def _run(connection: Connection, unit: Unit) -> None:
    unit(connection)
