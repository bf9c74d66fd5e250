"""The document itself: servers, channels, what the hub receives and sends on them, and the schemas.

``receive`` and ``send`` are the hub's, as AsyncAPI 3 has it: what the hub receives a home or a partner sends.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any, Final, Literal

import msgspec

from broker import topics
from broker.topics import Lane
from devices.messages import ALARM_MAX_BYTES
from gateway.api.openapi import PREFIX
from gateway.asyncapi.messages import TYPES
from services.delivery.actions import ACTION_MAX_BYTES

PATH: Final = f"{PREFIX}/asyncapi.json"
STREAM: Final = f"{PREFIX}/events/stream"

_JSON: Final = "application/json"
_CLOUD_EVENT: Final = "application/cloudevents+json"
_REFERENCE: Final = "#/components/schemas/{name}"

PARAMETERS: Final = {
    "client": "The CN of the home's certificate: a device with its own connection, or a home hub.",
    "device": "The device that it is about, registered at the client's home.",
    "organisation": "The organisation: the CN of its certificate.",
    "integration": "The other system: the CN of its certificate.",
    "rest": "The topic as the integration's dialect has it, several levels.",
    "webhook": "Where the subscription points to.",
}

CONTENT_TYPES: Final = {
    "AlarmEvent": _CLOUD_EVENT,
    "ThinEvent": _CLOUD_EVENT,
    "PingEvent": _CLOUD_EVENT,
    "ReadingEvent": _CLOUD_EVENT,
    "SenmlPack": "application/senml+json",
    "ForeignMessage": "application/octet-stream",
}

LARGEST: Final = {
    "AlarmMessage": ALARM_MAX_BYTES,
    "StatusMessage": ALARM_MAX_BYTES,
    "Action": ACTION_MAX_BYTES,
}
"""In bytes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """One address, and what goes along it in one direction."""

    name: str
    address: str
    action: Literal["receive", "send"]
    server: str
    messages: Sequence[str]
    summary: str
    bindings: Mapping[str, Any]


def ways() -> list[Way]:
    """Every address of the public contract, as the functions that run build them."""
    return [*_homes(), *_partners(), *_http()]


def document(city: str) -> dict[str, Any]:
    """The AsyncAPI document.

    Args:
        city: As in ``urn:stadsnav:{city}``.
    """
    found = ways()
    return {
        "asyncapi": "3.0.0",
        "id": f"urn:stadsnav:{city}",
        "info": {
            "title": "Stadsnav",
            "version": version("stadsnav"),
            "description": "What homes, other systems and care providers say to the hub and hear from it. "
            "What can be asked for is described in OpenAPI at /api/v1/openapi.json.",
        },
        "defaultContentType": _JSON,
        "servers": SERVERS,
        "channels": {way.name: _channel(way) for way in found},
        "operations": {f"{way.action}{_capital(way.name)}": _operation(way) for way in found},
        "components": {"messages": {name: _message(name) for name in TYPES}, "schemas": schemas()},
    }


def written(city: str) -> bytes:
    """The document as JSON."""
    return msgspec.json.format(msgspec.json.encode(document(city)), indent=2)


def schemas() -> dict[str, Any]:
    """The JSON Schema of every message, and of what they are made of."""
    roots, parts = msgspec.json.schema_components(TYPES.values(), ref_template=_REFERENCE)
    found = dict(parts)
    for name, root in zip(TYPES, roots, strict=True):
        found.setdefault(name, root)
    return dict(sorted(found.items()))


def _homes() -> Iterable[Way]:
    at_least_once = {"mqtt": {"qos": 1, "retain": False, "bindingVersion": "0.2.0"}}
    at_most_once = {"mqtt": {"qos": 0, "retain": False, "bindingVersion": "0.2.0"}}
    for lane, message, summary in (
        (Lane.ALARM, "AlarmMessage", "A home raises, clears or cancels an alarm."),
        (Lane.READING, "SenmlPack", "A home says what it has measured. No receipt."),
        (Lane.STATUS, "StatusMessage", "A device says how it is. No receipt."),
    ):
        address = topics.lane_filter(lane).replace("+", "{client}", 1).replace("+", "{device}", 1)
        bindings = at_least_once if lane is Lane.ALARM else at_most_once
        yield Way(
            name=f"home{_capital(lane)}",
            address=address,
            action="receive",
            server="homes",
            messages=[message],
            summary=summary,
            bindings=bindings,
        )
    yield Way(
        name="homeReceipt",
        address=topics.receipt_topic("{client}", "{device}"),
        action="send",
        server="homes",
        messages=["Receipt"],
        summary="What became of an alarm: stored or refused, later acknowledged and closed.",
        bindings=at_least_once,
    )
    yield Way(
        name="integration",
        address=topics.INTEGRATION_FILTER.replace("+", "{integration}").replace("#", "{rest}"),
        action="receive",
        server="partners",
        messages=["ForeignMessage"],
        summary="Another system passes on what its devices say, in its own dialect; see docs/dialects.md.",
        bindings=at_least_once,
    )


