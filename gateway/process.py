"""A process of ours from its start to its end: lock, signals, heartbeat to the supervisor.

    python -m gateway.alarm_process DIR [FD]        python -m gateway.reading_process DIR [FD]

Holds a lock of the data folder for its whole life. The kernel lets go of it only when the process is
dead, so there are never two that act, whatever the supervisor believes.
"""

import asyncio
import gc
import os
import signal
import sys
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Final, Protocol

import structlog

from gateway import log, settings
from gateway.children import ALIVE, HEARTBEAT_EVERY, READY
from gateway.data_folder import AlreadyRunningError, DataFolder, Lock, open_folder
from gateway.settings import Settings
from services.domain.errors import RefusedError
from services.store.connection import StoreUnavailableError

LOCK_WITHIN: Final = timedelta(seconds=10)
"""How long to wait for a predecessor that is being ended."""

LOCK_POLL_SECONDS: Final = 0.05
SWITCH_SECONDS: Final = 0.0005
"""The writer's thread gets its turn in half a millisecond, not in five."""

_MENDABLE: Final = (StoreUnavailableError, RefusedError)

_log = structlog.get_logger(__name__)


class App(Protocol):
    """The joined parts of a process."""

    def are_connected(self) -> bool:
        """Whether it can do now what it is for."""

    async def run(self, *, ready: asyncio.Event, stop: asyncio.Event) -> None:
        """Work until told to stop; then finish what has arrived."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Role:
    """What a process is."""

    name: str
    """Of its log lines and its lock."""
    build: Callable[[DataFolder, Settings], AbstractAsyncContextManager[App]]
    loop_factory: Callable[[], asyncio.AbstractEventLoop] | None = None
    niceness: int = 0
    """Above 0 it yields the processor to the alarm process and the broker (``nice(2)``)."""


def main(role: Role) -> int:
    """Run until SIGTERM; 1 when something failed and the supervisor should start us again."""
    log.configure(process=role.name)
    os.nice(role.niceness)
    sys.setswitchinterval(SWITCH_SECONDS)
    gc.set_threshold(20_000, 20, 50)  # collecting is rare and small; a long pause would be an alarm's latency
    folder = open_folder(Path(sys.argv[1]))
    to_supervisor = int(sys.argv[2]) if len(sys.argv) > 2 else None  # noqa: PLR2004
    try:
        with asyncio.Runner(loop_factory=role.loop_factory) as runner:
            return runner.run(_run(role, folder, to_supervisor))
    except Exception as error:  # noqa: BLE001 - the supervisor's guard, inside the process that it guards
        reason = _mendable(error)
        if reason is None:
            _log.exception("process_failed")
        else:
            _log.error("process_cannot_run", reason=reason)
        return 1


def _mendable(error: Exception) -> str | None:
    """What an operator can mend, also where a group of tasks says it; None: a mistake of ours."""
    first = error
    while isinstance(first, ExceptionGroup):
        if first.split(_MENDABLE)[1] is not None:
            return None
        first = first.exceptions[0]
    return str(first) if isinstance(first, _MENDABLE) else None


async def _run(role: Role, folder: DataFolder, to_supervisor: int | None) -> int:
    lock = await _locked(folder, role.name)
    chosen = settings.load(folder.path)
    ready, stop = asyncio.Event(), asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    try:
        async with role.build(folder, chosen) as app, asyncio.TaskGroup() as group:
            beat = group.create_task(_beat(to_supervisor, app, ready, stop), name="heartbeat")
            await app.run(ready=ready, stop=stop)
            beat.cancel()
    finally:
        lock.release()
    _log.info("process_stopped")
    return 0


async def _locked(folder: DataFolder, name: str) -> Lock:
    deadline = asyncio.get_running_loop().time() + LOCK_WITHIN.total_seconds()
    while True:
        try:
            return Lock(folder, name)
        except AlreadyRunningError:
            if asyncio.get_running_loop().time() > deadline:
                raise
            await asyncio.sleep(LOCK_POLL_SECONDS)


async def _beat(to_supervisor: int | None, app: App, ready: asyncio.Event, stop: asyncio.Event) -> None:
    """Say that we live, and whether every lane is open; end with the supervisor when it is gone."""
    await ready.wait()
    gc.freeze()  # what start-up made lives as long as we do: not worth looking at again
    _log.info("process_ready")
    if to_supervisor is None:
        return
    try:
        while True:
            os.write(to_supervisor, READY if app.are_connected() else ALIVE)
            await asyncio.sleep(HEARTBEAT_EVERY.total_seconds())
    except BrokenPipeError:
        _log.warning("supervisor_gone")
        stop.set()
