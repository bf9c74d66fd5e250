"""The outward process: what leaves for the outside (``gateway.outward``).

python -m gateway.outward_process DIR [FD]
"""

import sys
from contextlib import AbstractAsyncContextManager
from typing import Final

from gateway import process
from gateway.data_folder import DataFolder
from gateway.outward.app import App, build
from gateway.readiness import OUTWARD_LOCK
from gateway.settings import Settings
from services.domain.clock import SystemClock

NICENESS: Final = 2
"""A webhook is an alarm on its way; but homes and broker come first."""


def _build(folder: DataFolder, chosen: Settings) -> AbstractAsyncContextManager[App]:
    return build(folder, chosen, clock=SystemClock())


if __name__ == "__main__":
    sys.exit(process.main(process.Role(name=OUTWARD_LOCK, build=_build, niceness=NICENESS)))
