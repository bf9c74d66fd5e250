"""Group commit: many use cases, one sync of the disk.

    await writer.write(work) ──┐
    await writer.write(work) ──┼─> one thread: BEGIN · work · work · epilogue · COMMIT ─> every caller wakes
    await writer.write(work) ──┘

Urgent work (the alarm lane's) goes first, in groups of its own. While one commit waits for the disk the
next group gathers, so the load sets the size of the group, and an idle hub pays for one sync per alarm and
no waiting. When work raises, the group is undone and done again with a savepoint around each piece: that
one's error goes to its caller, the others commit. So work must bear being run twice. When the commit itself
fails nobody's work is kept and every caller gets ``StoreUnavailableError``.
"""

import asyncio
import queue
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Protocol, TypeVar

import structlog

from services.store.connection import Connection, StoreUnavailableError
from services.store.sqlite import SqliteConnection

GROUP_LIMIT: Final = 128
"""Units of work per commit: bounds how long the first of a flood waits for its answer."""

URGENT_IN_A_ROW: Final = 4
"""Then what is not urgent has a turn: it must not starve in a flood of alarms."""

BUSY_AT_MOST_SECONDS: Final = 0.1
GAP_SECONDS: Final = 0.004
"""Long enough for whoever asks for the lock every millisecond."""

_log = structlog.get_logger(__name__)

T = TypeVar("T")
Work = Callable[[Connection], T]


class Epilogue(Protocol):
    """Work that belongs to every commit, such as leasing what has just become due."""

    def prepare(self, connection: Connection) -> Any:
        """Run last inside the transaction, in the writer's thread."""

    def prepare_carefully(self, connection: Connection) -> Any:
        """Do the same after something has raised, each piece on its own; only the store may fail it."""

    def committed(self, prepared: Any) -> None:
        """Run in the event loop after the commit, before the callers wake."""


@dataclass(slots=True)
class _Job:
    work: Work[Any]
    done: asyncio.Future[Any]
    is_urgent: bool
    units: int = 1
    result: Any = None
    error: Exception | None = None


