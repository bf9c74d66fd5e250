"""Ids: those that people choose, and those that we make."""

import re
from typing import Final, NewType

import uuid_utils

OrganisationId = NewType("OrganisationId", str)
PositionId = NewType("PositionId", str)
GrantId = NewType("GrantId", str)
AlarmId = NewType("AlarmId", str)
EventId = NewType("EventId", str)
NoticeId = NewType("NoticeId", str)
DeliveryId = NewType("DeliveryId", str)

CHOSEN_ID: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")


def new_id() -> str:
    """A UUIDv7 (RFC 9562, 5.7): sorts by the time it was made."""
    return str(uuid_utils.uuid7())


def is_chosen_id(text: str) -> bool:
    """Whether ``text`` can be an id that people choose (home, device, organisation)."""
    return CHOSEN_ID.fullmatch(text) is not None
