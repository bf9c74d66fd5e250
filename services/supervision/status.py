"""What a device says about itself, and the technical alarms that follow by its profile's limits.

battery <= failed_percent   technical.battery_failed     >= recovered_percent   well again
battery <= low_percent      technical.battery_low        >= recovered_percent   well again
mains gone / back           technical.mains_lost
fibre gone / back           technical.link_lost          (only for a device that had fibre)
nothing heard for long      technical.silent             (``services.supervision.silence``)
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from devices.kinds import AlarmKind
from devices.messages import StatusMessage
from devices.profiles import Profile
from services.alarms import opening
from services.domain.homes import Device
from services.store import status as rows
from services.store.connection import Connection
from services.store.status import DeviceStatus

HEARTBEAT: Final = StatusMessage()


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """Something about a device that is wrong, or well."""

    kind: AlarmKind
    is_wrong: bool
    text: str


def take(
    connection: Connection, message: StatusMessage, *, device: Device, profile: Profile, now: datetime
) -> None:
    """Note what a device says of itself; open and clear the technical alarms that follow."""
    before = rows.of_device(connection, device.id)
    heard(connection, device, profile=profile, message=message, now=now)
    for condition in conditions(profile, before, message):
        if condition.is_wrong:
            opening.raise_by_hub(
                connection, condition.kind, device=device, text=condition.text, data={}, now=now
            )
        else:
            opening.clear_by_hub(connection, condition.kind, device=device, text=condition.text, now=now)


def heard(
    connection: Connection,
    device: Device,
    *,
    profile: Profile,
    now: datetime,
    message: StatusMessage = HEARTBEAT,
) -> None:
    """Note that a device has spoken, on whatever lane; its silence is over."""
    silent_at = now + profile.heartbeat.silent_after
    if rows.heard(connection, device.id, message, at=now, silent_at=silent_at):
        rows.set_silent(connection, device.id, is_silent=False)
        opening.clear_by_hub(
            connection, AlarmKind.TECHNICAL_SILENT, device=device, text="heard again", now=now
        )


def conditions(profile: Profile, before: DeviceStatus | None, message: StatusMessage) -> list[Condition]:
    """What a status message says about what is wrong or well again; nothing where it is silent."""
    return [*_battery(profile, message), *_mains(message), *_link(before, message)]


def _battery(profile: Profile, message: StatusMessage) -> list[Condition]:
    limits = profile.power.battery
    if limits is None or message.battery_percent is None:
        return []
    level = message.battery_percent
    text = f"battery at {level:g} %"
    found = []
    for kind, limit in (
        (AlarmKind.TECHNICAL_BATTERY_LOW, limits.low_percent),
        (AlarmKind.TECHNICAL_BATTERY_FAILED, limits.failed_percent),
    ):
        if level <= limit:
            found.append(Condition(kind=kind, is_wrong=True, text=text))
        elif level >= limits.recovered_percent:
            found.append(Condition(kind=kind, is_wrong=False, text=text))
    return found


def _mains(message: StatusMessage) -> list[Condition]:
    if message.has_mains is None:
        return []
    text = "mains is back" if message.has_mains else "no mains, running on battery"
    return [Condition(kind=AlarmKind.TECHNICAL_MAINS_LOST, is_wrong=not message.has_mains, text=text)]


def _link(before: DeviceStatus | None, message: StatusMessage) -> list[Condition]:
    kind = AlarmKind.TECHNICAL_LINK_LOST
    match message.link:
        case "fibre":
            return [Condition(kind=kind, is_wrong=False, text="the fibre link is back")]
        case "mobile" if before is not None and before.link == "fibre":
            return [Condition(kind=kind, is_wrong=True, text="the fibre link is lost, on mobile now")]
        case _:
            return []
