"""``stadsnav org``: who may be told, their certificates, API tokens and clients."""

from typing import Annotated, Any

import typer

from gateway.cli import clients, contacts, printing, tokens
from gateway.cli.desk import desk
from gateway.cli.options import LIMIT, AsJson, Data, Limit, Out, commands
from services import registry
from services.domain.homes import Organisation, OrganisationKind
from services.domain.ids import OrganisationId
from services.store import registry as rows

app = commands("Care providers and others.")
app.add_typer(tokens.app, name="token")
app.add_typer(clients.app, name="client")
app.command("contact")(contacts.contact)

Id = Annotated[str, typer.Argument(metavar="ID")]


@app.command("add")
def add(
    context: typer.Context,
    *,
    organisation_id: Id,
    kind: Annotated[OrganisationKind, typer.Option(help="What it is to the city.")],
    name: Annotated[str | None, typer.Option(help="What residents are told; the id when not given.")] = None,
    data: Data = None,
    as_json: AsJson = False,
) -> None:
    """Register an organisation; the very same again changes nothing."""
    organisation = Organisation(
        id=OrganisationId(organisation_id), name=organisation_id if name is None else name, kind=kind
    )
    with desk(context, data) as at:
        added = at.write(
            lambda connection: registry.add_organisation(connection, organisation, actor=at.actor, now=at.now)
        )
    printing.show(_row(added), as_json=as_json)


@app.command("list")
def list_organisations(
    context: typer.Context, *, limit: Limit = LIMIT, data: Data = None, as_json: AsJson = False
) -> None:
    """List organisations by id."""
    with desk(context, data) as at:
        found = [_row(organisation) for organisation in rows.organisations(at.store, limit=limit)]
    printing.show(found, ("id", "name", "kind"), as_json=as_json)


@app.command("credentials")
def credentials(
    context: typer.Context, *, organisation_id: Id, out: Out, data: Data = None, as_json: AsJson = False
) -> None:
    """Issue an organisation's certificate. One each: an earlier one ends at once."""
    from broker.authorities import CertificateAuthorities  # noqa: PLC0415 - only here, and slow
    from gateway.cli.credentials import credentials_row  # noqa: PLC0415
    from gateway.enrolment import issue_organisation_credentials  # noqa: PLC0415

    with desk(context, data) as at:
        authorities = CertificateAuthorities.open(at.folder.pki, at.now)
        handed_out = issue_organisation_credentials(
            at.store, authorities, organisation_id, directory=out, actor=at.actor, now=at.now
        )
    printing.show(credentials_row(handed_out), as_json=as_json)


def _row(organisation: Organisation) -> dict[str, Any]:
    return {"id": organisation.id, "name": organisation.name, "kind": organisation.kind}
