"""MQTT discovery: a device says in a configuration what its state topics mean.

    homeassistant/sensor/…/config  {"stat_t": "tele/42/state", "val_tpl": "{{ value_json.t }}",
                                    "dev_cla": "temperature", "unit_of_meas": "°C", "uniq_id": "42_t"}
    tele/42/state                  {"t": 21.4, "h": 40}        ->  42_t, temperature

Each entity is a device of its own here, since one with two thermometers would mix their values otherwise. A
template is read when it only picks one member, and perhaps rounds it; another one would be a guess.
"""

import re
from dataclasses import dataclass
from typing import Any, Final

from devices.codecs.foreign.home_assistant_classes import place_of
from devices.codecs.foreign.memory import Memory
from devices.codecs.foreign.sorter import Sorter, short_text
from devices.codecs.foreign.values import PAYLOAD_MAX_BYTES, ForeignMessage, checked_id
from devices.codecs.foreign.vocabulary import Place
from devices.codecs.safe_json import parse_object

MAX_CONFIGS: Final = 20_000
"""Configurations that are remembered; beyond, the state topic unheard for longest is forgotten, and what is
said there cannot be read until it is configured again."""

SHORT_NAMES: Final = {
    "stat_t": "state_topic",
    "val_tpl": "value_template",
    "dev_cla": "device_class",
    "unit_of_meas": "unit_of_measurement",
    "uniq_id": "unique_id",
    "pl_on": "payload_on",
    "pl_off": "payload_off",
    "avty_t": "availability_topic",
    "dev": "device",
    "mdl": "model",
}
"""Discovery's own abbreviations, as far as they matter here."""

_TOPIC: Final = re.compile(r"(?:[^/]+/)?(?P<domain>[a-z_]+)/(?:[^/]+/){1,2}config", re.ASCII)
_WORD_MAX_LENGTH: Final = 64
_DOMAINS: Final = frozenset({"sensor", "binary_sensor"})
_OWN_PREFIX: Final = re.compile(r"in/[^/]+/")
_MEMBER: Final = re.compile(
    r"\{\{\s*value_json(?:\.(?P<name>\w+)|\[['\"](?P<quoted>[^'\"\]]+)['\"]\])\s*"
    r"(?:\|\s*(?:round|float|int|default|is_defined)(?:\([^()|]*\))?\s*)*\}\}"
)
_PLAIN: Final = re.compile(r"(?:\{\{\s*value\s*\}\})?")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Config:
    """What one configuration says."""

    external_id: str
    model: str | None
    place: Place | None
    member: str
    """The member of a JSON state; "" when the whole payload is the value."""
    payload_on: Any
    """What a binary state says for on, where it is not one of the usual words; None: it is."""
    payload_off: Any

    def meaning_of(self, raw: Any) -> Any:
        """``raw``, or on and off as a boolean where the configuration has its own words for them."""
        if self.payload_on is None and self.payload_off is None:
            return raw
        if _same(raw, "ON" if self.payload_on is None else self.payload_on):
            return True
        return False if _same(raw, "OFF" if self.payload_off is None else self.payload_off) else None


