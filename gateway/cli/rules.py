"""``stadsnav rule``: limits on readings, and what a home has set itself."""

from functools import partial
from typing import Annotated, Any, Final

import typer

from devices.profiles import Profile, ReadingRule, load_profiles
from devices.profiles.rules import describe
from gateway.cli import printing
from gateway.cli.desk import Desk, desk
from gateway.cli.options import LIMIT, AsJson, Data, Limit, commands
from gateway.times import seconds_in
from services import home_rules
from services.domain.errors import UnknownError
from services.domain.homes import Device, DeviceState
from services.home_rules import HomeRule, NewRule, Origin
from services.store import registry
from services.store.connection import Connection

app = commands("Limits on readings that open alarms.")

DEVICES_SHOWN: Final = 10_000

Name = Annotated[str, typer.Argument(metavar="NAME")]
AtHome = Annotated[str, typer.Option("--home", metavar="ID", help="At which home.")]
AtPosition = Annotated[
    str | None, typer.Option("--position", metavar="NAME", help="Only there; the whole home when not given.")
]
_Value = typer.Option(metavar="X", help="In the unit of the reading.")
_Span = typer.Option(metavar="SPAN", help="Such as 90s, 15m, 24h or 7d.")


@app.command("list")
def list_rules(
    context: typer.Context,
    *,
    home: Annotated[
        str | None, typer.Option(metavar="ID", help="All that hold at this home, the models' own too.")
    ] = None,
    limit: Limit = LIMIT,
    data: Data = None,
    as_json: AsJson = False,
) -> None:
    """List what homes have set themselves, the newest first; with --home, every rule at each position."""
    with desk(context, data) as at:
        if home is None:
            found = [_set_row(at.store, own) for own in home_rules.newest(at.store, limit=limit)]
        else:
            found = _standing_rows(at, home)[:limit]
        at.note_look((row["home"] for row in found), asked_for=home)
    columns = ("home", "position", "name", "reading", "condition", "kind", "set_by", "off")
    printing.show(found, columns, as_json=as_json)


@app.command("set")
def set_rule(
    context: typer.Context,
    *,
    name: Name,
    home: AtHome,
    reading: Annotated[str, typer.Option(metavar="NAME", help="Which reading; see `profile show`.")],
    position: AtPosition = None,
    above: Annotated[float | None, _Value] = None,
    below: Annotated[float | None, _Value] = None,
    rises_by: Annotated[float | None, _Value] = None,
    falls_by: Annotated[float | None, _Value] = None,
    within: Annotated[str | None, _Span] = None,
    missing_for: Annotated[str | None, _Span] = None,
    hysteresis: Annotated[
        float | None, typer.Option(metavar="X", help="Well again only so far on the good side.")
    ] = None,
    for_span: Annotated[
        str | None, typer.Option("--for", metavar="SPAN", help="Wrong for so long without a break.")
    ] = None,
    kind: Annotated[
        str | None, typer.Option("--kind", metavar="KIND", help="Of the alarm that it opens.")
    ] = None,
    data: Data = None,
    as_json: AsJson = False,
) -> None:
    """Set a limit; it takes the place of the model's rule of that name, or stands beside the others.

    What is not said is as in the model's rule of that name. The very same again changes nothing.
    """
    limits = {
        "above": above,
        "below": below,
        "rises_by": rises_by,
        "falls_by": falls_by,
        "within_seconds": _seconds("within", within),
        "missing_for_seconds": _seconds("missing-for", missing_for),
        "hysteresis": hysteresis,
        "for_seconds": _seconds("for", for_span),
    }
    new = NewRule(
        home_id=home,
        name=name,
        reading=reading,
        position=position,
        kind=kind,
        limits={key: value for key, value in limits.items() if value is not None},
    )
    with desk(context, data) as at:
        set_it = partial(home_rules.set_rule, new=new, profiles=load_profiles(), actor=at.actor, now=at.now)
        found = _set_row(at.store, at.write(set_it))
    printing.show(found, as_json=as_json)


