"""A real VictoriaMetrics on a free loopback port: started, stopped, started again on the same data.

    with Victoria(folder) as server:
        server.url, server.series()

It keeps times in milliseconds and some 15 digits of a value; points that have the same time are one.
"""

import json
import shutil
import signal
import socket
import subprocess
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, Self

from tests.support.product import HOST, wait_until

PROGRAM: Final = "victoria-metrics"
ANSWERS_WITHIN_SECONDS: Final = 60.0

Labels = tuple[tuple[str, str], ...]


def is_installed() -> bool:
    return shutil.which(PROGRAM) is not None


class Victoria:
    """One server; its port stays the same over restarts."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None
        with socket.create_server((HOST, 0)) as free:
            self.port = free.getsockname()[1]
        self.url = f"http://{HOST}:{self.port}"

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [
                    PROGRAM,
                    f"-httpListenAddr={HOST}:{self.port}",
                    f"-storageDataPath={self._folder / 'data'}",
                    "-retentionPeriod=10y",
                    "-dedup.minScrapeInterval=1ms",
                    "-search.latencyOffset=0s",
                    "-memory.allowedPercent=10",
                    "-loggerLevel=ERROR",
                ],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        wait_until(self._is_up, "VictoriaMetrics answers")

    def stop(self) -> None:
        """SIGTERM: it writes what it has."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """SIGKILL: what it took in the last seconds is gone."""
        self._end(signal.SIGKILL)

    def series(self, match: str = '{__name__!=""}') -> dict[Labels, list[tuple[int, float]]]:
        """Every point as (milliseconds, value), by its labels, in order of time."""
        found: dict[Labels, list[tuple[int, float]]] = {}
        for line in self._ask("/api/v1/export", {"match[]": match, "reduce_mem_usage": "0"}).splitlines():
            row: dict[str, Any] = json.loads(line)
            points = zip(row["timestamps"], row["values"], strict=True)
            found.setdefault(tuple(sorted(row["metric"].items())), []).extend(points)
        return {labels: sorted(points) for labels, points in found.items()}

    def count(self) -> int:
        """How many points there are."""
        return sum(len(points) for points in self.series().values())

    def delete(self, match: str) -> None:
        """Delete series and their points."""
        self._ask("/api/v1/admin/tsdb/delete_series", {"match[]": match})

    def _ask(self, path: str, query: Mapping[str, str]) -> str:
        self._get("/internal/force_flush")  # what was just taken can be seen
        return self._get(f"{path}?{urllib.parse.urlencode(query)}")

    def _get(self, path: str) -> str:
        with urllib.request.urlopen(f"{self.url}{path}", timeout=ANSWERS_WITHIN_SECONDS) as answer:  # noqa: S310
            return str(answer.read(), "utf-8")

    def _is_up(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, (self._folder / "log").read_text()[-2000:]
        try:
            return self._get("/health") == "OK"
        except (urllib.error.URLError, ConnectionError):
            return False

    def _end(self, number: signal.Signals) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(number)
            self._process.wait(ANSWERS_WITHIN_SECONDS)
