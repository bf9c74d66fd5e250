"""ChirpStack 4: one JSON event per frame of a LoRaWAN device, decoded by the codec of its device profile.

    application/{id}/device/{devEui}/event/up      {"object": {"temperature": 21.4}, …}  ->  temperature
                                     event/status  {"batteryLevel": 75.6, …}             ->  status
                                     event/join                                          ->  a sign of life
                                     event/{ack|txack|log|location|integration}          ->  nothing

Members of ``object`` are compared without case and punctuation: ``TempC_SHT`` is ``tempcsht``.
"""

import re
from datetime import datetime
from typing import Any, Final

from devices.codecs.errors import PayloadError
from devices.codecs.foreign.sorter import Sorter, moment, number, short_text
from devices.codecs.foreign.values import PAYLOAD_MAX_BYTES, ForeignMessage
from devices.codecs.foreign.vocabulary import Condition, Place, Press, State, StatusPart, plain_name, reading
from devices.codecs.safe_json import parse_object
from devices.kinds import AlarmKind

_LEAK: Final = Condition(kind=AlarmKind.PROPERTY_LEAK, reading="leak")
_BATTERY_LOW: Final = Condition(kind=AlarmKind.TECHNICAL_BATTERY_LOW)
_CALL: Final = Press(kind=AlarmKind.SAFETY_MANUAL)

PLACES: Final[dict[str, Place]] = {
    "temperature": reading("temperature", "°C"),
    "temp": reading("temperature", "°C"),
    "temperaturec": reading("temperature", "°C"),
    "airtemperature": reading("temperature", "°C"),
    "tempcsht": reading("temperature", "°C"),
    "humidity": reading("humidity", "%"),
    "relativehumidity": reading("humidity", "%"),
    "airhumidity": reading("humidity", "%"),
    "humsht": reading("humidity", "%"),
    "pressure": reading("pressure", "hPa"),
    "barometricpressure": reading("pressure", "hPa"),
    "co2": reading("co2", "ppm"),
    "pm25": reading("pm25", "µg/m³"),
    "illuminance": reading("illuminance", "lx"),
    "illumination": reading("illuminance", "lx"),
    "lux": reading("illuminance", "lx"),
    "power": reading("power", "W"),
    "activepower": reading("power", "W"),
    "energykwh": reading("energy", "kWh"),
    "energywh": reading("energy", "Wh"),
    "voltage": reading("voltage", "V"),
    "currenta": reading("current", "A"),
    "currentma": reading("current", "mA"),
    "batv": reading("battery-voltage", "V"),
    "batteryvoltage": reading("battery-voltage", "V"),
    "volumem3": reading("volume", "m³"),
    "totalm3": reading("volume", "m³"),
    "volumel": reading("volume", "L"),
    "flowm3h": reading("flow", "m³/h"),
    "occupancy": State(name="presence"),
    "presence": State(name="presence"),
    "motion": State(name="presence"),
    "pir": State(name="presence"),
    "open": State(name="open"),
    "dooropen": State(name="open"),
    "dooropenstatus": State(name="open"),
    "magnetstatus": State(name="open"),
    "leak": _LEAK,
    "leakage": _LEAK,
    "leakagestatus": _LEAK,
    "waterleak": _LEAK,
    "waterleakstatus": _LEAK,
    "smoke": Condition(kind=AlarmKind.FIRE_SMOKE),
    "smokealarm": Condition(kind=AlarmKind.FIRE_SMOKE),
    "smokestatus": Condition(kind=AlarmKind.FIRE_SMOKE),
    "heatalarm": Condition(kind=AlarmKind.FIRE_HEAT),
    "gasalarm": Condition(kind=AlarmKind.FIRE_GAS),
    "carbonmonoxide": Condition(kind=AlarmKind.FIRE_CARBON_MONOXIDE),
    "coalarm": Condition(kind=AlarmKind.FIRE_CARBON_MONOXIDE),
    "tamper": Condition(kind=AlarmKind.TECHNICAL_TAMPER),
    "tamperstatus": Condition(kind=AlarmKind.TECHNICAL_TAMPER),
    "batterylow": _BATTERY_LOW,
    "lowbattery": _BATTERY_LOW,
    "sos": _CALL,
    "panic": _CALL,
    "emergency": _CALL,
    "fall": Press(kind=AlarmKind.SAFETY_FALL),
    "falldetected": Press(kind=AlarmKind.SAFETY_FALL),
    "battery": StatusPart.BATTERY,
    "batterylevel": StatusPart.BATTERY,
    "batterypercent": StatusPart.BATTERY,
}

