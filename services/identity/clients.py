"""Machines that show a JWT of the city's identity provider (client credentials, RFC 6749, 4.4).

The provider says which client it is; what the client may do here is registered here.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from services import audit, roles
from services.domain.accounts import MachineClient
from services.domain.actors import Actor
from services.domain.errors import ExistsError, InvalidError, UnknownError
from services.domain.homes import OrganisationKind
from services.registry import check_text
from services.store import certificates
from services.store import clients as rows
from services.store import registry as registry_rows
from services.store.connection import Connection

LONGEST_ID: Final = 200
PARTNERS: Final = "partners"
"""Who issues the certificates of organisations."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewClient:
    """What is said about a machine."""

    id: str
    organisation_id: str
    name: str = ""
    roles: tuple[str, ...] = ()
    permissions: tuple[str, ...] = ()


def add(connection: Connection, new: NewClient, *, actor: str, now: datetime) -> MachineClient:
    """Register a client.

    Raises:
        UnknownError: There is no such organisation.
        InvalidError: The id, a role or a permission cannot be right.
        ExistsError: It is registered already.
    """
    organisation = registry_rows.organisation(connection, new.organisation_id)
    if organisation is None:
        raise UnknownError("organisation", new.organisation_id, mend="register it with `stadsnav org add`")
    if not 0 < len(new.id) <= LONGEST_ID or not new.id.isprintable():
        raise InvalidError("client id", new.id, expected=f"1 to {LONGEST_ID} printable characters")
    if new.name:
        check_text("name", new.name)
    if rows.get(connection, new.id) is not None:
        raise ExistsError("client", new.id)
    client = MachineClient(
        id=new.id,
        organisation_id=organisation.id,
        name=new.name,
        roles=roles.fitting(new.roles, organisation),
        narrowed_to=roles.narrowed(new.permissions),
        created_by=actor,
        created_at=now,
    )
    rows.add(connection, client)
    _log(connection, "client_added", client, actor=actor, now=now)
    return client


def remove(connection: Connection, client_id: str, *, actor: str, now: datetime) -> MachineClient:
    """Let a client in no more, whatever its provider says of it.

    Raises:
        UnknownError: There is no such client.
    """
    client = rows.get(connection, client_id)
    if client is None:
        raise UnknownError("client", client_id, mend="see `stadsnav org client list`")
    rows.remove(connection, client_id)
    _log(connection, "client_removed", client, actor=actor, now=now)
    return client


def actor_of(connection: Connection, client_id: str) -> Actor | None:
    """Who acts as a client, if it is registered."""
    client = rows.get(connection, client_id)
    if client is None:
        return None
    organisation = registry_rows.organisation(connection, client.organisation_id)
    assert organisation is not None  # noqa: S101 - a foreign key holds it
    return Actor(
        id=f"client:{client.id}",
        principal=f"client:{client.id}",
        name=organisation.name,
        organisation_id=organisation.id,
        is_city=organisation.kind is OrganisationKind.CITY,
        roles=client.roles or roles.of_machines(organisation.kind),
        narrowed_to=client.narrowed_to,
    )


def actor_with_certificate(
    connection: Connection, organisation_id: str, serial: str, *, at: datetime
) -> Actor | None:
    """Who acts with an organisation's certificate, if we issued it and it holds at a moment."""
    organisation = registry_rows.organisation(connection, organisation_id)
    if organisation is None or not certificates.is_held(connection, PARTNERS, organisation.id, serial, at=at):
        return None
    return Actor(
        id=f"certificate:{organisation.id}",
        principal=f"certificate:{organisation.id}",
        name=organisation.name,
        organisation_id=organisation.id,
        is_city=organisation.kind is OrganisationKind.CITY,
        roles=roles.of_machines(organisation.kind),
    )


def _log(connection: Connection, action: str, client: MachineClient, *, actor: str, now: datetime) -> None:
    entry = audit.Entry(
        actor=actor,
        action=action,
        organisation_id=client.organisation_id,
        subject=client.id,
        details=", ".join(sorted(client.roles)),
    )
    audit.note(connection, entry, at=now)
