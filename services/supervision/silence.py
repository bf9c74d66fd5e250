"""A device that should have spoken and has not: ``technical.silent``.

A device is watched from the first time it is heard. Time in which the hub itself was away does not
count against anybody, so a restart never calls a whole city silent.
"""

from datetime import datetime, timedelta
from typing import Final

from devices.kinds import AlarmKind
from devices.profiles import Profiles
from services.alarms import opening
from services.store import events, registry, status
from services.store.connection import Connection, from_micros, to_micros

ALIVE: Final = "hub_alive_at"
AWAY_AFTER: Final = timedelta(seconds=30)
"""A shorter gap than this is an ordinary restart."""

DEVICES_PER_TURN: Final = 500


def welcome_back(connection: Connection, *, now: datetime) -> timedelta:
    """At start: do not count the time in which the hub was away; returns how long that was."""
    alive_at = events.counter(connection, ALIVE)
    away = now - from_micros(alive_at) if alive_at else timedelta(0)
    if away > AWAY_AFTER:
        status.shift_silence(connection, by=away)
    still_here(connection, now=now)
    return away


def still_here(connection: Connection, *, now: datetime) -> None:
    """Note that the hub listens at this moment."""
    events.set_counter(connection, ALIVE, to_micros(now))


def look(connection: Connection, *, profiles: Profiles, now: datetime) -> int:
    """Raise ``technical.silent`` for every device that is overdue; returns how many there were."""
    overdue = status.silent(connection, now, limit=DEVICES_PER_TURN)
    for device_id in overdue:
        device = registry.device(connection, device_id)
        known = status.of_device(connection, device_id)
        assert device is not None  # noqa: S101 - both are rows of the query above
        assert known is not None  # noqa: S101
        minutes = (now - known.last_seen_at) // timedelta(minutes=1)
        text = f"not heard for {minutes} minutes"
        opening.raise_by_hub(
            connection, AlarmKind.TECHNICAL_SILENT, device=device, text=text, data={}, now=now
        )
        status.set_silent(connection, device_id, is_silent=True)
        allowance = profiles[device.profile].heartbeat.silent_after
        status.look_again(connection, device_id, at=now + allowance)
    return len(overdue)
