"""Ids: those that people choose, and those that we make."""

from typing import NewType

import uuid_utils

from devices.kinds import ID_PATTERN

OrganisationId = NewType("OrganisationId", str)
IntegrationId = NewType("IntegrationId", str)
PositionId = NewType("PositionId", str)
GrantId = NewType("GrantId", str)
AlarmId = NewType("AlarmId", str)
EventId = NewType("EventId", str)
NoticeId = NewType("NoticeId", str)
DeliveryId = NewType("DeliveryId", str)
ResidentId = NewType("ResidentId", str)
ConsentId = NewType("ConsentId", str)
DraftId = NewType("DraftId", str)
EmergencyId = NewType("EmergencyId", str)


def new_id() -> str:
    """A UUIDv7 (RFC 9562, 5.7): sorts by the time it was made."""
    return str(uuid_utils.uuid7())


def is_chosen_id(text: str) -> bool:
    """Whether ``text`` can be an id that people choose (home, device, organisation, resident …)."""
    return ID_PATTERN.fullmatch(text) is not None
