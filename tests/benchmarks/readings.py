"""Readings at city speed, beside the same Mosquitto with a subscriber that does nothing; alarms beside them.

    load ──TLS, QoS 1──> Mosquitto ──> subscriber that only acknowledges      as fast as it goes
    load ──TLS, QoS 1──> Mosquitto ──> reading process ──> SQLite, FULL       so many a second, all stored?
    alarms at 50/s: nothing beside them, readings beside them, a frozen reading process beside them

The same packs from the same load over as many lines, and Mosquitto with the product's own configuration.
"""

import subprocess
import sys
import threading
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from pathlib import Path
from typing import Final

import psutil

from broker.certificates import Issuer
from broker.credentials import write_credentials
from devices.simulator.load import LoadHub, LoadPlan, LoadProcess, LoadReport
from tests.benchmarks.figures import Figure, percentile
from tests.benchmarks.latency import HUBS, RATE, ProductLine
from tests.benchmarks.town import Town, found
from tests.integration.broker.running import RunningBroker, now
from tests.support.meters import credentials_of, meters
from tests.support.product import Product
from tests.support.raw_readings import counters

LINES: Final = 20
METERS_PER_LINE: Final = 250

FLOOD: Final = 200_000.0
"""More than any consumer takes: the window decides."""
BARE_SECONDS: Final = 8.0
"""Short: a subscriber that is flooded falls behind for ever, and Mosquitto drops what it cannot keep."""

PRODUCT_RATE: Final = 30_000.0
PRODUCT_SECONDS: Final = 60.0
STORED_WITHIN_SECONDS: Final = 60.0
PACKS: Final = 25_000.0
RATIO: Final = 0.35
MEMORY: Final = 400.0

BESIDE_RATE: Final = 10_000.0
BESIDE_P99: Final = 50.0
FROZEN_RATE: Final = 1_000.0
ALARM_SECONDS: Final = 30
WARM_UP_SECONDS: Final = 3.0
PATIENCE_SECONDS: Final = 300.0
"""A load that runs beside something is stopped when that is over."""
UNCHANGED: Final = 1.5
"""Times idle: two runs of the same differ by less on a machine that does nothing else."""


def measure(folder: Path) -> Iterator[Figure]:
    town = found(folder, homes=400, hubs=HUBS)
    hubs = meters(town.data, hubs=LINES, per_hub=METERS_PER_LINE)
    bare = _bare(folder, hubs)
    yield Figure(what="packs to a subscriber that does nothing", value=bare, unit="packs/s")
    with Product(town.data) as product:
        stored = yield from _sustained(folder, product, hubs)
        yield Figure(what="the same as a ratio", value=stored / bare, unit="x", at_least=RATIO)
        yield from _alarms(folder, product, town, hubs)


def _sustained(folder: Path, product: Product, hubs: tuple[LoadHub, ...]) -> Generator[Figure, None, float]:
    reading, begun, largest_lag = product.child("reading"), _stored(product), 0
    cpu_before = sum(reading.cpu_times()[:2])
    with LoadProcess(_plan(product, hubs, rate=PRODUCT_RATE, seconds=PRODUCT_SECONDS), folder) as load:
        for report in load.reports():
            largest_lag = max(largest_lag, report.acknowledged - (_stored(product) - begun))
    waited_seconds = _wait_until_stored(product, begun + report.acknowledged)
    stored, seconds = _stored(product) - begun, report.elapsed_seconds + waited_seconds
    cpu_ms = (sum(reading.cpu_times()[:2]) - cpu_before) * 1000
    memory = _peak_mib(reading.pid)
    yield Figure(
        what=f"packs stored in {seconds:.0f} s", value=stored / seconds, unit="packs/s", at_least=PACKS
    )
    yield Figure(what="acknowledged, not stored", value=report.acknowledged - stored, unit="packs", at_most=0)
    yield Figure(what="stored behind acknowledged, at most", value=largest_lag, unit="packs")
    yield Figure(what="memory of the reading process, peak", value=memory, unit="MiB", at_most=MEMORY)
    yield Figure(what="CPU of the reading process, 1,000 packs", value=cpu_ms / stored * 1000, unit="ms")
    load_ms = report.cpu_seconds * 1000 / report.acknowledged * 1000
    yield Figure(what="CPU of the load, 1,000 packs", value=load_ms, unit="ms")
    return stored / seconds


