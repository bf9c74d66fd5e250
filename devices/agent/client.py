"""The agent as a home hub or a device uses it.

    with Agent(settings, on_receipt=show) as agent:
        event_id = agent.raise_alarm("p7", "safety.manual", room="bathroom")
        agent.send_readings("m1", [Measured("humidity", "%RH", time.time_ns() // 1_000, 57.1)])

``raise_alarm`` returns when the alarm is on disk. From there on it is the agent's to carry: across
lost connections, kill -9 and power cuts, until the hub says ``stored`` or ``refused``.
"""

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from types import TracebackType
from typing import Final, Self

from devices.agent.courier import Courier, OnReceipt
from devices.agent.outbox import Outbox
from devices.agent.packs import Packs, open_packs
from devices.agent.settings import AgentSettings
from devices.agent.store import KeptAlarm, StoreError
from devices.codecs.own_json import decode_alarm, encode_alarm, encode_status
from devices.codecs.senml import Measured, encode_json
from devices.kinds import ID_PATTERN, DeviceId
from devices.messages import AlarmMessage, AlarmSignal, Receipt, StatusMessage

RECORDS_PER_PACK: Final = 100
"""With the longest names and units still below the 64 KiB that the broker takes."""


class AgentStoppedError(RuntimeError):
    """The agent is not running, so nothing would be kept or sent."""

    def __init__(self) -> None:
        super().__init__("The agent is not running; use it inside `with Agent(...) as agent:`")


class DeviceIdError(ValueError):
    """This cannot be a device's id."""

    def __init__(self, device_id: str) -> None:
        self.device_id = device_id
        super().__init__(f"{device_id[:80]!r} is no device id; right would be {ID_PATTERN.pattern}, like p7")


def utc_now() -> datetime:
    """The machine's clock."""
    return datetime.fromtimestamp(time.time(), tz=UTC)


class Agent:
    """Speaks for one device, or for several behind a home hub; safe to use from several threads.

    Args:
        settings: Which broker, who we are, where alarms and readings are kept.
        on_receipt: Called with device and receipt, once for each status of an alarm, from the agent's
            own thread; it should return soon. After a crash ``receipts`` tells what it did not hear.
        clock: What stamps an alarm.

    ``start`` (and ``with``) raises CredentialsError or StoreError when it cannot begin; a broker that is
    away is no reason not to.
    """

    def __init__(
        self,
        settings: AgentSettings,
        *,
        on_receipt: OnReceipt = lambda _device_id, _receipt: None,
        clock: Callable[[], datetime] = utc_now,
    ) -> None:
        self._settings = settings
        self._on_receipt = on_receipt
        self._clock = clock
        self._parts: _Parts | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def is_connected(self) -> bool:
        """Whether the broker is there; alarms are kept either way."""
        return self._parts is not None and self._parts.courier.has_link

    def start(self) -> None:
        """Open the store, connect in the background, and say what is unanswered from before."""
        if self._parts is not None:
            return
        client_name = self._settings.credentials.client_name()
        outbox = Outbox(self._settings)
        packs = open_packs(self._settings)
        courier = Courier(
            self._settings, client_name=client_name, outbox=outbox, packs=packs, on_receipt=self._on_receipt
        )
        try:
            courier.start()
        except StoreError:
            packs.close()
            outbox.close()
            raise
        self._parts = _Parts(outbox=outbox, packs=packs, courier=courier)

    def stop(self) -> None:
        """Disconnect and close the stores; what is unanswered is said at the next start."""
        if self._parts is None:
            return
        parts, self._parts = self._parts, None
        parts.courier.stop()
        parts.packs.close()
        parts.outbox.close()

    def raise_alarm(
        self,
        device_id: str,
        kind: str,
        *,
        text: str = "",
        room: str = "",
        is_test: bool = False,
        signal: AlarmSignal = AlarmSignal.RAISED,
    ) -> str:
        """Keep an alarm on disk and send it until it is answered; returns its id. See ``send``."""
        message = AlarmMessage(id="", kind=kind, signal=signal, room=room, text=text, is_test=is_test)
        return self.send(device_id, message)

    def send(self, device_id: str, message: AlarmMessage) -> str:
        """Keep any alarm message on disk and send it until it is answered.

        Args:
            device_id: The device that raised it: ours, or one behind us.
            message: Its ``id`` is given here, and ``sent_at`` too if it has none.

        Returns:
            The id, which no alarm has had before.

        Raises:
            PayloadError: The hub could never read it: no kind, or more than 16 KiB of ``data``.
            StoreError: Neither disk nor memory can take it.
        """
        parts = self._running()
        stamped = replace(message, sent_at=message.sent_at or self._clock())

        def body_with(event_id: str) -> bytes:
            body = encode_alarm(replace(stamped, id=event_id))
            decode_alarm(body)  # an unreadable alarm fails here and now, and is not repeated for ever
            return body

        alarm = parts.outbox.add(_checked(device_id), body_with)
        parts.courier.carry(alarm)
        return alarm.id

    def send_status(self, device_id: str, message: StatusMessage | None = None) -> None:
        """Say how a device is, once; without a message it is a heartbeat. Kept in memory only."""
        self._running().courier.say(_checked(device_id), encode_status(message or StatusMessage()))

    def send_readings(self, device_id: str, measured: Iterable[Measured]) -> None:
        """Keep readings in a file until the broker has taken them over; alarms go first.

        There is no receipt. What is said twice, after a lost connection, is stored once: each reading has
        its own time.

        Args:
            device_id: The device that measured: ours, or one behind us.
            measured: Names and units as in the device's profile; several go into one pack.

        Raises:
            UnwritableRecordError: One of them cannot be said; none was kept.
            StoreError: The disk is full or broken; some may be lost.
        """
        parts, device = self._running(), _checked(device_id)
        records = list(measured)
        starts = range(0, len(records), RECORDS_PER_PACK)
        for body in [encode_json(records[start : start + RECORDS_PER_PACK]) for start in starts]:
            parts.packs.add(device, body)
        parts.courier.has_packs()

    def pending(self) -> list[KeptAlarm]:
        """Alarms that have no receipt yet, oldest first."""
        return self._running().outbox.waiting()

    def statuses_waiting(self) -> int:
        """Status messages that have not been said yet."""
        return self._running().courier.statuses_waiting

    def packs_waiting(self) -> int:
        """Packs of readings that the broker has not taken over yet."""
        return len(self._running().packs)

    def packs_dropped(self) -> int:
        """Packs of readings that gave way to newer ones, as long as the file lives."""
        return self._running().packs.dropped

    def receipts(self, event_id: str) -> list[Receipt]:
        """What has been heard about an alarm, in the order it came; the last thousand alarms are known."""
        return self._running().outbox.receipts(event_id)

    def _running(self) -> "_Parts":
        if self._parts is None:
            raise AgentStoppedError
        return self._parts


@dataclass(frozen=True, slots=True, kw_only=True)
class _Parts:
    """What a running agent consists of."""

    outbox: Outbox
    packs: Packs
    courier: Courier


def _checked(device_id: str) -> DeviceId:
    if not ID_PATTERN.fullmatch(device_id):
        raise DeviceIdError(device_id)
    return DeviceId(device_id)
