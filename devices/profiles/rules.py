"""A rule: when a reading opens an alarm. Data only; ``services.readings.rules`` judges by it.

    [[rules]]                                  humidity over 75 %RH for 24 h is property.damp,
    name = "damp"                              and is over at 70 %RH or less
    reading = "humidity"
    kind = "property.damp"
    above = 75
    hysteresis = 5
    for_seconds = 86400

A rule has exactly one condition: ``above`` or ``below`` a value, ``rises_by`` or ``falls_by`` more than
so much within a time, or ``missing_for_seconds``. Values are in the unit of the reading.
"""

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Final, Self

from pydantic import Field, model_validator

from devices.kinds import AlarmKind
from devices.profiles.parts import Name, Number, Part, ReadingName, Title

if TYPE_CHECKING:
    from devices.profiles.model import Profile, ProfileReading

LONGEST_SECONDS: Final = 31 * 24 * 3600
"""The longest time of a rule: a month."""

_Amount = Annotated[float, Field(gt=0, allow_inf_nan=False)]
_Seconds = Annotated[int, Field(ge=1, le=LONGEST_SECONDS)]


class Note(StrEnum):
    """What is worked out and said beside the value when a rule opens an alarm."""

    MOULD_RISK = "mould-risk"
    """Whether mould can grow at this humidity and the position's ``temperature``."""


class Condition(StrEnum):
    """The kinds of limit; each is the key that holds its number."""

    ABOVE = "above"
    BELOW = "below"
    RISES_BY = "rises_by"
    FALLS_BY = "falls_by"
    MISSING = "missing_for_seconds"

    @property
    def is_rate(self) -> bool:
        """Whether it compares a value with those before it."""
        return self in {Condition.RISES_BY, Condition.FALLS_BY}


class Guard(Part):
    """A statement about a second reading of the same position. Unknown or old, it is not so."""

    reading: ReadingName
    at_least: Number | None = None
    at_most: Number | None = None

    @model_validator(mode="after")
    def _one_limit(self) -> Self:
        if (self.at_least is None) == (self.at_most is None):
            message = "has both or neither of at_least and at_most; right would be exactly one"
            raise ValueError(message)
        return self

    @property
    def limit(self) -> float:
        """The value that it speaks of."""
        return next(limit for limit in (self.at_least, self.at_most) if limit is not None)

    def is_met_by(self, value: float) -> bool:
        """Whether it is so at this value."""
        if self.at_least is not None:
            return value >= self.at_least
        return self.at_most is not None and value <= self.at_most

    def __str__(self) -> str:
        how = "at most" if self.at_least is None else "at least"
        return f"{self.reading} is {how} {self.limit:g}"


class ReadingRule(Part):
    """When a reading opens an alarm, and when it is well again."""

    name: Name
    reading: ReadingName
    kind: AlarmKind
    """Of the alarm that it opens."""
    above: Number | None = None
    below: Number | None = None
    rises_by: _Amount | None = None
    falls_by: _Amount | None = None
    within_seconds: _Seconds | None = None
    """The time within which it rises or falls."""
    missing_for_seconds: _Seconds | None = None
    hysteresis: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0
    """It is well again only so far on the good side: a value that wavers is one alarm."""
    for_seconds: Annotated[int, Field(ge=0, le=LONGEST_SECONDS)] = 0
    """How long the value must be wrong without a break."""
    unless: Guard | None = None
    """While this is so, nothing is wrong."""
    only_while: Guard | None = None
    """Only while this is so can something be wrong."""
    note: Note | None = None
    text: Title
    """What it means, for people, without its numbers."""

    @model_validator(mode="after")
    def _one_condition(self) -> Self:
        found = [condition for condition in Condition if getattr(self, condition) is not None]
        if len(found) != 1:
            message = (
                f"has {' and '.join(found) or 'no condition'}; right would be exactly one of "
                f"{', '.join(Condition)}"
            )
            raise ValueError(message)
        if problem := self._misused(found[0]):
            raise ValueError(problem)
        return self

    @property
    def condition(self) -> Condition:
        """Which kind of limit it has."""
        return next(condition for condition in Condition if getattr(self, condition) is not None)

    @property
    def limit(self) -> float:
        """The number of its condition: a value, an amount, or seconds."""
        return float(getattr(self, self.condition))

    @property
    def guard(self) -> Guard | None:
        """The statement that it depends on."""
        return self.unless or self.only_while

    def _misused(self, condition: Condition) -> str | None:
        if condition.is_rate != (self.within_seconds is not None):
            return "within_seconds goes with rises_by and falls_by, which need it, and with nothing else"
        if condition.is_rate and (self.for_seconds or self.hysteresis >= self.limit):
            return f"{condition} goes with no for_seconds, and with a hysteresis below {self.limit:g}"
        if condition is Condition.MISSING and (self.for_seconds or self.hysteresis or self.guard):
            return "missing_for_seconds goes with no hysteresis, for_seconds, unless or only_while"
        if self.unless and self.only_while:
            return "has unless and only_while; right would be one of them"
        return None


