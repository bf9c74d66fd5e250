"""What the reading lane tells the alarm path, and how it is written down on the way.

Said        a device's condition that is an alarm, or its end: a limit crossed, a foreign smoke detector
Told        what a foreign device says of itself: battery, signal
Heard       a device spoke that was never heard, or is called silent
Released    an organisation has received readings of a home, for the log
"""

from typing import Any, TypeAlias

import msgspec


class Said(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """The same as a message on the alarm lane."""

    device_id: str
    id: str
    """1-64 printable ASCII; the same again is the same event."""
    kind: str
    signal: str
    at_us: int
    text: str
    data: dict[str, Any]
    is_test: bool = False


class Told(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """The same as a message on the status lane."""

    device_id: str
    battery_percent: float | None = None
    has_mains: bool | None = None
    signal_dbm: float | None = None


class Heard(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """A device is alive."""

    device_id: str


class Released(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """What one organisation received of one home in one day, under one grant."""

    organisation_id: str
    home_id: str
    data_class: str
    grant_id: str
    purpose: str
    first_at_us: int
    last_at_us: int
    count: int


Handover: TypeAlias = Said | Told | Heard | Released

_DECODER = msgspec.json.Decoder(Said | Told | Heard | Released)


def encode(handover: Handover) -> str:
    """As text for the store."""
    return msgspec.json.encode(handover).decode()


def decode(text: str) -> Handover:
    """What ``encode`` wrote.

    Raises:
        msgspec.DecodeError: Another version wrote something that this one does not know.
    """
    decoded: Handover = _DECODER.decode(text)
    return decoded
