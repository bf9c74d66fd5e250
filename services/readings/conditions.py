"""What foreign devices say again and again, told to the alarm path once: when it changes.

smoke: true, true, true, false   ->  raised … cleared         the same through a restart
smoke: true while it is tested   ->  a test; true afterwards is no test, and is raised beside it
action: press                    ->  raised, each a new event
battery 80, 80, 79, 78           ->  told when it has moved
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from hashlib import sha256
from typing import Final

from devices.codecs.foreign.values import ForeignAlarm
from devices.messages import StatusMessage
from services.domain.homes import Device
from services.readings.handover import Handover, Said, Told
from services.readings.register import Known
from services.store.connection import to_micros
from services.store.status import DeviceStatus

CONDITION: Final = "foreign:"
"""Begins the name under which a condition is kept, beside the rules of its position."""

BATTERY_STEP_PERCENT: Final = 1.0
SIGNAL_STEP_DBM: Final = 10.0
SIGNS_PER_SILENCE: Final = 3
"""How often a device that only says it lives is passed on, within the time that would make it silent."""

_TEST: Final = ":test"
"""Ends the name of a condition that was said in a test: what is real is raised beside it."""

_DIGEST: Final = 16
_LAST_SIGN: Final = "sign_us"


@dataclass(frozen=True, slots=True, kw_only=True)
class Changed:
    """What follows from one alarm member of a message."""

    handovers: list[Handover] = field(default_factory=list)
    states: dict[tuple[str, str], str] = field(default_factory=dict)
    """To be kept: by position and name; empty: over."""


class Conditions:
    """Which foreign alarm conditions hold, by position and kind, in earnest or in a test."""

    def __init__(self, stored: Mapping[tuple[str, str], str]) -> None:
        """Start from the states that are kept, those of rules among them."""
        self._since_us = {key: int(text) for key, text in stored.items() if key[1].startswith(CONDITION)}

    def after(
        self, device: Device, alarm: ForeignAlarm, message_id: str | None, *, at_us: int, received_us: int
    ) -> Changed:
        """What to tell after a message has said something of an alarm condition, or of a press.

        Args:
            device: Whose it is.
            alarm: What it said.
            message_id: As of ``ForeignMessage``.
            at_us: When it said so, by the foreign clock if that told: the same for a press heard twice.
            received_us: Our clock.
        """
        if alarm.is_press:
            digest = sha256(f"{message_id or received_us}".encode()).hexdigest()[:_DIGEST]
            said = _said(device, alarm, f"{CONDITION}{alarm.kind}:{digest}", at_us, is_raised=True)
            return Changed(handovers=[said])
        if alarm.is_active:
            return self._raised(device, alarm, at_us=at_us, received_us=received_us)
        changes = [self._ended(device, replace(alarm, is_test=is_test), at_us) for is_test in (False, True)]
        return Changed(
            handovers=[said for change in changes for said in change.handovers],
            states={key: state for change in changes for key, state in change.states.items()},
        )

    def _raised(self, device: Device, alarm: ForeignAlarm, *, at_us: int, received_us: int) -> Changed:
        key = _key(device, alarm)
        if key in self._since_us:
            return Changed()
        self._since_us[key] = received_us
        said = _said(device, alarm, f"{key[1]}:{received_us}:raised", at_us, is_raised=True)
        return Changed(handovers=[said], states={key: str(received_us)})

    def _ended(self, device: Device, alarm: ForeignAlarm, at_us: int) -> Changed:
        key = _key(device, alarm)
        since_us = self._since_us.pop(key, None)
        if since_us is None:
            return Changed()
        said = _said(device, alarm, f"{key[1]}:{since_us}:cleared", at_us, is_raised=False)
        return Changed(handovers=[said], states={key: ""})


def told_before(known: DeviceStatus | None) -> dict[str, float | bool]:
    """What of ``Known.told`` the alarm path has on record: after a restart only news is told."""
    if known is None:
        return {_LAST_SIGN: 0}
    before = {
        "battery_percent": known.battery_percent,
        "signal_dbm": known.signal_dbm,
        "has_mains": known.has_mains,
        _LAST_SIGN: to_micros(known.last_seen_at),
    }
    return {name: value for name, value in before.items() if value is not None}


def told(known: Known, status: StatusMessage) -> Told | None:
    """What has moved of what a device says of itself; None: nothing worth telling."""
    news: dict[str, float | bool] = {}
    for name, value, step in (
        ("battery_percent", status.battery_percent, BATTERY_STEP_PERCENT),
        ("signal_dbm", status.signal_dbm, SIGNAL_STEP_DBM),
    ):
        before = known.told.get(name)
        if value is not None and (before is None or abs(value - before) >= step):
            news[name] = value
    if status.has_mains is not None and status.has_mains is not known.told.get("has_mains"):
        news["has_mains"] = status.has_mains
    known.told |= news
    return Told(device_id=known.device.id, **news) if news else None  # type: ignore[arg-type]


def is_sign_of_life_due(known: Known, *, received_us: int) -> bool:
    """Of a message without readings: whether the alarm path should hear that the device lives."""
    before = known.told.get(_LAST_SIGN, 0)
    if received_us - before < known.silent_us // SIGNS_PER_SILENCE:
        return False
    known.told[_LAST_SIGN] = received_us
    return True


def _key(device: Device, alarm: ForeignAlarm) -> tuple[str, str]:
    return device.position_id, f"{CONDITION}{alarm.kind}{_TEST if alarm.is_test else ''}"


def _said(device: Device, alarm: ForeignAlarm, id_: str, at_us: int, *, is_raised: bool) -> Said:
    return Said(
        device_id=device.id,
        id=id_,
        kind=alarm.kind,
        signal="raised" if is_raised else "cleared",
        at_us=at_us,
        text="",
        data={},
        is_test=alarm.is_test,
    )
