"""``stadsnav consent``: what residents have said yes to, and what ends when they take it back."""

from typing import Annotated, Any

import typer

from gateway.cli import printing
from gateway.cli.desk import desk
from gateway.cli.operator import operator
from gateway.cli.options import LIMIT, AsJson, Data, Limit, OfHome, commands
from gateway.times import moment
from services import consents, templates
from services.consents import NewConsent
from services.domain.actors import Actor
from services.domain.granting import BasisKind
from services.domain.residents import Consent, How
from services.store import consents as rows
from services.store import residents as resident_rows
from services.store.connection import Connection

app = commands("What residents have said yes to.")


@app.command("add")
def add(
    context: typer.Context,
    *,
    resident: Annotated[str, typer.Option(metavar="ID", help="Whose yes it is.")],
    how: Annotated[How, typer.Option(help="In which form.")],
    data_class: Annotated[str, typer.Option("--class", metavar="CLASS")] = "",
    purpose: Annotated[str, typer.Option(metavar="TEXT", help="The same words as the grant's.")] = "",
    template: Annotated[
        str | None, typer.Option(metavar="ID", help="All that this template of grants needs consent for.")
    ] = None,
    reference: Annotated[str, typer.Option(metavar="TEXT", help="Where it can be found again.")] = "",
    given: Annotated[str | None, typer.Option(metavar="TIME", help="When; now when not given.")] = None,
    data: Data = None,
    as_json: AsJson = False,
) -> None:
    """Record a resident's yes to a class of facts for a purpose; the very same again changes nothing."""
    if (template is None) is not (bool(data_class) and bool(purpose)):
        raise typer.BadParameter("--class and --purpose, or --template", param_hint="consent")
    given_at = None if given is None else moment("given", given)

    def work(connection: Connection) -> list[Consent]:
        actor = operator(at)
        wanted = [(data_class, purpose)] if template is None else _wanted(connection, template, actor)
        return [
            consents.record(
                connection,
                NewConsent(
                    resident_id=resident,
                    data_class=one_class,
                    purpose=one_purpose,
                    how=how,
                    reference=reference,
                    given_at=given_at,
                ),
                actor=actor,
                now=at.now,
            )
            for one_class, one_purpose in wanted
        ]

    with desk(context, data) as at:
        found = [_row(consent) for consent in at.write(work)]
    printing.show(found[0] if template is None else found, COLUMNS, as_json=as_json)


@app.command("list")
def list_consents(
    context: typer.Context,
    *,
    resident: Annotated[str | None, typer.Option(metavar="ID", help="Only of this resident.")] = None,
    home: OfHome = None,
    limit: Limit = LIMIT,
    data: Data = None,
    as_json: AsJson = False,
) -> None:
    """List consents in the order of their recording, those that were taken back included."""
    with desk(context, data) as at:
        found = rows.consents(at.store, resident_id=resident, home_id=home, limit=limit)
        who = (resident_rows.get(at.store, id_) for id_ in {consent.resident_id for consent in found})
        at.note_look(sorted(one.home_id for one in who if one is not None), asked_for=home)
    printing.show([_row(consent) for consent in found], COLUMNS, as_json=as_json)


@app.command("withdraw")
def withdraw(
    context: typer.Context,
    *,
    consent_id: Annotated[str, typer.Argument(metavar="ID")],
    data: Data = None,
    as_json: AsJson = False,
) -> None:
    """Take a consent back, now: grants that rest on it end, also for what is on its way."""
    with desk(context, data) as at:
        withdrawn = at.write(
            lambda connection: consents.withdraw(connection, consent_id, actor=operator(at), now=at.now)
        )
    ended = [grant.id for grant in withdrawn.ended]
    printing.show({**_row(withdrawn.consent), "grants_ended": ended}, as_json=as_json)


COLUMNS = ("id", "resident", "class", "purpose", "how", "given_at", "withdrawn_at")


def _wanted(connection: Connection, template_id: str, actor: Actor) -> list[tuple[str, str]]:
    items = templates.get(connection, template_id, actor=actor).items
    return [(item.data_class, item.purpose) for item in items if item.basis_kind is BasisKind.CONSENT]


def _row(consent: Consent) -> dict[str, Any]:
    return {
        "id": consent.id,
        "resident": consent.resident_id,
        "class": consent.data_class,
        "purpose": consent.purpose,
        "how": consent.how,
        "reference": consent.reference,
        "given_at": consent.given_at,
        "recorded_at": consent.recorded_at,
        "recorded_by": consent.recorded_by,
        "withdrawn_at": consent.withdrawn_at,
        "withdrawn_by": consent.withdrawn_by,
    }
