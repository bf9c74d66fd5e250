"""Which limits hold for the readings of a home: those of its device models, and its own.

    the model's rules  <  what the whole home has set  <  what was set for the one position

The same name replaces, another name adds, ``off`` takes away. A rule for the whole home holds wherever
it fits: at each position whose model has the reading and the kind of alarm.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Any

import structlog
from pydantic import ValidationError

from devices.kinds import AlarmKind, HomeId
from devices.profiles import Profile, Profiles, ReadingRule
from devices.profiles.rules import Condition, misfit
from services import audit
from services.domain.errors import RefusedError, UnknownError
from services.domain.homes import DeviceState
from services.domain.ids import PositionId, new_id
from services.store import home_rules as rows
from services.store import registry
from services.store.connection import Connection
from services.store.home_rules import HomeRuleRow

_log = structlog.get_logger(__name__)

_OF_A_CONDITION = frozenset({*Condition, "within_seconds", "hysteresis", "for_seconds"})
_ALL = 1_000_000


class RuleRefusedError(RefusedError):
    """A rule cannot be what was asked for."""

    code = "invalid"

    def __init__(self, name: str, problem: str) -> None:
        self.name = name
        super().__init__(f"Cannot use rule {name[:80]!r}: {problem}")


@dataclass(frozen=True, slots=True, kw_only=True)
class HomeRule:
    """What a home has set under one name."""

    home_id: HomeId
    position_id: PositionId | None
    """None: the whole home."""
    name: str
    rule: ReadingRule | None
    """None: the model's rule of this name is off."""
    set_at: datetime


class Origin(StrEnum):
    """Who set a rule."""

    PROFILE = "profile"
    HOME = "home"
    POSITION = "position"


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """A rule at a position, in force or switched off."""

    rule: ReadingRule
    origin: Origin
    is_off: bool = False


def rules_for(
    profile: Profile, home_rules: Iterable[HomeRule], position_id: PositionId
) -> tuple[ReadingRule, ...]:
    """The rules in force at a position; each fits the profile of its device."""
    return tuple(found.rule for found in standing(profile, home_rules, position_id) if not found.is_off)


def standing(profile: Profile, home_rules: Iterable[HomeRule], position_id: PositionId) -> list[Standing]:
    """The same with who set them, and with those that are off."""
    found = {rule.name: Standing(rule=rule, origin=Origin.PROFILE) for rule in profile.rules}
    for own in sorted(home_rules, key=lambda one: one.position_id is not None):
        if own.position_id not in {None, position_id}:
            continue
        origin = Origin.POSITION if own.position_id else Origin.HOME
        if own.rule is None:
            if own.name in found:
                found[own.name] = replace(found[own.name], origin=origin, is_off=True)
        elif misfit(own.rule, profile) is None:
            found[own.name] = Standing(rule=own.rule, origin=origin)
    return list(found.values())


def of_home(connection: Connection, home_id: str) -> list[HomeRule]:
    """What a home has set. What cannot be read is left out, and logged: the model's own rules hold."""
    return _readable(rows.of_home(connection, home_id))


def newest(connection: Connection, *, limit: int) -> list[HomeRule]:
    """What all homes have set, newest first."""
    return _readable(rows.newest(connection, limit=limit))


def homes_that_ask_for_silence(connection: Connection) -> set[HomeId]:
    """Homes with a rule of their own about readings that are missing."""
    found = _readable(rows.newest(connection, limit=_ALL))
    return {own.home_id for own in found if own.rule and own.rule.missing_for_seconds}


@dataclass(frozen=True, slots=True, kw_only=True)
class NewRule:
    """What an operator says about a rule; the rest is as in the model's rule of that name."""

    home_id: str
    name: str
    reading: str
    position: str | None = None
    """None: the whole home."""
    kind: str | None = None
    limits: Mapping[str, float]
    """Members of ``ReadingRule``: its condition, ``within_seconds``, ``hysteresis``, ``for_seconds``."""


def set_rule(
    connection: Connection, new: NewRule, *, profiles: Profiles, actor: str, now: datetime
) -> HomeRule:
    """Set a limit for a home, or one position of it; the very same again changes nothing.

    Raises:
        RefusedError: There is no such place or reading, or the rule cannot be right there.
    """
    place = _place(connection, new.home_id, new.position)
    models = _models(connection, place, profiles)
    rule = _checked(new, models)
    own = HomeRule(
        home_id=place.home_id, position_id=place.position_id, name=rule.name, rule=rule, set_at=now
    )
    return _put(connection, own, actor=actor)


def switch_off(
    connection: Connection,
    name: str,
    *,
    home_id: str,
    position: str | None,
    profiles: Profiles,
    actor: str,
    now: datetime,
) -> HomeRule:
    """Have a rule hold no more at a home, or one position of it, until it is set or unset.

    Raises:
        UnknownError: There is no such place, or no rule of this name there.
    """
    place = _place(connection, home_id, position)
    known = {rule.name for model in _models(connection, place, profiles) for rule in model.rules}
    known |= {own.name for own in of_home(connection, home_id) if own.rule is not None}
    if name not in known:
        raise UnknownError("rule", name, mend=f"see `stadsnav rule list --home {home_id}`")
    own = HomeRule(home_id=place.home_id, position_id=place.position_id, name=name, rule=None, set_at=now)
    return _put(connection, own, actor=actor)


