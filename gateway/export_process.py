"""The export process: readings go on to databases elsewhere (``gateway.export``).

python -m gateway.export_process DIR [FD]

It only reads what others write, and gives way to them: they are for alarms, this is for dashboards.
"""

import os
import sys
from contextlib import AbstractAsyncContextManager
from typing import Final

from gateway import process
from gateway.data_folder import EXPORT_LOCK, DataFolder
from gateway.export.app import App, build
from gateway.settings import Settings
from services.domain.clock import SystemClock

NICENESS: Final = 10
"""A tenth of the processor when the alarm process wants it too."""


def _build(folder: DataFolder, chosen: Settings) -> AbstractAsyncContextManager[App]:
    return build(folder, chosen.export, clock=SystemClock())


if __name__ == "__main__":
    os.nice(NICENESS)
    sys.exit(process.main(process.Role(name=EXPORT_LOCK, build=_build)))
