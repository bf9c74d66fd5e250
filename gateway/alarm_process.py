"""The alarm process: alarm and status lanes, routing, delivery, supervision (``gateway.app``).

python -m gateway.alarm_process DIR [FD]
"""

import sys
from contextlib import AbstractAsyncContextManager
from typing import Final

from gateway import process
from gateway.app import App, build
from gateway.data_folder import DataFolder
from gateway.running import hub_access
from gateway.settings import Settings
from services.domain.clock import SystemClock

LOCK: Final = "alarm"


def _build(folder: DataFolder, chosen: Settings) -> AbstractAsyncContextManager[App]:
    access = hub_access(folder, chosen)
    return build(folder, access, source=f"urn:stadsnav:{chosen.city}", clock=SystemClock())


if __name__ == "__main__":
    sys.exit(process.main(process.Role(name=LOCK, build=_build)))
