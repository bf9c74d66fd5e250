"""What one alarm costs with 200 registered homes and with 20,000: the same path, the same sync.

In turns, block by block, inside one process: decode, admit, store, route, lease, commit to disk.
"""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from broker.session import Envelope
from devices.profiles import load_profiles
from gateway.lanes import AlarmLane
from services.alarms import answering
from services.alarms.answering import Actor
from services.delivery.cloud_events import CareEvent, encode
from services.delivery.release import Release
from services.domain.clock import SystemClock
from services.store.answers import HomeReceipt
from services.store.sqlite import SqliteConnection
from tests.benchmarks.figures import Figure, percentile
from tests.benchmarks.latency import alarm
from tests.benchmarks.town import found

SMALL: Final = 200
LARGE: Final = 20_000
BLOCKS: Final = 20
ALARMS_PER_BLOCK: Final = 50
LIMIT: Final = 1.2


class _Sink:
    """Takes what is released, as far as the bytes that would be sent."""

    def is_available(self) -> bool:
        return True

    def hand_over(self, event: CareEvent) -> None:
        encode(event)

    def hand_over_receipt(self, receipt: HomeReceipt) -> None:
        pass


class _Town:
    def __init__(self, folder: Path, homes: int) -> None:
        town = found(folder, homes=homes, hubs=homes, is_enrolled=False)
        clock = SystemClock()
        self._store = SqliteConnection(town.data / "stadsnav.db")
        self._lane = AlarmLane(profiles=load_profiles(), clock=clock)
        self._release = Release(channels={"mqtt": _Sink()}, homes=_Sink(), source="urn:bench", clock=clock)
        self._homes = homes
        self._number = 0

    def press(self) -> float:
        """One alarm through; how long it took, in ms."""
        self._number += 1
        home = self._number * 7_919 % self._homes
        topic = f"up/p-{home}/p-{home}/alarm"
        envelope = Envelope(
            topic=topic, payload=alarm(f"g-{self._number}"), is_retained=False, packet_id=1, connection=1
        )
        started = time.perf_counter()
        with self._store.transaction():
            self._lane.handle(self._store, envelope)
            released = self._release.prepare(self._store)
        self._release.committed(released)
        took_ms = (time.perf_counter() - started) * 1000
        self._close(released.events[0].alarm.id)
        return took_ms

    def _close(self, alarm_id: str) -> None:
        """So that the next press of this home opens an alarm again."""
        actor, now = Actor(organisation=None, person="benchmark"), SystemClock().now()
        with self._store.transaction():
            answering.acknowledge(self._store, alarm_id, actor=actor, now=now)
            answering.close(self._store, alarm_id, actor=actor, now=now)
            self._release.prepare(self._store)


def measure(folder: Path) -> Iterator[Figure]:
    small, large = _Town(folder / "small", SMALL), _Town(folder / "large", LARGE)
    small_ms: list[float] = []
    large_ms: list[float] = []
    for _ in range(BLOCKS):
        small_ms += [small.press() for _ in range(ALARMS_PER_BLOCK)]
        large_ms += [large.press() for _ in range(ALARMS_PER_BLOCK)]
    few, many = percentile(small_ms, 0.5), percentile(large_ms, 0.5)
    yield Figure(what=f"one alarm with {SMALL} homes, median", value=few, unit="ms")
    yield Figure(what=f"one alarm with {LARGE} homes, median", value=many, unit="ms")
    yield Figure(what="the same as a ratio", value=many / few, unit="x", at_most=LIMIT)
