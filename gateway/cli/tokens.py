"""``stadsnav org token``: what an organisation's machines show at the HTTP interface."""

from datetime import datetime, timedelta
from typing import Annotated, Any

import typer

from gateway.cli import printing
from gateway.cli.desk import desk
from gateway.cli.options import LIMIT, AsJson, Data, Limit, OfOrganisation, Only, Roles, commands
from gateway.times import seconds_in
from services import tokens
from services.domain.tokens import ApiToken
from services.store import tokens as rows
from services.tokens import Limits

app = commands("API tokens: add, list, revoke.")


@app.command("add")
def add(
    context: typer.Context,
    *,
    organisation_id: Annotated[str, typer.Argument(metavar="ORG")],
    name: Annotated[str, typer.Option(metavar="TEXT", help="Which machine gets it.")] = "",
    lifetime: Annotated[
        str, typer.Option("--for", metavar="SPAN", help="How long it holds, at most 731d.")
    ] = f"{tokens.LIFETIME.days}d",
    role: Roles = None,
    only: Only = None,
    data: Data = None,
    as_json: AsJson = False,
) -> None:
    """Make a token. Its text is shown now and never again."""
    holds_for = timedelta(seconds=seconds_in("for", lifetime))
    limits = Limits(roles=tuple(role or ()), permissions=tuple(only or ()))
    with desk(context, data) as at:
        issued = at.write(
            lambda connection: tokens.issue(
                connection,
                organisation_id,
                name=name,
                lifetime=holds_for,
                limits=limits,
                actor=at.actor,
                now=at.now,
            )
        )
        found = {"token": issued.text, **_row(issued.token, now=at.now)}
    printing.note("Keep the token now: it is shown this once, and only its digest is stored.")
    printing.show(found, as_json=as_json)


@app.command("list")
def list_tokens(
    context: typer.Context,
    *,
    org: OfOrganisation = None,
    limit: Limit = LIMIT,
    data: Data = None,
    as_json: AsJson = False,
) -> None:
    """List tokens, the newest first, ended ones included; never their texts."""
    with desk(context, data) as at:
        found = [_row(token, now=at.now) for token in rows.tokens(at.store, organisation_id=org, limit=limit)]
    printing.show(
        found, ("id", "org", "name", "roles", "expires_at", "last_used_at", "in_force"), as_json=as_json
    )


@app.command("revoke")
def revoke(
    context: typer.Context,
    *,
    token_id: Annotated[str, typer.Argument(metavar="ID")],
    data: Data = None,
    as_json: AsJson = False,
) -> None:
    """End a token now."""
    with desk(context, data) as at:
        token = at.write(lambda connection: tokens.revoke(connection, token_id, actor=at.actor, now=at.now))
        found = _row(token, now=at.now)
    printing.show(found, as_json=as_json)


def _row(token: ApiToken, *, now: datetime) -> dict[str, Any]:
    return {
        "id": token.id,
        "org": token.organisation_id,
        "name": token.name,
        "roles": sorted(token.roles),
        "only": None if token.narrowed_to is None else sorted(token.narrowed_to),
        "created_by": token.created_by or None,
        "created_at": token.created_at,
        "expires_at": token.expires_at,
        "revoked_at": token.revoked_at,
        "last_used_at": token.last_used_at,
        "in_force": token.holds(now),
    }
