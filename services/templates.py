"""Templates: the grants that a service needs, under one name, so that a new customer is three steps.

"evening-patrol": safety, answers alarms, consent, step 1, 60 s
resident ──> their consents ──> template applied: a draft, or on the machine a grant, of each item
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from services import audit, granting, registry
from services.domain.actors import Actor, Permission
from services.domain.errors import ExistsError, InvalidError, UnknownError
from services.domain.granting import Draft, LegalBasis, Template, TemplateItem, agreed_kind, sees_all
from services.domain.homes import Grant, Organisation
from services.granting import Proposal
from services.registry import NewGrant, check_id, check_text
from services.store import registry as registry_rows
from services.store import templates as rows
from services.store.connection import Connection

MOST_ITEMS: Final = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Application:
    """A template for a home."""

    template_id: str
    organisation_id: str
    home_id: str
    reference: str = ""
    """Of the decision or the contract; consents are found by themselves."""
    valid_from: datetime | None = None
    valid_until: datetime | None = None


def add(connection: Connection, template: Template, *, actor: Actor, now: datetime) -> Template:
    """Keep a template; the very same again changes nothing.

    Raises:
        UnknownError: There is no such organisation.
        InvalidError: Something cannot be right.
        ExistsError: There is another one with this id.
    """
    actor.demand(Permission.GRANTS_APPROVE)
    _check(connection, template, now=now)
    known = rows.get(connection, template.id)
    if known == template:
        return template
    if known is not None:
        raise ExistsError("template", template.id)
    rows.add(connection, template)
    _log(connection, "template_added", template, actor=actor, now=now)
    return template


def remove(connection: Connection, template_id: str, *, actor: Actor, now: datetime) -> None:
    """Delete a template; the grants that were made of it stay.

    Raises:
        UnknownError: There is no such template.
    """
    actor.demand(Permission.GRANTS_APPROVE)
    template = get(connection, template_id, actor=actor)
    rows.remove(connection, template.id)
    _log(connection, "template_removed", template, actor=actor, now=now)


def get(connection: Connection, template_id: str, *, actor: Actor) -> Template:
    """A template that the actor's organisation can use, or any for the city.

    Raises:
        UnknownError: There is none that is theirs to use.
    """
    template = rows.get(connection, template_id)
    if template is None or not (sees_all(actor) or _fits(template, _own(connection, actor))):
        raise UnknownError("template", template_id, mend="see `stadsnav grant template list`")
    return template


def templates(connection: Connection, *, actor: Actor, after: str = "", limit: int) -> list[Template]:
    """The templates that the actor's organisation can use, or all for the city, by id."""
    usable_by = None if sees_all(actor) else _own(connection, actor)
    return rows.templates(connection, usable_by=usable_by, after=after, limit=limit)


def apply(
    connection: Connection, application: Application, *, actor: Actor, now: datetime
) -> tuple[Draft, ...]:
    """Propose each grant of a template.

    Raises:
        UnknownError: There is no such template, or it is for another organisation than their own.
        InvalidError: The template is not for this organisation, or lacks a reference.
    """
    template = _usable(connection, application, actor=actor)
    return tuple(
        granting.propose(connection, _proposal(application, item), actor=actor, now=now)
        for item in template.items
    )


def apply_now(
    connection: Connection, application: Application, *, actor: Actor, now: datetime
) -> tuple[Grant, ...]:
    """Let each grant of a template hold at once: for the operator on the machine.

    Raises:
        UnknownError: What it names does not exist.
        InvalidError: The template is not for this organisation, or lacks a reference.
        ConsentMissingError: One is to rest on consents that are not all there; none is added.
    """
    template = _usable(connection, application, actor=actor)
    with connection.savepoint():
        return tuple(
            granting.add_now(connection, _new_grant(application, item), actor=actor, now=now)
            for item in template.items
        )


def _usable(connection: Connection, application: Application, *, actor: Actor) -> Template:
    if not (sees_all(actor) or application.organisation_id == actor.organisation_id):
        raise UnknownError("organisation", application.organisation_id)
    template = get(connection, application.template_id, actor=actor)
    organisation = registry_rows.organisation(connection, application.organisation_id)
    if organisation is None:
        raise UnknownError("organisation", application.organisation_id, mend="see `stadsnav org list`")
    if not _fits(template, organisation):
        wanted = template.organisation_kind or template.organisation_id
        raise InvalidError("organisation", organisation.id, expected=f"{wanted}, for {template.id!r}")
    return template


def _fits(template: Template, organisation: Organisation) -> bool:
    return organisation.id == template.organisation_id or organisation.kind is template.organisation_kind


def _own(connection: Connection, actor: Actor) -> Organisation:
    organisation = registry_rows.organisation(connection, actor.organisation_id)
    assert organisation is not None  # noqa: S101 - an actor who is no city acts for one that exists
    return organisation


def _proposal(application: Application, item: TemplateItem) -> Proposal:
    return Proposal(
        organisation_id=application.organisation_id,
        home_id=application.home_id,
        data_class=item.data_class,
        purpose=item.purpose,
        basis=LegalBasis(kind=item.basis_kind, reference=application.reference),
        valid_from=application.valid_from,
        valid_until=application.valid_until,
        step=item.step,
        within=item.within,
    )


def _new_grant(application: Application, item: TemplateItem) -> NewGrant:
    return NewGrant(
        organisation_id=application.organisation_id,
        home_id=application.home_id,
        data_class=item.data_class,
        purpose=item.purpose,
        legal_basis=f"{item.basis_kind}: {application.reference}",
        valid_from=application.valid_from,
        valid_until=application.valid_until,
        step=item.step,
        within=item.within,
    )


def _check(connection: Connection, template: Template, *, now: datetime) -> None:
    check_id("template id", template.id)
    check_text("title", template.title)
    if (template.organisation_kind is None) is (template.organisation_id is None):
        raise InvalidError("receiver", template.id, expected="either a kind of organisations or one of them")
    one = template.organisation_id
    if one is not None and registry_rows.organisation(connection, one) is None:
        raise UnknownError("organisation", one, mend="see `stadsnav org list`")
    if not 1 <= len(template.items) <= MOST_ITEMS:
        raise InvalidError("items", len(template.items), expected=f"1 to {MOST_ITEMS} grants")
    anywhere = Application(template_id=template.id, organisation_id="-", home_id="-")
    for item in template.items:
        agreed_kind(item.basis_kind)
        registry.check_terms(_new_grant(anywhere, item), now=now)


def _log(connection: Connection, action: str, template: Template, *, actor: Actor, now: datetime) -> None:
    entry = audit.Entry(
        actor=actor.id,
        action=action,
        organisation_id=template.organisation_id,
        subject=template.id,
        details=f"{len(template.items)} grants",
    )
    audit.note(connection, entry, at=now)
