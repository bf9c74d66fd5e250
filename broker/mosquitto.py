"""The broker as a child process: found, checked, started, watched, reloaded, stopped.

    find_executable -> installed_version -> command -> BrokerProcess
                                                         start, wait_until_accepting, wait, stop

Mosquitto cannot tell which port it got for port 0, so whoever wants any port takes ``free_port`` and
tries again with others on ``PortTakenError``.
"""

import asyncio
import os
import re
import resource
import shutil
import signal
import socket
import subprocess
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Final

from broker.configuration import LOOPBACK
from broker.limits import OPEN_FILES

Version = tuple[int, int, int]

OLDEST_VERSION: Final[Version] = (2, 0, 11)
"""Debian 12's; nobody tried an older one."""
PLACES_BESIDE_PATH: Final = ("/usr/sbin", "/usr/local/sbin")
"""Where packages put it; the PATH of an ordinary user often lacks them."""
VERSION_DEADLINE: Final = timedelta(seconds=10)
LISTENING_POLL: Final = timedelta(milliseconds=5)
KEPT_LINES: Final = 20
"""The end of the log that an error shows."""
LONGEST_LINE_BYTES: Final = 64 * 1024
PORT_TAKEN: Final = "Address already in use"

LOCAL_ADDRESS: Final = 1
STATE: Final = 3
INODE: Final = 9
"""Columns of /proc/net/tcp."""
LISTENING: Final = "0A"


class MosquittoMissingError(RuntimeError):
    """Mosquitto is not installed where we look."""

    def __init__(self) -> None:
        super().__init__(
            f"Cannot find mosquitto in PATH, {' or '.join(PLACES_BESIDE_PATH)}: install it with "
            "apt-get install mosquitto, or use a broker elsewhere with broker.manage = false"
        )


class MosquittoTooOldError(RuntimeError):
    """Mosquitto lacks what we rely on."""

    def __init__(self, executable: Path, *, found: str) -> None:
        self.executable = executable
        self.found = found
        wanted = ".".join(map(str, OLDEST_VERSION))
        super().__init__(f"Cannot use {executable}, version {found}: expected Mosquitto {wanted} or newer")


class BrokerEndedError(RuntimeError):
    """The broker ended by itself."""

    def __init__(self, *, exit_code: int, last_lines: Sequence[str]) -> None:
        self.exit_code = exit_code
        self.last_lines = tuple(last_lines)
        super().__init__(f"Mosquitto ended with exit code {exit_code}; it said: {' | '.join(last_lines)}")


class PortTakenError(BrokerEndedError):
    """One of the ports belongs to another process; others may be free."""


class BrokerSilentError(TimeoutError):
    """The broker runs, but does not accept connections."""

    def __init__(self, missing: Iterable[int], *, deadline: timedelta, last_lines: Sequence[str]) -> None:
        self.missing = tuple(sorted(missing))
        self.deadline = deadline
        self.last_lines = tuple(last_lines)
        super().__init__(
            f"Mosquitto did not open port {', '.join(map(str, self.missing))} within "
            f"{deadline.total_seconds():g} s; it said: {' | '.join(last_lines) or 'nothing'}"
        )


def find_executable() -> Path:
    """Where Mosquitto is installed.

    Raises:
        MosquittoMissingError: Nowhere that we look.
    """
    found = shutil.which("mosquitto") or shutil.which("mosquitto", path=os.pathsep.join(PLACES_BESIDE_PATH))
    if found is None:
        raise MosquittoMissingError
    return Path(found)


def installed_version(executable: Path) -> Version:
    """The version of ``executable``.

    Raises:
        MosquittoTooOldError: It is older than we can use, or says no version.
    """
    said = subprocess.run(  # noqa: S603 - the broker that the operator installed
        [executable, "-h"],
        capture_output=True,
        text=True,
        check=False,  # 2.0.11 ends with 3 after its help
        timeout=VERSION_DEADLINE.total_seconds(),
    )
    return parse_version(executable, said.stdout + said.stderr)


def parse_version(executable: Path, text: str) -> Version:
    """Read the version from what ``mosquitto -h`` prints; raises as ``installed_version``."""
    match = re.search(r"mosquitto version (\d+)\.(\d+)\.(\d+)", text)
    if match is None:
        raise MosquittoTooOldError(executable, found="unknown")
    version = (int(match[1]), int(match[2]), int(match[3]))
    if version < OLDEST_VERSION:
        raise MosquittoTooOldError(executable, found=".".join(match.groups()))
    return version


def command(executable: Path, configuration: Path) -> list[str]:
    """What to run: the broker, with enough open files, and never longer than the one who starts it.

    The kernel ends it when the *thread* that started it ends: start it from the main thread.
    Where util-linux is missing it runs without these two.
    """
    return [*_with_open_files(), *_until_parent_ends(), str(executable), "-c", str(configuration)]


def free_port(address: str = LOOPBACK) -> int:
    """A port that nobody has now; somebody may take it before you do, see ``PortTakenError``."""
    with socket.socket() as probe:
        probe.bind((address, 0))
        port: int = probe.getsockname()[1]
        return port


