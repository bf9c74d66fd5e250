"""What a home says and hears, as frozen values.

    home  --AlarmMessage, StatusMessage-->  hub
    home  <--Receipt--                      hub

The values carry no transport: topics are ``broker.topics``, bytes are ``devices.codecs``.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

ALARM_MAX_BYTES: Final = 16 * 1024
"""The largest alarm message of the public contract."""

EVENT_ID_MAX_LENGTH: Final = 64


class AlarmSignal(StrEnum):
    """What the home says about its alarm condition."""

    RAISED = "raised"
    CLEARED = "cleared"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True, kw_only=True)
class AlarmMessage:
    """One alarm message, as the home sent it."""

    id: str
    """The home's own id, 1-64 printable ASCII, unique per device: the same id is the same event."""
    kind: str
    """Any text: a kind that we do not know is still an alarm."""
    signal: AlarmSignal = AlarmSignal.RAISED
    sent_at: datetime | None = None
    """The device's own clock, a claim, never used to order anything."""
    priority: int | None = None
    """0 (least) to 9; None where the home named none."""
    room: str = ""
    text: str = ""
    is_test: bool = False
    voice: tuple[str, ...] = ()
    """Addresses that a responder can call to speak with the home (``sip:…``, ``tel:…``)."""
    data: Mapping[str, Any] = field(default_factory=dict)
    unreadable: Mapping[str, str] = field(default_factory=dict)
    """Optional members that were set aside because they made no sense, and why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusMessage:
    """What a device says about itself. Everything is optional: an empty one is a heartbeat."""

    sent_at: datetime | None = None
    battery_percent: float | None = None
    has_mains: bool | None = None
    link: str | None = None
    """``fibre`` or ``mobile``."""
    signal_dbm: float | None = None
    firmware: str | None = None


class ReceiptStatus(StrEnum):
    """What became of an alarm message."""

    STORED = "stored"
    REFUSED = "refused"
    ACKNOWLEDGED = "acknowledged"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """What we tell a home about its event. ``stored`` is the promise; nothing earlier is."""

    id: str
    """The home's own id of the event."""
    status: ReceiptStatus
    at: datetime
    alarm_id: str | None = None
    reason: str | None = None
    """Why it was refused, for a person to read."""
    by: str | None = None
    """The public name of the organisation that acknowledged."""
