"""Leaves alarms their part of the disk: below a floor no more readings are taken in.

free below the floor         nothing is committed or acknowledged; the broker keeps what it can
free above it and a quarter  it goes on by itself
"""

import shutil
import time
from pathlib import Path
from typing import Final

import structlog

LOOK_EVERY_SECONDS: Final = 1.0
ROOM_TO_GO_ON: Final = 1.25
"""Times the floor: so that it does not stop and go on with every commit."""

MIB: Final = 1024 * 1024

_log = structlog.get_logger(__name__)


class DiskFloor:
    """How much of the disk is not for readings."""

    def __init__(self, folder: Path, *, floor_mib: int) -> None:
        self._folder = folder
        self._floor_bytes = floor_mib * MIB
        self._looked_s = float("-inf")
        self._is_reached = False

    def is_reached(self) -> bool:
        """Whether readings must wait now; looked at once a second."""
        now_s = time.monotonic()
        if now_s - self._looked_s >= LOOK_EVERY_SECONDS:
            self._looked_s = now_s
            self._look()
        return self._is_reached

    def _look(self) -> None:
        free_bytes = shutil.disk_usage(self._folder).free
        if not self._is_reached and free_bytes < self._floor_bytes:
            self._is_reached = True
            _log.error(
                "readings_wait_for_disk", free_mib=free_bytes // MIB, floor_mib=self._floor_bytes // MIB
            )
        elif self._is_reached and free_bytes >= self._floor_bytes * ROOM_TO_GO_ON:
            self._is_reached = False
            _log.info("readings_go_on", free_mib=free_bytes // MIB)
