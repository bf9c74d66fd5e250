"""kill -9 of the reading process at random moments under load: what a home was PUBACKed is stored, once.

The load keeps a ledger of every pack that the broker acknowledged to it. Afterwards the file is read as it
stands: journal and segments, without the help of anything that removes what is there twice. The moments come
from a seed that is printed.
"""

import os
import random
import threading
import time
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from devices.simulator.load import Ledger, LoadPlan, LoadProcess, read_ledger
from tests.acceptance.conftest import ProductFactory
from tests.support.meters import credentials_of, meters
from tests.support.product import Product, wait_until
from tests.support.raw_readings import counters, raw, series_of_devices

pytestmark = pytest.mark.timeout(180)

PACKS_PER_SECOND = 5_000.0
SECONDS = 15.0
KILLS = 6
HUBS, PER_HUB = 5, 80
DRAINED_WITHIN_SECONDS = 60


@pytest.fixture
def loaded(make_product: ProductFactory, tmp_path: Path) -> tuple[Product, LoadPlan]:
    product = make_product()
    hubs = meters(product.folder, hubs=HUBS, per_hub=PER_HUB)
    product.start()
    plan = LoadPlan(
        host="localhost",
        port=product.ports["mqtt"],
        hubs=hubs,
        packs_per_second=PACKS_PER_SECOND,
        seconds=SECONDS,
        credentials=str(credentials_of(product.folder)),
        ledger_file=str(tmp_path / "ledger.npz"),
    )
    return product, plan


def test_readings_that_were_acknowledged_to_a_home_are_stored_once_whenever_the_reading_process_is_killed(
    loaded: tuple[Product, LoadPlan], tmp_path: Path
) -> None:
    product, plan = loaded
    seed = int(os.environ.get("STADSNAV_TEST_SEED", time.time_ns()))  # noqa: TID251 - to run one again
    print(f"seed {seed}")
    chance = random.Random(seed)  # noqa: S311 - repeatable, not secret
    kills = threading.Thread(target=kill_at_random, args=(product, chance))

    with LoadProcess(plan, tmp_path) as load:
        kills.start()
        report = load.run()
    kills.join()
    wait_until(
        lambda: taken(product) >= report.acknowledged,
        "everything that was acknowledged is taken in",
        within_seconds=DRAINED_WITHIN_SECONDS,
    )
    product.stop()

    file = product.folder / "readings.db"
    ledger = read_ledger(tmp_path / "ledger.npz")
    assert len(ledger.at) == report.acknowledged > PACKS_PER_SECOND * SECONDS / 2
    for name in ("temperature", "humidity"):
        missing, twice = compare(product, file, ledger, name)
        assert (missing, twice) == (0, 0), f"{name}: {missing} missing, {twice} twice, seed {seed}"
    found = counters(file)
    assert found["reading_received"] == found["reading_stored"] + found.get("reading_duplicate", 0)


def kill_at_random(product: Product, chance: random.Random) -> None:
    """Kill the reading process again and again, each time at another moment of its life."""
    for _ in range(KILLS):
        time.sleep(chance.uniform(0.3, 2 * SECONDS / KILLS - 0.3))
        process = product.find("reading")
        if process is not None:
            process.kill()


def taken(product: Product) -> int:
    """How many packs the store has taken in; one that came again counts again."""
    found = counters(product.folder / "readings.db")
    return found.get("reading_stored", 0)


def compare(product: Product, file: Path, ledger: Ledger, name: str) -> tuple[int, int]:
    """How many of the ledger's packs have no reading of a name, and how many have more than one."""
    series_of = series_of_devices(product.folder, name)
    stored = raw(file)
    counted = Counter(zip(stored.series.tolist(), stored.at.tolist(), strict=True))
    series = np.array([series_of[device] for device in ledger.devices])[ledger.device]
    times = [counted.get(key, 0) for key in zip(series.tolist(), ledger.at.tolist(), strict=True)]
    return times.count(0), sum(count > 1 for count in times)
