"""``stadsnav org client``: machines that show a token of the city's identity provider."""

from typing import Annotated, Any

import typer

from gateway.cli import printing
from gateway.cli.desk import desk
from gateway.cli.options import LIMIT, AsJson, Data, Limit, OfOrganisation, Only, Roles, commands
from services.domain.accounts import MachineClient
from services.identity import clients
from services.identity.clients import NewClient
from services.store import clients as rows

app = commands("Clients at the city's identity provider: add, list, remove.")


@app.command("add")
def add(
    context: typer.Context,
    *,
    organisation_id: Annotated[str, typer.Argument(metavar="ORG")],
    client_id: Annotated[str, typer.Argument(metavar="CLIENT_ID")],
    name: Annotated[str, typer.Option(metavar="TEXT", help="Which machine it is.")] = "",
    role: Roles = None,
    only: Only = None,
    data: Data = None,
    as_json: AsJson = False,
) -> None:
    """Let a client of the identity provider act for an organisation."""
    new = NewClient(
        id=client_id,
        organisation_id=organisation_id,
        name=name,
        roles=tuple(role or ()),
        permissions=tuple(only or ()),
    )
    with desk(context, data) as at:
        added = at.write(lambda connection: clients.add(connection, new, actor=at.actor, now=at.now))
    printing.show(_row(added), as_json=as_json)


@app.command("list")
def list_clients(
    context: typer.Context,
    *,
    org: OfOrganisation = None,
    limit: Limit = LIMIT,
    data: Data = None,
    as_json: AsJson = False,
) -> None:
    """List clients by id."""
    with desk(context, data) as at:
        found = [_row(client) for client in rows.clients(at.store, organisation_id=org, limit=limit)]
    printing.show(found, ("id", "org", "name", "roles", "created_at"), as_json=as_json)


@app.command("remove")
def remove(
    context: typer.Context,
    *,
    client_id: Annotated[str, typer.Argument(metavar="CLIENT_ID")],
    data: Data = None,
    as_json: AsJson = False,
) -> None:
    """Let a client in no more, at once."""
    with desk(context, data) as at:
        removed = at.write(
            lambda connection: clients.remove(connection, client_id, actor=at.actor, now=at.now)
        )
    printing.show(_row(removed), as_json=as_json)


def _row(client: MachineClient) -> dict[str, Any]:
    return {
        "id": client.id,
        "org": client.organisation_id,
        "name": client.name,
        "roles": sorted(client.roles),
        "only": None if client.narrowed_to is None else sorted(client.narrowed_to),
        "created_at": client.created_at,
    }