def describe(rule: ReadingRule, unit: str) -> str:
    """A rule's condition in words: ``over 75 %RH for 24 h``."""
    for_so_long = f" for {time_span(rule.for_seconds)}" if rule.for_seconds else ""
    match rule.condition:
        case Condition.ABOVE:
            return f"over {rule.limit:g} {unit}{for_so_long}"
        case Condition.BELOW:
            return f"under {rule.limit:g} {unit}{for_so_long}"
        case Condition.MISSING:
            return f"missing for {time_span(int(rule.limit))}"
        case condition:
            way = "up" if condition is Condition.RISES_BY else "down"
            return f"{way} by more than {rule.limit:g} {unit} within {time_span(rule.within_seconds or 0)}"


def time_span(seconds: int) -> str:
    """Seconds in the largest unit that needs no fraction, up to hours: ``24 h``."""
    for unit, size in (("h", 3600), ("min", 60)):
        if seconds and seconds % size == 0:
            return f"{seconds // size} {unit}"
    return f"{seconds} s"


def misfit(rule: ReadingRule, profile: "Profile") -> str | None:
    """Why a rule cannot be one of this model's, and what would be right; None when it can."""
    readings = {reading.name: reading for reading in profile.readings}
    watched = readings.get(rule.reading)
    if watched is None:
        return _no_such_reading("reading", rule.reading, readings)
    if rule.kind not in profile.kinds:
        return (
            f"kind {rule.kind} is none of {profile.name}'s; right would be one of {', '.join(profile.kinds)}"
        )
    others = {name: reading for name, reading in readings.items() if name != rule.reading}
    if rule.guard and (problem := _misguided(rule.guard, others)):
        return problem
    if rule.note is Note.MOULD_RISK and watched.unit != "%RH":
        return f"note {rule.note} is about a reading in %RH, not in {watched.unit}"
    interval = profile.heartbeat.interval_seconds
    if rule.condition is Condition.MISSING and rule.limit <= interval:
        return f"missing_for_seconds {rule.limit:g} must be more than the heartbeat's {interval}"
    return _out_of_reach(rule, watched)


def _misguided(guard: Guard, others: "dict[str, ProfileReading]") -> str | None:
    reading = others.get(guard.reading)
    if reading is None:
        return _no_such_reading("unless or only_while", guard.reading, others)
    if not reading.low <= guard.limit <= reading.high:
        return f"{guard} is out of its range; right would be {reading.low:g} to {reading.high:g}"
    return None


def _no_such_reading(what: str, name: str, known: "dict[str, ProfileReading]") -> str:
    return f"{what} {name!r} is none that it can speak of; right would be one of {', '.join(known) or 'none'}"


def _out_of_reach(rule: ReadingRule, reading: "ProfileReading") -> str | None:
    """A limit that no value of the sane range crosses, or from which none comes back."""
    low, high, size = reading.low, reading.high, rule.hysteresis
    match rule.condition:
        case Condition.ABOVE if not low <= rule.limit - size <= rule.limit < high:
            return f"above {rule.limit:g} less the hysteresis {size:g} must lie within {low:g} to {high:g}"
        case Condition.BELOW if not low < rule.limit <= rule.limit + size <= high:
            return f"below {rule.limit:g} plus the hysteresis {size:g} must lie within {low:g} to {high:g}"
        case condition if condition.is_rate and rule.limit >= high - low:
            return f"{condition} {rule.limit:g} must be less than the whole range {low:g} to {high:g}"
    return None