class Writer:
    """The one writer of a process. Its queue is bounded by its callers: each awaits its own work."""

    def __init__(
        self, connection: SqliteConnection, epilogue: Epilogue | None = None, *, leaves_half: bool = False
    ) -> None:
        """Begin with nothing to do.

        Args:
            connection: Used by the writer's thread alone from here on.
            epilogue: What belongs to every commit.
            leaves_half: After a commit the lock is left alone for as long as it was held, and no shorter than
                ``GAP_SECONDS``: for a process that writes beside the alarm lane's. One piece of work alone
                does not wait.
        """
        self._connection = connection
        self._epilogue = epilogue
        self._leaves_half = leaves_half
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="store-writer", daemon=True)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._urgent: deque[_Job] = deque()
        self._ordinary: deque[_Job] = deque()
        self._urgent_in_a_row = 0
        self._is_ending = False
        self._busy_since_s: float | None = None

    def start(self) -> None:
        """Begin to take work; call it in the event loop that will await the results."""
        self._loop = asyncio.get_running_loop()
        self._thread.start()

    async def aclose(self) -> None:
        """Finish what was handed in, then end the thread."""
        self._jobs.put(None)
        await asyncio.to_thread(self._thread.join)

    async def write(self, work: Work[T], *, is_urgent: bool = False, units: int = 1) -> T:
        """Run ``work`` in a transaction; return when it is on disk.

        Args:
            work: Called with the open transaction; must bear being called twice.
            is_urgent: It goes before what is not, and does not share a transaction with it.
            units: For how many it counts in ``GROUP_LIMIT``, when it does many small things.

        Raises:
            StoreUnavailableError: The commit failed; nothing of it is kept.
            Exception: What ``work`` raised; nothing of it is kept.
        """
        job = _Job(work, asyncio.get_running_loop().create_future(), is_urgent, units)
        self._jobs.put(job)
        result: T = await job.done
        return result

    def _run(self) -> None:
        """Take groups until told to stop and nothing is left (in the writer's own thread)."""
        while group := self._next_group():
            began_s = time.monotonic()
            self._commit(group)
            if self._leaves_half:
                time.sleep(max(GAP_SECONDS, time.monotonic() - began_s))
            else:
                self._let_others_in()

    def _next_group(self) -> list[_Job]:
        """What is committed next; nothing at the end."""
        is_idle = not (self._urgent or self._ordinary)
        self._sort_in(is_waiting=is_idle and not self._is_ending)
        has_waited = self._ordinary and self._urgent_in_a_row >= URGENT_IN_A_ROW
        chosen = self._urgent if self._urgent and not has_waited else self._ordinary
        self._urgent_in_a_row = self._urgent_in_a_row + 1 if chosen is self._urgent else 0
        group, units = [], 0
        while chosen and units < GROUP_LIMIT:
            group.append(chosen.popleft())
            units += group[-1].units
        return group

    def _sort_in(self, *, is_waiting: bool) -> None:
        """Put what has been handed in in its line, waiting for the first when there is nothing to do."""
        try:
            job = self._jobs.get(block=is_waiting)
            while True:
                if job is None:
                    self._is_ending = True
                else:
                    (self._urgent if job.is_urgent else self._ordinary).append(job)
                job = self._jobs.get_nowait()
        except queue.Empty:
            return

    def _let_others_in(self) -> None:
        """Under load leave a gap now and then, for the command line's process to write in."""
        if self._jobs.empty() and not (self._urgent or self._ordinary):
            self._busy_since_s = None
            return
        now_s = time.monotonic()
        if self._busy_since_s is None:
            self._busy_since_s = now_s
        elif now_s - self._busy_since_s > BUSY_AT_MOST_SECONDS:
            time.sleep(GAP_SECONDS)
            self._busy_since_s = None

    def _commit(self, group: list[_Job]) -> None:
        prepared = None
        try:
            prepared = self._try(group)
        except Exception as error:  # noqa: BLE001 - whatever it is, a caller that is told nothing waits for ever
            for job in group:
                job.error = error
        assert self._loop is not None  # noqa: S101 - start() was called; for the type checker
        self._loop.call_soon_threadsafe(self._wake, group, prepared)

    def _try(self, group: list[_Job]) -> Any:
        """Commit the group as one; when anything in it raises, again with each piece on its own."""
        try:
            with self._connection.transaction():
                for job in group:
                    job.result = job.work(self._connection)
                return self._epilogue.prepare(self._connection) if self._epilogue else None
        except StoreUnavailableError:
            raise
        except Exception:  # noqa: BLE001 - found again, and handed to its owner, in the careful turn
            return self._carefully(group)

    def _carefully(self, group: list[_Job]) -> Any:
        with self._connection.transaction():
            for job in group:
                try:
                    with self._connection.savepoint():
                        job.result = job.work(self._connection)
                except StoreUnavailableError:
                    raise
                except Exception as error:  # noqa: BLE001 - handed to the one who asked, who raises it again
                    job.error = error
            return self._prepare_carefully()

    def _prepare_carefully(self) -> Any:
        if self._epilogue is None:
            return None
        try:
            with self._connection.savepoint():
                return self._epilogue.prepare_carefully(self._connection)
        except StoreUnavailableError:
            raise
        except Exception:  # noqa: BLE001 - a fault in releasing must never stop an alarm from being stored
            _log.exception("release_failed")
            return None

    def _wake(self, group: list[_Job], prepared: Any) -> None:
        self._hand_over(prepared)
        for job in group:
            if job.done.done():  # its caller was cancelled meanwhile; the work is kept all the same
                continue
            if job.error is not None:
                job.done.set_exception(job.error)
            else:
                job.done.set_result(job.result)

    def _hand_over(self, prepared: Any) -> None:
        if prepared is None or self._epilogue is None:
            return
        try:
            self._epilogue.committed(prepared)
        except Exception:  # noqa: BLE001 - it is leased, so it is tried again; the callers' work is on disk
            _log.exception("hand_over_failed")
