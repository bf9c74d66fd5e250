"""Homes, positions, devices, organisations and grants as rows."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Final

from devices.kinds import DataClass, DeviceId, HomeId
from services.domain.homes import Device, DeviceState, Grant, Home, Organisation, OrganisationKind, Position
from services.domain.ids import GrantId, OrganisationId, PositionId
from services.store.connection import (
    Connection,
    Row,
    from_micros,
    matching,
    optional_micros,
    optional_time,
    to_micros,
)

DEVICE: Final = """
    SELECT d.id, d.home_id, d.position_id, p.name, d.profile, d.state
    FROM devices d JOIN positions p ON p.id = d.position_id"""

GRANT: Final = """
    SELECT id, organisation_id, home_id, position_id, data_class, purpose, legal_basis,
           valid_from, valid_until, step, within_micros, revoked_at
    FROM grants"""


def add_home(connection: Connection, home: Home) -> None:
    """Insert a home, or change the one with this id."""
    connection.run(
        """INSERT INTO homes (id, address, co_id, access_id, node) VALUES (?, ?, ?, ?, ?)
           ON CONFLICT (id) DO UPDATE SET address = excluded.address, co_id = excluded.co_id,
               access_id = excluded.access_id, node = excluded.node""",
        home.id,
        home.address,
        home.co_id,
        home.access_id,
        home.node,
    )


def home(connection: Connection, home_id: str) -> Home | None:
    """The home with this id."""
    row = connection.row("SELECT id, address, co_id, access_id, node FROM homes WHERE id = ?", home_id)
    return home_of(row) if row else None


def homes(connection: Connection, *, limit: int) -> list[Home]:
    """Homes by id."""
    rows = connection.rows("SELECT id, address, co_id, access_id, node FROM homes ORDER BY id LIMIT ?", limit)
    return [home_of(row) for row in rows]


def position(connection: Connection, home_id: str, name: str) -> Position | None:
    """The position of this name at a home."""
    row = connection.row("SELECT id FROM positions WHERE home_id = ? AND name = ?", home_id, name)
    return Position(id=PositionId(row[0]), home_id=HomeId(home_id), name=name) if row else None


def place(connection: Connection, position_id: str) -> tuple[str, str]:
    """Where a position is: the home's address, and the position's name."""
    row = connection.row(
        "SELECT h.address, p.name FROM positions p JOIN homes h ON h.id = p.home_id WHERE p.id = ?",
        position_id,
    )
    return (str(row[0]), str(row[1])) if row else ("", "")


def add_position(connection: Connection, position: Position) -> None:
    """Insert a position."""
    connection.run(
        "INSERT INTO positions (id, home_id, name) VALUES (?, ?, ?)",
        position.id,
        position.home_id,
        position.name,
    )


def add_device(connection: Connection, device: Device) -> None:
    """Insert a device."""
    connection.run(
        "INSERT INTO devices (id, home_id, position_id, profile, state) VALUES (?, ?, ?, ?, ?)",
        device.id,
        device.home_id,
        device.position_id,
        device.profile,
        device.state,
    )


def device(connection: Connection, device_id: str) -> Device | None:
    """The device with this id, whatever its state."""
    row = connection.row(f"{DEVICE} WHERE d.id = ?", device_id)
    return device_of(row) if row else None


def devices(connection: Connection, *, home_id: str | None, limit: int) -> list[Device]:
    """Devices by id, of one home or of all."""
    where, parameters = matching(d__home_id=home_id)
    rows = connection.rows(f"{DEVICE} {where} ORDER BY d.id LIMIT ?", *parameters, limit)
    return [device_of(row) for row in rows]


def devices_at(connection: Connection, position_ids: Iterable[str]) -> list[Device]:
    """The devices in service that hold these positions."""
    found = (
        connection.row(f"{DEVICE} WHERE d.position_id = ? AND d.state = 'in_service'", position_id)
        for position_id in position_ids
    )
    return [device_of(row) for row in found if row is not None]


def devices_of_profiles(connection: Connection, profiles: Iterable[str]) -> list[Device]:
    """The devices in service of some models."""
    rows = [
        row
        for profile in profiles
        for row in connection.rows(f"{DEVICE} WHERE d.profile = ? AND d.state = 'in_service'", profile)
    ]
    return [device_of(row) for row in rows]


def in_service_at(connection: Connection, position_id: str) -> DeviceId | None:
    """The device that holds a position now; at most one does."""
    row = connection.row("SELECT id FROM devices WHERE position_id = ? AND state <> 'retired'", position_id)
    return DeviceId(row[0]) if row else None


def set_device_state(connection: Connection, device_id: str, state: DeviceState) -> None:
    """Suspend, resume or retire."""
    connection.run("UPDATE devices SET state = ? WHERE id = ?", state, device_id)


def add_organisation(connection: Connection, organisation: Organisation) -> None:
    """Insert an organisation."""
    connection.run(
        "INSERT INTO organisations (id, name, kind, last_sequence) VALUES (?, ?, ?, 0)",
        organisation.id,
        organisation.name,
        organisation.kind,
    )


def organisation(connection: Connection, organisation_id: str) -> Organisation | None:
    """The organisation with this id."""
    row = connection.row("SELECT id, name, kind FROM organisations WHERE id = ?", organisation_id)
    return organisation_of(row) if row else None


def organisations(connection: Connection, *, limit: int) -> list[Organisation]:
    """Organisations by id."""
    rows = connection.rows("SELECT id, name, kind FROM organisations ORDER BY id LIMIT ?", limit)
    return [organisation_of(row) for row in rows]


def cities(connection: Connection) -> list[OrganisationId]:
    """The organisations that answer for what nobody else answers."""
    rows = connection.rows("SELECT id FROM organisations WHERE kind = ? ORDER BY id", OrganisationKind.CITY)
    return [OrganisationId(row[0]) for row in rows]


def add_grant(connection: Connection, grant: Grant) -> None:
    """Insert a grant."""
    connection.run(
        """INSERT INTO grants (id, organisation_id, home_id, position_id, data_class, purpose, legal_basis,
                               valid_from, valid_until, step, within_micros, revoked_at)
           VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)""",
        grant.id,
        grant.organisation_id,
        grant.home_id,
        grant.position_id,
        grant.data_class,
        grant.purpose,
        grant.legal_basis,
        to_micros(grant.valid_from),
        optional_micros(grant.valid_until),
        grant.step,
        grant.within // timedelta(microseconds=1),
        optional_micros(grant.revoked_at),
    )


def grant(connection: Connection, grant_id: str) -> Grant | None:
    """The grant with this id, in force or not."""
    row = connection.row(f"{GRANT} WHERE id = ?", grant_id)
    return grant_of(row) if row else None


def grants_of_home(connection: Connection, home_id: str, data_class: DataClass) -> list[Grant]:
    """Every grant of a home for one class, ended ones included: ``access`` judges which hold."""
    rows = connection.rows(f"{GRANT} WHERE home_id = ? AND data_class = ?", home_id, data_class)
    return [grant_of(row) for row in rows]


def grants(
    connection: Connection, *, home_id: str | None, organisation_id: str | None, limit: int
) -> list[Grant]:
    """Grants, newest first."""
    where, parameters = matching(home_id=home_id, organisation_id=organisation_id)
    rows = connection.rows(f"{GRANT} {where} ORDER BY id DESC LIMIT ?", *parameters, limit)
    return [grant_of(row) for row in rows]


def homes_granted_to(
    connection: Connection, organisation_id: str, *, at: datetime, first: str, limit: int
) -> list[str]:
    """The homes of which an organisation may know anything at a moment, by id.

    Args:
        connection: The registry.
        organisation_id: Who may know.
        at: The moment.
        first: Only this home and those behind it.
        limit: At most so many.
    """
    rows = connection.rows(
        """SELECT DISTINCT home_id FROM grants
           WHERE organisation_id = ? AND home_id >= ? AND revoked_at IS NULL
               AND valid_from <= ? AND (valid_until IS NULL OR valid_until > ?)
           ORDER BY home_id LIMIT ?""",
        organisation_id,
        first,
        *[to_micros(at)] * 2,
        limit,
    )
    return [str(row[0]) for row in rows]


def revoke_grant(connection: Connection, grant_id: str, at: datetime) -> None:
    """End a grant now. A grant that was ended keeps its first end."""
    connection.run(
        "UPDATE grants SET revoked_at = ? WHERE id = ? AND revoked_at IS NULL", to_micros(at), grant_id
    )


def home_of(row: Row) -> Home:
    """A home from a row: id, address, communication operator, access, node."""
    return Home(id=HomeId(row[0]), address=row[1], co_id=row[2], access_id=row[3], node=row[4])


def device_of(row: Row) -> Device:
    """A device from a row of ``DEVICE``."""
    return Device(
        id=DeviceId(row[0]),
        home_id=HomeId(row[1]),
        position_id=PositionId(row[2]),
        position=row[3],
        profile=row[4],
        state=DeviceState(row[5]),
    )


def organisation_of(row: Row) -> Organisation:
    """An organisation from a row: id, name, kind."""
    return Organisation(id=OrganisationId(row[0]), name=row[1], kind=OrganisationKind(row[2]))


def grant_of(row: Row) -> Grant:
    """A grant from a row of ``GRANT``."""
    return Grant(
        id=GrantId(row[0]),
        organisation_id=OrganisationId(row[1]),
        home_id=HomeId(row[2]),
        position_id=None if row[3] is None else PositionId(row[3]),
        data_class=DataClass(row[4]),
        purpose=row[5],
        legal_basis=row[6],
        valid_from=from_micros(row[7]),
        valid_until=optional_time(row[8]),
        step=row[9],
        within=timedelta(microseconds=row[10]),
        revoked_at=optional_time(row[11]),
    )