def _alarms(folder: Path, product: Product, town: Town, hubs: tuple[LoadHub, ...]) -> Iterator[Figure]:
    idle = _alarm_ms(product, town)
    yield from _figures("alone", idle)
    begun = _stored(product)
    with _beside(_plan(product, hubs, rate=BESIDE_RATE, seconds=PATIENCE_SECONDS), folder) as acknowledged:
        beside = _alarm_ms(product, town)
    _wait_until_stored(product, begun + acknowledged())
    yield from _figures(f"beside {BESIDE_RATE:.0f} packs/s", beside, at_most=BESIDE_P99)
    begun = _stored(product)
    with _beside(_plan(product, hubs, rate=FROZEN_RATE, seconds=PATIENCE_SECONDS), folder) as acknowledged:
        reading = product.child("reading")
        reading.suspend()
        frozen = _alarm_ms(product, town)
        with suppress(psutil.NoSuchProcess):  # the supervisor ends one that is silent for 30 s
            reading.resume()
    _wait_until_stored(product, begun + acknowledged())
    missing = begun + acknowledged() - _stored(product)
    yield from _figures("beside a frozen reading store", frozen)
    for share, name in ((0.5, "p50"), (0.99, "p99")):
        ratio = percentile(frozen, share) / percentile(idle, share)
        yield Figure(what=f"frozen to alone, {name}", value=ratio, unit="x", at_most=UNCHANGED)
    yield Figure(what="acknowledged while frozen, not stored", value=missing, unit="packs", at_most=0)


def _figures(what: str, took_ms: list[float], *, at_most: float | None = None) -> Iterator[Figure]:
    alarms = f"alarm home → partner at {RATE}/s, {what}"
    yield Figure(what=f"{alarms}, p50", value=percentile(took_ms, 0.5), unit="ms")
    yield Figure(what=f"{alarms}, p99", value=percentile(took_ms, 0.99), unit="ms", at_most=at_most)


def _alarm_ms(product: Product, town: Town) -> list[float]:
    line = ProductLine(product, town)
    line.send(RATE * ALARM_SECONDS)
    return line.close()


@contextmanager
def _beside(plan: LoadPlan, folder: Path) -> Iterator[Callable[[], int]]:
    """A load while the block runs; says, after it, how many packs were acknowledged."""
    last: list[LoadReport] = []
    with LoadProcess(plan, folder) as load:
        reader = threading.Thread(target=lambda: last.extend(load.reports()), name="load")
        reader.start()
        time.sleep(WARM_UP_SECONDS)
        try:
            yield lambda: last[-1].acknowledged
        finally:
            load.stop()
            reader.join()


def _bare(folder: Path, hubs: tuple[LoadHub, ...]) -> float:
    """What the subscriber got each second, while the load went as fast as its window let it."""
    broker = RunningBroker(folder / "bare")
    for hub in hubs:
        issued = broker.authorities.issue_client(
            Issuer.HOMES, hub.client_id, now=now(), valid_for=timedelta(days=1)
        )
        write_credentials(folder / "bare-credentials" / hub.client_id, issued, broker.authorities.root_pem)
    plan = LoadPlan(
        host="localhost",
        port=broker.homes_port,
        credentials=str(folder / "bare-credentials"),
        hubs=hubs,
        packs_per_second=FLOOD,
        seconds=BARE_SECONDS,
    )
    broker.start()
    try:
        with _subscriber(broker) as count, LoadProcess(plan, folder) as load:
            reports = load.reports()
            next(reports)
            started, counted = time.monotonic(), count()
            time.sleep(BARE_SECONDS - WARM_UP_SECONDS)
            return (count() - counted) / (time.monotonic() - started)
    finally:
        broker.stop()


@contextmanager
def _subscriber(broker: RunningBroker) -> Iterator[Callable[[], int]]:
    """Says how many packets it has acknowledged."""
    where = ["127.0.0.1", str(broker.internal_port), "up/+/+/reading"]
    words = [sys.executable, "-m", "tests.benchmarks.subscriber", *where, broker.hub.user_name]
    process = subprocess.Popen([*words, broker.hub.password], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    counts = [0]
    reader = threading.Thread(target=lambda: counts.extend(map(int, process.stdout or ())), name="counts")
    reader.start()
    try:
        time.sleep(1)  # it subscribes
        yield lambda: counts[-1]
    finally:
        process.kill()
        process.wait()
        reader.join()
        process.stdout.close()


def _plan(product: Product, hubs: tuple[LoadHub, ...], *, rate: float, seconds: float) -> LoadPlan:
    return LoadPlan(
        host="localhost",
        port=product.ports["mqtt"],
        credentials=str(credentials_of(product.folder)),
        hubs=hubs,
        packs_per_second=rate,
        seconds=seconds,
    )


def _stored(product: Product) -> int:
    return counters(product.folder / "readings.db").get("reading_stored", 0)


def _wait_until_stored(product: Product, number: int) -> float:
    """How many seconds it took; as many as it may take when it never was."""
    started = time.monotonic()
    while _stored(product) < number and time.monotonic() < started + STORED_WITHIN_SECONDS:
        time.sleep(0.05)
    return time.monotonic() - started


def _peak_mib(pid: int) -> float:
    status = Path(f"/proc/{pid}/status").read_text()
    (kilobytes,) = (line.split()[1] for line in status.splitlines() if line.startswith("VmHWM"))
    return int(kilobytes) / 1024
