"""What a profile says about a device model, as frozen values checked when they are made.

Profile ── kinds      the alarms it can raise
        ── readings   name, unit, sane range, data class
        ── heartbeat  how often it speaks, and when it counts as silent
        ── power      mains, battery with hysteresis, or both
        ── rules      when a reading opens an alarm (``devices.profiles.rules``)
"""

from datetime import timedelta
from typing import Annotated, Self

from pydantic import AfterValidator, Field, model_validator

from devices.kinds import AlarmKind, DataClass
from devices.profiles.parts import Name, Number, Part, Percent, ReadingName, Text, Title
from devices.profiles.rules import ReadingRule, misfit
from devices.profiles.units import PRIMARY_UNITS, SECONDARY_UNITS


def _primary_unit(unit: str) -> str:
    if unit in PRIMARY_UNITS:
        return unit
    if conversion := SECONDARY_UNITS.get(unit):
        message = (
            f"is a secondary unit, which a SenML pack may not carry; write {conversion.unit!r} "
            f"(times {conversion.scale:g}, plus {conversion.offset:g})"
        )
        raise ValueError(message)
    message = "is not a SenML unit; right would be one of " + " ".join(sorted(PRIMARY_UNITS))
    raise ValueError(message)


Unit = Annotated[str, AfterValidator(_primary_unit)]


class Heartbeat(Part):
    """How often the device speaks when it has nothing to say."""

    interval_seconds: int = Field(ge=10, le=7 * 24 * 3600)
    missed_before_silent: int = Field(ge=2, le=100)
    """At least two: a single lost message is not silence."""

    @property
    def silent_after(self) -> timedelta:
        """Quiet for longer than this is ``technical.silent``."""
        return timedelta(seconds=self.interval_seconds * self.missed_before_silent)


class Battery(Part):
    """When the battery is low, when it has failed, and when it is well again."""

    low_percent: Percent
    failed_percent: Percent
    recovered_percent: Percent
    """Above ``low_percent``, so that a value that wavers does not raise alarm after alarm."""

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if not self.failed_percent < self.low_percent < self.recovered_percent:
            message = (
                f"failed_percent {self.failed_percent:g}, low_percent {self.low_percent:g} and "
                f"recovered_percent {self.recovered_percent:g} must rise in that order"
            )
            raise ValueError(message)
        return self


class Power(Part):
    """What the device lives on; a safety alarm has mains and a battery behind it."""

    has_mains: bool
    battery: Battery | None = None

    @model_validator(mode="after")
    def _some(self) -> Self:
        if not self.has_mains and self.battery is None:
            message = "a device without mains needs a [power.battery]"
            raise ValueError(message)
        return self


class WeakSignal(Part):
    """When the radio link is too weak to rely on."""

    weak_dbm: float = Field(ge=-150, le=0, allow_inf_nan=False)
    recovered_dbm: float = Field(ge=-150, le=0, allow_inf_nan=False)

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.weak_dbm >= self.recovered_dbm:
            message = f"recovered_dbm {self.recovered_dbm:g} must be above weak_dbm {self.weak_dbm:g}"
            raise ValueError(message)
        return self


class ProfileReading(Part):
    """One value the device measures."""

    name: ReadingName
    unit: Unit
    data_class: DataClass
    """Whose grants cover it."""
    low: Number
    high: Number
    """A value outside ``low`` to ``high`` is a broken sensor, not a measurement."""

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.low >= self.high:
            message = f"low {self.low:g} must be below high {self.high:g}"
            raise ValueError(message)
        return self


class Profile(Part):
    """What a device model can say, and how it is watched."""

    name: Name
    aliases: tuple[Name, ...] = ()
    """Other names that people type for it."""
    title: Title
    position: Text
    """The position's name, when nobody gave one."""
    carries_others: bool = False
    """A home hub: it publishes for the devices behind it."""
    kinds: tuple[AlarmKind, ...] = Field(min_length=1)
    readings: tuple[ProfileReading, ...] = ()
    heartbeat: Heartbeat
    power: Power
    weak_signal: WeakSignal | None = None
    rules: tuple[ReadingRule, ...] = ()
    """Limits on its readings; a home can set others."""

    @model_validator(mode="after")
    def _rules_fit(self) -> Self:
        for rule in self.rules:
            if problem := misfit(rule, self):
                message = f"rule {rule.name!r}: {problem}"
                raise ValueError(message)
        return self

    @model_validator(mode="after")
    def _nothing_twice(self) -> Self:
        for what, names in (
            ("alias", (self.name, *self.aliases)),
            ("kind", self.kinds),
            ("reading", tuple(reading.name for reading in self.readings)),
            ("rule", tuple(rule.name for rule in self.rules)),
        ):
            if twice := sorted({name for name in names if names.count(name) > 1}):
                message = f"{what} {', '.join(twice)} stands there twice; once is right"
                raise ValueError(message)
        return self
