"""When a rule is broken, and when it is well again: pure, and cheap, since every reading asks.

                past the limit            for so long
    quiet ────────────────────> pending ───────────────> active       a crossing: raised
      ^                            │                       │
      ├── within the limit, or ────┘                       │
      │   a break in what was heard                        │
      └── within it by the hysteresis ─────────────────────┘          a crossing: cleared

Two clocks. How long a value has been wrong is counted in the device's time, so that a backlog of two
hours counts as it happened. When to look again though nothing arrives (``due_at_us``) is our time: the
newest reading tells how far the two are apart. A value stands until the next one, but no longer than
the model may be silent; what nobody measured is not held against anybody.

The caller keeps one ``RuleState`` per rule and position and the ``Last`` of each reading of a position,
in the commit of the reading that changed them. Everything that one pack says goes into ``latest``
before any rule is asked; a reading that is older than the newest asks nothing.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Final, NamedTuple

from devices.profiles import Guard, Profile, ReadingRule
from devices.profiles.rules import Condition
from services.domain.ids import PositionId
from services.readings import crossings
from services.readings.crossings import Crossing, Evidence
from services.readings.rule_states import QUIET, Phase, RuleState

TEMPERATURE: Final = "temperature"
"""The reading that a note about mould rests on."""

SETTLING_US: Final = 60_000_000
"""So long the hub listens after a start before it judges by what it has not heard."""

WINDOW_PARTS: Final = 16
"""A rate is exact to this part of its time, whatever the number of readings."""


class Last(NamedTuple):
    """The newest reading of a series."""

    value: float
    at_us: int
    """By the device's clock."""
    received_us: int
    previous_at_us: int | None = None
    """Of the reading before it."""


Latest = Mapping[str, Last]
"""The newest of every reading of one position, by name."""


def heard(before: Last | None, *, value: float, at_us: int, received_us: int) -> Last:
    """The newest after one more; one that is not newer changes nothing."""
    if before is None:
        return Last(value, at_us, received_us)
    if at_us <= before.at_us:
        return before
    return Last(value, at_us, received_us, before.at_us)


@dataclass(frozen=True, slots=True, kw_only=True)
class Watch:
    """A rule at a position, with what every reading asks worked out once."""

    rule: ReadingRule
    position_id: PositionId
    unit: str
    reading: str
    sign: int
    """1 where more is worse, -1 where less is; values and limits are compared times this."""
    limit: float
    """Past this it is wrong."""
    well: float
    """At this or less it is well again."""
    for_us: int
    window_us: int
    """The time of a rate; 0: the value itself counts."""
    missing_us: int
    """0: it does not ask whether something is missing."""
    silent_us: int
    """So long a value stands when nothing newer comes."""
    guard: Guard | None
    is_unless: bool

    @property
    def readings(self) -> tuple[str, ...]:
        """What the rule must be asked about when it is heard."""
        return (self.reading,) if self.guard is None else (self.reading, self.guard.reading)


def watches(profile: Profile, rules: Iterable[ReadingRule], position_id: PositionId) -> tuple[Watch, ...]:
    """The rules of a position whose device has this profile, which they fit."""
    units = {reading.name: reading.unit for reading in profile.readings}
    return tuple(
        _watch(rule, position_id, unit=units[rule.reading], silent_after=profile.heartbeat.silent_after)
        for rule in rules
    )


def after_reading(watch: Watch, state: RuleState, latest: Latest) -> tuple[RuleState, Crossing | None]:
    """What follows from a reading of ``watch.readings`` that is in ``latest`` by now.

    Returns:
        The state, the very same object when nothing changed, and what was crossed.
    """
    last = latest.get(watch.reading)
    if last is None:
        return state, None
    if watch.missing_us:
        return _heard_again(watch, state, last)
    level = watch.sign * last.value
    if watch.window_us:
        state = _remembering(watch, state, last.at_us, level)
        level -= min(before for _, before in state.window)
    if state.phase is Phase.ACTIVE:
        return _while_active(watch, state, latest, level)
    if level <= watch.limit:
        return _calm(state), None
    return _while_wrong(watch, state, latest)


def after_time(
    watch: Watch, state: RuleState, latest: Latest, now_us: int, *, listening_since_us: int = 0
) -> tuple[RuleState, Crossing | None]:
    """What follows from nothing having been heard until now; arguments as of ``due_at_us``."""
    due = due_at_us(watch, state, latest, listening_since_us=listening_since_us)
    if due is None or now_us < due:
        return state, None
    if watch.missing_us:
        state = replace(state, since_us=latest[watch.reading].received_us)
        return _raise(watch, state, latest, at_us=due)
    return _raise(watch, state, latest, at_us=state.since_us + watch.for_us)


def due_at_us(watch: Watch, state: RuleState, latest: Latest, *, listening_since_us: int = 0) -> int | None:
    """When to call ``after_time``, by our clock, if nothing of ``watch.readings`` arrives before.

    Args:
        watch: The rule.
        state: As it is now.
        latest: As it is now.
        listening_since_us: When the hub started: the time before is held against nobody, and what waits
            in the broker has ``SETTLING_US`` to come in.

    Returns:
        None: only a reading can change anything.
    """
    last = latest.get(watch.reading)
    if last is None or state.phase is Phase.ACTIVE:
        return None
    if watch.missing_us:
        return max(last.received_us, listening_since_us) + watch.missing_us
    if state.phase is Phase.QUIET:
        return None
    ahead_us = _ahead_us(watch, latest)
    due = max(state.since_us + watch.for_us + ahead_us, listening_since_us + SETTLING_US)
    moment_us = due - ahead_us
    still_holds = moment_us - last.at_us <= watch.silent_us and _is_let(watch, latest, moment_us)
    return due if still_holds else None