def unset(
    connection: Connection, name: str, *, home_id: str, position: str | None, actor: str, now: datetime
) -> HomeRule:
    """Forget what was set under a name, so that the model's own rule holds again, if it has one.

    Returns:
        What was forgotten.

    Raises:
        UnknownError: Nothing was set under this name there.
    """
    place = _place(connection, home_id, position)
    row = rows.get(connection, place.home_id, place.position_id, name)
    if row is None:
        raise UnknownError("rule set by the home", name, mend=f"see `stadsnav rule list --home {home_id}`")
    rows.remove(connection, place.home_id, place.position_id, name)
    own = _read(row) or HomeRule(
        home_id=row.home_id, position_id=row.position_id, name=name, rule=None, set_at=row.set_at
    )
    _note(connection, own, "rule_unset", actor=actor, now=now)
    return own


@dataclass(frozen=True, slots=True, kw_only=True)
class _Place:
    home_id: HomeId
    position_id: PositionId | None


def _place(connection: Connection, home_id: str, position: str | None) -> _Place:
    home = registry.home(connection, home_id)
    if home is None:
        raise UnknownError("home", home_id, mend="register it with `stadsnav home add`")
    if position is None:
        return _Place(home_id=home.id, position_id=None)
    known = registry.position(connection, home_id, position)
    if known is None:
        raise UnknownError("position", position, mend=f"see `stadsnav device list --home {home_id}`")
    return _Place(home_id=home.id, position_id=known.id)


def _models(connection: Connection, place: _Place, profiles: Profiles) -> list[Profile]:
    """The profiles of the devices that stand at a place now."""
    return [
        profiles[device.profile]
        for device in registry.devices(connection, home_id=place.home_id, limit=_ALL)
        if device.state is not DeviceState.RETIRED and place.position_id in {None, device.position_id}
    ]


def _checked(new: NewRule, models: list[Profile]) -> ReadingRule:
    able = [model for model in models if new.reading in {reading.name for reading in model.readings}]
    if not able:
        known = sorted({reading.name for model in models for reading in model.readings})
        problem = (
            f"no device there measures {new.reading!r}; right would be one of {', '.join(known) or 'none'}"
        )
        raise RuleRefusedError(new.name, problem)
    rule = _made(new, able)
    problems = [misfit(rule, model) for model in able]
    if all(problems):
        raise RuleRefusedError(new.name, str(problems[0]))
    return rule


def _made(new: NewRule, able: list[Profile]) -> ReadingRule:
    members = _inherited(new, able) | {"name": new.name, "reading": new.reading} | dict(new.limits)
    members.setdefault("text", {"sv": new.name.replace("-", " "), "en": new.name.replace("-", " ")})
    members["kind"] = new.kind or members.get("kind") or _usual_kind(new, able)
    try:
        return ReadingRule.model_validate(members)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        problem = first["msg"].removeprefix("Value error, ")
        raise RuleRefusedError(new.name, f"{where}: {problem}" if where else problem) from None


def _inherited(new: NewRule, able: list[Profile]) -> dict[str, Any]:
    """What the model's rule of that name says, as far as it still makes sense."""
    for model in able:
        for rule in model.rules:
            if (rule.name, rule.reading) == (new.name, new.reading):
                members = rule.model_dump(mode="json", exclude_none=True)
                if {*new.limits} & {*Condition} <= {rule.condition}:
                    return members
                return {key: value for key, value in members.items() if key not in _OF_A_CONDITION}
    return {}


def _usual_kind(new: NewRule, able: list[Profile]) -> str:
    if Condition.MISSING in new.limits:
        return AlarmKind.TECHNICAL_FAULT
    kinds = {rule.kind for model in able for rule in model.rules if rule.reading == new.reading}
    if len(kinds) == 1:
        return kinds.pop()
    known = ", ".join(dict.fromkeys(kind for model in able for kind in model.kinds))
    raise RuleRefusedError(new.name, f"which kind of alarm is not clear; say one with --kind: {known}")


def _put(connection: Connection, own: HomeRule, *, actor: str) -> HomeRule:
    body = "" if own.rule is None else own.rule.model_dump_json(exclude_none=True)
    before = rows.get(connection, own.home_id, own.position_id, own.name)
    if before is not None and (before.body, before.is_off) == (body, own.rule is None):
        return replace(own, set_at=before.set_at)
    row = HomeRuleRow(
        id=new_id(),
        home_id=own.home_id,
        position_id=own.position_id,
        name=own.name,
        body=body,
        is_off=own.rule is None,
        set_at=own.set_at,
    )
    rows.put(connection, row)
    _note(connection, own, "rule_off" if own.rule is None else "rule_set", actor=actor, now=own.set_at)
    return own


def _readable(found: Iterable[HomeRuleRow]) -> list[HomeRule]:
    return [own for row in found if (own := _read(row)) is not None]


def _read(row: HomeRuleRow) -> HomeRule | None:
    try:
        rule = None if row.is_off else ReadingRule.model_validate_json(row.body)
    except ValidationError:
        _log.warning("home_rule_unreadable", home_id=row.home_id, rule=row.name)
        return None
    return HomeRule(
        home_id=row.home_id, position_id=row.position_id, name=row.name, rule=rule, set_at=row.set_at
    )


def _note(connection: Connection, own: HomeRule, action: str, *, actor: str, now: datetime) -> None:
    condition = "" if own.rule is None else f" {own.rule.reading} {own.rule.condition} {own.rule.limit:g}"
    entry = audit.Entry(
        actor=actor,
        action=action,
        home_id=own.home_id,
        subject=own.name,
        details=f"position {own.position_id or 'every'}{condition}",
    )
    audit.note(connection, entry, at=now)
