"""Runs every benchmark and prints one table.

    python -m tests.benchmarks [NAME …]      latency, storm, growth, start, readings, reading_growth,
                                             broker_loss, export, history, streams, api

Everything runs on this one machine, the load included. A limit that stands in the table is what the
product promises; a figure beyond it is marked and makes the exit code 1.
"""

import os
import platform
import sys
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.table import Table

from tests.benchmarks import (
    api,
    broker_loss,
    export,
    growth,
    history,
    latency,
    reading_growth,
    readings,
    start,
    storm,
    streams,
)
from tests.benchmarks.figures import Figure

BENCHMARKS: Final[dict[str, Callable[[Path], Iterable[Figure]]]] = {
    "latency": latency.measure,
    "storm": storm.measure,
    "growth": growth.measure,
    "start": start.measure,
    "readings": readings.measure,
    "reading_growth": reading_growth.measure,
    "broker_loss": broker_loss.measure,
    "export": export.measure,
    "history": history.measure,
    "api": api.measure,
    "streams": streams.measure,
}


def main() -> int:
    chosen = sys.argv[1:] or list(BENCHMARKS)
    table = Table(title=f"Stadsnav on {os.cpu_count()} cores, Python {platform.python_version()}")
    for column in ("benchmark", "what", "figure", "limit", ""):
        table.add_column(column, justify="right" if column in {"figure", "limit"} else "left")
    is_within = True
    for name in chosen:
        with tempfile.TemporaryDirectory(prefix="stadsnav-bench-") as folder:
            for figure in BENCHMARKS[name](Path(folder)):
                is_within &= figure.is_within
                table.add_row(name, *figure.cells())
    Console(width=110).print(table)
    return 0 if is_within else 1


if __name__ == "__main__":
    sys.exit(main())