def _watch(rule: ReadingRule, position_id: PositionId, *, unit: str, silent_after: timedelta) -> Watch:
    sign = -1 if rule.condition in {Condition.BELOW, Condition.FALLS_BY} else 1
    limit = -rule.limit if rule.condition is Condition.BELOW else rule.limit
    return Watch(
        rule=rule,
        position_id=position_id,
        unit=unit,
        reading=rule.reading,
        sign=sign,
        limit=limit,
        well=limit - rule.hysteresis,
        for_us=_micros(rule.for_seconds),
        window_us=_micros(rule.within_seconds),
        missing_us=_micros(rule.missing_for_seconds),
        silent_us=silent_after // timedelta(microseconds=1),
        guard=rule.guard,
        is_unless=rule.unless is not None,
    )


def _micros(seconds: int | None) -> int:
    return (seconds or 0) * 1_000_000


def _heard_again(watch: Watch, state: RuleState, last: Last) -> tuple[RuleState, Crossing | None]:
    if state.phase is not Phase.ACTIVE or last.received_us <= state.since_us:
        return state, None
    return _clear(watch, state, last, at_us=last.received_us)


def _while_active(
    watch: Watch, state: RuleState, latest: Latest, level: float
) -> tuple[RuleState, Crossing | None]:
    moment_us = _moment_us(watch, latest)
    if level > watch.well and _is_let(watch, latest, moment_us):
        return state, None
    return _clear(watch, state, latest[watch.reading], at_us=moment_us)


def _while_wrong(watch: Watch, state: RuleState, latest: Latest) -> tuple[RuleState, Crossing | None]:
    last, moment_us = latest[watch.reading], _moment_us(watch, latest)
    if not _is_let(watch, latest, moment_us):
        return _calm(state), None
    if moment_us - last.at_us > watch.silent_us:
        return state, None  # the guard was heard; the value is too old to say anything beside it
    if state.phase is Phase.QUIET or _broke_off(watch, state, last):
        state = replace(state, phase=Phase.PENDING, since_us=moment_us)
    if moment_us - state.since_us < watch.for_us:
        return state, None
    return _raise(watch, state, latest, at_us=state.since_us + watch.for_us)


def _broke_off(watch: Watch, state: RuleState, last: Last) -> bool:
    """Whether nobody knows what was between this reading and the one before it."""
    if last.previous_at_us is None or state.since_us >= last.at_us:
        return False
    return last.at_us - last.previous_at_us > watch.silent_us


def _is_let(watch: Watch, latest: Latest, moment_us: int) -> bool:
    """Whether the guard lets the rule be broken at a moment of the device's time."""
    guard = watch.guard
    if guard is None:
        return True
    last = latest.get(guard.reading)
    is_so = last is not None and moment_us - last.at_us <= watch.silent_us and guard.is_met_by(last.value)
    return is_so is not watch.is_unless


def _moment_us(watch: Watch, latest: Latest) -> int:
    """The newest moment that the rule's readings tell of, by the device's clock."""
    return _newest(watch, latest).at_us


def _ahead_us(watch: Watch, latest: Latest) -> int:
    """How far our clock is ahead of what the device tells of."""
    newest = _newest(watch, latest)
    return newest.received_us - newest.at_us


def _newest(watch: Watch, latest: Latest) -> Last:
    last = latest[watch.reading]
    beside = None if watch.guard is None else latest.get(watch.guard.reading)
    return beside if beside is not None and beside.at_us > last.at_us else last


def _remembering(watch: Watch, state: RuleState, at_us: int, level: float) -> RuleState:
    """The state with one more value in its window: of each part of the time, the least is kept."""
    part_us = max(watch.window_us // WINDOW_PARTS, 1)
    window = tuple(point for point in state.window if at_us - point[0] <= watch.window_us)
    if window and window[-1][0] // part_us == at_us // part_us:
        if window[-1][1] <= level:
            return state if len(window) == len(state.window) else replace(state, window=window)
        window = window[:-1]
    return replace(state, window=(*window, (at_us, level)))


def _calm(state: RuleState) -> RuleState:
    if state.phase is Phase.QUIET:
        return state
    return RuleState(window=state.window) if state.window else QUIET


def _raise(
    watch: Watch, state: RuleState, latest: Latest, *, at_us: int
) -> tuple[RuleState, Crossing | None]:
    last = latest[watch.reading]
    evidence = Evidence(
        value=last.value, since_us=state.since_us, at_us=at_us, celsius=_celsius(watch, latest)
    )
    crossing = crossings.raised(watch.rule, watch.unit, watch.position_id, evidence)
    return replace(state, phase=Phase.ACTIVE, kind=watch.rule.kind), crossing


def _clear(watch: Watch, state: RuleState, last: Last, *, at_us: int) -> tuple[RuleState, Crossing | None]:
    evidence = Evidence(value=last.value, since_us=state.since_us, at_us=at_us)
    kind = state.kind or watch.rule.kind
    crossing = crossings.cleared(watch.rule, watch.unit, watch.position_id, evidence, kind=kind)
    return _calm(replace(state, kind=None)), crossing


def _celsius(watch: Watch, latest: Latest) -> float | None:
    last = latest.get(TEMPERATURE)
    is_known = last is not None and _moment_us(watch, latest) - last.at_us <= watch.silent_us
    return last.value if last is not None and is_known else None
