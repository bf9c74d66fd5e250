"""Residents as rows. Who they are comes and goes sealed: nothing here can read it."""

from typing import Final

from devices.kinds import HomeId
from services.domain.ids import ResidentId
from services.domain.residents import Resident
from services.store.connection import (
    Connection,
    Row,
    from_micros,
    matching,
    optional_micros,
    optional_time,
    to_micros,
)

_SELECT: Final = "SELECT id, home_id, is_permanent, moved_in_at, moved_out_at, erased_at FROM residents"


def add(connection: Connection, resident: Resident, *, sealed: bytes) -> None:
    """Insert a resident."""
    connection.run(
        """INSERT INTO residents (id, home_id, is_permanent, moved_in_at, moved_out_at, sealed)
           VALUES (?, ?, ?, ?, ?, ?)""",
        resident.id,
        resident.home_id,
        int(resident.is_permanent),
        to_micros(resident.moved_in_at),
        optional_micros(resident.moved_out_at),
        sealed,
    )


def get(connection: Connection, resident_id: str) -> Resident | None:
    """The resident with this id, whether they live there or not."""
    row = connection.row(f"{_SELECT} WHERE id = ?", resident_id)
    return _resident(row) if row else None


def residents(
    connection: Connection, *, home_id: str | None = None, after: str = "", limit: int
) -> list[Resident]:
    """Residents by id, those who have moved out included; of a home, or all."""
    where, parameters = matching(home_id=home_id)
    rows = connection.rows(
        f"{_SELECT} {where} {'AND' if where else 'WHERE'} id > ? ORDER BY id LIMIT ?",
        *parameters,
        after,
        limit,
    )
    return [_resident(row) for row in rows]


def living_in(connection: Connection, home_id: str) -> list[Resident]:
    """Those who live in a home now."""
    rows = connection.rows(f"{_SELECT} WHERE home_id = ? AND moved_out_at IS NULL ORDER BY id", home_id)
    return [_resident(row) for row in rows]


def update(connection: Connection, resident: Resident) -> None:
    """Write what can change in a resident's time in a home."""
    connection.run(
        "UPDATE residents SET is_permanent = ?, moved_in_at = ?, moved_out_at = ? WHERE id = ?",
        int(resident.is_permanent),
        to_micros(resident.moved_in_at),
        optional_micros(resident.moved_out_at),
        resident.id,
    )


def sealed(connection: Connection, resident_id: str) -> bytes | None:
    """Who a resident is, as it was sealed; None once it is erased."""
    row = connection.row("SELECT sealed FROM residents WHERE id = ?", resident_id)
    return None if row is None or row[0] is None else bytes(row[0])


def seal(connection: Connection, resident_id: str, sealed: bytes) -> None:
    """Write who a resident is; the old one is overwritten."""
    with_old_overwritten(connection, "UPDATE residents SET sealed = ? WHERE id = ?", sealed, resident_id)


def erase(connection: Connection, resident: Resident) -> None:
    """Overwrite who a resident is; their time in the home stays."""
    with_old_overwritten(
        connection,
        "UPDATE residents SET sealed = NULL, erased_at = ? WHERE id = ?",
        optional_micros(resident.erased_at),
        resident.id,
    )


def with_old_overwritten(connection: Connection, sql: str, *parameters: object) -> None:
    """Change something so that the database leaves nothing of the old value in its pages."""
    connection.rows("PRAGMA secure_delete=ON")
    connection.run(sql, *parameters)
    connection.rows("PRAGMA secure_delete=OFF")


def _resident(row: Row) -> Resident:
    return Resident(
        id=ResidentId(row[0]),
        home_id=HomeId(row[1]),
        is_permanent=bool(row[2]),
        moved_in_at=from_micros(row[3]),
        moved_out_at=optional_time(row[4]),
        erased_at=optional_time(row[5]),
    )