def listening_ports(pid: int) -> set[int]:
    """The TCP ports on which a process of ours listens; none if it has ended.

    Asked of the kernel: a connection would also be accepted by another process that has the port, and
    would leave two lines of alarm in the broker's log.
    """
    try:
        own = {str(descriptor.readlink()) for descriptor in Path(f"/proc/{pid}/fd").iterdir()}
        tables = [table.read_text() for table in Path(f"/proc/{pid}/net").glob("tcp*")]
    except OSError:  # it ends, or closes a file, while we look
        return set()
    sockets = [line.split() for table in tables for line in table.splitlines()[1:]]
    return {
        int(fields[LOCAL_ADDRESS].rpartition(":")[2], 16)
        for fields in sockets
        if fields[STATE] == LISTENING and f"socket:[{fields[INODE]}]" in own
    }


def reload(pid: int) -> None:
    """Have the broker take new access rules, revocation lists and its own certificate.

    Only once it accepts connections: before, the signal ends it. And only once the hub's sessions are
    connected again after a restart of the broker: until then 2.0.11 to 2.0.22 forget, at a reload, that
    the hub may read, and drop what arrives for it.
    """
    os.kill(pid, signal.SIGHUP)


class BrokerProcess:
    """One run of the broker, from ``start`` to ``stop`` or its own end."""

    def __init__(self, command_line: Sequence[str], *, on_line: Callable[[str], None]) -> None:
        """Prepare a run; nothing happens before ``start``.

        Args:
            command_line: See ``command``.
            on_line: Takes each line of the broker's log, in the event loop; it must not block.
        """
        self._command_line = command_line
        self._output = _Output(on_line)
        self._transport: asyncio.SubprocessTransport | None = None

    @property
    def pid(self) -> int:
        """For ``reload``. Only after ``start``."""
        return self._started.get_pid()

    async def start(self) -> None:
        """Start the broker; it does not accept connections yet."""
        self._transport, _ = await asyncio.get_running_loop().subprocess_exec(
            lambda: self._output,
            *self._command_line,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # Ctrl-C is for us; we stop the broker when it is its turn
        )

    async def wait_until_accepting(self, ports: Iterable[int], *, deadline: timedelta) -> None:
        """Return once this broker, and no other process, listens on every port.

        Raises:
            PortTakenError: Another process has one of the ports.
            BrokerEndedError: The broker refused its configuration, or died.
            BrokerSilentError: The deadline passed.
        """
        missing = set(ports)
        try:
            async with asyncio.timeout(deadline.total_seconds()):
                while missing := missing - listening_ports(self.pid):
                    self._raise_if_ended()
                    await asyncio.sleep(LISTENING_POLL.total_seconds())
        except TimeoutError as error:
            last_lines = self._output.last_lines
            raise BrokerSilentError(missing, deadline=deadline, last_lines=last_lines) from error

    async def wait(self) -> int:
        """Return the exit code once the broker has ended and its last line was handed on.

        Minus the number of the signal, if one ended it.
        """
        await self._output.ended.wait()
        exit_code = self._started.get_returncode()
        return exit_code if exit_code is not None else 0

    async def stop(self, *, deadline: timedelta) -> int:
        """End the broker: it writes its state; what is not over at the deadline is killed."""
        self._signal(signal.SIGTERM)
        try:
            async with asyncio.timeout(deadline.total_seconds()):
                return await self.wait()
        except TimeoutError:
            self._signal(signal.SIGKILL)
            return await self.wait()

    @property
    def _started(self) -> asyncio.SubprocessTransport:
        if self._transport is None:
            message = "the broker was not started"
            raise RuntimeError(message)
        return self._transport

    def _raise_if_ended(self) -> None:
        if not self._output.ended.is_set():
            return
        last_lines = self._output.last_lines
        error = PortTakenError if any(PORT_TAKEN in line for line in last_lines) else BrokerEndedError
        raise error(exit_code=self._started.get_returncode() or 0, last_lines=last_lines)

    def _signal(self, number: signal.Signals) -> None:
        if not self._output.ended.is_set() and self._started.get_returncode() is None:
            self._started.send_signal(number)


class _Output(asyncio.SubprocessProtocol):
    """Cuts the broker's output into lines and notices its end."""

    def __init__(self, on_line: Callable[[str], None]) -> None:
        self.ended = asyncio.Event()
        self._kept: deque[str] = deque(maxlen=KEPT_LINES)
        self._on_line = on_line
        self._rest = b""
        self._transport: asyncio.BaseTransport | None = None

    @property
    def last_lines(self) -> Sequence[str]:
        return tuple(self._kept)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def pipe_data_received(self, fd: int, data: bytes) -> None:  # noqa: ARG002 - stdout and stderr are one
        *lines, self._rest = (self._rest + data).split(b"\n")
        if len(self._rest) > LONGEST_LINE_BYTES:
            lines, self._rest = [*lines, self._rest], b""
        for line in lines:
            self._hand_on(line)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - its exit code says more
        """Called after the exit and the last byte."""
        if self._rest:
            self._hand_on(self._rest)
        if self._transport is not None:
            self._transport.close()
        self.ended.set()

    def _hand_on(self, line: bytes) -> None:
        text = line.decode("utf-8", "backslashreplace").rstrip("\r")
        self._kept.append(text)
        self._on_line(text)


def _with_open_files() -> list[str]:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    possible = OPEN_FILES if hard == resource.RLIM_INFINITY else min(hard, OPEN_FILES)
    if soft == resource.RLIM_INFINITY or soft >= possible or shutil.which("prlimit") is None:
        return []
    return ["prlimit", f"--nofile={possible}:", "--"]


def _until_parent_ends() -> list[str]:
    if shutil.which("setpriv") is None:
        return []
    return ["setpriv", "--pdeathsig", "KILL", "--"]