@app.command("off")
def off(
    context: typer.Context,
    *,
    name: Name,
    home: AtHome,
    position: AtPosition = None,
    data: Data = None,
    as_json: AsJson = False,
) -> None:
    """Have a rule hold no more at a home; `set` or `unset` brings it back."""
    with desk(context, data) as at:
        switch = partial(
            home_rules.switch_off,
            name=name,
            home_id=home,
            position=position,
            profiles=load_profiles(),
            actor=at.actor,
            now=at.now,
        )
        found = _set_row(at.store, at.write(switch))
    printing.show(found, as_json=as_json)


@app.command("unset")
def unset(
    context: typer.Context,
    *,
    name: Name,
    home: AtHome,
    position: AtPosition = None,
    data: Data = None,
    as_json: AsJson = False,
) -> None:
    """Forget what a home has set under a name: the model's own rule holds again, if it has one."""
    with desk(context, data) as at:
        forget = partial(
            home_rules.unset, name=name, home_id=home, position=position, actor=at.actor, now=at.now
        )
        found = _set_row(at.store, at.write(forget))
    printing.show(found, as_json=as_json)


def _seconds(what: str, text: str | None) -> int | None:
    return None if text is None else seconds_in(what, text)


def _standing_rows(at: Desk, home_id: str) -> list[dict[str, Any]]:
    if registry.home(at.store, home_id) is None:
        raise UnknownError("home", home_id, mend="see `stadsnav home list`")
    own, profiles = home_rules.of_home(at.store, home_id), load_profiles()
    return [
        row
        for device in registry.devices(at.store, home_id=home_id, limit=DEVICES_SHOWN)
        if device.state is not DeviceState.RETIRED
        for row in _rows_at(device, profiles[device.profile], own)
    ]


def _rows_at(device: Device, profile: Profile, own: list[HomeRule]) -> list[dict[str, Any]]:
    units = {reading.name: reading.unit for reading in profile.readings}
    return [
        {
            "home": device.home_id,
            "position": device.position,
            "name": found.rule.name,
            **_members(found.rule, units[found.rule.reading]),
            "set_by": found.origin,
            "off": found.is_off,
        }
        for found in home_rules.standing(profile, own, device.position_id)
    ]


def _set_row(connection: Connection, own: HomeRule) -> dict[str, Any]:
    position = None if own.position_id is None else registry.place(connection, own.position_id)[1]
    return {
        "home": own.home_id,
        "position": position,
        "name": own.name,
        **_members(own.rule, _unit(connection, own)),
        "set_by": Origin.HOME if own.position_id is None else Origin.POSITION,
        "off": own.rule is None,
        "set_at": own.set_at,
    }


def _unit(connection: Connection, own: HomeRule) -> str:
    """Of the reading, as the first device there that has it says; nothing when none has it any more."""
    profiles = load_profiles()
    return next(
        (
            reading.unit
            for device in registry.devices(connection, home_id=own.home_id, limit=DEVICES_SHOWN)
            if own.position_id in {None, device.position_id}
            for reading in profiles[device.profile].readings
            if own.rule is not None and reading.name == own.rule.reading
        ),
        "",
    )


def _members(rule: ReadingRule | None, unit: str) -> dict[str, Any]:
    if rule is None:
        return dict.fromkeys(("reading", "condition", "hysteresis", "guard", "note", "kind", "rule"))
    return {
        "reading": rule.reading,
        "condition": describe(rule, unit),
        "hysteresis": rule.hysteresis,
        "guard": _guard(rule),
        "note": rule.note,
        "kind": rule.kind,
        "rule": rule.model_dump(mode="json", exclude_none=True),
    }


def _guard(rule: ReadingRule) -> str | None:
    if rule.guard is None:
        return None
    return f"{'unless' if rule.unless else 'only while'} {rule.guard}"
