"""``stadsnav grant``: who may know what about whom, why, and in which order they are told."""

from datetime import datetime
from typing import Annotated, Any

import typer

from gateway.cli import drafts, emergencies, printing, templates
from gateway.cli.desk import desk
from gateway.cli.operator import operator
from gateway.cli.options import LIMIT, AsJson, Data, Limit, OfHome, OfOrganisation, commands
from gateway.times import duration, moment
from services import granting, registry
from services.access import is_in_force
from services.domain.homes import Grant
from services.registry import DEFAULT_WITHIN, NewGrant
from services.store import registry as rows
from services.store.connection import Connection

app = commands("Who may know what about whom.")
app.add_typer(templates.app, name="template")
for _name, _command in (
    ("draft", drafts.draft),
    ("approve", drafts.approve),
    ("reject", drafts.reject),
    ("drafts", drafts.drafts),
    ("emergency", emergencies.emergency),
    ("emergencies", emergencies.list_emergencies),
    ("review", emergencies.review),
):
    app.command(_name)(_command)


@app.command("add")
def add(
    context: typer.Context,
    *,
    org: Annotated[str, typer.Option(metavar="ID", help="Who may know.")],
    home: Annotated[str, typer.Option(metavar="ID", help="About which home.")],
    data_class: Annotated[
        str, typer.Option("--class", metavar="CLASS", help="safety, care, fire, property, technical, …")
    ],
    purpose: Annotated[str, typer.Option(metavar="TEXT", help="What for.")],
    basis: Annotated[str, typer.Option(metavar="TEXT", help="By which law, contract or consent.")],
    position: Annotated[
        str | None, typer.Option(metavar="NAME", help="Only this position; the whole home when not given.")
    ] = None,
    valid_from: Annotated[
        str | None, typer.Option("--from", metavar="TIME", help="Now when not given.")
    ] = None,
    valid_until: Annotated[
        str | None, typer.Option("--until", metavar="TIME", help="The first moment it no longer holds.")
    ] = None,
    step: Annotated[int, typer.Option(metavar="N", help="Its place in the response chain.")] = 1,
    within: Annotated[
        float, typer.Option(metavar="SECONDS", help="How long this step has to answer.")
    ] = DEFAULT_WITHIN.total_seconds(),
    data: Data = None,
    as_json: AsJson = False,
) -> None:
    """Let an organisation know facts of one class about a home, or one position of it.

    It holds at once, without a second person. A basis that begins with `consent:` needs the consent of
    everybody who lives there permanently, and ends with it.

    TIME is RFC 3339 with an offset, or a date: its first moment in Sweden.
    """
    new = NewGrant(
        organisation_id=org,
        home_id=home,
        data_class=data_class,
        purpose=purpose,
        legal_basis=basis,
        position=position,
        valid_from=None if valid_from is None else moment("from", valid_from),
        valid_until=None if valid_until is None else moment("until", valid_until),
        step=step,
        within=duration("within", within),
    )
    with desk(context, data) as at:
        grant = at.write(lambda connection: granting.add_now(connection, new, actor=operator(at), now=at.now))
        found = _row(at.store, grant, now=at.now)
    printing.show(found, as_json=as_json)


@app.command("revoke")
def revoke(
    context: typer.Context,
    *,
    grant_id: Annotated[str, typer.Argument(metavar="ID")],
    data: Data = None,
    as_json: AsJson = False,
) -> None:
    """End a grant now, also for what is on its way under it."""
    with desk(context, data) as at:
        grant = at.write(
            lambda connection: registry.revoke_grant(connection, grant_id, actor=at.actor, now=at.now)
        )
        found = _row(at.store, grant, now=at.now)
    printing.show(found, as_json=as_json)


@app.command("list")
def list_grants(
    context: typer.Context,
    *,
    home: OfHome = None,
    org: OfOrganisation = None,
    limit: Limit = LIMIT,
    data: Data = None,
    as_json: AsJson = False,
) -> None:
    """List grants, the newest first, ended ones included."""
    with desk(context, data) as at:
        found = [
            _row(at.store, grant, now=at.now)
            for grant in rows.grants(at.store, home_id=home, organisation_id=org, limit=limit)
        ]
    columns = ("id", "org", "home", "position", "class", "step", "within", "until", "in_force")
    printing.show(found, columns, as_json=as_json)


def _row(connection: Connection, grant: Grant, *, now: datetime) -> dict[str, Any]:
    position = None if grant.position_id is None else rows.place(connection, grant.position_id)[1]
    return {
        "id": grant.id,
        "org": grant.organisation_id,
        "home": grant.home_id,
        "position": position,
        "class": grant.data_class,
        "purpose": grant.purpose,
        "basis": grant.legal_basis,
        "from": grant.valid_from,
        "until": grant.valid_until,
        "step": grant.step,
        "within": grant.within.total_seconds(),
        "revoked_at": grant.revoked_at,
        "in_force": is_in_force(grant, now),
    }
