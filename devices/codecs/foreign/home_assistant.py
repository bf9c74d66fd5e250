"""Home Assistant: state topics, with the unit and the class of each entity on topics of their own.

    sensor/bath_temperature/state                 21.4    ┐
    sensor/bath_temperature/unit_of_measurement   "°C"    ├─>  sensor.bath_temperature, temperature
    sensor/bath_temperature/device_class  "temperature"   ┘

That is what ``mqtt_statestream`` writes: first the state, then the attributes, all of them at every change. A
state whose class is not known yet is held until it is. Devices that announce themselves by MQTT discovery:
``home_assistant_discovery``. The tables of both: ``home_assistant_classes``.
"""

import json
import re
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from devices.codecs.errors import PayloadError
from devices.codecs.foreign.home_assistant_classes import PRESSES, place_of
from devices.codecs.foreign.home_assistant_discovery import Discovery
from devices.codecs.foreign.memory import Memory
from devices.codecs.foreign.sorter import Sorter, moment
from devices.codecs.foreign.values import PAYLOAD_MAX_BYTES, ForeignMessage, checked_id
from devices.codecs.foreign.vocabulary import Press

MAX_ENTITIES: Final = 20_000
"""Entities that are remembered; beyond, the one unheard for longest is forgotten, and its next state is held
until its attributes are heard again."""

_TEXT_MAX_LENGTH: Final = 64
"""Of a state or an attribute that is remembered; none that we can read is longer."""

_TOPIC: Final = re.compile(r"(?P<domain>[a-z_]+)/(?P<object>[a-z0-9_]+)/(?P<key>[^/]+)", re.ASCII)
_DOMAINS: Final = frozenset({"sensor", "binary_sensor", "event"})
_NO_STATE: Final = frozenset({"", "unavailable", "unknown", "None"})


@dataclass(slots=True)
class _Entity:
    """What has been heard of one entity."""

    unit: str = ""
    device_class: str = ""
    held: tuple[str, datetime] | None = None
    """A state that nobody could place yet, and when it was received."""
    event_at: str = ""
    """The state of an event entity: when it happened last."""


class HomeAssistant:
    """Remembers units and classes per entity; after a restart the retained messages tell them again."""

    def __init__(self) -> None:
        self._entities: Memory[str, _Entity] = Memory(MAX_ENTITIES, size_of=lambda _: 1)
        self._discovery = Discovery()

    def decode(self, topic: str, payload: bytes, *, received_at: datetime) -> list[ForeignMessage]:
        """Read one message; see ``Dialect``."""
        if self._discovery.is_config(topic):
            self._discovery.learn(topic, payload)
            return []
        text = _text(payload)
        if self._discovery.knows(topic):
            return self._discovery.decode(topic, payload, text)
        match = _TOPIC.fullmatch(topic)
        if match is None:
            raise PayloadError(
                f"topic ends in {topic!r:.120}; right would be {{domain}}/{{object_id}}/state, or the "
                "state topic of a discovery configuration that was heard before"
            )
        if match["domain"] not in _DOMAINS:
            return []
        return self._take(match, text[:_TEXT_MAX_LENGTH], received_at)

    def _take(self, match: re.Match[str], text: str, received_at: datetime) -> list[ForeignMessage]:
        entity_id = checked_id(f"{match['domain']}.{match['object']}")
        entity = self._entities.get(entity_id)
        if entity is None:
            entity = _Entity()
            self._entities.put(entity_id, entity)
        match match["key"], match["domain"]:
            case "state", "event":
                entity.event_at = text
                return [Sorter().message(entity_id)]
            case "event_type", "event":
                return _press(entity_id, entity, _attribute(text))
            case "state", _:
                return _state(entity_id, entity, text, received_at)
            case "unit_of_measurement", _:
                entity.unit = _attribute(text)
            case "device_class", _:
                entity.device_class = _attribute(text)
            case _:
                return []
        return _held(entity_id, entity)


def _state(entity_id: str, entity: _Entity, text: str, received_at: datetime) -> list[ForeignMessage]:
    entity.held = None
    sorter = Sorter()
    place = place_of(entity_id.partition(".")[0], entity.device_class, entity.unit)
    if text in _NO_STATE:
        return []
    if place is None:
        entity.held = (text, received_at)
        sorter.ignore(f"state: no place for device_class {entity.device_class!r}, unit {entity.unit!r} (yet)")
    else:
        sorter.put("state", place, text)
    return [sorter.message(entity_id)]


def _held(entity_id: str, entity: _Entity) -> list[ForeignMessage]:
    """The state that was waiting for what has just been heard."""
    place = place_of(entity_id.partition(".")[0], entity.device_class, entity.unit)
    if entity.held is None or place is None:
        return []
    text, received_at = entity.held
    entity.held = None
    sorter = Sorter()
    sorter.put("state", place, text, sent_at=received_at)
    return [sorter.message(entity_id, sent_at=received_at)]


def _press(entity_id: str, entity: _Entity, event_type: str) -> list[ForeignMessage]:
    """A press has the time of the event as its id: Home Assistant says the last one again when it starts."""
    kind = PRESSES.get(event_type)
    pressed_at = moment(entity.event_at)
    if kind is None or pressed_at is None:
        return []
    sorter = Sorter()
    sorter.put("event_type", Press(kind=kind), raw=True)
    return [sorter.message(entity_id, sent_at=pressed_at, message_id=entity.event_at)]


def _text(payload: bytes) -> str:
    if len(payload) > PAYLOAD_MAX_BYTES:
        raise PayloadError(f"{len(payload)} bytes; right would be at most {PAYLOAD_MAX_BYTES}")
    try:
        return payload.decode()
    except UnicodeDecodeError as error:
        raise PayloadError(f"not UTF-8 (byte {error.start})") from None


def _attribute(text: str) -> str:
    """An attribute is JSON; the ones that matter are text."""
    try:
        return str(json.loads(text)) if text.startswith('"') else text
    except ValueError:  # cut, so longer than any that matters
        return ""
