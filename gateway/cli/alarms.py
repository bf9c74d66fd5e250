"""``stadsnav alarm``: the cases, and what an operator does about them."""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from gateway.cli import printing
from gateway.cli.deliveries import delivery_row
from gateway.cli.desk import desk, user_name
from gateway.cli.events import event_row
from gateway.cli.options import LIMIT, AsJson, Data, Limit, OfDevice, OfHome, commands
from services import audit
from services.alarms import answering
from services.alarms.answering import Actor
from services.domain.alarms import Acknowledgement, Alarm, Notice
from services.domain.errors import InvalidError, UnknownError
from services.domain.homes import Organisation
from services.store import alarms as rows
from services.store import events, overview, registry
from services.store.connection import Connection

PERSON_MAX: Final = 100
NOTE_MAX: Final = 2_000
PARTS_SHOWN: Final = 1_000
"""Events, notices and deliveries of one alarm that are shown, each."""

app = commands("The cases.")

AlarmId = Annotated[str, typer.Argument(metavar="ID")]
By = Annotated[str | None, typer.Option(metavar="NAME", help="Who does it; you when not given.")]
AsOrganisation = Annotated[
    str | None, typer.Option("--org", metavar="ID", help="For whom; the operator of the hub when not given.")
]
Note = Annotated[str, typer.Option(metavar="TEXT", help="What everyone who knows of it is told.")]


@app.command("list")
def list_alarms(
    context: typer.Context,
    *,
    only_open: Annotated[bool, typer.Option("--open", help="Only open ones.")] = False,
    test: Annotated[bool | None, typer.Option("--test/--no-test", help="Only tests, or none.")] = None,
    home: OfHome = None,
    device: OfDevice = None,
    org: Annotated[str | None, typer.Option("--org", metavar="ID", help="Only what it was told.")] = None,
    limit: Limit = LIMIT,
    data: Data = None,
    as_json: AsJson = False,
) -> None:
    """List alarms, the newest first."""
    with desk(context, data) as at:
        alarms = rows.alarms(
            at.store,
            home_id=home,
            device_id=device,
            organisation_id=org,
            is_test=test,
            only_open=only_open,
            limit=limit,
        )
        found = [_row(at.store, alarm) for alarm in alarms]
        at.note_look((alarm.home_id for alarm in alarms), asked_for=home)
    columns = ("id", "received_at", "kind", "state", "home", "position", "step", "acknowledged_by")
    printing.show(found, columns, as_json=as_json)


@app.command("show")
def show(context: typer.Context, *, alarm_id: AlarmId, data: Data = None, as_json: AsJson = False) -> None:
    """Show an alarm with its events, notices, deliveries and timers."""
    with desk(context, data) as at:
        alarm = rows.get(at.store, alarm_id)
        if alarm is None:
            raise UnknownError("alarm", alarm_id, mend="see `stadsnav alarm list`")
        found, parts = _row(at.store, alarm), _parts(at.store, alarm)
        at.note_look([alarm.home_id])
    if as_json:
        printing.print_json(found | parts)
        return
    printing.show(found, as_json=False)
    for name, columns in _PART_COLUMNS.items():
        if parts[name]:
            printing.print_heading(name)
            printing.show(parts[name], columns, as_json=False)


@app.command("acknowledge")
def acknowledge(
    context: typer.Context,
    *,
    alarm_id: AlarmId,
    by: By = None,
    org: AsOrganisation = None,
    note: Note = "",
    data: Data = None,
    as_json: AsJson = False,
) -> None:
    """Say that somebody is dealing with an alarm."""
    _answer(context, answering.acknowledge, alarm_id, by=by, org=org, note=note, data=data, as_json=as_json)


@app.command("close")
def close(
    context: typer.Context,
    *,
    alarm_id: AlarmId,
    by: By = None,
    org: AsOrganisation = None,
    note: Note = "",
    data: Data = None,
    as_json: AsJson = False,
) -> None:
    """End an alarm that was acknowledged."""
    _answer(context, answering.close, alarm_id, by=by, org=org, note=note, data=data, as_json=as_json)


