"""``stadsnav grant template``: the grants that a service needs, under one name."""

from functools import partial
from typing import Annotated, Any, Final

import typer

from gateway.cli import drafts, printing
from gateway.cli.desk import desk
from gateway.cli.operator import operator
from gateway.cli.options import LIMIT, AsJson, Data, Limit, commands
from gateway.times import duration, moment
from services import templates
from services.domain.errors import InvalidError
from services.domain.granting import Template, TemplateItem, agreed_kind, data_class
from services.domain.homes import Grant, OrganisationKind
from services.domain.ids import OrganisationId
from services.templates import Application

app = commands("Templates of grants: add, list, apply, remove.")

ITEM: Final = "CLASS; PURPOSE; BASIS; STEP; SECONDS, such as 'safety; answers alarms; consent; 1; 60'"
_PARTS: Final = 5

Id = Annotated[str, typer.Argument(metavar="ID")]


@app.command("add")
def add(
    context: typer.Context,
    *,
    template_id: Id,
    title: Annotated[str, typer.Option(metavar="TEXT")],
    item: Annotated[list[str], typer.Option("--item", metavar="ITEM", help=f"{ITEM}. One or more.")],
    kind: Annotated[OrganisationKind | None, typer.Option(help="For every organisation of a kind.")] = None,
    org: Annotated[str | None, typer.Option(metavar="ID", help="For this organisation.")] = None,
    data: Data = None,
    as_json: AsJson = False,
) -> None:
    """Keep a template; the very same again changes nothing."""
    template = Template(
        id=template_id,
        title=title,
        organisation_kind=kind,
        organisation_id=None if org is None else OrganisationId(org),
        items=tuple(_item(text) for text in item),
    )
    with desk(context, data) as at:
        at.write(partial(templates.add, template=template, actor=operator(at), now=at.now))
    printing.show(_row(template), as_json=as_json)


@app.command("list")
def list_templates(
    context: typer.Context, *, limit: Limit = LIMIT, data: Data = None, as_json: AsJson = False
) -> None:
    """List templates by id."""
    with desk(context, data) as at:
        found = [_row(one) for one in templates.templates(at.store, actor=operator(at), limit=limit)]
    printing.show(found, ("id", "title", "for", "items"), as_json=as_json)


@app.command("remove")
def remove(context: typer.Context, *, template_id: Id, data: Data = None, as_json: AsJson = False) -> None:
    """Delete a template; the grants that were made of it stay."""
    with desk(context, data) as at:
        at.write(partial(templates.remove, template_id=template_id, actor=operator(at), now=at.now))
    printing.show({"id": template_id, "removed": True}, as_json=as_json)


@app.command("apply")
def apply(
    context: typer.Context,
    *,
    template_id: Id,
    org: Annotated[str, typer.Option(metavar="ID", help="Who may know.")],
    home: Annotated[str, typer.Option(metavar="ID", help="About which home.")],
    reference: Annotated[str, typer.Option(metavar="TEXT", help="Of the decision or contract.")] = "",
    valid_until: Annotated[str | None, typer.Option("--until", metavar="TIME")] = None,
    draft: Annotated[bool, typer.Option("--draft", help="Propose; somebody else approves.")] = False,
    data: Data = None,
    as_json: AsJson = False,
) -> None:
    """Add each grant of a template for a home, at once; all of them or, when one is refused, none."""
    application = Application(
        template_id=template_id,
        organisation_id=org,
        home_id=home,
        reference=reference,
        valid_until=None if valid_until is None else moment("until", valid_until),
    )
    with desk(context, data) as at:
        if draft:
            proposed = at.write(
                partial(templates.apply, application=application, actor=operator(at), now=at.now)
            )
            printing.show([drafts.row(one) for one in proposed], drafts.COLUMNS, as_json=as_json)
            return
        grants = at.write(
            partial(templates.apply_now, application=application, actor=operator(at), now=at.now)
        )
    columns = ("id", "org", "home", "class", "purpose", "basis", "step", "within")
    printing.show([_grant(grant) for grant in grants], columns, as_json=as_json)


def _item(text: str) -> TemplateItem:
    parts = [part.strip() for part in text.split(";")]
    if len(parts) != _PARTS or not parts[3].isdecimal():
        raise InvalidError("item", text, expected=ITEM)
    try:
        seconds = float(parts[4])
    except ValueError:
        raise InvalidError("item", text, expected=ITEM) from None
    return TemplateItem(
        data_class=data_class(parts[0]),
        purpose=parts[1],
        basis_kind=agreed_kind(parts[2]),
        step=int(parts[3]),
        within=duration("within", seconds),
    )


def _row(template: Template) -> dict[str, Any]:
    return {
        "id": template.id,
        "title": template.title,
        "for": template.organisation_id or template.organisation_kind,
        "items": [
            f"{item.data_class}; {item.purpose}; {item.basis_kind}; {item.step}; "
            f"{item.within.total_seconds():g}"
            for item in template.items
        ],
    }


def _grant(grant: Grant) -> dict[str, Any]:
    return {
        "id": grant.id,
        "org": grant.organisation_id,
        "home": grant.home_id,
        "class": grant.data_class,
        "purpose": grant.purpose,
        "basis": grant.legal_basis,
        "step": grant.step,
        "within": grant.within.total_seconds(),
    }
