"""The database that gets every reading is stopped under load and started again; alarms meanwhile.

    python -m tests.benchmarks.export [SECONDS]      how long it is away: 300, or 20 in the table of all

2,000 packs/s of two values and 50 alarms/s throughout: beside a server that keeps up, as long while it is
away, and while it catches up. At the end every stored reading must be there, and nothing else. The partner
answers and closes every alarm, as a real one does: else thousands would be open after five minutes.
"""

import json
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Final

from paho.mqtt.client import MQTTMessage
from rich.console import Console

from devices.simulator.load import LoadPlan, LoadProcess, LoadReport
from gateway.data_folder import open_folder
from gateway.export.lag import TargetStatus, status_of
from services.domain.clock import SystemClock
from services.store.sqlite import SqliteConnection
from tests.benchmarks.figures import Figure, percentile
from tests.benchmarks.latency import HUBS, RATE, ProductLine
from tests.benchmarks.town import PARTNER, Town, found
from tests.support import victoria
from tests.support.meters import credentials_of, meters
from tests.support.product import Product
from tests.support.raw_readings import counters, raw
from tests.support.victoria import Victoria

PACKS: Final = 2_000.0
LINES: Final = 20
METERS_PER_LINE: Final = 50
TARGET: Final = "history"
AWAY_SECONDS: Final = 20.0
AWAY_SECONDS_BY_HAND: Final = 300.0
AFTER_SECONDS: Final = 20.0
PATIENCE_SECONDS: Final = 120.0
CAUGHT_UP_SECONDS: Final = 2.0
"""A lag that is no larger is that of a target that keeps up: it is sent to twice a second."""

UNCHANGED: Final = 1.5
"""Times what it is beside a server that keeps up: two runs of the same differ by less on a quiet machine."""


class AnsweringLine(ProductLine):
    """Homes → the product → a partner that confirms, answers and closes every alarm."""

    def _hear(self, message: MQTTMessage) -> None:
        super()._hear(message)
        event = json.loads(message.payload)
        if ".raised." in event["type"]:
            for action in ("acknowledge", "close"):
                said = {"action": action, "alarm": event["subject"], "by": "bench", "note": "well"}
                self._speaker.publish(f"care/{PARTNER}/action", json.dumps(said), 1)


def measure(folder: Path, *, away_seconds: float = AWAY_SECONDS) -> Iterator[Figure]:
    if not victoria.is_installed():
        print("export: NOT MEASURED, victoria-metrics is missing; apt install victoria-metrics")
        return
    town = found(folder, homes=400, hubs=HUBS)
    hubs = meters(town.data, hubs=LINES, per_hub=METERS_PER_LINE)
    with Victoria(folder / "victoria") as server:
        (town.data / "stadsnav.toml").write_text(
            f'[export.{TARGET}]\nurl = "{server.url}"\nbucket = "readings"\n'
        )
        with Product(town.data) as product:
            plan = LoadPlan(
                host="localhost",
                port=product.ports["mqtt"],
                credentials=str(credentials_of(town.data)),
                hubs=hubs,
                packs_per_second=PACKS,
                seconds=2 * away_seconds + PATIENCE_SECONDS,
            )
            with _loaded(plan, folder) as report:
                yield from _phases(product, town, server, away_seconds)
            yield from _end(product, server, report())


def _phases(product: Product, town: Town, server: Victoria, away_seconds: float) -> Iterator[Figure]:
    usual = yield from _phase(product, town, "beside a server that keeps up", away_seconds)
    yield Figure(what="lag", value=_status(product).lag_seconds, unit="s", at_most=CAUGHT_UP_SECONDS)
    server.stop()
    away = yield from _phase(product, town, f"server away for {away_seconds:.0f} s", away_seconds)
    yield from _ratios("server away to up", away, usual)
    behind = _status(product)
    yield Figure(what="lag at its end", value=behind.lag_seconds, unit="s")
    yield Figure(what="readings behind at its end", value=behind.readings_behind, unit="")
    server.start()
    started = time.monotonic()
    took: list[float] = []
    watch = threading.Thread(target=lambda: took.append(_until_caught_up(product, started)))
    watch.start()
    back = yield from _phase(product, town, "server back, catching up", AFTER_SECONDS)
    yield from _ratios("catching up to usual", back, usual)
    watch.join()
    yield Figure(what="from its start until it has caught up", value=took[0], unit="s")


