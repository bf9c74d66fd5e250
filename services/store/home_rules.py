"""What homes have set themselves about limits on their readings, as rows."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from devices.kinds import HomeId
from services.domain.ids import PositionId
from services.store.connection import Connection, Row, from_micros, matching, to_micros

_RULE: Final = "SELECT id, home_id, position_id, name, body, is_off, set_at FROM home_rules"


@dataclass(frozen=True, slots=True, kw_only=True)
class HomeRuleRow:
    """One rule of a home, or one that it has switched off."""

    id: str
    home_id: HomeId
    position_id: PositionId | None
    """None: every position of the home."""
    name: str
    body: str
    """JSON; empty when it is off."""
    is_off: bool
    set_at: datetime


def put(connection: Connection, row: HomeRuleRow) -> None:
    """Insert a rule, in the place of the one of this name at the same home or position."""
    remove(connection, row.home_id, row.position_id, row.name)
    connection.run(
        """INSERT INTO home_rules (id, home_id, position_id, name, body, is_off, set_at)
           VALUES (?, ?, ?, ?, ?, ?, ?)""",
        row.id,
        row.home_id,
        row.position_id,
        row.name,
        row.body,
        int(row.is_off),
        to_micros(row.set_at),
    )


def get(connection: Connection, home_id: str, position_id: str | None, name: str) -> HomeRuleRow | None:
    """The rule of this name of a position, or of the whole home when ``position_id`` is None."""
    where, parameters = _of(home_id, position_id, name)
    row = connection.row(f"{_RULE} {where}", *parameters)
    return _row(row) if row else None


def remove(connection: Connection, home_id: str, position_id: str | None, name: str) -> bool:
    """Delete it; False when there is none."""
    where, parameters = _of(home_id, position_id, name)
    return bool(connection.run(f"DELETE FROM home_rules {where}", *parameters))


def of_home(connection: Connection, home_id: str) -> list[HomeRuleRow]:
    """Everything that a home has set, by name."""
    rows = connection.rows(f"{_RULE} WHERE home_id = ? ORDER BY name, id", home_id)
    return [_row(row) for row in rows]


def newest(connection: Connection, *, limit: int) -> list[HomeRuleRow]:
    """What all homes have set, newest first."""
    return [_row(row) for row in connection.rows(f"{_RULE} ORDER BY id DESC LIMIT ?", limit)]


def _of(home_id: str, position_id: str | None, name: str) -> tuple[str, list[object]]:
    where, parameters = matching(home_id=home_id, position_id=position_id, name=name)
    return (where if position_id else f"{where} AND position_id IS NULL"), parameters


def _row(row: Row) -> HomeRuleRow:
    return HomeRuleRow(
        id=row[0],
        home_id=HomeId(row[1]),
        position_id=None if row[2] is None else PositionId(row[2]),
        name=row[3],
        body=row[4],
        is_off=bool(row[5]),
        set_at=from_micros(row[6]),
    )
