"""``stadsnav usage``: how much each organisation has used in a month."""

import sys
from typing import Annotated, Any

import typer

from gateway.cli import printing
from gateway.cli.desk import Desk, desk
from gateway.cli.options import AsJson, Data, OfOrganisation, commands
from gateway.usage_of import unfiled_readings
from services import audit, usage
from services.domain.errors import UnknownError
from services.store import registry
from services.usage import Month, OrganisationUsage, Usage

app = commands("How much has been used.")


@app.command("show")
def show(
    context: typer.Context,
    *,
    month: Annotated[
        str | None, typer.Option(metavar="YYYY-MM", help="Which month, UTC; this one when not given.")
    ] = None,
    org: OfOrganisation = None,
    as_csv: Annotated[bool, typer.Option("--csv", help="One count a line, for a spreadsheet.")] = False,
    data: Data = None,
    as_json: AsJson = False,
) -> None:
    """Show what organisations used in a month; that is logged too."""
    with desk(context, data) as at:
        if org is not None and registry.organisation(at.store, org) is None:
            raise UnknownError("organisation", org, mend="see `stadsnav org list`")
        asked = Month.of(at.now) if month is None else Month.parse(month)
        found = usage.show(
            at.store,
            asked,
            organisation_id=org,
            unfiled=unfiled_readings(at.folder, asked),
            now=at.now,
        )
        _note(at, org)
    if as_csv:
        sys.stdout.writelines(usage.csv_lines(found))
    elif as_json:
        printing.print_json(_document(found))
    else:
        printing.show(
            [_row(one) for one in found.organisations],
            ("org", "name", "homes", "deliveries", "readings", "looks"),
            as_json=False,
        )


def _note(at: Desk, organisation_id: str | None) -> None:
    entry = audit.Entry(
        actor=at.actor, action="usage_read", organisation_id=organisation_id, details=at.asked
    )
    at.write(lambda connection: audit.note(connection, entry, at=at.now))


def _document(found: Usage) -> dict[str, Any]:
    return {
        "month": found.month.name,
        "closed_at": found.closed_at,
        "organisations": [_row(one) for one in found.organisations],
    }


def _row(one: OrganisationUsage) -> dict[str, Any]:
    return {
        "org": one.organisation_id,
        "name": one.name,
        "homes": one.count("homes"),
        "homes_by_class": one.parts("homes"),
        "deliveries": sum(one.parts("deliveries").values()),
        "deliveries_by_channel_and_state": one.parts("deliveries"),
        "readings": sum(one.parts("readings").values()),
        "readings_by_class": one.parts("readings"),
        "looks": one.count("looks"),
    }
