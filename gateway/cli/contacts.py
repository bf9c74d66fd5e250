"""``stadsnav org contact``: where letters about an organisation's own subscriptions go."""

from typing import Annotated

import typer

from gateway.cli import printing
from gateway.cli.desk import desk
from gateway.cli.options import AsJson, Data
from gateway.setting_tables.mail import mail_address
from services import audit
from services.domain.errors import InvalidError, UnknownError
from services.store import letters, registry
from services.store.connection import Connection


def contact(
    context: typer.Context,
    *,
    organisation_id: Annotated[str, typer.Argument(metavar="ID")],
    mail: Annotated[str | None, typer.Option("--mail", metavar="ADDRESS", help="Where they go.")] = None,
    none: Annotated[bool, typer.Option("--none", help="No letters any more.")] = False,
    data: Data = None,
    as_json: AsJson = False,
) -> None:
    """Set where an organisation hears of faults with its own subscriptions; without an option, show it."""
    chosen = None if mail is None else _checked(mail)
    if none and chosen is not None:
        raise InvalidError("none", mail, expected="either --mail or --none")
    with desk(context, data) as at:

        def work(connection: Connection) -> None:
            if registry.organisation(connection, organisation_id) is None:
                raise UnknownError("organisation", organisation_id, mend="see `stadsnav org list`")
            if chosen is None and not none:
                return
            letters.set_contact(connection, organisation_id, chosen)
            audit.note(connection, _entry(at.actor, organisation_id, is_set=chosen is not None), at=at.now)

        at.write(work)
        found = letters.contacts(at.store).get(organisation_id)
    printing.show({"id": organisation_id, "mail": found}, as_json=as_json)


def _checked(mail: str) -> str:
    try:
        return mail_address(mail)
    except ValueError:
        raise InvalidError("mail", mail, expected="an address such as it@example.org") from None


def _entry(actor: str, organisation_id: str, *, is_set: bool) -> audit.Entry:
    """The address may be a person's, so it is not in the log."""
    return audit.Entry(
        actor=actor,
        action="contact_set" if is_set else "contact_removed",
        organisation_id=organisation_id,
        home_id=None,
        subject=organisation_id,
    )
