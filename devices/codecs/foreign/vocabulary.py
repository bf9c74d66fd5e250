"""Where a foreign member belongs: the readings we know, the units others write, and the places for both.

"current_power_kw": 0.33  ──Reading("power", kW)──>  power 330 W
"contact": false          ──State("open", inverted)─>  open 1
"smoke": true             ──Condition(fire.smoke)──>  alarm
"battery": 87             ──StatusPart.BATTERY────>  status
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final, TypeAlias

from devices.kinds import AlarmKind

READING_UNITS: Final = {
    "temperature": "Cel",
    "flow-temperature": "Cel",
    "return-temperature": "Cel",
    "external-temperature": "Cel",
    "humidity": "%RH",
    "pressure": "Pa",
    "co2": "/",
    "pm25": "kg/m3",
    "illuminance": "lx",
    "presence": "/",
    "open": "/",
    "leak": "/",
    "power": "W",
    "energy": "J",
    "energy-fed": "J",
    "voltage": "V",
    "voltage-1": "V",
    "voltage-2": "V",
    "voltage-3": "V",
    "battery-voltage": "V",
    "current": "A",
    "current-1": "A",
    "current-2": "A",
    "current-3": "A",
    "volume": "m3",
    "flow": "m3/s",
}
"""Primary SenML unit of every reading that foreign names lead to; as in the profiles, where one has it."""

_SCALES: Final[dict[str, dict[str, float | tuple[float, float]]]] = {
    "Cel": {
        "°C": 1,
        "ºC": 1,
        "C": 1,
        "degC": 1,
        "Cel": 1,
        "°F": (5 / 9, -160 / 9),
        "F": (5 / 9, -160 / 9),
        "K": (1, -273.15),
    },
    "%RH": {"%": 1, "%RH": 1},
    "Pa": {"Pa": 1, "hPa": 100, "mbar": 100, "kPa": 1_000, "bar": 100_000},
    "/": {"ppm": 1e-6, "%": 0.01, "/": 1},
    "kg/m3": {"ug/m3": 1e-9, "µg/m3": 1e-9, "μg/m3": 1e-9},  # micro sign, Greek mu
    "lx": {"lx": 1, "lux": 1},
    "W": {"mW": 0.001, "W": 1, "kW": 1_000},
    "J": {"J": 1, "kJ": 1e3, "MJ": 1e6, "GJ": 1e9, "Wh": 3_600, "kWh": 3.6e6, "MWh": 3.6e9},
    "V": {"mV": 0.001, "V": 1},
    "A": {"mA": 0.001, "A": 1},
    "m3": {"m3": 1, "L": 0.001, "l": 0.001},
    "m3/s": {
        "m3/s": 1,
        "m3/h": 1 / 3_600,
        "L/min": 1 / 60_000,
        "l/min": 1 / 60_000,
        "L/h": 1 / 3.6e6,
        "l/h": 1 / 3.6e6,
    },
}
"""What one of the foreign unit is in ours, and what is added then; the number three may be written ³."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """A number, converted by ``scale`` and ``offset`` to a primary unit."""

    name: str
    unit: str
    scale: float = 1.0
    offset: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """One of two states, as a reading of 0 or 1."""

    name: str
    is_inverted: bool = False
    """The foreign 0 is our 1."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """An alarm while it is true."""

    kind: AlarmKind
    reading: str = ""
    """Also the reading of this name, 0 or 1."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Press:
    """An alarm at the moment that it is true; false says nothing."""

    kind: AlarmKind


class StatusPart(StrEnum):
    """What a device says about itself."""

    BATTERY = "battery_percent"
    SIGNAL = "signal_dbm"


Place: TypeAlias = Reading | State | Condition | Press | StatusPart


class UnitMistakeError(ValueError):
    """A dialect's table pairs a reading with a unit that it cannot have."""

    def __init__(self, name: str, foreign_unit: str) -> None:
        super().__init__(
            f"{foreign_unit!r} is no unit of {name!r}; right would be one of {READING_UNITS.get(name)}"
        )


def find_reading(name: str, foreign_unit: str) -> Reading | None:
    """How ``foreign_unit`` becomes the unit of reading ``name``; None when it cannot."""
    unit = READING_UNITS.get(name, "")
    scale = _SCALES.get(unit, {}).get(foreign_unit.strip().replace("³", "3"))
    match scale:
        case None:
            return None
        case (factor, offset):
            return Reading(name=name, unit=unit, scale=factor, offset=offset)
        case factor:
            return Reading(name=name, unit=unit, scale=factor)


def reading(name: str, foreign_unit: str) -> Reading:
    """``find_reading`` for tables, where a mistake is ours.

    Raises:
        UnitMistakeError: The reading cannot have that unit.
    """
    if found := find_reading(name, foreign_unit):
        return found
    raise UnitMistakeError(name, foreign_unit)


def plain_name(member: str) -> str:
    """The form in which loosely written names are compared: ``TempC_SHT`` is ``tempcsht``."""
    return "".join(character for character in member.lower() if character.isalnum())
