"""What each fault looks like from outside, as actions.

Fault.STUCK_BUTTON at 07:10  ->  Press 07:10:00.0, Press 07:10:00.2, Press 07:10:00.4 …
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from itertools import count
from random import Random
from typing import Final, TypedDict

from devices.codecs.own_json import encode_alarm
from devices.kinds import AlarmKind, DeviceId
from devices.messages import AlarmMessage, StatusMessage
from devices.profiles import load_profiles
from devices.simulator.actions import Action, Fault, Press, Publish, Silence, Status
from devices.simulator.town import SimulatedDevice

STUCK_PRESSES: Final = 20
STUCK_EVERY: Final = timedelta(milliseconds=200)
SOON: Final = timedelta(seconds=1)

BROKEN: Final = (
    b"help",
    b'{"kind": "safety.manual"}',
    b'{"id": "ID", "kind": "safety.manual", "state": "loud"}',
    b'{"id": "ID", "kind": NaN}',
    b'{"id": "ID", "kind": "safety.manual", "text": "\xff"}',
    b"",
)
"""Alarms that nobody can read; of some at least the id."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """Where and when a fault happens, with the chance and the ids it may use."""

    after: timedelta
    client_id: DeviceId
    device: SimulatedDevice
    kind: AlarmKind
    day: timedelta
    """How long the day is."""
    chance: Random
    new_id: Callable[[], str]


def expand(fault: Fault, scene: Scene) -> Iterator[Action]:
    """The actions of a fault, in order of time."""
    match fault:
        case Fault.STUCK_BUTTON:
            return _stuck_button(scene)
        case Fault.LOW_BATTERY:
            return _low_battery(scene)
        case Fault.SILENT:
            return iter((Silence(**_where(scene), fault=fault),))
        case _:
            return _published(fault, scene)


def ids(run: str, client_id: DeviceId) -> Callable[[], str]:
    """New ids for what is published past the agent."""
    numbers = count(1)
    return lambda: f"sim-{run[:16]}-{client_id[:30]}-{next(numbers)}"


def _published(fault: Fault, scene: Scene) -> Iterator[Action]:
    event_id = scene.new_id()
    match fault:
        case Fault.MALFORMED:
            payloads = [scene.chance.choice(BROKEN).replace(b"ID", event_id.encode())]
        case Fault.OTHER_BODY:
            payloads = [_alarm(scene, event_id, "first"), _alarm(scene, event_id, "second")]
        case Fault.DUPLICATE:
            payloads = [_alarm(scene, event_id)] * 2
        case _:
            payloads = [_alarm(scene, event_id)]
    for number, payload in enumerate(payloads):
        where = _where(scene, later=number * SOON)
        yield Publish(**where, fault=fault, payload=payload, is_retained=fault is Fault.RETAINED)


def _stuck_button(scene: Scene) -> Iterator[Action]:
    for number in range(STUCK_PRESSES):
        where = _where(scene, later=number * STUCK_EVERY)
        yield Press(**where, fault=Fault.STUCK_BUTTON, kind=scene.kind, room=scene.device.room)


def _low_battery(scene: Scene) -> Iterator[Action]:
    battery = load_profiles()[scene.device.profile].power.battery
    if battery is None:
        return
    levels = (battery.low_percent - 1, battery.failed_percent - 1, min(100.0, battery.recovered_percent + 20))
    for number, percent in enumerate(levels):
        where = _where(scene, later=number * scene.day / 24)
        yield Status(**where, fault=Fault.LOW_BATTERY, message=StatusMessage(battery_percent=percent))


class _Where(TypedDict):
    after: timedelta
    client_id: DeviceId
    device_id: DeviceId


def _where(scene: Scene, later: timedelta = timedelta(0)) -> _Where:
    return {"after": scene.after + later, "client_id": scene.client_id, "device_id": scene.device.device_id}


def _alarm(scene: Scene, event_id: str, text: str = "") -> bytes:
    return encode_alarm(AlarmMessage(id=event_id, kind=scene.kind, room=scene.device.room, text=text))
