"""Events, the alarms they open or join, and the notices that tell of them.

event (a press)  ->  alarm (our case)  ->  notice (something to tell)  ->  delivery (to one receiver)
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from devices.kinds import AlarmKind, DataClass, DeviceId, HomeId
from devices.messages import AlarmSignal
from services.domain.alarm_states import AlarmState
from services.domain.ids import AlarmId, DeliveryId, EventId, GrantId, NoticeId, OrganisationId, PositionId


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One thing a home said, kept for ever as it came."""

    id: EventId
    alarm_id: AlarmId | None
    """None: it ended something that was not open."""
    home_id: HomeId
    device_id: DeviceId
    external_id: str
    """The home's own id."""
    fingerprint: str
    """Over the whole message: the same ``external_id`` with another one is a conflict."""
    kind: str
    """As the home wrote it, known or not."""
    signal: AlarmSignal
    is_test: bool
    sent_at: datetime | None
    received_at: datetime
    text: str = ""
    data: Mapping[str, Any] = field(default_factory=dict)
    payload: bytes = b""
    is_conflict: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Acknowledgement:
    """Who said that they are dealing with it."""

    organisation_id: OrganisationId | None
    """None: the operator of the hub itself."""
    organisation_name: str
    person: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Alarm:
    """Our case, opened by an event and joined by later ones of the same position and kind."""

    id: AlarmId
    home_id: HomeId
    position_id: PositionId
    device_id: DeviceId
    """The device whose event opened it."""
    kind: AlarmKind
    is_test: bool
    priority: int
    room: str
    voice: tuple[str, ...]
    state: AlarmState
    raised_at: datetime
    """The home's clock where it gave a time, else ours."""
    received_at: datetime
    step: int
    """How far the response chain has been told; 0: nobody yet."""
    acknowledgement: Acknowledgement | None = None
    escalated_at: datetime | None = None
    """When the city was told that nobody had answered."""
    closed_at: datetime | None = None

    @property
    def data_class(self) -> DataClass:
        """The class whose grants cover it."""
        return self.kind.data_class


class NoticeType(StrEnum):
    """What is told about an alarm; the last word of the CloudEvents type."""

    RAISED = "raised"
    REPEATED = "repeated"
    UPDATED = "updated"
    ACKNOWLEDGED = "acknowledged"
    CLEARED = "cleared"
    ESCALATED = "escalated"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """Something to tell about an alarm. Its id is the CloudEvents id, the same at every attempt."""

    id: NoticeId
    alarm_id: AlarmId
    event_id: EventId | None
    """The home's event behind it; None where we or a partner are the cause."""
    type: NoticeType
    at: datetime
    by: str = ""
    """Person and organisation, where somebody did it."""
    note: str = ""


class DeliveryState(StrEnum):
    """What became of one notice for one receiver."""

    PENDING = "pending"
    SENT = "sent"
    """Handed over; not yet confirmed by the receiver."""
    CONFIRMED = "confirmed"
    WITHHELD = "withheld"
    """No grant covered it at the moment of release."""
    SUPERSEDED = "superseded"
    """The alarm was closed before the receiver confirmed it."""
    EXPIRED = "expired"
    """Told again and again after the close; the receiver never confirmed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """One notice for one receiver over one channel; attempts belong to it."""

    id: DeliveryId
    notice_id: NoticeId
    alarm_id: AlarmId
    organisation_id: OrganisationId
    channel: str
    grant_id: GrantId | None
    """None: the city hears of what nobody answered, by its own duty."""
    step: int
    state: DeliveryState
    sequence: int | None
    """Counts per organisation without gaps; given at the first attempt."""
    attempts: int
    hurry: int
    """How many of the shorter waits have been used; see ``delivery.retry``."""
    next_attempt_at: datetime
    is_second: bool = False
    """Over a second channel: told only when no other of the receiver's has been confirmed by then."""
    again_at: datetime | None = None
    """When somebody asked that it be told again, after it had expired."""
