"""Where alarms wait for their receipt: on disk, or in memory when the disk takes no more.

    add ──> disk ──full, broken──> memory ──full──> StoreError, to whoever pressed

A worn-out memory card is the commonest death of a home hub. An alarm that cannot be kept is still
sent and repeated; only a restart would then lose it, and the log says so.
"""

from collections.abc import Callable

import structlog

from devices.agent.settings import AgentSettings
from devices.agent.store import KeptAlarm, Store, StoreError
from devices.kinds import DeviceId
from devices.messages import Receipt

_log = structlog.get_logger(__name__)


class Outbox:
    """Both stores as one.

    Raises:
        StoreError: The file cannot be used at all; an agent does not start on a broken disk.
    """

    def __init__(self, settings: AgentSettings) -> None:
        self._disk = Store(settings.store_file, max_bytes=settings.store_max_bytes)
        self._memory = Store(None, max_bytes=settings.memory_max_bytes)

    def session(self) -> str:
        """128 random bits, the same for as long as the file lives."""
        return self._disk.session()

    def add(self, device_id: DeviceId, body_with: Callable[[str], bytes]) -> KeptAlarm:
        """Keep an alarm under a new id.

        Raises:
            StoreError: Neither disk nor memory can take it.
        """
        try:
            return self._disk.add(device_id, body_with)
        except StoreError as error:
            _log.error("alarm_kept_in_memory_only", device_id=device_id, problem=error.problem)
            return self._memory.add(device_id, body_with)

    def waiting(self) -> list[KeptAlarm]:
        """Alarms without a receipt, oldest first."""
        return self._disk.waiting() + self._memory.waiting()

    def settle(self, device_id: DeviceId, receipt: Receipt) -> bool:
        """Keep a receipt; whether it was news.

        Raises:
            StoreError: It could not be kept.
        """
        return self._memory.settle(device_id, receipt) or self._disk.settle(device_id, receipt)

    def receipts(self, event_id: str) -> list[Receipt]:
        """What has been heard about an alarm, in the order it came."""
        return self._disk.receipts(event_id) or self._memory.receipts(event_id)

    def close(self) -> None:
        """Give the file free."""
        if lost := len(self._memory.waiting()):
            _log.error("alarms_in_memory_lost", count=lost)
        self._memory.close()
        self._disk.close()
