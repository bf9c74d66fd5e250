"""What operators have asked to be erased, as rows: asked by any process, done by the reading process."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import numpy as np

from services.domain.ids import new_id
from services.domain.readings import SeriesId
from services.store.connection import Connection, Row, from_micros, optional_time, to_micros


@dataclass(frozen=True, slots=True, kw_only=True)
class Erasure:
    """All readings of a home, or of one position of it, are to be gone."""

    id: str
    home_id: str
    position_id: str | None
    asked_at: datetime
    actor: str
    done_at: datetime | None
    count: int
    """Readings that were erased so far."""


_SERIES: Final = np.dtype("<u4")


def overwrite_deleted(connection: Connection) -> None:
    """Have this connection overwrite what it deletes, from here on: deleting is then erasing."""
    connection.rows("PRAGMA secure_delete=ON")


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
        "SELECT id, home_id, position_id, asked_at, actor, done_at, count FROM erasures "
        "WHERE done_at IS NULL ORDER BY id"
    )
    return [_erasure(row) for row in rows]


def get(connection: Connection, id_: str) -> Erasure | None:
    """One of them."""
    row = connection.row(
        "SELECT id, home_id, position_id, asked_at, actor, done_at, count FROM erasures WHERE id = ?", id_
    )
    return _erasure(row) if row else None


def begin(connection: Connection, id_: str, series_ids: Sequence[SeriesId]) -> None:
    """Remember which series it is of, since they are forgotten first."""
    ids = np.asarray(series_ids, _SERIES).tobytes()
    connection.run("UPDATE erasures SET series = ? WHERE id = ?", ids, id_)


def begun(connection: Connection, id_: str) -> list[SeriesId] | None:
    """The series that it is of; None when it has not begun."""
    row = connection.row("SELECT series FROM erasures WHERE id = ?", id_)
    if row is None or row[0] is None:
        return None
    return [SeriesId(number) for number in np.frombuffer(row[0], _SERIES).tolist()]


def add_count(connection: Connection, count: int, id_: str) -> None:
    """So many more readings are erased."""
    connection.run("UPDATE erasures SET count = count + ? WHERE id = ?", count, id_)


def done(connection: Connection, id_: str, *, at: datetime) -> None:
    """It is carried out."""
    connection.run("UPDATE erasures SET done_at = ? WHERE id = ?", to_micros(at), id_)


def _erasure(row: Row) -> Erasure:
    return Erasure(
        id=row[0],
        home_id=row[1],
        position_id=row[2],
        asked_at=from_micros(row[3]),
        actor=row[4],
        done_at=optional_time(row[5]),
        count=row[6],
    )
