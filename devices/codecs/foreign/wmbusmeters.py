"""wmbusmeters: one JSON object per telegram of a meter, on any topic.

    {"id": "76348799", "meter": "multical21", "media": "cold water", "total_m3": 6.408, …}
        ->  76348799, volume 6.408 m3

Every field ends in its unit. Totals at dates past (``target_m3``, ``last_month_…``) are not readings of now.
"""

import re
from datetime import datetime
from typing import Any, Final

from devices.codecs.errors import PayloadError
from devices.codecs.foreign.sorter import Sorter, moment, number
from devices.codecs.foreign.values import PAYLOAD_MAX_BYTES, ForeignMessage
from devices.codecs.foreign.vocabulary import Condition, Place, StatusPart, reading
from devices.codecs.safe_json import parse_object
from devices.kinds import AlarmKind

PLACES: Final[dict[str, Place]] = {
    "total_m3": reading("volume", "m³"),
    "total_water_m3": reading("volume", "m³"),
    "total_volume_m3": reading("volume", "m³"),
    "flow_m3h": reading("flow", "m³/h"),
    "volume_flow_m3h": reading("flow", "m³/h"),
    "total_energy_consumption_kwh": reading("energy", "kWh"),
    "total_kwh": reading("energy", "kWh"),
    "total_energy_production_kwh": reading("energy-fed", "kWh"),
    "current_power_consumption_kw": reading("power", "kW"),
    "power_kw": reading("power", "kW"),
    "current_kw": reading("power", "kW"),
    "voltage_v": reading("voltage", "V"),
    "voltage_at_phase_1_v": reading("voltage-1", "V"),
    "voltage_at_phase_2_v": reading("voltage-2", "V"),
    "voltage_at_phase_3_v": reading("voltage-3", "V"),
    "current_a": reading("current", "A"),
    "current_at_phase_1_a": reading("current-1", "A"),
    "current_at_phase_2_a": reading("current-2", "A"),
    "current_at_phase_3_a": reading("current-3", "A"),
    "temperature_c": reading("temperature", "°C"),
    "current_temperature_c": reading("temperature", "°C"),
    "flow_temperature_c": reading("flow-temperature", "°C"),
    "return_temperature_c": reading("return-temperature", "°C"),
    "t1_temperature_c": reading("flow-temperature", "°C"),
    "t2_temperature_c": reading("return-temperature", "°C"),
    "external_temperature_c": reading("external-temperature", "°C"),
    "current_relative_humidity_rh": reading("humidity", "%RH"),
    "relative_humidity_rh": reading("humidity", "%RH"),
    "humidity_rh": reading("humidity", "%RH"),
    "battery_v": reading("battery-voltage", "V"),
    "battery_voltage_v": reading("battery-voltage", "V"),
    "rssi_dbm": StatusPart.SIGNAL,
}

WATER_PLACES: Final[dict[str, Place]] = PLACES | {"flow_temperature_c": reading("temperature", "°C")}
"""Of a water meter the flow temperature is the water's; a heat meter has one on each side."""

FLAGS: Final = {
    "LEAK": AlarmKind.PROPERTY_LEAK,
    "LEAKING": AlarmKind.PROPERTY_LEAK,
    "LEAKAGE": AlarmKind.PROPERTY_LEAK,
    "LEAKAGE_CURRENTLY": AlarmKind.PROPERTY_LEAK,
    "BURST": AlarmKind.PROPERTY_LEAK,
    "BURSTING": AlarmKind.PROPERTY_LEAK,
    "TAMPER": AlarmKind.TECHNICAL_TAMPER,
    "SENSOR_FRAUD_CURRENTLY": AlarmKind.TECHNICAL_TAMPER,
    "MECHANICAL_FRAUD_CURRENTLY": AlarmKind.TECHNICAL_TAMPER,
    "SABOTAGE_ENCLOSURE": AlarmKind.TECHNICAL_TAMPER,
    "SMOKE": AlarmKind.FIRE_SMOKE,
    "LOW_BATTERY": AlarmKind.TECHNICAL_BATTERY_LOW,
    "BATTERY_LOW": AlarmKind.TECHNICAL_BATTERY_LOW,
}
"""Words of a status text. It lists what is wrong: an alarm none of whose words stand there is over."""

MEDIA: Final = {
    AlarmKind.PROPERTY_LEAK: "water",
    AlarmKind.FIRE_SMOKE: "smoke",
}
"""What ``media`` must speak of before a meter is said to have *no* leak or smoke."""

_STATUS_FIELDS: Final = ("status", "current_status", "current_alarms")
_ABOUT_THE_MESSAGE: Final = frozenset(
    {
        "_",
        "id",
        "name",
        "meter",
        "media",
        "timestamp",
        "timestamp_utc",
        "timestamp_lt",
        "timestamp_ut",
        "device",
    }
) | frozenset(_STATUS_FIELDS)
_CONSUMED: Final = "current_power_consumption_kw"
_FED: Final = "current_power_production_kw"


class Wmbusmeters:
    """Stateless: the meter's id stands in the message."""

    def decode(self, topic: str, payload: bytes, *, received_at: datetime) -> list[ForeignMessage]:
        """Read one telegram; see ``Dialect``."""
        del topic, received_at  # both are told better inside
        members = parse_object(payload, max_bytes=PAYLOAD_MAX_BYTES)
        meter_id = members.get("id")
        if not isinstance(meter_id, str):
            raise PayloadError(
                "id is missing or no text; right would be the id of a meter, as wmbusmeters writes it"
            )
        media = str(members.get("media"))
        sorter = Sorter()
        places = WATER_PLACES if "water" in media else PLACES
        for member, raw in _with_net_power(members).items():
            if member not in _ABOUT_THE_MESSAGE and raw is not None:  # null: this telegram did not carry it
                sorter.put(member, places.get(member), raw)
        _put_flags(sorter, members, media=media)
        return [
            sorter.message(meter_id, model=members.get("meter"), sent_at=moment(members.get("timestamp")))
        ]


def _with_net_power(members: dict[str, Any]) -> dict[str, Any]:
    """A home that feeds the grid has negative power with us, and two positive numbers there."""
    consumed, fed = number(members.get(_CONSUMED)), number(members.get(_FED))
    if consumed is None or fed is None:
        return members
    others = {member: raw for member, raw in members.items() if member != _FED}
    return others | {_CONSUMED: consumed - fed}


def _put_flags(sorter: Sorter, members: dict[str, Any], *, media: str) -> None:
    texts = [text for field in _STATUS_FIELDS if isinstance(text := members.get(field), str)]
    if not texts:
        return
    said = {FLAGS[word] for text in texts for word in re.split(r"[\s,]+", text.upper()) if word in FLAGS}
    for kind in dict.fromkeys(FLAGS.values()):
        if kind in said or MEDIA.get(kind, "") in media:
            sorter.put("status", Condition(kind=kind), kind in said)
