"""The topics of the public contract, read and written in one place.

    up/{client}/{device}/{alarm|reading|status}     home -> hub
    down/{client}/{device}/{receipt|command}        hub  -> home
    care/{organisation}/{event|reading|reply}       hub  -> partner
    care/{organisation}/action                      partner -> hub
    in/{integration}/…                              integration -> hub, in its own dialect

``client``, ``organisation`` and ``integration`` are the CN of the certificate that the broker checked.
The broker enforces that (``broker.access_rules``); the hub checks again, since another broker may not.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from devices.kinds import ID_PATTERN, DeviceId


class Lane(StrEnum):
    """The three kinds of traffic from a home; each has its own session with the broker."""

    ALARM = "alarm"
    READING = "reading"
    STATUS = "status"


@dataclass(frozen=True, slots=True, kw_only=True)
class HomeTopic:
    """Who speaks, for which device, in which lane."""

    client_id: DeviceId
    device_id: DeviceId
    lane: Lane


class TopicError(ValueError):
    """The topic is not one of the contract's."""

    def __init__(self, topic: str, *, expected: str) -> None:
        self.topic = topic
        self.expected = expected
        super().__init__(f"Cannot read topic {topic[:120]!r}: expected {expected}")


def lane_filter(lane: Lane) -> str:
    """The subscription that takes in a whole lane."""
    return f"up/+/+/{lane}"


ACTION_FILTER: Final = "care/+/action"
INTEGRATION_PREFIX: Final = "in/"
INTEGRATION_FILTER: Final = f"{INTEGRATION_PREFIX}+/#"


def parse_home_topic(topic: str) -> HomeTopic:
    """Read a topic that a home published on.

    Raises:
        TopicError: It is not ``up/{client}/{device}/{lane}`` with proper ids.
    """
    parts = topic.split("/")
    match parts:
        case ["up", client, device, lane] if _is_id(client) and _is_id(device) and lane in set(Lane):
            return HomeTopic(client_id=DeviceId(client), device_id=DeviceId(device), lane=Lane(lane))
    raise TopicError(topic, expected="up/{client}/{device}/{alarm|reading|status}")


def parse_action_topic(topic: str) -> str:
    """The organisation that published an action.

    Raises:
        TopicError: It is not ``care/{organisation}/action``.
    """
    match topic.split("/"):
        case ["care", organisation, "action"] if _is_id(organisation):
            return organisation
    raise TopicError(topic, expected="care/{organisation}/action")


def parse_integration_topic(topic: str) -> tuple[str, str]:
    """The integration that published, and the topic as its dialect knows it: what follows its id.

    Raises:
        TopicError: It is not ``in/{integration}/`` and something more.
    """
    match topic.split("/", 2):
        case ["in", integration, rest] if _is_id(integration) and rest:
            return integration, rest
    raise TopicError(topic, expected="in/{integration}/{what its dialect says}")


def receipt_topic(client_id: str, device_id: str) -> str:
    """Where a home hears what became of its alarm."""
    return f"down/{client_id}/{device_id}/receipt"


def event_topic(organisation_id: str) -> str:
    """Where a partner hears of alarms."""
    return f"care/{organisation_id}/event"


def reading_topic(organisation_id: str) -> str:
    """Where a partner gets readings."""
    return f"care/{organisation_id}/reading"


def reply_topic(organisation_id: str) -> str:
    """Where a partner hears the outcome of its action."""
    return f"care/{organisation_id}/reply"


def _is_id(text: str) -> bool:
    return ID_PATTERN.fullmatch(text) is not None
