"""The homes of a simulated town: who lives behind which hub, with which devices.

    town("1", 3)  ->  h-0001 with hub-0001, safety-alarm-0001, stove-guard-0001 …

A home looks the same whatever the size of the town.
"""

from dataclasses import dataclass
from random import Random
from typing import Final

from devices.kinds import DeviceId, HomeId

ROOMS: Final = {
    "safety-alarm": ("hall", "living room", "bedroom"),
    "fall-detector": ("bathroom", "bedroom"),
    "stove-guard": ("kitchen",),
    "smoke-detector": ("hall", "kitchen"),
    "water-leak-sensor": ("bathroom", "kitchen"),
    "humidity-meter": ("bathroom", "basement"),
    "bed-sensor": ("bedroom",),
    "door-sensor": ("hall",),
}
"""Profiles that a simulated home may have, and the rooms they stand in; the first is in every home."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SimulatedDevice:
    """A device in a home."""

    device_id: DeviceId
    profile: str
    room: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SimulatedHome:
    """A home with one connection: its hub's."""

    home_id: HomeId
    client_id: DeviceId
    """The hub, whose certificate speaks for all devices."""
    devices: tuple[SimulatedDevice, ...]
    """Behind the hub; the hub itself is not among them."""


def town(seed: str, homes: int, *, most_devices: int = 4) -> tuple[SimulatedHome, ...]:
    """So many homes, each with a safety alarm and up to ``most_devices`` devices in all."""
    return tuple(_home(seed, number, most_devices) for number in range(1, homes + 1))


def _home(seed: str, number: int, most_devices: int) -> SimulatedHome:
    chance = Random(f"{seed}/town/{number}")  # noqa: S311 - repeatable, not secret
    every_home, *others = ROOMS
    profiles = [every_home, *chance.sample(others, k=chance.randint(0, min(most_devices - 1, len(others))))]
    return SimulatedHome(
        home_id=HomeId(f"h-{number:04d}"),
        client_id=DeviceId(f"hub-{number:04d}"),
        devices=tuple(
            SimulatedDevice(
                device_id=DeviceId(f"{profile}-{number:04d}"),
                profile=profile,
                room=chance.choice(ROOMS[profile]),
            )
            for profile in profiles
        ),
    )
