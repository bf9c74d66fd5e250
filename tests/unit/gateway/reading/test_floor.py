import shutil
from pathlib import Path
from typing import NamedTuple

import pytest

from gateway.reading import floor
from gateway.reading.floor import MIB, DiskFloor


class Usage(NamedTuple):
    total: int
    used: int
    free: int


class Disk:
    """A disk whose free room is said, and a clock that goes on a second with each look."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.free_mib = 2_000
        self._now_s = 0.0
        monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(0, 0, self.free_mib * MIB))
        monkeypatch.setattr(floor.time, "monotonic", self._later)

    def _later(self) -> float:
        self._now_s += 1.0
        return self._now_s


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Disk:
    return Disk(monkeypatch)


def test_readings_wait_below_the_floor_and_go_on_only_well_above_it(disk: Disk) -> None:
    watched = DiskFloor(Path("/data"), floor_mib=1_000)
    seen = []

    for free_mib in (2_000, 999, 1_100, 1_249, 1_250, 1_001):
        disk.free_mib = free_mib
        seen.append(watched.is_reached())

    assert seen == [False, True, True, True, False, False]


def test_a_floor_of_nothing_never_stops_readings(disk: Disk) -> None:
    disk.free_mib = 0

    assert not DiskFloor(Path("/data"), floor_mib=0).is_reached()
