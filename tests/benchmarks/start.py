"""From the command to the first moment in which alarms are taken, and the memory of each process."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from tests.benchmarks.figures import Figure
from tests.benchmarks.town import found
from tests.support.product import Product

STARTS: Final = 3
LIMIT_SECONDS: Final = 5.0
MIB: Final = 1024 * 1024


def measure(folder: Path) -> Iterator[Figure]:
    first = _timed_start(Product(folder / "fresh" / "data"))
    yield Figure(
        what="first start, certificates made, to ready", value=first, unit="s", at_most=LIMIT_SECONDS
    )
    town = found(folder, homes=200, hubs=1)
    seconds = [_timed_start(Product(town.data)) for _ in range(STARTS)]
    middle = sorted(seconds)[STARTS // 2]
    yield Figure(what="start to ready, median", value=middle, unit="s", at_most=LIMIT_SECONDS)
    with Product(town.data) as product:
        for name in ("alarm", "web", "broker"):
            size = product.child(name).memory_info().rss / MIB
            yield Figure(what=f"memory of the {name} process", value=size, unit="MiB")


def _timed_start(product: Product) -> float:
    started = time.perf_counter()
    with product:
        return time.perf_counter() - started