_TOPIC: Final = re.compile(
    r"application/[^/]+/device/(?P<dev_eui>[0-9a-fA-F]{16})/event/(?P<event>[a-z]+)", re.ASCII
)
_WITHOUT_DATA: Final = frozenset({"ack", "txack", "log", "location", "integration"})
_WITH_DATA: Final = frozenset({"up", "join", "status"})


class ChirpStack:
    """Stateless: the DevEUI is in the topic."""

    def decode(self, topic: str, payload: bytes, *, received_at: datetime) -> list[ForeignMessage]:
        """Read one event; see ``Dialect``."""
        del received_at  # the network server stamps every event
        dev_eui, event = _parts(topic)
        if event in _WITHOUT_DATA:
            return []
        members = parse_object(payload, max_bytes=PAYLOAD_MAX_BYTES)
        info = _object(members, "deviceInfo")
        _check_same(dev_eui, info.get("devEui"))
        sorter = Sorter()
        sent_at = moment(members.get("time"))
        has_mains = _put_status(sorter, members) if event == "status" else None
        if event == "up":
            _put_uplink(sorter, members)
        return [
            sorter.message(
                dev_eui,
                model=info.get("deviceProfileName"),
                sent_at=sent_at,
                message_id=short_text(members.get("deduplicationId")),
                has_mains=has_mains,
            )
        ]


def _parts(topic: str) -> tuple[str, str]:
    match = _TOPIC.fullmatch(topic)
    if match and match["event"] in _WITH_DATA | _WITHOUT_DATA:
        return match["dev_eui"].lower(), match["event"]
    raise PayloadError(
        f"topic ends in {topic!r:.120}; right would be application/…/device/{{devEui}}/event/"
        f"{{{'|'.join(sorted(_WITH_DATA | _WITHOUT_DATA))}}}"
    )


def _check_same(dev_eui: str, inside: Any) -> None:
    if isinstance(inside, str) and inside.lower() != dev_eui:
        raise PayloadError(
            f"deviceInfo.devEui is {inside!r:.40}; right would be that of the topic, {dev_eui}"
        )


def _put_uplink(sorter: Sorter, members: dict[str, Any]) -> None:
    decoded = _object(members, "object")
    for member, raw in decoded.items():
        sorter.put(member, PLACES.get(plain_name(member)), raw)
    if not decoded and members.get("data"):
        sorter.ignore("data: the device profile has no codec that fills object")
    strongest = _strongest_dbm(members.get("rxInfo"))
    if strongest is not None:
        sorter.put("rxInfo", StatusPart.SIGNAL, strongest)


def _put_status(sorter: Sorter, members: dict[str, Any]) -> bool | None:
    """Whether it has mains. LoRaWAN says a battery level of 0 for "on external power" (DevStatusAns)."""
    has_mains = members.get("externalPowerSource")
    if has_mains is not True and members.get("batteryLevelUnavailable") is not True:
        sorter.put(
            "batteryLevel", StatusPart.BATTERY, members.get("batteryLevel", 0)
        )  # JSON leaves a zero out
    return has_mains if isinstance(has_mains, bool) else None


def _strongest_dbm(gateways: Any) -> float | None:
    if not isinstance(gateways, list):
        return None
    heard = [number(gateway.get("rssi")) for gateway in gateways if isinstance(gateway, dict)]
    return max((dbm for dbm in heard if dbm is not None), default=None)


def _object(members: dict[str, Any], name: str) -> dict[str, Any]:
    value = members.get(name)
    return value if isinstance(value, dict) else {}
