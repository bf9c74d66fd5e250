"""What a foreign device said, as frozen values, and the port of whoever can read it."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final, Protocol

from devices.codecs.errors import PayloadError
from devices.kinds import AlarmKind
from devices.messages import StatusMessage

PAYLOAD_MAX_BYTES: Final = 64 * 1024
"""The broker takes no larger packet."""

EXTERNAL_ID_MAX_LENGTH: Final = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class ForeignValue:
    """One measured value."""

    name: str
    """As the device profiles name it, where one of them has it."""
    unit: str
    """A primary SenML unit; the value is converted."""
    value: float
    sent_at: datetime | None = None
    """The foreign clock; None where it says none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ForeignAlarm:
    """An alarm condition, or a press.

    A condition is what the foreign system says *now*: it repeats ``is_active`` with every message, and
    whoever files it compares with what was said before. A press is over when it is said: each is an event of
    its own, and nothing clears it.
    """

    kind: AlarmKind
    is_active: bool
    is_press: bool = False
    is_test: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ForeignMessage:
    """What one message said about one device. Without values it is a sign of life."""

    external_id: str
    """What the foreign system calls the device; 1 to 200 printable characters."""
    model: str | None = None
    """The make of the device, for the person who adopts it."""
    values: tuple[ForeignValue, ...] = ()
    alarms: tuple[ForeignAlarm, ...] = ()
    status: StatusMessage | None = None
    sent_at: datetime | None = None
    message_id: str | None = None
    """Equal for the same message heard twice; None where the dialect has nothing that tells them apart."""
    ignored: tuple[str, ...] = ()
    """Members that have no place here, or made no sense; the first 50."""


class Dialect(Protocol):
    """Reads what one integration publishes."""

    def decode(self, topic: str, payload: bytes, *, received_at: datetime) -> list[ForeignMessage]:
        """Read one message.

        Args:
            topic: What follows ``in/{integration}/``.
            payload: Any bytes.
            received_at: Our clock.

        Returns:
            What it says about devices; empty when it speaks of the foreign system itself.

        Raises:
            PayloadError: It cannot be read. Nothing else is ever raised.
        """


def checked_id(text: str) -> str:
    """``text`` as an external id.

    Raises:
        PayloadError: It is empty, too long, or cannot be shown on one line.
    """
    if 0 < len(text) <= EXTERNAL_ID_MAX_LENGTH and text.isprintable() and text == text.strip():
        return text
    raise PayloadError(
        f"device is {text!r:.60}; right would be 1-{EXTERNAL_ID_MAX_LENGTH} printable characters"
    )
