"""``stadsnav grant emergency|emergencies|review``: access taken in danger, and its review."""

from datetime import timedelta
from typing import Annotated, Any, Final

import typer

from gateway.cli import printing
from gateway.cli.desk import desk
from gateway.cli.operator import operator
from gateway.cli.options import LIMIT, AsJson, Data, Limit
from gateway.times import seconds_in
from services import emergencies
from services.domain.granting import Emergency, Outcome
from services.emergencies import LASTS, LONGEST, Taking

COLUMNS: Final = ("id", "org", "home", "classes", "taken_at", "taken_by", "until", "outcome")


def emergency(
    context: typer.Context,
    *,
    org: Annotated[str, typer.Option(metavar="ID", help="Who takes access, such as the caller.")],
    home: Annotated[str, typer.Option(metavar="ID", help="To which home.")],
    data_class: Annotated[list[str], typer.Option("--class", metavar="CLASS", help="One or more.")],
    reason: Annotated[str, typer.Option(metavar="TEXT", help="What has happened.")],
    lasts: Annotated[
        str, typer.Option("--for", metavar="SPAN", help=f"At most {LONGEST // timedelta(hours=1)}h.")
    ] = f"{LASTS // timedelta(hours=1)}h",
    data: Data = None,
    as_json: AsJson = False,
) -> None:
    """Take access to a home that the organisation knows, for hours; somebody else must review it."""
    taking = Taking(
        organisation_id=org,
        home_id=home,
        classes=tuple(data_class),
        reason=reason,
        lasts=timedelta(seconds=seconds_in("for", lasts)),
    )
    with desk(context, data) as at:
        taken = at.write(
            lambda connection: emergencies.take(
                connection, taking, actor=operator(at, organisation_id=org), now=at.now
            )
        )
    printing.show(_row(taken), as_json=as_json)


def list_emergencies(
    context: typer.Context,
    *,
    unreviewed: Annotated[bool, typer.Option("--unreviewed", help="Only what is to be reviewed.")] = False,
    limit: Limit = LIMIT,
    data: Data = None,
    as_json: AsJson = False,
) -> None:
    """List access that was taken in emergencies, the newest first."""
    with desk(context, data) as at:
        found = emergencies.emergencies(at.store, actor=operator(at), unreviewed=unreviewed, limit=limit)
        at.note_look(one.home_id for one in found)
    printing.show([_row(one) for one in found], COLUMNS, as_json=as_json)


def review(
    context: typer.Context,
    *,
    emergency_id: Annotated[str, typer.Argument(metavar="ID")],
    outcome: Annotated[Outcome, typer.Option(help="What you find.")],
    note: Annotated[str, typer.Option(metavar="TEXT", help="Why.")],
    data: Data = None,
    as_json: AsJson = False,
) -> None:
    """Say what the city finds about an emergency; one that was not justified ends now."""
    with desk(context, data) as at:
        reviewed = at.write(
            lambda connection: emergencies.review(
                connection, emergency_id, outcome=outcome, note=note, actor=operator(at), now=at.now
            )
        )
    printing.show(_row(reviewed), as_json=as_json)


def _row(one: Emergency) -> dict[str, Any]:
    return {
        "id": one.id,
        "org": one.organisation_id,
        "home": one.home_id,
        "classes": list(one.classes),
        "grants": list(one.grant_ids),
        "reason": one.reason,
        "taken_at": one.taken_at,
        "taken_by": one.taken_by,
        "until": one.valid_until,
        "reviewed_at": one.reviewed_at,
        "reviewed_by": one.reviewed_by,
        "outcome": one.outcome,
        "note": one.note,
    }