class Discovery:
    """Remembers configurations by the state topic that they name."""

    def __init__(self) -> None:
        self._by_topic: Memory[str, dict[str, _Config]] = Memory(
            MAX_CONFIGS, size_of=lambda configs: 1 + len(configs)
        )
        """State topic, configuration's topic. Availability topics stand here too, with no configuration."""
        self._named_by: Memory[str, str] = Memory(MAX_CONFIGS, size_of=lambda _: 1)

    def is_config(self, topic: str) -> bool:
        """Whether a topic carries a configuration."""
        return _TOPIC.fullmatch(topic) is not None

    def learn(self, topic: str, payload: bytes) -> None:
        """Take a configuration; an empty one ends it.

        Raises:
            PayloadError: It is no JSON object, or a topic or id in it cannot be one.
        """
        match = _TOPIC.fullmatch(topic)
        if match is None or match["domain"] not in _DOMAINS:
            return
        self._end(checked_id(topic))
        members = _long_names(parse_object(payload, max_bytes=PAYLOAD_MAX_BYTES)) if payload else {}
        if availability_topic := _topic(members, "availability_topic"):
            self._by_topic.put(availability_topic, self._configs(availability_topic))
        if state_topic := _topic(members, "state_topic"):
            config = _config(members, match["domain"], state_topic)
            self._by_topic.put(state_topic, self._configs(state_topic) | {topic: config})
            self._named_by.put(topic, state_topic)

    def knows(self, topic: str) -> bool:
        """Whether a configuration names this topic, for the state or the availability."""
        return self._by_topic.get(topic) is not None

    def decode(self, topic: str, payload: bytes, text: str) -> list[ForeignMessage]:
        """Read what is said on a topic that is known; one message per entity.

        Raises:
            PayloadError: A configuration says that it is JSON, and it is not.
        """
        configs = self._configs(topic).values()
        is_json = any(config.member for config in configs)
        members = parse_object(payload, max_bytes=PAYLOAD_MAX_BYTES) if is_json else {}
        heard = [(config, members.get(config.member) if config.member else text) for config in configs]
        return [_message(config, raw) for config, raw in heard if raw is not None]

    def _end(self, topic: str) -> None:
        state_topic = self._named_by.peek(topic)
        if state_topic is None:
            return
        left = {config: what for config, what in self._configs(state_topic).items() if config != topic}
        self._named_by.forget(topic)
        self._by_topic.forget(state_topic)
        if left:
            self._by_topic.put(state_topic, left)

    def _configs(self, topic: str) -> dict[str, _Config]:
        return self._by_topic.peek(topic) or {}


def _message(config: _Config, raw: Any) -> ForeignMessage:
    sorter = Sorter()
    sorter.put(config.member or "state", config.place, config.meaning_of(raw))
    return sorter.message(config.external_id, model=config.model)


def _config(members: dict[str, Any], domain: str, state_topic: str) -> _Config:
    device = members.get("device")
    member = _member(_word(members, "value_template").strip())
    place = place_of(domain, _word(members, "device_class"), _word(members, "unit_of_measurement"))
    return _Config(
        external_id=checked_id(_word(members, "unique_id") or f"{state_topic} {member or ''}".strip()),
        model=short_text(_long_names(device).get("model")) if isinstance(device, dict) else None,
        place=None if member is None else place,
        member=member or "",
        payload_on=_scalar(members.get("payload_on")),
        payload_off=_scalar(members.get("payload_off")),
    )


def _member(template: str) -> str | None:
    """The member that a template picks, "" for the whole payload, None for a template that does more."""
    if _PLAIN.fullmatch(template):
        return ""
    match = _MEMBER.fullmatch(template)
    return (match["name"] or match["quoted"])[:_WORD_MAX_LENGTH] if match else None


def _same(raw: Any, word: Any) -> bool:
    """Compared as the text that a template makes of them: ``true`` and ``"True"`` are the same."""
    return str(raw).lower() == str(word).lower()


def _topic(members: dict[str, Any], name: str) -> str:
    """A topic as it follows ``in/{integration}/``; "~" stands for the configuration's base."""
    topic = _OWN_PREFIX.sub("", _word(members, name).replace("~", _word(members, "~"), 1), count=1)
    return checked_id(topic) if topic else ""


def _word(members: dict[str, Any], name: str) -> str:
    word = members.get(name)
    return word if isinstance(word, str) else ""


def _scalar(value: Any) -> Any:
    if isinstance(value, str):
        return value[:_WORD_MAX_LENGTH]
    return value if isinstance(value, bool | int | float) else None


def _long_names(members: dict[str, Any]) -> dict[str, Any]:
    return {SHORT_NAMES.get(name, name): member for name, member in members.items()}
