"""What a simulated home does at a moment of its day, and what may be wrong with it.

Press    an alarm, sent by the agent until it is receipted
Status   a heartbeat, or how the device is
Measure  readings, measured at that moment
Publish  bytes as they stand: what no honest agent would send
Silence  from here on nothing more comes from this device
"""

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import TypeAlias

from devices.kinds import AlarmKind, DeviceId
from devices.messages import AlarmSignal, StatusMessage


class Fault(StrEnum):
    """What can go wrong in a home, on request."""

    DUPLICATE = "duplicate"
    """The same alarm message again, as after a receipt that was lost."""
    OTHER_BODY = "other-body"
    """The same id again with another content."""
    MALFORMED = "malformed"
    """An alarm that cannot be read; sometimes its id can."""
    STUCK_BUTTON = "stuck-button"
    """Press after press, each with an id of its own."""
    SILENT = "silent"
    """The device says nothing more that day."""
    LOW_BATTERY = "low-battery"
    """Low, then failed, then changed."""
    RETAINED = "retained"
    """An alarm published to be kept by the broker, which would raise it again for ever."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Planned:
    after: timedelta
    """From the start of the day."""
    client_id: DeviceId
    device_id: DeviceId
    fault: Fault | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Press(_Planned):
    """An alarm that the agent must carry."""

    kind: AlarmKind
    room: str = ""
    text: str = ""
    is_test: bool = False
    signal: AlarmSignal = AlarmSignal.RAISED


@dataclass(frozen=True, slots=True, kw_only=True)
class Status(_Planned):
    """A status message; an empty one is a heartbeat."""

    message: StatusMessage


@dataclass(frozen=True, slots=True, kw_only=True)
class Measure(_Planned):
    """Readings, each a name, a SenML unit and a value."""

    values: tuple[tuple[str, str, float], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Publish(_Planned):
    """Bytes on the device's alarm topic, past the agent."""

    payload: bytes
    is_retained: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Silence(_Planned):
    """Nothing more from this device that day."""


Action: TypeAlias = Press | Status | Measure | Publish | Silence