def _phase(
    product: Product, town: Town, what: str, seconds: float
) -> Generator[Figure, None, tuple[float, float]]:
    """Alarms for so long, and what is taken in meanwhile; their p50 and p99 in milliseconds."""
    stored, started = _stored(product), time.monotonic()
    line = AnsweringLine(product, town)
    line.send(round(RATE * seconds))
    rate = (_stored(product) - stored) / (time.monotonic() - started)
    took_ms = line.close()
    p50, p99 = percentile(took_ms, 0.5), percentile(took_ms, 0.99)
    yield Figure(what=f"packs stored, {what}", value=rate, unit="packs/s", at_least=PACKS * 0.98)
    yield Figure(what=f"alarm home → partner, {what}, p50", value=p50, unit="ms")
    yield Figure(what=f"alarm home → partner, {what}, p99", value=p99, unit="ms")
    return p50, p99


def _ratios(what: str, found: tuple[float, float], usual: tuple[float, float]) -> Iterator[Figure]:
    for name, value, usually in zip(("p50", "p99"), found, usual, strict=True):
        yield Figure(what=f"alarms, {what}, {name}", value=value / usually, unit="x", at_most=UNCHANGED)


def _end(product: Product, server: Victoria, report: LoadReport) -> Iterator[Figure]:
    """What is there when all has come to rest."""
    gives_up_at = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < gives_up_at:
        if _stored(product) >= report.acknowledged and _status(product).readings_behind == 0:
            break
        time.sleep(0.2)
    stored = len(raw(product.folder / "readings.db"))
    status, arrived = _status(product), server.count()
    assert status.cursor is not None
    yield Figure(what="readings stored", value=stored, unit="", at_least=2 * report.acknowledged)
    yield Figure(what="stored, not at the server", value=stored - arrived, unit="readings", at_most=0)
    yield Figure(what="lag at the end", value=status.lag_seconds, unit="s", at_most=0)
    yield Figure(what="points sent for each stored", value=status.cursor.sent / stored, unit="x")


def _until_caught_up(product: Product, started: float) -> float:
    while _status(product).lag_seconds > CAUGHT_UP_SECONDS and time.monotonic() < started + PATIENCE_SECONDS:
        time.sleep(0.05)
    return time.monotonic() - started


@contextmanager
def _loaded(plan: LoadPlan, folder: Path) -> Iterator[Callable[[], LoadReport]]:
    """A load while the block runs; says, after it, what became of it."""
    reports: list[LoadReport] = []
    with LoadProcess(plan, folder) as load:
        reader = threading.Thread(target=lambda: reports.extend(load.reports()), name="load")
        reader.start()
        time.sleep(3.0)
        try:
            yield lambda: reports[-1]
        finally:
            load.stop()
            reader.join()


def _status(product: Product) -> TargetStatus:
    folder = open_folder(product.folder)
    with closing(SqliteConnection(folder.readings)) as readings:
        return status_of(folder, TARGET, readings, now=SystemClock().now())


def _stored(product: Product) -> int:
    return counters(product.folder / "readings.db").get("reading_stored", 0)


def main() -> int:
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else AWAY_SECONDS_BY_HAND
    is_within, console = True, Console(width=110)
    with tempfile.TemporaryDirectory(prefix="stadsnav-bench-") as folder:
        for figure in measure(Path(folder), away_seconds=seconds):
            is_within &= figure.is_within
            console.print(*figure.cells(), sep="  ")
    return 0 if is_within else 1


if __name__ == "__main__":
    sys.exit(main())
