"""What a simulated town will do in a day, from a seed: pure, lazy, in order of time.

    each home:  presses (by the rhythm of a day) ─┐
                heartbeats (by each profile)      ├─ merged by time ──> Press | Status | Measure | Publish | …
                readings, when they are wanted    │
                faults, as many as were asked for ┘

The same arguments give the same day. A home's day does not depend on how many other homes there are.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from heapq import merge
from itertools import count
from math import exp, sqrt
from random import Random
from typing import Final

from devices.kinds import AlarmKind, DataClass
from devices.messages import AlarmSignal, StatusMessage
from devices.profiles import load_profiles
from devices.simulator.actions import Action, Fault, Measure, Press, Silence, Status
from devices.simulator.faults import Scene, expand, ids
from devices.simulator.rooms import HOURS, measure
from devices.simulator.town import SimulatedDevice, SimulatedHome

RHYTHM: Final = (1, 1, 1, 1, 1, 2, 4, 8, 7, 5, 4, 4, 4, 4, 4, 4, 4, 5, 5, 5, 5, 4, 3, 2)
"""How much happens in each hour from midnight: people fall when they get up."""

SHARE_OF_TESTS: Final = 0.05
SHARE_CLEARED: Final = 0.3
SHARE_TECHNICAL: Final = 0.1

FULL_STATUS_EVERY: Final = 10
"""Heartbeats; the others say nothing but that the device is there."""

_MANY: Final = 30
"""From here on a Poisson number is near enough to a normal one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Day:
    """How a day is to be."""

    length: timedelta = timedelta(days=1)
    """Presses and faults of a whole day happen in this time; heartbeats keep their own pace."""
    presses_per_home: float = 3.0
    measures_every: timedelta | None = None
    """How often each device sends readings, in real time; None: never."""
    faults_per_home: Mapping[Fault, float] = field(default_factory=dict)
    """How many of each, on average."""


def day_plan(
    seed: str, homes: Sequence[SimulatedHome], day: Day | None = None, *, run: str = "1"
) -> Iterator[Action]:
    """A day of a town, in order of time.

    Args:
        seed: Decides everything.
        homes: Who takes part.
        day: How long it is, how much happens, what goes wrong.
        run: Goes into the ids of what is published past the agents, so that the same day can be played
            again against the same hub.
    """
    days = [_home_day(seed, home, day or Day(), run) for home in homes]
    return merge(*days, key=lambda action: action.after)


def _home_day(seed: str, home: SimulatedHome, day: Day, run: str) -> Iterator[Action]:
    chance = _chance(seed, home.client_id, "presses")
    happenings = [*_presses(home, day, chance), *_faults(seed, home, day, run)]
    happenings.sort(key=lambda action: action.after)
    hub = SimulatedDevice(device_id=home.client_id, profile="home-hub", room="")
    beats = [_heartbeats(seed, home, device, day) for device in (hub, *home.devices)]
    readings = [_readings(seed, home, device, day) for device in home.devices]
    silent: set[str] = set()
    for action in merge(happenings, *beats, *readings, key=lambda action: action.after):
        if action.device_id not in silent:
            yield action
        if isinstance(action, Silence):
            silent.add(action.device_id)


def _presses(home: SimulatedHome, day: Day, chance: Random) -> Iterator[Action]:
    for _ in range(_poisson(chance, day.presses_per_home)):
        device = chance.choice(home.devices)
        (hour,) = chance.choices(range(len(RHYTHM)), weights=RHYTHM)
        press = Press(
            after=day.length * (hour + chance.random()) / len(RHYTHM),
            client_id=home.client_id,
            device_id=device.device_id,
            kind=_kind(device, chance),
            room=device.room,
            is_test=chance.random() < SHARE_OF_TESTS,
        )
        yield press
        if chance.random() < SHARE_CLEARED:
            yield _clearing(press, day.length * chance.uniform(0.002, 0.02))


def _clearing(press: Press, later: timedelta) -> Press:
    return Press(
        after=press.after + later,
        client_id=press.client_id,
        device_id=press.device_id,
        kind=press.kind,
        room=press.room,
        is_test=press.is_test,
        signal=AlarmSignal.CLEARED,
    )


def _faults(seed: str, home: SimulatedHome, day: Day, run: str) -> Iterator[Action]:
    new_id = ids(run, home.client_id)
    for fault in Fault:
        chance = _chance(seed, home.client_id, fault)
        for _ in range(_poisson(chance, day.faults_per_home.get(fault, 0.0))):
            device = chance.choice(home.devices)
            scene = Scene(
                after=day.length * chance.random(),
                client_id=home.client_id,
                device=device,
                kind=_kind(device, chance),
                day=day.length,
                chance=chance,
                new_id=new_id,
            )
            yield from expand(fault, scene)


def _heartbeats(seed: str, home: SimulatedHome, device: SimulatedDevice, day: Day) -> Iterator[Action]:
    chance = _chance(seed, device.device_id, "heartbeats")
    profile = load_profiles()[device.profile]
    interval = timedelta(seconds=profile.heartbeat.interval_seconds)
    battery_percent = chance.uniform(60, 100) if profile.power.battery else None
    full = StatusMessage(
        battery_percent=battery_percent and round(battery_percent, 1),
        has_mains=True if profile.power.has_mains else None,
        link="fibre",
        firmware="1.0.0",
    )
    after = interval * chance.random()  # homes do not beat in step
    for number in count():
        if after >= day.length:
            return
        message = StatusMessage() if number % FULL_STATUS_EVERY else full
        yield Status(after=after, client_id=home.client_id, device_id=device.device_id, message=message)
        after += interval


def _readings(seed: str, home: SimulatedHome, device: SimulatedDevice, day: Day) -> Iterator[Action]:
    interval = day.measures_every
    if interval is None:
        return
    chance = _chance(seed, device.device_id, "readings")
    units = {reading.name: reading.unit for reading in load_profiles()[device.profile].readings}
    after = interval * chance.random()
    while after < day.length:
        values = measure(device, HOURS * (after / day.length), chance)
        if values:
            said = tuple((name, units[name], value) for name, value in values)
            yield Measure(after=after, client_id=home.client_id, device_id=device.device_id, values=said)
        after += interval


def _kind(device: SimulatedDevice, chance: Random) -> AlarmKind:
    kinds = load_profiles()[device.profile].kinds
    grave = [kind for kind in kinds if kind.data_class is not DataClass.TECHNICAL]
    return chance.choice(grave if grave and chance.random() >= SHARE_TECHNICAL else kinds)


def _chance(seed: str, *what: str) -> Random:
    return Random("/".join((seed, *what)))  # noqa: S311 - repeatable, not secret


def _poisson(chance: Random, mean: float) -> int:
    """How often something happens that happens so often on average."""
    if mean >= _MANY:
        return max(0, round(chance.gauss(mean, sqrt(mean))))
    times, left = 0, chance.random()
    while left > exp(-mean):
        left *= chance.random()
        times += 1
    return times
