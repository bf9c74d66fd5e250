"""A load in a process of its own, so that it shares no interpreter with what it measures.

with LoadProcess(plan, folder) as load:
    for report in load.reports(): …
"""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import IO, Final, Self, cast

import msgspec

from devices.simulator.load.plan import LoadPlan, LoadReport

STOPS_WITHIN_SECONDS: Final = 60.0


class LoadFailedError(Exception):
    """The load's process ended without having run its plan."""

    def __init__(self, code: int, said: str) -> None:
        super().__init__(f"The load ended with code {code}: {said or 'it said nothing'}")


class LoadProcess:
    """One run, from entering to leaving; its plan and its complaints are files in ``folder``."""

    def __init__(self, plan: LoadPlan, folder: Path) -> None:
        self._plan_file = folder / "load.json"
        self._errors_file = folder / "load.stderr"
        self._plan_file.write_bytes(msgspec.json.encode(plan))

    def __enter__(self) -> Self:
        with self._errors_file.open("wb") as errors:
            self._process = subprocess.Popen(  # noqa: S603 - ourselves, with a file that we wrote
                [sys.executable, "-m", "devices.simulator.load", str(self._plan_file)],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=errors,
                start_new_session=True,  # Ctrl-C is for whoever started us, who tells us
            )
        self._lines = cast("IO[bytes]", self._process.stdout)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
        try:
            self._process.wait(STOPS_WITHIN_SECONDS if kind is None else 1.0)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._lines.close()

    def reports(self) -> Iterator[LoadReport]:
        """A report each second, the last one with ``is_over``.

        Raises:
            LoadFailedError: It ended before that.
        """
        for line in self._lines:
            report = msgspec.json.decode(line, type=LoadReport)
            yield report
            if report.is_over:
                self._process.wait(STOPS_WITHIN_SECONDS)  # it writes its ledger
                return
        raise LoadFailedError(self._process.wait(), self._errors_file.read_text().strip())

    def run(self) -> LoadReport:
        """Wait for the end; the last report."""
        *_, last = self.reports()
        return last

    def stop(self) -> None:
        """End the run as if its time had come."""
        if self._process.poll() is None:
            self._process.terminate()