def _partners() -> Iterable[Way]:
    for name, address, action, message, qos, summary in (
        ("event", topics.event_topic, "send", "AlarmEvent", 0, "What an organisation may know of alarms."),
        ("reading", topics.reading_topic, "send", "ReadingEvent", 0, "Readings of granted classes."),
        ("reply", topics.reply_topic, "send", "Reply", 1, "What came of an action."),
        ("action", _action_topic, "receive", "Action", 1, "A partner confirms, answers, comments, closes."),
    ):
        yield Way(
            name=f"partner{_capital(name)}",
            address=address("{organisation}"),
            action="send" if action == "send" else "receive",
            server="partners",
            messages=[message],
            summary=summary,
            bindings={"mqtt": {"qos": qos, "retain": False, "bindingVersion": "0.2.0"}},
        )


def _http() -> Iterable[Way]:
    yield Way(
        name="stream",
        address=STREAM,
        action="send",
        server="web",
        messages=["AlarmEvent", "StreamStart", "StreamWithheld", "StreamReset"],
        summary="Server-Sent Events: `id` is the sequence, `event` the CloudEvents type or one of the three.",
        bindings={"http": {"method": "GET", "bindingVersion": "0.3.0"}},
    )
    yield Way(
        name="webhook",
        address="{webhook}",
        action="send",
        server="receiver",
        messages=["AlarmEvent", "ThinEvent", "PingEvent"],
        summary="POST to a subscription's address, signed as Standard Webhooks has it.",
        bindings={"http": {"method": "POST", "bindingVersion": "0.3.0"}},
    )


def _action_topic(organisation: str) -> str:
    return topics.ACTION_FILTER.replace("+", organisation)


def _channel(way: Way) -> dict[str, Any]:
    names = [name for name in PARAMETERS if f"{{{name}}}" in way.address]
    parameters = {name: {"description": PARAMETERS[name]} for name in names}
    return {
        "address": way.address,
        "servers": [{"$ref": f"#/servers/{way.server}"}],
        "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in way.messages},
        **({"parameters": parameters} if parameters else {}),
    }


def _operation(way: Way) -> dict[str, Any]:
    return {
        "action": way.action,
        "channel": {"$ref": f"#/channels/{way.name}"},
        "messages": [{"$ref": f"#/channels/{way.name}/messages/{name}"} for name in way.messages],
        "summary": way.summary,
        "bindings": way.bindings,
    }


def _message(name: str) -> dict[str, Any]:
    largest = LARGEST.get(name)
    return {
        "name": name,
        "contentType": CONTENT_TYPES.get(name, _JSON),
        "payload": {"$ref": _REFERENCE.format(name=name)},
        **({"description": f"At most {largest} bytes."} if largest else {}),
    }


def _capital(word: str) -> str:
    return word[0].upper() + word[1:]


_CERTIFICATE: Final = [{"type": "X509", "description": "The client certificate that the city issued."}]
_TOKEN: Final = [{"type": "http", "scheme": "bearer"}]

SERVERS: Final[dict[str, Any]] = {
    "homes": {
        "host": "{host}:8883",
        "protocol": "secure-mqtt",
        "protocolVersion": "5",
        "description": "Homes; MQTT 3.1.1 does as well.",
        "variables": {"host": {"description": "The hub's name."}},
        "security": _CERTIFICATE,
    },
    "partners": {
        "host": "{host}:8884",
        "protocol": "secure-mqtt",
        "protocolVersion": "5",
        "description": "Organisations and other systems.",
        "variables": {"host": {"description": "The hub's name."}},
        "security": _CERTIFICATE,
    },
    "web": {
        "host": "{host}:8080",
        "protocol": "https",
        "description": "The HTTP interface, behind the city's proxy.",
        "variables": {"host": {"description": "The hub's name."}},
        "security": _TOKEN,
    },
    "receiver": {
        "host": "{receiver}",
        "protocol": "https",
        "description": "A receiver's own server, which the hub calls.",
        "variables": {"receiver": {"description": "As the subscription says."}},
    },
}
