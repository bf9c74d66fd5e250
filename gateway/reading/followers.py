"""What keeps the reading process's copy of the registry true, and its rules awake."""

import asyncio
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Final

import structlog

from devices.profiles import Profiles
from services import home_rules
from services.readings.register import Register
from services.readings.rulings import Rulings
from services.store import changes, registry
from services.store.sqlite import SqliteConnection

FOLLOW_EVERY: Final = timedelta(milliseconds=200)
"""How soon a new device, a new limit or a retired device is known here."""

_log = structlog.get_logger(__name__)


async def follow_registry(
    reader: SqliteConnection, register: Register, *, on_change: Sequence[Callable[[], None]]
) -> None:
    """Forget what has changed in the registry, until cancelled."""
    number = changes.newest(reader)
    while True:
        await asyncio.sleep(FOLLOW_EVERY.total_seconds())
        newest = changes.newest(reader)
        if newest == number:
            continue
        homes = changes.changed_homes(reader, after=number)
        number = newest
        register.forget_homes(homes)
        for forget in on_change:
            forget()


def wake_rules(
    registry_reader: SqliteConnection, register: Register, rulings: Rulings, profiles: Profiles
) -> None:
    """Acquaint ourselves with every device that a rule may be broken for though it says nothing.

    Those under way when the last run ended, and those that may be missing something.
    """
    devices = registry.devices_at(registry_reader, rulings.positions_under_way)
    devices += registry.devices_of_profiles(
        registry_reader, [profile.name for profile in profiles.values() if _asks_for_silence(profile.rules)]
    )
    for home_id in home_rules.homes_that_ask_for_silence(registry_reader):
        devices += registry.devices(registry_reader, home_id=home_id, limit=1_000)
    for device in {device.id: device for device in devices}.values():
        register.of_device(device)
    if devices:
        _log.info("rules_awake", devices=len(devices))


def _asks_for_silence(rules: Sequence[object]) -> bool:
    return any(getattr(rule, "missing_for_seconds", None) for rule in rules)
