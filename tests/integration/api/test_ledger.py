"""What is asked for is written down in few commits, and the lock is left to the alarm lane in between."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import closing, contextmanager
from datetime import timedelta
from itertools import pairwise

import apsw
import pytest
import pytest_asyncio

from gateway.api.ledger import Ledger
from gateway.data_folder import DataFolder
from services import audit
from services.audit import Entry
from services.store import audit as rows
from services.store.migrations import migrate
from services.store.sqlite import SqliteConnection
from services.store.writer import GAP_SECONDS, GROUP_LIMIT, Writer
from tests.integration.api.conftest import Api, Meters
from tests.support.clock import START
from tests.support.town import Town


class Counting(SqliteConnection):
    """A store that remembers for how long, and since when, each transaction was held."""

    def __init__(self, folder: DataFolder) -> None:
        super().__init__(folder.database)
        self.held: list[tuple[float, float]] = []

    @contextmanager
    def transaction(self) -> Iterator[None]:
        began = time.monotonic()
        with super().transaction():
            yield
        self.held.append((began, time.monotonic()))


@pytest.fixture
def store(folder: DataFolder) -> Iterator[Counting]:
    """The alarm path's store, as the web process has it open."""
    with closing(Counting(folder)) as store:
        migrate(store)
        store.held.clear()
        yield store


@pytest_asyncio.fixture
async def ledger(store: Counting) -> AsyncIterator[Ledger]:
    """Writes to it as the web process does."""
    writer = Writer(store, leaves_half=True)
    writer.start()
    yield Ledger(writer)
    await writer.aclose()


def look(subject: str) -> Entry:
    return Entry(actor="token:1", action="looked", subject=subject)


async def test_looks_at_the_same_time_share_a_commit_and_are_all_there(
    store: Counting, ledger: Ledger
) -> None:
    async with asyncio.TaskGroup() as group:
        for number in range(100):
            group.create_task(ledger.looked([look(str(number))], at=START), name=f"look {number}")

    logged = [row for row in rows.entries(store) if row.action == "looked"]
    assert sorted(int(row.subject) for row in logged) == list(range(100))
    assert all(audit.sealed(row, last.hash) == row for last, row in pairwise(rows.entries(store)))
    assert len(store.held) <= 3


async def test_the_lock_is_free_for_at_least_as_long_as_it_was_held(store: Counting, ledger: Ledger) -> None:
    await ledger.looked([look("1")] * (2 * GROUP_LIMIT + 50), at=START)
    for _ in range(4):
        await ledger.looked([look("2")], at=START)

    assert len(store.held) >= 6  # two full ones, and four
    for (began, ended), (next_began, _) in zip(store.held, store.held[1:], strict=False):
        assert next_began - ended >= max(GAP_SECONDS, ended - began) * 0.9


async def test_nothing_to_log_is_no_commit(store: Counting, ledger: Ledger) -> None:
    await ledger.looked([], at=START)

    assert store.held == []


async def test_whoever_waits_for_a_commit_that_fails_is_told(store: Counting, ledger: Ledger) -> None:
    store.run_script("CREATE TRIGGER shut BEFORE INSERT ON audit BEGIN SELECT RAISE(ABORT, 'shut'); END")

    failed = await asyncio.gather(
        *(ledger.looked([look(str(number))], at=START) for number in range(5)), return_exceptions=True
    )
    store.run_script("DROP TRIGGER shut")
    await ledger.looked([look("again")], at=START)

    assert [type(error) for error in failed] == [apsw.ConstraintError] * 5
    assert [row.subject for row in rows.entries(store) if row.action == "looked"] == ["again"]


async def test_many_who_ask_at_once_are_all_answered_and_all_logged(
    api: Api, acme: str, meters: Meters, town: Town
) -> None:
    meters.say_hourly(meters.series("m-1", "humidity"), [1.0])
    town.grant("acme", "h-1", "climate", valid_from=town.now - timedelta(days=1))

    answers = await asyncio.gather(*(api.get("/last", token=acme, home="h-1") for _ in range(40)))

    assert [answer.status_code for answer in answers] == [200] * 40
    assert sum(row.action == "looked" for row in rows.entries(town.connection)) == 40
