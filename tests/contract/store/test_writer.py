"""Group commit: who fails, fails alone; who is told "done" is on disk; when the disk fails, nobody is."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager
from functools import partial
from typing import Any

import pytest

from services.store import events
from services.store.connection import Connection, StoreUnavailableError
from services.store.writer import GROUP_LIMIT, URGENT_IN_A_ROW, Epilogue, Writer
from tests.support.rows import add_event
from tests.support.stores import TOO_MUCH, Database, StoreUnderTest

Work = Callable[[Connection], Any]

AT_MOST_SECONDS = 10


class MishapError(Exception):
    """Something goes wrong in a use case."""


class RecordingEpilogue:
    """Counts the events that it finds at the end of each commit."""

    def __init__(self, said: list[str] | None = None) -> None:
        self.said = [] if said is None else said

    def prepare(self, connection: Connection) -> int:
        return len(events.events(connection, limit=1_000))

    def prepare_carefully(self, connection: Connection) -> int:
        self.said.append("carefully")
        return self.prepare(connection)

    def committed(self, prepared: int) -> None:
        self.said.append(f"committed {prepared}")


class FailingEpilogue:
    """Changes something, and then cannot go on."""

    def prepare(self, connection: Connection) -> None:
        events.count(connection, "half")
        raise MishapError

    def prepare_carefully(self, connection: Connection) -> None:
        self.prepare(connection)

    def committed(self, prepared: None) -> None:
        """Is never called."""


class FailingHandOver:
    """Cannot hand over what it had prepared."""

    def prepare(self, connection: Connection) -> str:
        events.count(connection, "prepared")
        return "something"

    def prepare_carefully(self, connection: Connection) -> str:
        return self.prepare(connection)

    def committed(self, prepared: str) -> None:
        raise MishapError(prepared)


@asynccontextmanager
async def running(store: StoreUnderTest, epilogue: Epilogue | None = None) -> AsyncIterator[Writer]:
    """A writer that takes work; nothing in here may hang."""
    writer = store.writer(epilogue)
    writer.start()
    async with asyncio.timeout(AT_MOST_SECONDS), aclosing(writer):
        yield writer


async def write_together(writer: Writer, *works: Work, urgent: frozenset[Work] = frozenset()) -> list[Any]:
    """What becomes of each when all of them wait at the same moment, in this order."""
    has_begun, may_end = threading.Event(), threading.Event()

    def hold_the_writer(_connection: Connection) -> None:
        has_begun.set()
        may_end.wait(AT_MOST_SECONDS)

    async with asyncio.TaskGroup() as group:
        group.create_task(writer.write(hold_the_writer), name="holds the writer")
        await asyncio.to_thread(has_begun.wait, AT_MOST_SECONDS)
        writes = [writer.write(work, is_urgent=work in urgent) for work in works]
        outcome = asyncio.gather(*writes, return_exceptions=True)
        await asyncio.sleep(0)  # each of them has handed its work in
        may_end.set()
        return await outcome


def store_event(connection: Connection, external_id: str, payload: bytes = b"") -> str:
    add_event(connection, external_id=external_id, payload=payload)
    return external_id


def store_and_fail(connection: Connection, external_id: str) -> None:
    store_event(connection, external_id)
    raise MishapError


def stored(db: Database) -> list[str]:
    return [event.external_id for event in reversed(events.events(db, limit=1_000))]


@pytest.mark.usefixtures("settled")
async def test_who_is_told_that_it_is_done_finds_it_on_disk(store: StoreUnderTest) -> None:
    other = store.another()

    async with running(store) as writer:
        result = await writer.write(partial(store_event, external_id="e-1"))
        seen_by_others = stored(other)

    assert result == "e-1"
    assert seen_by_others == ["e-1"]


@pytest.mark.usefixtures("settled")
async def test_work_that_raises_is_undone_alone_and_its_error_goes_to_its_caller(
    store: StoreUnderTest,
) -> None:
    async with running(store) as writer:
        outcomes = await write_together(
            writer,
            partial(store_event, external_id="e-1"),
            partial(store_and_fail, external_id="e-2"),
            partial(store_event, external_id="e-3"),
        )

    assert (outcomes[0], outcomes[2]) == ("e-1", "e-3")
    assert isinstance(outcomes[1], MishapError)
    assert stored(store.database) == ["e-1", "e-3"]


@pytest.mark.usefixtures("settled")
async def test_when_everything_of_a_group_raises_each_caller_hears_it_and_the_writer_goes_on(
    store: StoreUnderTest,
) -> None:
    failing = partial(store_and_fail, external_id="e-1")

    async with running(store) as writer:
        outcomes = await write_together(writer, failing, failing)
        await writer.write(partial(store_event, external_id="e-2"))

    assert [type(outcome) for outcome in outcomes] == [MishapError, MishapError]
    assert stored(store.database) == ["e-2"]


@pytest.mark.usefixtures("settled")
async def test_a_refusal_of_the_database_undoes_the_one_who_caused_it(store: StoreUnderTest) -> None:
    twice = partial(store_event, external_id="e-1")

    async with running(store) as writer:
        outcomes = await write_together(writer, twice, twice, partial(store_event, external_id="e-2"))

    assert [outcomes[0], outcomes[2]] == ["e-1", "e-2"]
    assert isinstance(outcomes[1], store.rule_broken)
    assert stored(store.database) == ["e-1", "e-2"]


@pytest.mark.usefixtures("settled")
async def test_work_is_done_in_the_order_in_which_it_was_handed_in(store: StoreUnderTest) -> None:
    names = [f"e-{number}" for number in range(GROUP_LIMIT * 2 + 1)]

    async with running(store) as writer:
        outcomes = await write_together(writer, *(partial(store_event, external_id=name) for name in names))

    assert outcomes == names
    assert stored(store.database) == names


@pytest.mark.usefixtures("settled")
async def test_when_the_store_is_full_every_caller_of_the_group_hears_it_and_nothing_is_kept(
    store: StoreUnderTest,
) -> None:
    async with running(store) as writer:
        await writer.write(partial(store_event, external_id="before"))
        with store.full():
            outcomes = await write_together(
                writer,
                partial(store_event, external_id="small"),
                partial(store_event, external_id="large", payload=TOO_MUCH),
                partial(store_event, external_id="small too"),
            )
            kept = stored(store.database)
        again = await writer.write(partial(store_event, external_id="large", payload=TOO_MUCH))

    assert [type(outcome) for outcome in outcomes] == [StoreUnavailableError] * 3
    assert kept == ["before"]
    assert again == "large"
    assert stored(store.reopen()) == ["before", "large"]


@pytest.mark.usefixtures("settled")
async def test_the_store_is_full_also_for_a_group_in_which_something_else_raised(
    store: StoreUnderTest,
) -> None:
    async with running(store) as writer:
        with store.full():
            outcomes = await write_together(
                writer,
                partial(store_and_fail, external_id="e-1"),
                partial(store_event, external_id="e-2"),
                partial(store_event, external_id="large", payload=TOO_MUCH),
            )

    assert [type(outcome) for outcome in outcomes] == [StoreUnavailableError] * 3
    assert stored(store.database) == []


@pytest.mark.usefixtures("settled")
async def test_the_epilogue_sees_the_groups_work_and_hands_over_before_anyone_wakes(
    store: StoreUnderTest,
) -> None:
    said: list[str] = []

    async def told(writer: Writer, name: str) -> None:
        await writer.write(partial(store_event, external_id=name))
        said.append(f"{name} told")

    async with running(store, RecordingEpilogue(said)) as writer:
        await told(writer, "e-1")
        await told(writer, "e-2")

    assert said == ["committed 1", "e-1 told", "committed 2", "e-2 told"]


@pytest.mark.usefixtures("settled")
async def test_a_group_with_work_that_raised_has_a_careful_epilogue(store: StoreUnderTest) -> None:
    epilogue = RecordingEpilogue()

    async with running(store, epilogue) as writer:
        await write_together(
            writer, partial(store_event, external_id="e-1"), partial(store_and_fail, external_id="e-2")
        )

    assert sorted(epilogue.said) == ["carefully", "committed 0", "committed 1"]


@pytest.mark.usefixtures("settled")
async def test_a_failing_epilogue_loses_its_own_changes_and_not_the_work(store: StoreUnderTest) -> None:
    async with running(store, FailingEpilogue()) as writer:
        result = await writer.write(partial(store_event, external_id="e-1"))

    assert result == "e-1"
    assert stored(store.database) == ["e-1"]
    assert events.counters(store.database) == {}


@pytest.mark.usefixtures("settled")
async def test_a_hand_over_that_fails_leaves_no_caller_waiting(store: StoreUnderTest) -> None:
    async with running(store, FailingHandOver()) as writer:
        outcomes = await write_together(
            writer, partial(store_event, external_id="e-1"), partial(store_event, external_id="e-2")
        )

    assert outcomes == ["e-1", "e-2"]


@pytest.mark.usefixtures("settled")
async def test_nothing_is_handed_over_when_the_commit_failed(store: StoreUnderTest) -> None:
    epilogue = RecordingEpilogue()

    async with running(store, epilogue) as writer:
        with store.full(), pytest.raises(StoreUnavailableError):
            await writer.write(partial(store_event, external_id="large", payload=TOO_MUCH))

    assert epilogue.said == []


@pytest.mark.usefixtures("settled")
async def test_a_caller_that_gives_up_changes_nothing_for_its_work_and_the_others(
    store: StoreUnderTest,
) -> None:
    async with running(store) as writer, asyncio.TaskGroup() as group:
        impatient = group.create_task(writer.write(partial(store_event, external_id="e-1")), name="impatient")
        await asyncio.sleep(0)  # it has handed its work in
        impatient.cancel()
        await writer.write(partial(store_event, external_id="e-2"))

    assert stored(store.database) == ["e-1", "e-2"]


@pytest.mark.usefixtures("settled")
async def test_closing_finishes_what_was_handed_in(store: StoreUnderTest) -> None:
    writer = store.writer()
    writer.start()

    async with asyncio.timeout(AT_MOST_SECONDS), asyncio.TaskGroup() as group:
        tasks = [
            group.create_task(writer.write(partial(store_event, external_id=name)), name=name)
            for name in ("e-1", "e-2")
        ]
        await asyncio.sleep(0)  # both have handed their work in
        await writer.aclose()

    assert [task.result() for task in tasks] == ["e-1", "e-2"]
    assert stored(store.database) == ["e-1", "e-2"]


@pytest.mark.usefixtures("settled")
async def test_a_connection_that_is_gone_is_told_to_every_caller_and_hangs_nobody(
    store: StoreUnderTest,
) -> None:
    async with running(store) as writer:
        store.database.close()

        for _ in range(2):
            with pytest.raises(store.connection_gone):
                await writer.write(partial(store_event, external_id="e-1"))

    assert stored(store.reopen()) == []


class Queue:
    """Work that notes when it was done, and together with what."""

    def __init__(self) -> None:
        self.groups: list[list[str]] = [[]]

    def prepare(self, _connection: Connection) -> str:
        self.groups.append([])
        return "next group"

    def prepare_carefully(self, connection: Connection) -> str:
        return self.prepare(connection)

    def committed(self, prepared: str) -> None:
        """Nothing is handed over."""

    def work(self, name: str) -> Work:
        return lambda _connection: self.groups[-1].append(name)


async def test_urgent_work_goes_first_and_in_groups_of_its_own(store: StoreUnderTest) -> None:
    line = Queue()
    ordinary, urgent = ([line.work(f"{kind} {n}") for n in range(3)] for kind in ("ordinary", "urgent"))

    async with running(store, line) as writer:
        await write_together(writer, *ordinary, *urgent, urgent=frozenset(urgent))

    assert line.groups[1:3] == [
        ["urgent 0", "urgent 1", "urgent 2"],
        ["ordinary 0", "ordinary 1", "ordinary 2"],
    ]


async def test_a_flood_of_urgent_work_does_not_starve_what_is_ordinary(store: StoreUnderTest) -> None:
    line = Queue()
    ordinary = line.work("ordinary")
    urgent = [line.work("urgent") for _ in range(GROUP_LIMIT * (URGENT_IN_A_ROW + 3))]

    async with running(store, line) as writer:
        await write_together(writer, *urgent, ordinary, urgent=frozenset(urgent))

    before = line.groups.index(["ordinary"])
    assert before <= URGENT_IN_A_ROW + 1
    assert line.groups[before + 1][0] == "urgent"
