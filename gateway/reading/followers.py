"""What keeps the reading process's copy of the registry true, and its rules awake."""

import asyncio
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Final

import structlog

from devices.profiles import Profiles
from services import home_rules
from services.domain.homes import DeviceState
from services.readings.register import Register
from services.readings.rulings import Rulings
from services.store import changes, registry
from services.store.sqlite import SqliteConnection

FOLLOW_EVERY: Final = timedelta(milliseconds=200)
"""How soon a new device, a new limit or a retired device is known here."""

DEVICES_OF_A_HOME: Final = 1_000

_log = structlog.get_logger(__name__)


async def follow_registry(
    reader: SqliteConnection,
    register: Register,
    *,
    after: int,
    on_change: Sequence[Callable[[set[str] | None], None]],
) -> None:
    """Forget what has changed in the registry, until cancelled.

    Args:
        reader: The alarm path's database, only read.
        register: What is remembered of it.
        after: The newest change before anything of it was read.
        on_change: Told which homes have changed, once the register has forgotten them; None: any home.
    """
    number = after
    while True:
        await asyncio.sleep(FOLLOW_EVERY.total_seconds())
        newest = changes.newest(reader)
        if newest == number:
            continue
        homes = changes.changed_homes(reader, after=number)
        number = newest
        register.forget_homes(homes)
        for tell in on_change:
            tell(homes)


def wake_rules(
    registry_reader: SqliteConnection, register: Register, rulings: Rulings, profiles: Profiles
) -> None:
    """Acquaint ourselves with every device that a rule may be broken for though it says nothing.

    Those where a rule is under way, and those that may be missing something.
    """
    devices = registry.devices_at(registry_reader, rulings.positions_under_way)
    devices += registry.devices_of_profiles(
        registry_reader, [profile.name for profile in profiles.values() if _asks_for_silence(profile.rules)]
    )
    for home_id in home_rules.homes_that_ask_for_silence(registry_reader):
        found = registry.devices(registry_reader, home_id=home_id, limit=DEVICES_OF_A_HOME)
        devices += [device for device in found if device.state is DeviceState.IN_SERVICE]
    for device in {device.id: device for device in devices}.values():
        register.of_device(device)
    if devices:
        _log.info("rules_awake", devices=len(devices))


def look_again(
    homes: set[str] | None,
    *,
    registry_reader: SqliteConnection,
    register: Register,
    rulings: Rulings,
    profiles: Profiles,
) -> None:
    """Have rules of homes that have changed hold, or hold no more, before the devices speak again.

    A device that is heard no more has its rules rest; its alarms stay until a person ends them.
    """
    if homes is None:
        wake_rules(registry_reader, register, rulings, profiles)
        return
    for home_id in homes - {""}:
        has_own = bool(home_rules.of_home(registry_reader, home_id))
        for device in registry.devices(registry_reader, home_id=home_id, limit=DEVICES_OF_A_HOME):
            if device.state is not DeviceState.IN_SERVICE:
                rulings.rest(device.position_id, device.id)
            elif (
                has_own
                or rulings.is_under_way(device.position_id)
                or _asks_for_silence(profiles[device.profile].rules)
            ):
                register.of_device(device)


def _asks_for_silence(rules: Sequence[object]) -> bool:
    return any(getattr(rule, "missing_for_seconds", None) for rule in rules)
