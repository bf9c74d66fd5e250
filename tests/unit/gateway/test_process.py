"""A process of ours: one at a time, says that it lives, ends on SIGTERM and with its supervisor."""

import asyncio
import os
import signal
from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from gateway import process
from gateway.children import ALIVE, READY
from gateway.data_folder import AlreadyRunningError, DataFolder, Lock, open_folder
from gateway.process import Role
from gateway.settings import Settings
from services.domain.errors import RefusedError
from services.store.connection import StoreUnavailableError

AT_MOST_SECONDS = 10


class MendableError(RefusedError):
    """Something that an operator can mend."""


class Work:
    """An app that works until it is told to stop, or fails."""

    def __init__(self, error: Exception | None = None) -> None:
        self.error = error
        self.is_connected = True
        self.is_built = False
        self.began = asyncio.Event()
        self.was_stopped = False

    def are_connected(self) -> bool:
        return self.is_connected

    async def run(self, *, ready: asyncio.Event, stop: asyncio.Event) -> None:
        if self.error is not None:
            raise self.error
        ready.set()
        self.began.set()
        await stop.wait()
        self.was_stopped = True

    def role(self) -> Role:
        return Role(name="work", build=self._build)

    @asynccontextmanager
    async def _build(self, _folder: DataFolder, _settings: Settings) -> AsyncGenerator["Work", None]:
        self.is_built = True
        yield self


@pytest.fixture
def folder(tmp_path: Path) -> DataFolder:
    return open_folder(tmp_path / "data")


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    """From the process to its supervisor; whoever closes an end says so by taking it away."""
    reading, writing = os.pipe()
    yield reading, writing
    for end in (reading, writing):
        try:
            os.close(end)
        except OSError:
            continue


async def test_it_says_that_it_is_ready_and_ends_on_sigterm(
    folder: DataFolder, pipe: tuple[int, int]
) -> None:
    work = Work()

    async with asyncio.timeout(AT_MOST_SECONDS), asyncio.TaskGroup() as group:
        running = group.create_task(process._run(work.role(), folder, pipe[1]), name="process")
        first = await asyncio.to_thread(os.read, pipe[0], 1)
        os.kill(os.getpid(), signal.SIGTERM)

    assert (first, running.result(), work.was_stopped) == (READY, 0, True)


async def test_it_says_that_it_lives_and_cannot_work_while_it_is_not_connected(
    folder: DataFolder, pipe: tuple[int, int]
) -> None:
    work = Work()
    work.is_connected = False

    async with asyncio.timeout(AT_MOST_SECONDS), asyncio.TaskGroup() as group:
        group.create_task(process._run(work.role(), folder, pipe[1]), name="process")
        first = await asyncio.to_thread(os.read, pipe[0], 1)
        os.kill(os.getpid(), signal.SIGTERM)

    assert first == ALIVE


async def test_it_ends_with_its_supervisor(folder: DataFolder, pipe: tuple[int, int]) -> None:
    os.close(pipe[0])
    work = Work()

    async with asyncio.timeout(AT_MOST_SECONDS):
        assert await process._run(work.role(), folder, pipe[1]) == 0

    assert work.was_stopped


async def test_without_a_supervisor_it_works_all_the_same(folder: DataFolder) -> None:
    work = Work()

    async with asyncio.timeout(AT_MOST_SECONDS), asyncio.TaskGroup() as group:
        group.create_task(process._run(work.role(), folder, None), name="process")
        await work.began.wait()
        os.kill(os.getpid(), signal.SIGTERM)

    assert work.was_stopped


async def test_it_waits_for_its_predecessor_and_never_works_beside_it(folder: DataFolder) -> None:
    predecessor = Lock(folder, "work")
    work = Work()

    async with asyncio.timeout(AT_MOST_SECONDS), asyncio.TaskGroup() as group:
        group.create_task(process._run(work.role(), folder, None), name="process")
        await asyncio.sleep(3 * process.LOCK_POLL_SECONDS)
        assert not work.is_built
        predecessor.release()
        await work.began.wait()
        with pytest.raises(AlreadyRunningError):
            Lock(folder, "work")
        os.kill(os.getpid(), signal.SIGTERM)


async def test_what_fails_leaves_the_lock_to_the_next(folder: DataFolder) -> None:
    with pytest.raises(ExceptionGroup):
        await process._run(Work(OSError("no")).role(), folder, None)

    Lock(folder, "work").release()


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (MendableError("mend this"), "mend this"),
        (ExceptionGroup("tasks", [MendableError("mend this")]), "mend this"),
        (ExceptionGroup("tasks", [ExceptionGroup("more", [MendableError("mend this")])]), "mend this"),
        (ExceptionGroup("tasks", [MendableError("mend this"), ValueError()]), None),
        (ExceptionGroup("tasks", [ValueError()]), None),
        (ValueError(), None),
    ],
)
def test_what_an_operator_can_mend_is_named_and_a_mistake_of_ours_is_not(
    error: Exception, reason: str | None
) -> None:
    assert process._mendable(error) == reason


def test_a_store_that_cannot_be_written_is_named() -> None:
    assert "the disk is full" in (process._mendable(StoreUnavailableError("the disk is full")) or "")
