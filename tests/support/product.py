"""The built product, started and looked at from outside, as an operator would.

    with Product(tmp_path / "data") as product:              stadsnav up --data …, any free ports
        product.ask("home", "add", "h-1", "--address", "…")  the command line, its JSON
        product.kill("alarm")                                kill -9 of one of its processes

Whatever a test does to it, nothing of it runs on after ``end``: every process that names the data folder
on its command line is looked for, orphans too.
"""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, Self, TypeVar

import psutil

HOST: Final = "127.0.0.1"
PROGRAM: Final = Path(sys.executable).with_name("stadsnav")
PATIENCE_SECONDS: Final = 20.0
POLL_SECONDS: Final = 0.02
LAST_LINES: Final = 40
LONGEST_LINE: Final = 500

MARKS: Final = {
    "alarm": "gateway.alarm_process",
    "reading": "gateway.reading_process",
    "export": "gateway.export_process",
    "outward": "gateway.outward_process",
    "web": "gateway.web_process",
    "broker": "mosquitto",
}
"""What tells a child's command line from the others."""

T = TypeVar("T")


class CommandRefusedError(Exception):
    """A command of the product did not end with 0."""

    def __init__(self, arguments: tuple[str, ...], done: subprocess.CompletedProcess[str]) -> None:
        self.code = done.returncode
        self.said = done.stderr.strip()
        super().__init__(f"stadsnav {' '.join(arguments)}: exit {done.returncode}: {self.said}")


class NotStartedError(Exception):
    """``stadsnav up`` ended, or was not ready in time."""

    def __init__(self, code: int | None, last_lines: str) -> None:
        self.code = code
        super().__init__(f"stadsnav up (exit {code}) was not ready; the end of its log:\n{last_lines}")


