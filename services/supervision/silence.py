"""A device that should have spoken and has not: ``technical.silent``.

A device is watched from the first time it is heard. Time in which the hub itself was away does not
count against anybody, so a restart never calls a whole city silent.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Final

from devices.kinds import AlarmKind, DeviceId
from devices.profiles import Profiles
from services.alarms import opening
from services.domain.homes import Device
from services.store import events, registry, status
from services.store.apart import apart
from services.store.connection import Connection, from_micros, to_micros
from services.supervision.status import heard

ALIVE: Final = "hub_alive_at"
AWAY_AFTER: Final = timedelta(seconds=30)
"""A shorter gap than this is an ordinary restart."""

DEVICES_PER_TURN: Final = 500
ASK_AGAIN: Final = timedelta(minutes=10)


def welcome_back(connection: Connection, *, now: datetime) -> timedelta:
    """Note that the hub listens now; the time in which it did not counts against nobody, and is returned."""
    alive_at = events.counter(connection, ALIVE)
    away = now - from_micros(alive_at) if alive_at else timedelta(0)
    if away > AWAY_AFTER:
        status.shift_silence(connection, by=away)
    still_here(connection, now=now)
    return away


def still_here(connection: Connection, *, now: datetime) -> None:
    """Note that the hub listens at this moment."""
    events.set_counter(connection, ALIVE, to_micros(now))


@dataclass(frozen=True, slots=True, kw_only=True)
class Overdue:
    """Devices that should have been heard by now."""

    devices: Sequence[Device]
    spoken_at: Mapping[DeviceId, datetime]
    """Those of them that have sent readings, which are kept elsewhere, and when the last came."""


def overdue(connection: Connection, *, now: datetime) -> list[Device]:
    """Devices that the next ``look`` would call silent."""
    found = (
        registry.device(connection, id_) for id_ in status.silent(connection, now, limit=DEVICES_PER_TURN)
    )
    return [device for device in found if device is not None]


def heard_elsewhere(connection: Connection, device: Device, *, profiles: Profiles, at: datetime) -> None:
    """Note that a device has spoken on the reading lane, if that is later than what is known."""
    known = status.of_device(connection, device.id)
    if known is not None and at > known.last_seen_at:
        heard(connection, device, profile=profiles[device.profile], now=at)


def look(
    connection: Connection,
    *,
    profiles: Profiles,
    now: datetime,
    among: Collection[DeviceId] | None = None,
) -> int:
    """Raise ``technical.silent`` for every device that is overdue; returns how many there were.

    Args:
        connection: The caller's transaction.
        profiles: How long a silence each device may keep.
        now: The moment.
        among: Only these, of which it is known that they have not spoken elsewhere; None: any.
    """
    overdue = status.silent(connection, now, limit=DEVICES_PER_TURN)
    if among is not None:
        overdue = [device_id for device_id in overdue if device_id in among]
    for device_id in overdue:
        work = partial(_raise, connection, device_id, profiles=profiles, now=now)
        if not apart(connection, "silent device", device_id, work):
            status.look_again(connection, device_id, at=now + ASK_AGAIN)
    return len(overdue)


def _raise(connection: Connection, device_id: DeviceId, *, profiles: Profiles, now: datetime) -> None:
    device = registry.device(connection, device_id)
    known = status.of_device(connection, device_id)
    assert device is not None  # noqa: S101 - both are rows of the query that found it
    assert known is not None  # noqa: S101
    minutes = (now - known.last_seen_at) // timedelta(minutes=1)
    text = f"not heard for {minutes} minutes"
    opening.raise_by_hub(connection, AlarmKind.TECHNICAL_SILENT, device=device, text=text, data={}, now=now)
    status.set_silent(connection, device_id, is_silent=True)
    allowance = profiles[device.profile].heartbeat.silent_after
    status.look_again(connection, device_id, at=now + allowance)
