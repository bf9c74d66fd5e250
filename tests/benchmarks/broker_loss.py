"""kill -9 of Mosquitto under load: how much of what it had acknowledged to homes is gone.

It keeps in memory what it has acknowledged and not handed over yet, and writes it down every half minute.
So what can be lost is what waits for the reading process at that moment; this measures it.
"""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import numpy as np

from devices.simulator.load import LoadPlan, LoadProcess, read_ledger
from tests.benchmarks.figures import Figure
from tests.support.meters import credentials_of, meters
from tests.support.product import Product
from tests.support.raw_readings import counters, raw, series_of_devices

RATE: Final = 5_000.0
SECONDS: Final = 24.0
KILLS: Final = 3
SETTLED_AFTER_SECONDS: Final = 5.0


def measure(folder: Path) -> Iterator[Figure]:
    data = folder / "data"
    hubs = meters(data, hubs=10, per_hub=100)
    with Product(data) as product:
        plan = LoadPlan(
            host="localhost",
            port=product.ports["mqtt"],
            hubs=hubs,
            packs_per_second=RATE,
            seconds=SECONDS,
            credentials=str(credentials_of(data)),
            ledger_file=str(folder / "ledger.npz"),
        )
        with LoadProcess(plan, folder) as load:
            for report in load.reports():
                due = int(report.elapsed_seconds / SECONDS * (KILLS + 1))
                if 0 < due <= KILLS and report.elapsed_seconds % (SECONDS / (KILLS + 1)) < 1.0:
                    product.kill("broker")
        _wait_until_still(product)
        product.stop()
    lost = _lost(data, folder / "ledger.npz")
    yield Figure(
        what=f"packs acknowledged and lost, {KILLS} x kill -9 of Mosquitto", value=lost, unit="packs"
    )
    yield Figure(
        what=f"the same per kill, at {RATE:.0f} packs/s", value=lost / KILLS / RATE, unit="s", at_most=1.0
    )


def _wait_until_still(product: Product) -> None:
    stored, since = -1, time.monotonic()
    while time.monotonic() - since < SETTLED_AFTER_SECONDS:
        time.sleep(0.5)
        now = counters(product.folder / "readings.db").get("reading_stored", 0)
        if now != stored:
            stored, since = now, time.monotonic()


def _lost(data: Path, ledger_file: Path) -> int:
    ledger, stored = read_ledger(ledger_file), raw(data / "readings.db")
    series_of = series_of_devices(data, "temperature")
    series = np.array([series_of[device] for device in ledger.devices])[ledger.device]
    known = set(zip(stored.series.tolist(), stored.at.tolist(), strict=True))
    return sum(key not in known for key in zip(series.tolist(), ledger.at.tolist(), strict=True))
