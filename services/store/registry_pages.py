"""Homes, devices, organisations and grants page by page, each as far as it is in scope."""

from typing import Final

from devices.kinds import HomeId
from services.domain.homes import Device, Grant, Home, Organisation, OrganisationKind, Position
from services.domain.ids import PositionId
from services.scopes import Scope
from services.store.connection import Connection
from services.store.registry import DEVICE, GRANT, device_of, grant_of, home_of, organisation_of
from services.store.scoping import Clause, home_ids, homes_in

_HOME: Final = "SELECT h.id, h.address, h.co_id, h.access_id, h.node FROM homes h"


def home(connection: Connection, scope: Scope, home_id: str) -> Home | None:
    """The home with this id, if it is in scope."""
    clause, parameters = homes_in(scope, "h.id")
    row = connection.row(f"{_HOME} WHERE h.id = ? AND {clause}", home_id, *parameters)
    return home_of(row) if row else None


def homes(connection: Connection, scope: Scope, *, after: str, limit: int) -> list[Home]:
    """Homes in scope by id."""
    found = home_ids(connection, scope, after=after, limit=limit)
    rows = (connection.row(f"{_HOME} WHERE h.id = ?", home_id) for home_id in found)
    return [home_of(row) for row in rows if row is not None]


def homes_of_node(connection: Connection, scope: Scope, node: str, *, after: str, limit: int) -> list[Home]:
    """The homes in scope that a fibre node serves, by id."""
    clause, parameters = homes_in(scope, "h.id")
    rows = connection.rows(
        f"{_HOME} WHERE h.node = ? AND h.id > ? AND {clause} ORDER BY h.id LIMIT ?",
        node,
        after,
        *parameters,
        limit,
    )
    return [home_of(row) for row in rows]


def positions(connection: Connection, home_id: str) -> list[Position]:
    """The positions of a home by name."""
    rows = connection.rows("SELECT id, name FROM positions WHERE home_id = ? ORDER BY name", home_id)
    return [Position(id=PositionId(row[0]), home_id=HomeId(home_id), name=row[1]) for row in rows]


def devices_behind(
    connection: Connection, *, home_id: str | None, after: tuple[str, str], limit: int
) -> list[Device]:
    """Devices by home and id, of one home or of all, retired ones included.

    Args:
        connection: The registry.
        home_id: Of this home.
        after: Only those behind this home and device.
        limit: At most so many.
    """
    if home_id is not None:
        of_home = "d.home_id = ? AND d.id > ?"
        parameters = [home_id, after[1] if after[0] == home_id else ""]
    else:
        of_home = "(d.home_id, d.id) > (?, ?)"
        parameters = list(after)
    rows = connection.rows(f"{DEVICE} WHERE {of_home} ORDER BY d.home_id, d.id LIMIT ?", *parameters, limit)
    return [device_of(row) for row in rows]


def organisations(
    connection: Connection, *, seen_by: str | None, after: str, limit: int
) -> list[Organisation]:
    """Organisations by id.

    Args:
        connection: The registry.
        seen_by: Only this one and the city's; None: all.
        after: Only those behind this one.
        limit: At most so many.
    """
    clause, parameters = _organisations_seen(seen_by)
    rows = connection.rows(
        f"SELECT id, name, kind FROM organisations WHERE id > ? AND {clause} ORDER BY id LIMIT ?",
        after,
        *parameters,
        limit,
    )
    return [organisation_of(row) for row in rows]


def organisation(connection: Connection, organisation_id: str, *, seen_by: str | None) -> Organisation | None:
    """The organisation with this id, if it can be seen."""
    clause, parameters = _organisations_seen(seen_by)
    row = connection.row(
        f"SELECT id, name, kind FROM organisations WHERE id = ? AND {clause}", organisation_id, *parameters
    )
    return organisation_of(row) if row else None


def grants(
    connection: Connection,
    *,
    organisation_id: str | None,
    home_id: str | None,
    before: str,
    limit: int,
) -> list[Grant]:
    """Grants, the newest first, ended ones included.

    Args:
        connection: The registry.
        organisation_id: Only of this organisation.
        home_id: Only about this home.
        before: Only those older than this one.
        limit: At most so many.
    """
    asked = {"organisation_id": organisation_id, "home_id": home_id}
    given = {name: value for name, value in asked.items() if value is not None}
    clause = " AND ".join(["id < ?", *(f"{name} = ?" for name in given)])
    rows = connection.rows(f"{GRANT} WHERE {clause} ORDER BY id DESC LIMIT ?", before, *given.values(), limit)
    return [grant_of(row) for row in rows]


def _organisations_seen(seen_by: str | None) -> Clause:
    if seen_by is None:
        return "1 = 1", []
    return "(id = ? OR kind = ?)", [seen_by, OrganisationKind.CITY]