class Product:
    """One data folder and the product that runs on it."""

    def __init__(self, folder: Path, *, environment: Mapping[str, str] | None = None) -> None:
        self.folder = folder
        self.log_file = folder.with_name(f"{folder.name}.log")
        self.ports: dict[str, int] = {}
        self.environment = {
            **os.environ,  # noqa: TID251 - what a shell would hand on
            "STADSNAV_MQTT_PORT": "0",
            "STADSNAV_PARTNER_PORT": "0",
            "STADSNAV_HTTP_PORT": "0",
            "STADSNAV_BIND": HOST,
            **(environment or {}),
        }
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.end()

    @property
    def pid(self) -> int:
        """Of the supervisor."""
        assert self._process is not None
        return self._process.pid

    @property
    def log(self) -> str:
        """Everything that its processes have said, over all starts."""
        return self.log_file.read_text() if self.log_file.exists() else ""

    def last_lines(self) -> str:
        """The end of the log, as far as a person would read it."""
        return "\n".join(line[:LONGEST_LINE] for line in self.log.splitlines()[-LAST_LINES:])

    def log_lines(self, event: str) -> list[dict[str, Any]]:
        """The structured log lines of one event."""
        lines = (json.loads(line) for line in self.log.splitlines() if line.startswith("{"))
        return [line for line in lines if line.get("event") == event]

    def start(self) -> None:
        """Start it and return once it says that it is ready.

        Raises:
            NotStartedError: With the end of its log.
        """
        ports_file = self.folder / "run" / "ports.json"
        before = ports_file.stat().st_mtime_ns if ports_file.exists() else None
        self.folder.parent.mkdir(parents=True, exist_ok=True)
        with self.log_file.open("ab") as log:
            self._process = subprocess.Popen(
                [*_ended_with_us(), str(PROGRAM), "up", "--data", str(self.folder)],
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        try:
            wait_until(lambda: self._is_ready(ports_file, before), "the product is ready")
        except BaseException:
            self.end()
            raise
        self.ports = json.loads(ports_file.read_text())

    def stop(self, *, within_seconds: float = PATIENCE_SECONDS) -> int:
        """SIGTERM, as an operator or the system does it; returns the exit code."""
        assert self._process is not None
        self._process.send_signal(signal.SIGTERM)
        return self._process.wait(within_seconds)

    def end(self) -> None:
        """Leave nothing behind, in whatever state it is; the end of its log is shown with a failed test."""
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(signal.SIGCONT)
            self._process.send_signal(signal.SIGTERM)
            try:
                self._process.wait(PATIENCE_SECONDS)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait(PATIENCE_SECONDS)
        left = self.running()
        for process in left:
            process.kill()
        psutil.wait_procs(left, PATIENCE_SECONDS)
        print(f"--- the end of the log of {self.folder.name}:\n{self.last_lines()}")

    def running(self) -> list[psutil.Process]:
        """Every living process with this data folder on its command line, whoever its parent is."""
        return [process for process in psutil.process_iter() if self._is_ours(process)]

    def child(self, name: str) -> psutil.Process:
        """The living ``alarm``, ``broker`` or ``web``; waits for one that is being started."""
        return eventually(lambda: self.find(name), f"the {name} process runs")

    def find(self, name: str) -> psutil.Process | None:
        """The child of that name, if it lives at this moment."""
        for process in psutil.Process(self.pid).children(recursive=True):
            if MARKS[name] in _what(process) and self._is_ours(process):
                return process
        return None

    def kill(self, name: str) -> int:
        """kill -9 of a child; returns the process id that is no more."""
        process = self.child(name)
        process.kill()
        return process.pid

    def kill_supervisor(self) -> None:
        """kill -9 of ``stadsnav up`` itself, not of its children."""
        assert self._process is not None
        self._process.kill()
        self._process.wait(PATIENCE_SECONDS)

    def cli(
        self, *arguments: str, within_seconds: float = PATIENCE_SECONDS
    ) -> subprocess.CompletedProcess[str]:
        """Run a command on this data folder, and hand back what it said and how it ended."""
        return subprocess.run(
            [str(PROGRAM), *arguments, "--data", str(self.folder)],
            env=self.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=within_seconds,
            check=False,
        )

    def ask(self, *arguments: str) -> Any:
        """Run a command with ``--json`` and return the value that it prints.

        Raises:
            CommandRefusedError: It did not end with 0.
        """
        done = self.cli(*arguments, "--json")
        if done.returncode != 0:
            raise CommandRefusedError(arguments, done)
        return json.loads(done.stdout)

    def ask_all(self, *commands: Sequence[str]) -> list[Any]:
        """``ask`` for many commands, one after the other in one process: most of a command is Python's start.

        Raises:
            CommandRefusedError: One of them did not end with 0; those before it are done.
        """
        lines = "".join(
            json.dumps([*command, "--json", "--data", str(self.folder)]) + "\n" for command in commands
        )
        done = subprocess.run(
            [sys.executable, "-c", _MANY],
            env=self.environment,
            input=lines,
            capture_output=True,
            text=True,
            timeout=PATIENCE_SECONDS,
            check=False,
        )
        answers = [json.loads(line) for line in done.stdout.splitlines()]
        if done.returncode != 0:
            raise CommandRefusedError(tuple(commands[len(answers)]), done)
        return answers

    def checks(self) -> list[dict[str, Any]]:
        """What ``doctor`` says, whether all is well or not."""
        found: list[dict[str, Any]] = json.loads(self.cli("doctor", "--json").stdout)
        return found

    def _is_ready(self, ports_file: Path, before: int | None) -> bool:
        assert self._process is not None
        code = self._process.poll()
        if code is not None or FAULT_KIT_BROKEN in self.log:
            raise NotStartedError(code, self.last_lines())
        return ports_file.exists() and ports_file.stat().st_mtime_ns != before

    def _is_ours(self, process: psutil.Process) -> bool:
        try:
            words = process.cmdline()
            is_dead = process.status() == psutil.STATUS_ZOMBIE
        except psutil.Error:
            return False
        return not is_dead and any(str(self.folder) in word for word in words)


_MANY: Final = """
import json, sys
from gateway.cli import main
for line in sys.stdin:
    sys.argv = ["stadsnav", *json.loads(line)]
    try:
        code = main()
    except SystemExit as end:
        code = end.code
    if code:
        sys.exit(code)
"""

FAULT_KIT_BROKEN: Final = "the fault kit is broken"
"""What ``tests/support/faults/sitecustomize.py`` says when the product no longer has what it wraps."""


def wait_until(
    is_so: Callable[[], object], what: str | Callable[[], str], *, within_seconds: float = PATIENCE_SECONDS
) -> None:
    """Look again and again until it is so; fail with ``what`` when it never is."""
    eventually(is_so, what, within_seconds=within_seconds)


def eventually(
    look: Callable[[], T | None], what: str | Callable[[], str], *, within_seconds: float = PATIENCE_SECONDS
) -> T:
    """The first true value of ``look``; fail with ``what`` when there is none in time."""
    gives_up_at = time.monotonic() + within_seconds
    while not (found := look()):
        if time.monotonic() > gives_up_at:
            raise AssertionError(_in_vain(what, within_seconds))
        time.sleep(POLL_SECONDS)
    return found


def _in_vain(what: str | Callable[[], str], within_seconds: float) -> str:
    return f"waited {within_seconds:g} s in vain until {what if isinstance(what, str) else what()}"


def _what(process: psutil.Process) -> str:
    """The program that runs, or the module that Python runs; not one that is about to become it."""
    try:
        words = process.cmdline()
    except psutil.Error:
        return ""
    is_python = "-m" in words[:2]
    return words[2] if is_python and len(words) > 2 else Path(words[0]).name if words else ""


def _ended_with_us() -> list[str]:
    """The kernel stops the product when the test run that started it is killed."""
    return ["setpriv", "--pdeathsig", "TERM", "--"]
