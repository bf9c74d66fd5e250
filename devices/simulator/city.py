"""A city from a seed: homes on fibre nodes, meters in every home, and lines that fail.

    city("1", 5)  ->  node-001: h-000001 with hub-000001, safety-alarm-000001, humidity-meter-000001-1 …

    node goes dark ──> its homes keep what they measure and press ──> it is back ──> all of them at once

A home looks the same whatever the size of the city. Ids have one length, as the load wants them.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from heapq import merge
from random import Random
from typing import Final

from devices.kinds import DeviceId, HomeId
from devices.simulator.actions import Action
from devices.simulator.load.plan import LoadHub
from devices.simulator.plan import Day, day_plan
from devices.simulator.town import SimulatedDevice, SimulatedHome

HOMES_PER_NODE: Final = 50
METER: Final = "humidity-meter"
METER_ROOMS: Final = ("bathroom", "basement", "kitchen", "bedroom")

DARK_FROM: Final = 0.4
DARK_UNTIL: Final = 0.6
"""Share of a run: an outage leaves time to see how the city comes back."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CityHome:
    """A home, its place in the net, and which of its devices send readings."""

    home: SimulatedHome
    node: str
    meters: tuple[DeviceId, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Outage:
    """A fibre node without light."""

    node: str
    starts_after: timedelta
    """From the start of the run."""
    ends_after: timedelta


def city(seed: str, homes: int, *, homes_per_node: int = HOMES_PER_NODE) -> tuple[CityHome, ...]:
    """So many homes, each with a safety alarm and one to four humidity meters."""
    return tuple(_home(seed, number, homes_per_node) for number in range(1, homes + 1))


def outage(seed: str, homes: Sequence[CityHome], length: timedelta) -> Outage:
    """One node of the city, dark in the middle of a run of this length."""
    nodes = sorted({home.node for home in homes})
    chance = Random(f"{seed}/outage")  # noqa: S311 - repeatable, not secret
    return Outage(node=chance.choice(nodes), starts_after=length * DARK_FROM, ends_after=length * DARK_UNTIL)


def load_hubs(homes: Iterable[CityHome], outages: Iterable[Outage] = ()) -> tuple[LoadHub, ...]:
    """Who sends readings, and when their lines are dark."""
    dark: dict[str, list[tuple[float, float]]] = {}
    for out in outages:
        dark.setdefault(out.node, []).append(
            (out.starts_after.total_seconds(), out.ends_after.total_seconds())
        )
    return tuple(
        LoadHub(client_id=home.home.client_id, devices=home.meters, dark=tuple(dark.get(home.node, ())))
        for home in homes
    )


def days(seed: str, homes: Sequence[SimulatedHome], day: Day, *, length: timedelta) -> Iterator[Action]:
    """Day after day, each another one, until ``length``."""
    for number in range(-(-length // day.length)):
        starts_after = number * day.length
        for action in day_plan(f"{seed}/{number}", homes, day):
            if starts_after + action.after >= length:
                break
            yield replace(action, after=starts_after + action.after)


def held_back(
    actions: Iterable[Action], homes: Iterable[CityHome], outages: Sequence[Outage]
) -> Iterator[Action]:
    """A day's actions in order, but those of a home whose node is dark wait until it is back.

    Args:
        actions: In order of time.
        homes: Where the clients are.
        outages: Those of one node do not overlap.
    """
    node_of = {home.home.client_id: home.node for home in homes}
    light: list[Action] = []
    dark: list[Action] = []
    for action in actions:
        ends_after = _dark_until(action, node_of[action.client_id], outages)
        if ends_after is None:
            light.append(action)
        else:
            dark.append(replace(action, after=ends_after))
    dark.sort(key=lambda action: action.after)
    return merge(light, dark, key=lambda action: action.after)


def _dark_until(action: Action, node: str, outages: Sequence[Outage]) -> timedelta | None:
    return next(
        (
            out.ends_after
            for out in outages
            if out.node == node and out.starts_after <= action.after < out.ends_after
        ),
        None,
    )


def _home(seed: str, number: int, homes_per_node: int) -> CityHome:
    chance = Random(f"{seed}/city/{number}")  # noqa: S311 - repeatable, not secret
    rooms = METER_ROOMS[: chance.randint(1, len(METER_ROOMS))]
    meters = tuple(
        SimulatedDevice(device_id=DeviceId(f"{METER}-{number:06d}-{place}"), profile=METER, room=room)
        for place, room in enumerate(rooms, start=1)
    )
    alarm = SimulatedDevice(
        device_id=DeviceId(f"safety-alarm-{number:06d}"), profile="safety-alarm", room="hall"
    )
    home = SimulatedHome(
        home_id=HomeId(f"h-{number:06d}"),
        client_id=DeviceId(f"hub-{number:06d}"),
        devices=(alarm, *meters),
    )
    return CityHome(
        home=home,
        node=f"node-{(number - 1) // homes_per_node + 1:03d}",
        meters=tuple(meter.device_id for meter in meters),
    )
