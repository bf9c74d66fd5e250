"""What operators have asked to be erased, as rows: asked by any process, done by the reading process."""

from dataclasses import dataclass
from datetime import datetime

from services.domain.ids import new_id
from services.store.connection import Connection, Row, optional_time, to_micros


@dataclass(frozen=True, slots=True, kw_only=True)
class Erasure:
    """All readings of a home, or of one position of it, are to be gone."""

    id: str
    home_id: str
    position_id: str | None
    actor: str
    done_at: datetime | None
    count: int
    """Readings that were erased."""


def ask(connection: Connection, *, home_id: str, position_id: str | None, actor: str, at: datetime) -> str:
    """Ask for an erasure; returns its id."""
    id_ = new_id()
    connection.run(
        """INSERT INTO erasures (id, home_id, position_id, asked_at, actor, done_at, count)
           VALUES (?, ?, ?, ?, ?, NULL, 0)""",
        id_,
        home_id,
        position_id,
        to_micros(at),
        actor,
    )
    return id_


def waiting(connection: Connection) -> list[Erasure]:
    """Those that are not done, oldest first."""
    rows = connection.rows(
        "SELECT id, home_id, position_id, actor, done_at, count FROM erasures WHERE done_at IS NULL ORDER BY id"
    )
    return [_erasure(row) for row in rows]


def get(connection: Connection, id_: str) -> Erasure | None:
    """One of them."""
    row = connection.row(
        "SELECT id, home_id, position_id, actor, done_at, count FROM erasures WHERE id = ?", id_
    )
    return _erasure(row) if row else None


def done(connection: Connection, id_: str, *, count: int, at: datetime) -> None:
    """It is carried out."""
    connection.run("UPDATE erasures SET done_at = ?, count = ? WHERE id = ?", to_micros(at), count, id_)


def _erasure(row: Row) -> Erasure:
    return Erasure(
        id=row[0],
        home_id=row[1],
        position_id=row[2],
        actor=row[3],
        done_at=optional_time(row[4]),
        count=row[5],
    )