@app.command("comment")
def comment(
    context: typer.Context,
    *,
    alarm_id: AlarmId,
    note: Note,
    by: By = None,
    org: AsOrganisation = None,
    data: Data = None,
    as_json: AsJson = False,
) -> None:
    """Tell everyone who knows of an alarm something more."""
    if not note.strip():
        raise InvalidError("note", note, expected="something to tell")
    _answer(context, answering.comment, alarm_id, by=by, org=org, note=note, data=data, as_json=as_json)


def _answer(
    context: typer.Context,
    use_case: Callable[..., Alarm],
    alarm_id: str,
    *,
    by: str | None,
    org: str | None,
    note: str,
    data: Path | None,
    as_json: bool,
) -> None:
    _check("by", by or "", PERSON_MAX)
    _check("note", note, NOTE_MAX)
    with desk(context, data) as at:

        def work(connection: Connection) -> Alarm:
            actor = Actor(organisation=_organisation(connection, org), person=by or user_name())
            alarm = use_case(connection, alarm_id, actor=actor, note=note, now=at.now)
            # The use case logs for whom it was done; who typed it must stand there too.
            entry = audit.Entry(
                actor=at.actor,
                action="acted",
                organisation_id=org,
                home_id=alarm.home_id,
                subject=alarm.id,
                details=f"{use_case.__name__} as {actor.full_name}",
            )
            audit.note(connection, entry, at=at.now)
            return alarm

        found = _row(at.store, at.write(work))
    printing.show(found, as_json=as_json)


def _check(what: str, text: str, longest: int) -> None:
    if len(text) > longest or not text.replace("\n", " ").isprintable():
        raise InvalidError(what, text, expected=f"at most {longest} printable characters")


def _organisation(connection: Connection, organisation_id: str | None) -> Organisation | None:
    if organisation_id is None:
        return None
    organisation = registry.organisation(connection, organisation_id)
    if organisation is None:
        raise UnknownError("organisation", organisation_id, mend="see `stadsnav org list`")
    return organisation


def _row(connection: Connection, alarm: Alarm) -> dict[str, Any]:
    answer = alarm.acknowledgement
    return {
        "id": alarm.id,
        "kind": alarm.kind,
        "class": alarm.data_class,
        "priority": alarm.priority,
        "state": alarm.state,
        "test": alarm.is_test,
        "home": alarm.home_id,
        "position": registry.place(connection, alarm.position_id)[1],
        "device": alarm.device_id,
        "room": alarm.room,
        "raised_at": alarm.raised_at,
        "received_at": alarm.received_at,
        "step": alarm.step,
        "acknowledged_by": None if answer is None else _who(answer),
        "acknowledged_at": None if answer is None else answer.at,
        "escalated_at": alarm.escalated_at,
        "closed_at": alarm.closed_at,
    }


def _who(answer: Acknowledgement) -> str:
    name = (
        answer.organisation_name
        if answer.organisation_id
        else Actor(organisation=None, person="").public_name
    )
    return f"{answer.person} ({name})" if answer.person else name


_PART_COLUMNS: Final = {
    "events": ("event", "received_at", "device", "id", "kind", "state", "text"),
    "notices": ("id", "at", "type", "by", "note"),
    "deliveries": ("delivery", "type", "org", "step", "state", "sequence", "attempts", "reason"),
    "timers": ("kind", "due_at"),
}


def _parts(connection: Connection, alarm: Alarm) -> dict[str, list[dict[str, Any]]]:
    told = overview.deliveries(connection, alarm_id=alarm.id, limit=PARTS_SHOWN)
    return {
        "events": [
            event_row(event) for event in events.events(connection, alarm_id=alarm.id, limit=PARTS_SHOWN)
        ],
        "notices": [_notice_row(notice) for notice in rows.notices(connection, alarm.id)[-PARTS_SHOWN:]],
        "deliveries": [delivery_row(delivery) for delivery in told],
        "timers": [
            {"kind": kind, "due_at": due_at}
            for alarm_id, kind, due_at in rows.timers(connection)
            if alarm_id == alarm.id
        ],
    }


def _notice_row(notice: Notice) -> dict[str, Any]:
    return {
        "id": notice.id,
        "event": notice.event_id,
        "type": notice.type,
        "at": notice.at,
        "by": notice.by,
        "note": notice.note,
    }
