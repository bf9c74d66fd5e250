"""Home Assistant's device classes and units, and where they belong with us."""

from typing import Final

from devices.codecs.foreign.vocabulary import Condition, Place, State, StatusPart, find_reading
from devices.kinds import AlarmKind

SENSORS: Final = {
    "temperature": "temperature",
    "humidity": "humidity",
    "pressure": "pressure",
    "atmospheric_pressure": "pressure",
    "carbon_dioxide": "co2",
    "pm25": "pm25",
    "illuminance": "illuminance",
    "power": "power",
    "energy": "energy",
    "voltage": "voltage",
    "current": "current",
    "water": "volume",
    "volume_flow_rate": "flow",
}
"""``device_class`` of a sensor: the reading. Its ``unit_of_measurement`` says how it is converted."""

SENSOR_STATUS: Final = {
    ("battery", "%"): StatusPart.BATTERY,
    ("signal_strength", "dBm"): StatusPart.SIGNAL,
}

BINARY_SENSORS: Final[dict[str, Place]] = {
    "smoke": Condition(kind=AlarmKind.FIRE_SMOKE),
    "heat": Condition(kind=AlarmKind.FIRE_HEAT),
    "gas": Condition(kind=AlarmKind.FIRE_GAS),
    "carbon_monoxide": Condition(kind=AlarmKind.FIRE_CARBON_MONOXIDE),
    "moisture": Condition(kind=AlarmKind.PROPERTY_LEAK, reading="leak"),
    "tamper": Condition(kind=AlarmKind.TECHNICAL_TAMPER),
    "battery": Condition(kind=AlarmKind.TECHNICAL_BATTERY_LOW),
    "motion": State(name="presence"),
    "occupancy": State(name="presence"),
    "presence": State(name="presence"),
    "door": State(name="open"),
    "window": State(name="open"),
    "opening": State(name="open"),
}
"""``device_class`` of a binary sensor, whose state is ``on`` or ``off``."""

PRESSES: Final = {
    "sos": AlarmKind.SAFETY_MANUAL,
    "emergency": AlarmKind.SAFETY_MANUAL,
    "panic": AlarmKind.SAFETY_MANUAL,
}
"""``event_type`` of an event that calls for help."""


def place_of(domain: str, device_class: str, unit: str) -> Place | None:
    """Where the state of an entity belongs; None when nowhere, or when too little is known of it."""
    if domain == "binary_sensor":
        return BINARY_SENSORS.get(device_class)
    if domain != "sensor":
        return None
    if part := SENSOR_STATUS.get((device_class, unit)):
        return part
    name = SENSORS.get(device_class)
    return find_reading(name, unit) if name else None
