"""Clients of the city's identity provider as rows."""

from typing import Final

from services.domain.accounts import MachineClient
from services.domain.ids import OrganisationId
from services.store import lists
from services.store.connection import Connection, Row, from_micros, matching, to_micros

_SELECT: Final = """
    SELECT id, organisation_id, name, roles, narrowed_to, created_by, created_at FROM machine_clients"""


def add(connection: Connection, client: MachineClient) -> None:
    """Insert a client."""
    connection.run(
        """INSERT INTO machine_clients (id, organisation_id, name, roles, narrowed_to, created_by, created_at)
           VALUES (?, ?, ?, ?, ?, ?, ?)""",
        client.id,
        client.organisation_id,
        client.name,
        lists.written(client.roles),
        lists.written_or_none(client.narrowed_to),
        client.created_by,
        to_micros(client.created_at),
    )


def get(connection: Connection, client_id: str) -> MachineClient | None:
    """The client with this id."""
    row = connection.row(f"{_SELECT} WHERE id = ?", client_id)
    return _client(row) if row else None


def clients(connection: Connection, *, organisation_id: str | None = None, limit: int) -> list[MachineClient]:
    """Clients by id: an organisation's, or all."""
    where, parameters = matching(organisation_id=organisation_id)
    rows = connection.rows(f"{_SELECT} {where} ORDER BY id LIMIT ?", *parameters, limit)
    return [_client(row) for row in rows]


def remove(connection: Connection, client_id: str) -> None:
    """Delete a client."""
    connection.run("DELETE FROM machine_clients WHERE id = ?", client_id)


def _client(row: Row) -> MachineClient:
    return MachineClient(
        id=row[0],
        organisation_id=OrganisationId(row[1]),
        name=row[2],
        roles=lists.roles(row[3]),
        narrowed_to=lists.permissions(row[4]),
        created_by=row[5],
        created_at=from_micros(row[6]),
    )
