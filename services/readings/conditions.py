"""What foreign devices say again and again, told to the alarm path once: when it changes.

smoke: true, true, true, false   ->  raised … cleared         the same through a restart
action: press                    ->  raised, each a new event
battery 80, 80, 79, 78           ->  told when it has moved
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Final

from devices.codecs.foreign.values import ForeignAlarm
from devices.messages import StatusMessage
from services.domain.homes import Device
from services.readings.handover import Handover, Said, Told
from services.readings.register import Known

CONDITION: Final = "foreign:"
"""Begins the name under which a condition is kept, beside the rules of its position."""

BATTERY_STEP_PERCENT: Final = 1.0
SIGNAL_STEP_DBM: Final = 10.0
SIGNS_PER_SILENCE: Final = 3
"""How often a device that only says it lives is passed on, within the time that would make it silent."""

_DIGEST: Final = 16
_LAST_SIGN: Final = "sign_us"


@dataclass(frozen=True, slots=True, kw_only=True)
class Changed:
    """What follows from one alarm member of a message."""

    handovers: list[Handover] = field(default_factory=list)
    states: dict[tuple[str, str], str] = field(default_factory=dict)
    """To be kept: by position and name; empty: over."""


class Conditions:
    """Which foreign alarm conditions hold, by position and kind."""

    def __init__(self, stored: Mapping[tuple[str, str], str]) -> None:
        """Start from the states that are kept, those of rules among them."""
        self._since_us = {key: int(text) for key, text in stored.items() if key[1].startswith(CONDITION)}

    def after(
        self, device: Device, alarm: ForeignAlarm, message_id: str | None, *, received_us: int
    ) -> Changed:
        """What to tell after a message has said something of an alarm condition, or of a press."""
        if alarm.is_press:
            digest = sha256(f"{message_id or received_us}".encode()).hexdigest()[:_DIGEST]
            said = _said(device, alarm, f"{CONDITION}{alarm.kind}:{digest}", received_us, is_raised=True)
            return Changed(handovers=[said])
        key = (device.position_id, f"{CONDITION}{alarm.kind}")
        since_us = self._since_us.get(key)
        if alarm.is_active is (since_us is not None):
            return Changed()
        if since_us is None:
            self._since_us[key] = since_us = received_us
        else:
            del self._since_us[key]
        signal = "raised" if alarm.is_active else "cleared"
        id_ = f"{CONDITION}{alarm.kind}:{since_us}:{signal}"
        said = _said(device, alarm, id_, received_us, is_raised=alarm.is_active)
        return Changed(handovers=[said], states={key: str(since_us) if alarm.is_active else ""})


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
