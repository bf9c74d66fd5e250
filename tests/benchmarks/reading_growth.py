"""What one pack costs with 200 registered meters and with 20,000: decode, know, judge, batch, commit to disk.

In turns, block by block, inside one process, every meter in its turn, as ``growth`` does it for alarms.
"""

import asyncio
import time
from collections.abc import Iterator
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import Final

from broker.bulk_session import Mark
from devices.profiles import load_profiles
from gateway.data_folder import open_folder
from services.domain.clock import SystemClock
from services.store.migrations import READINGS, migrate
from services.store.sqlite import SqliteConnection
from tests.benchmarks.figures import Figure, percentile
from tests.support.meters import meters
from tests.support.reading_lane import ReadingLane

SMALL: Final = 200
LARGE: Final = 20_000
PER_HUB: Final = 100
BLOCKS: Final = 40
PACKS_PER_COMMIT: Final = 1_000
LIMIT: Final = 1.5


class _Registry:
    """What the lane asks of a town."""

    def __init__(self, connection: SqliteConnection) -> None:
        self.connection = connection
        self.profiles = load_profiles()
        self.clock = SystemClock()

    @property
    def now(self) -> datetime:
        return self.clock.now()


class _Town:
    def __init__(self, folder: Path, number: int) -> None:
        hubs = meters(folder, hubs=number // PER_HUB, per_hub=PER_HUB)
        data = open_folder(folder)
        self._registered, self._store = SqliteConnection(data.database), SqliteConnection(data.readings)
        migrate(self._store, READINGS)
        self._lane = ReadingLane(_Registry(self._registered), self._store)  # type: ignore[arg-type]
        self._topics = [f"up/{hub.client_id}/{device}/reading" for hub in hubs for device in hub.devices]
        self._number = 0

    async def commit(self) -> float:
        """A thousand packs through; how long one took, in microseconds."""
        at = time.time()
        payload = (
            f'[{{"bn":"urn:dev:m:","bt":{at:.6f},"n":"temperature","u":"Cel","v":21.37}},'
            '{"n":"humidity","u":"%RH","v":47.2}]'
        ).encode()
        started = time.perf_counter()
        for _ in range(PACKS_PER_COMMIT):
            topic = self._topics[self._number * 7_919 % len(self._topics)]
            self._number += 1
            self._lane.packet(topic, payload, id_=self._number % 65_535 + 1, mark=Mark.NONE)
        await self._lane.commit()
        return (time.perf_counter() - started) / PACKS_PER_COMMIT * 1e6

    async def warm_up(self) -> None:
        """Every meter is known, and has been heard."""
        for _ in range(2 * len(self._topics) // PACKS_PER_COMMIT + 1):
            await self.commit()

    def close(self) -> None:
        self._store.close()
        self._registered.close()


def measure(folder: Path) -> Iterator[Figure]:
    few, many = asyncio.run(_measured(folder))
    yield Figure(what=f"one pack with {SMALL} meters, median", value=few, unit="µs")
    yield Figure(what=f"one pack with {LARGE} meters, median", value=many, unit="µs")
    yield Figure(what="the same as a ratio", value=many / few, unit="x", at_most=LIMIT)


async def _measured(folder: Path) -> tuple[float, float]:
    with closing(_Town(folder / "small", SMALL)) as small, closing(_Town(folder / "large", LARGE)) as large:
        small_us, large_us = [], []
        for town in (small, large):
            await town.warm_up()
        for _ in range(BLOCKS):
            small_us.append(await small.commit())
            large_us.append(await large.commit())
    return percentile(small_us, 0.5), percentile(large_us, 0.5)
