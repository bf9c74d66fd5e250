"""What devices in a room measure in the course of a day: warm in the afternoon, damp after a shower.

    device, hour ──> ("humidity", 71.3), ("temperature", 21.9)

A device has the same room every day; what is around its values is chance.
"""

from collections.abc import Callable
from dataclasses import dataclass
from math import cos, pi
from random import Random
from typing import Final, TypeAlias

from devices.simulator.town import SimulatedDevice

HOURS: Final = 24
DAMP_SHARE: Final = 0.25
"""Rooms that are over 75 %RH day and night."""

MEALS: Final = ((7.0, 7.3), (12.0, 12.6), (17.5, 18.5))
SHOWERS: Final = ((6.8, 8.0), (20.5, 21.3))
NIGHTS: Final = ((0.0, 6.5), (22.5, 24.0))
SAFE_LOW: Final = 0.5
"""From here on a value may vary downwards without being below what a device can measure."""

Spans: TypeAlias = tuple[tuple[float, float], ...]
"""Hours of the day, from and to."""

Value: TypeAlias = tuple[str, float]
"""Name and value of a reading, in the unit of the device's profile."""


@dataclass(frozen=True, slots=True)
class Room:
    """What is usual where a device stands."""

    celsius: float
    humidity_percent: float
    cooks_with_watts: float


def room_of(device: SimulatedDevice) -> Room:
    """The room of a device, the same every time."""
    chance = Random(f"room/{device.device_id}")  # noqa: S311 - repeatable, not secret
    is_damp = chance.random() < DAMP_SHARE
    return Room(
        celsius=chance.gauss(21.0, 1.0),
        humidity_percent=84.0 if is_damp else chance.gauss(45.0, 4.0),
        cooks_with_watts=chance.uniform(800.0, 2_200.0),
    )


def measure(device: SimulatedDevice, hour: float, chance: Random) -> tuple[Value, ...]:
    """What a device measures at an hour of the day (0 to 24); nothing where its kind measures nothing."""
    measures = _MEASURES.get(device.profile)
    if measures is None:
        return ()
    return tuple((name, round(value, 2)) for name, value in measures(room_of(device), hour, chance))


def _humidity_meter(room: Room, hour: float, chance: Random) -> tuple[Value, ...]:
    shower = 25.0 if _is_in(hour, SHOWERS) else 0.0
    humidity = room.humidity_percent + shower + 3.0 * _wave(hour, peak=8) + chance.gauss(0, 0.5)
    return ("humidity", min(99.0, max(SAFE_LOW, humidity))), ("temperature", _celsius(room, hour, chance))


def _stove_guard(room: Room, hour: float, chance: Random) -> tuple[Value, ...]:
    is_cooking = _is_in(hour, MEALS)
    watts = room.cooks_with_watts * chance.uniform(0.8, 1.2) if is_cooking else 0.0
    celsius = _celsius(room, hour, chance) + (150.0 if is_cooking else 0.0)
    return ("power", watts), ("temperature", celsius), ("presence", float(is_cooking))


def _smoke_detector(room: Room, hour: float, chance: Random) -> tuple[Value, ...]:
    return (("temperature", _celsius(room, hour, chance)),)


def _water_leak_sensor(room: Room, hour: float, chance: Random) -> tuple[Value, ...]:
    return ("leak", 0.0), ("temperature", _celsius(room, hour, chance))


def _bed_sensor(_room: Room, hour: float, _chance: Random) -> tuple[Value, ...]:
    return (("presence", float(_is_in(hour, NIGHTS))),)


_MEASURES: Final[dict[str, Callable[[Room, float, Random], tuple[Value, ...]]]] = {
    "humidity-meter": _humidity_meter,
    "stove-guard": _stove_guard,
    "smoke-detector": _smoke_detector,
    "water-leak-sensor": _water_leak_sensor,
    "bed-sensor": _bed_sensor,
}


def _celsius(room: Room, hour: float, chance: Random) -> float:
    return room.celsius + 1.5 * _wave(hour, peak=15) + chance.gauss(0, 0.1)


def _wave(hour: float, *, peak: float) -> float:
    return cos((hour - peak) * 2 * pi / HOURS)


def _is_in(hour: float, spans: Spans) -> bool:
    return any(start <= hour < end for start, end in spans)
