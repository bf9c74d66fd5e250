"""Zigbee2MQTT: one JSON object per device, on a topic that is the device's friendly name.

    kitchen/leak sensor  {"battery": 87, "water_leak": true, …}  ->  property.leak, leak 1, battery 87 %
    bridge/…, …/availability, …/set, …/get                       ->  nothing about a device

Its state is cached: a message repeats everything that the device ever said. An alarm is a condition here.
"""

from datetime import datetime
from typing import Any, Final

from devices.codecs.foreign.sorter import Sorter, moment
from devices.codecs.foreign.values import PAYLOAD_MAX_BYTES, ForeignMessage
from devices.codecs.foreign.vocabulary import Condition, Place, Press, State, StatusPart, reading
from devices.codecs.safe_json import parse_object
from devices.kinds import AlarmKind

PLACES: Final[dict[str, Place]] = {
    "temperature": reading("temperature", "°C"),
    "humidity": reading("humidity", "%"),
    "pressure": reading("pressure", "hPa"),
    "co2": reading("co2", "ppm"),
    "pm25": reading("pm25", "µg/m³"),
    "illuminance_lux": reading("illuminance", "lx"),
    "illuminance": reading("illuminance", "lx"),
    "power": reading("power", "W"),
    "energy": reading("energy", "kWh"),
    "produced_energy": reading("energy-fed", "kWh"),
    "voltage": reading("voltage", "V"),
    "current": reading("current", "A"),
    "occupancy": State(name="presence"),
    "presence": State(name="presence"),
    "contact": State(name="open", is_inverted=True),
    "water_leak": Condition(kind=AlarmKind.PROPERTY_LEAK, reading="leak"),
    "smoke": Condition(kind=AlarmKind.FIRE_SMOKE),
    "gas": Condition(kind=AlarmKind.FIRE_GAS),
    "carbon_monoxide": Condition(kind=AlarmKind.FIRE_CARBON_MONOXIDE),
    "tamper": Condition(kind=AlarmKind.TECHNICAL_TAMPER),
    "trouble": Condition(kind=AlarmKind.TECHNICAL_FAULT),
    "battery_low": Condition(kind=AlarmKind.TECHNICAL_BATTERY_LOW),
    "sos": Press(kind=AlarmKind.SAFETY_MANUAL),
    "battery": StatusPart.BATTERY,
}

PRESSES: Final = {
    "sos": AlarmKind.SAFETY_MANUAL,
    "emergency": AlarmKind.SAFETY_MANUAL,
    "panic": AlarmKind.SAFETY_MANUAL,
    "fire": AlarmKind.FIRE_SMOKE,  # the key of a keypad
}
"""What ``action`` may say that calls for help; ``single``, ``on`` and the like do not."""

_BATTERY_VOLTAGE: Final = reading("battery-voltage", "mV")
_NOT_DATA: Final = frozenset({"availability", "set", "get"})
_ABOUT_THE_MESSAGE: Final = frozenset({"device", "last_seen", "test", "action"})


class Zigbee2Mqtt:
    """Stateless: the topic is the device's id."""

    def decode(self, topic: str, payload: bytes, *, received_at: datetime) -> list[ForeignMessage]:
        """Read one message; see ``Dialect``."""
        del received_at  # ``last_seen`` is the time, where it is switched on
        if _is_about_no_device(topic) or not payload:  # empty: a retained message is taken away
            return []
        members = parse_object(payload, max_bytes=PAYLOAD_MAX_BYTES)
        sorter = Sorter(is_test=members.get("test") is True)
        for member, raw in members.items():
            if member not in _ABOUT_THE_MESSAGE:
                sorter.put(member, _place(member, members), raw)
        _put_action(sorter, members.get("action"))
        device = members.get("device")
        model = device.get("model") if isinstance(device, dict) else None
        return [sorter.message(topic, model=model, sent_at=moment(members.get("last_seen")))]


def _is_about_no_device(topic: str) -> bool:
    first, *others = topic.split("/")
    return first == "bridge" or not _NOT_DATA.isdisjoint(others[-2:])  # also name/set/state


def _place(member: str, members: dict[str, Any]) -> Place | None:
    has_battery = "battery" in members or "battery_low" in members
    match member:
        case "voltage" if has_battery:  # millivolt there; volt from a plug
            return _BATTERY_VOLTAGE
        case "battery_low" if (
            members.get("battery") is not None
        ):  # the percentage says more, and has hysteresis
            return None
        case "illuminance" if "illuminance_lux" in members:  # up to 1.x it is the sensor's raw number then
            return None
    return PLACES.get(member)


def _put_action(sorter: Sorter, action: Any) -> None:
    if isinstance(action, str) and (kind := PRESSES.get(action)):
        sorter.put("action", Press(kind=kind), raw=True)
    elif action:
        sorter.ignore("action")
