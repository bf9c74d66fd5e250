"""The reading process: measured values from homes and integrations (``gateway.reading``).

python -m gateway.reading_process DIR [FD]
"""

import sys
from contextlib import AbstractAsyncContextManager
from datetime import timedelta
from typing import Final

import uvloop

from devices.kinds import DataClass
from gateway import process
from gateway.data_folder import READING_LOCK, DataFolder
from gateway.reading.app import App, build
from gateway.running import hub_access
from gateway.settings import Settings
from services.domain.clock import SystemClock
from services.readings.upkeep.expire import Retention

NICENESS: Final = 5
"""Readings may wait for alarms, never the other way round."""


def _build(folder: DataFolder, chosen: Settings) -> AbstractAsyncContextManager[App]:
    return build(
        folder,
        hub_access(folder, chosen),
        source=f"urn:stadsnav:{chosen.city}",
        retention=_retention(chosen),
        disk_floor_mib=chosen.readings_disk_floor_mib,
        clock=SystemClock(),
    )


def _retention(chosen: Settings) -> Retention:
    return Retention(
        of_class={data_class: chosen.retention.of_class(data_class) for data_class in DataClass},
        of_purpose={
            purpose: {data_class: timedelta(days=days) for data_class, days in classes.items()}
            for purpose, classes in chosen.retention.purposes.items()
        },
    )


ROLE: Final = process.Role(
    name=READING_LOCK, build=_build, loop_factory=uvloop.new_event_loop, niceness=NICENESS
)

if __name__ == "__main__":
    sys.exit(process.main(ROLE))
