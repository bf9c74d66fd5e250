"""Our own processes as children: started, watched by their heartbeat, ended.

    supervisor ──starts──> child        child ──READY or ALIVE, every 2 s──> pipe ──> supervisor

A child that ends, or whose heart stops (a stalled loop, SIGSTOP), is killed and started again by whoever
runs ``Child.run``. A child notices that its supervisor is gone by the same pipe, and the kernel ends one
that can notice nothing.
"""

import asyncio
import contextlib
import os
import shutil
import signal
import sys
from datetime import timedelta
from typing import IO, Final

import structlog

READY: Final = b"R"
"""I live, and do what I am for."""

ALIVE: Final = b"."
"""I live, but something that I need is away."""

HEARTBEAT_EVERY: Final = timedelta(seconds=2)
HEARTBEAT_WITHIN: Final = timedelta(seconds=30)
"""A child that was not heard for this long is dead, whatever its process table entry says."""

START_WITHIN: Final = timedelta(seconds=60)
RESTART_WAITS: Final = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0)
"""Seconds before a child is started again; the last one repeats."""

HEALTHY_AFTER: Final = timedelta(seconds=30)
"""A child that ran this long starts from the shortest wait again."""

_log = structlog.get_logger(__name__)


def wait_before_restart(failures: int) -> timedelta:
    """How long to wait before start number ``failures + 1``."""
    return timedelta(seconds=RESTART_WAITS[min(failures, len(RESTART_WAITS) - 1)])


class Child:
    """One of our own processes, kept running."""

    def __init__(
        self,
        name: str,
        *arguments: str,
        pass_fds: tuple[int, ...] = (),
        stderr: IO[str] | None = None,
        heartbeat_within: timedelta | None = None,
    ) -> None:
        self.name = name
        self._heartbeat_within = heartbeat_within or HEARTBEAT_WITHIN
        self.ready = asyncio.Event()
        self._arguments = arguments
        self._pass_fds = pass_fds
        self._stderr = stderr
        self._process: asyncio.subprocess.Process | None = None
        self._is_stopping = False

    @property
    def pid(self) -> int | None:
        """Of the run that is under way."""
        return self._process.pid if self._process is not None else None

    async def run(self) -> None:
        """Start the child, and start it again whenever it ends, until stopped."""
        loop, failures = asyncio.get_running_loop(), 0
        while not self._is_stopping:
            started_at = loop.time()
            try:
                code = await self._run_once()
            except OSError as error:  # no process or pipe to be had just now
                code = error.errno or -1
            self.ready.clear()
            if self._is_stopping:
                return
            if loop.time() - started_at > HEALTHY_AFTER.total_seconds():
                failures = 0
            pause = wait_before_restart(failures)
            failures += 1
            _log.error("child_ended", child=self.name, code=code, again_in_s=pause.total_seconds())
            await asyncio.sleep(pause.total_seconds())

    async def stop(self, *, deadline: timedelta) -> None:
        """Let the child finish what it has begun; kill it at the deadline."""
        self._is_stopping = True
        process = self._process
        if process is None or process.returncode is not None:
            return
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(signal.SIGTERM)
        try:
            async with asyncio.timeout(deadline.total_seconds()):
                await process.wait()
        except TimeoutError:
            _log.error("child_killed", child=self.name, reason="did not stop in time")
            _kill(process)
            await process.wait()

    async def _run_once(self) -> int:
        reading, writing = os.pipe()
        try:
            self._process = process = await asyncio.create_subprocess_exec(
                *_until_parent_ends(),
                sys.executable,
                "-m",
                *self._arguments,
                str(writing),
                pass_fds=(writing, *self._pass_fds),
                stdin=asyncio.subprocess.DEVNULL,
                stderr=self._stderr,
                start_new_session=True,  # Ctrl-C is for the supervisor, which stops us in order
            )
        finally:
            os.close(writing)
        pipe = os.fdopen(reading, "rb", buffering=0)  # closed by its transport, in _watch
        watch = asyncio.get_running_loop().create_task(self._watch(pipe), name=f"{self.name} watch")
        try:
            return await process.wait()
        finally:
            watch.cancel()
            if process.returncode is None:
                _kill(process)

    async def _watch(self, pipe: IO[bytes]) -> None:
        """Follow the heartbeat; a child whose heart stops is killed."""
        reader = asyncio.StreamReader()
        loop = asyncio.get_running_loop()
        transport, _ = await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), pipe)
        within = START_WITHIN
        try:
            while True:
                async with asyncio.timeout(within.total_seconds()):
                    beat = await reader.read(1)
                if not beat:
                    return
                if beat == READY:
                    self.ready.set()
                else:
                    self.ready.clear()
                within = self._heartbeat_within
        except TimeoutError:
            _log.error("child_killed", child=self.name, reason="no heartbeat")
            if self._process is not None:
                _kill(self._process)
        finally:
            transport.close()


def _until_parent_ends() -> list[str]:
    """One that hangs would not notice that its supervisor is gone, and would hold its lock for ever."""
    return ["setpriv", "--pdeathsig", "KILL", "--"] if shutil.which("setpriv") else []


def _kill(process: asyncio.subprocess.Process) -> None:
    with contextlib.suppress(ProcessLookupError):
        process.kill()
