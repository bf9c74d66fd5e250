"""Series and the last value of each, as rows."""

from collections.abc import Iterable, Sequence
from typing import Final

from devices.kinds import DataClass, HomeId
from services.domain.ids import PositionId
from services.domain.readings import Series, SeriesId
from services.store.connection import Connection, Row, matching
from services.store.readings.columns import CLOCK_TOLERANCE_MICROS

_NOTE: Final = """
    INSERT INTO last_values (series, at, received_at, value)
    SELECT ?1, ?2, ?3, ?4 WHERE EXISTS (SELECT 1 FROM series WHERE id = ?1)
    ON CONFLICT (series) DO UPDATE SET at = excluded.at, received_at = excluded.received_at,
        value = excluded.value"""


def add(connection: Connection, series: Series) -> None:
    """Insert a series; the same again, after a transaction that was undone, changes nothing."""
    connection.run(
        """INSERT INTO series (id, home_id, position_id, name, unit, data_class) VALUES (?, ?, ?, ?, ?, ?)
           ON CONFLICT (id) DO NOTHING""",
        series.id,
        series.home_id,
        series.position_id,
        series.name,
        series.unit,
        series.data_class,
    )


def newest_id(connection: Connection) -> int:
    """The largest id that was ever given, also when that series is erased; 0 when there is none."""
    row = connection.row("SELECT seq FROM sqlite_sequence WHERE name = 'series'")
    return int(row[0]) if row else 0


def get(connection: Connection, series_id: int) -> Series | None:
    """The series with this id."""
    row = connection.row(
        "SELECT id, home_id, position_id, name, unit, data_class FROM series WHERE id = ?", series_id
    )
    return _series(row) if row else None


def retained(
    connection: Connection, *, after: int, up_to: int, limit: int
) -> list[tuple[int, str, str, int]]:
    """Id, home and data class of some series by id, and up to when they are expired (microseconds)."""
    rows = connection.rows(
        """SELECT id, home_id, data_class, expired_to FROM series WHERE id > ? AND id <= ?
           ORDER BY id LIMIT ?""",
        after,
        up_to,
        limit,
    )
    return [(row[0], row[1], row[2], row[3]) for row in rows]


def expired(connection: Connection, cutoffs: Sequence[tuple[int, int]]) -> None:
    """Of these series, by id, there is nothing any more that was received before a time."""
    connection.run_many("UPDATE series SET expired_to = ?2 WHERE id = ?1", cutoffs)
    connection.run_many("DELETE FROM last_values WHERE series = ?1 AND received_at < ?2", cutoffs)


def find(
    connection: Connection,
    *,
    home_id: str | None = None,
    position_id: str | None = None,
    name: str | None = None,
    limit: int,
) -> list[Series]:
    """Series by home, position and name."""
    where, parameters = matching(home_id=home_id, position_id=position_id, name=name)
    rows = connection.rows(
        f"""SELECT id, home_id, position_id, name, unit, data_class FROM series {where}
            ORDER BY home_id, position_id, name LIMIT ?""",
        *parameters,
        limit,
    )
    return [_series(row) for row in rows]


def of_position(connection: Connection, position_id: str) -> list[Series]:
    """The series of a position."""
    rows = connection.rows(
        "SELECT id, home_id, position_id, name, unit, data_class FROM series WHERE position_id = ?",
        position_id,
    )
    return [_series(row) for row in rows]


def remove(connection: Connection, series_ids: Sequence[SeriesId]) -> None:
    """Forget series and their last values; their readings must be gone."""
    for series_id in series_ids:
        connection.run("DELETE FROM last_values WHERE series = ?", series_id)
        connection.run("DELETE FROM series WHERE id = ?", series_id)


def note_last(connection: Connection, values: Iterable[tuple[int, int, int, float]]) -> None:
    """Set the last values: series, at, received_at and value of each. What is erased stays erased."""
    connection.run_many(_NOTE, values)


def note_newer(connection: Connection, values: Iterable[tuple[int, int, int, float]]) -> None:
    """Set the last values where these count from later than what is noted (``columns.counted_at``)."""
    connection.run_many(f"{_NOTE} WHERE {_order('excluded')} >= {_order('last_values')}", values)


def all_last(connection: Connection) -> list[tuple[int, int, int, float]]:
    """Series, at, received_at and value of every last value."""
    rows = connection.rows("SELECT series, at, received_at, value FROM last_values")
    return [(row[0], row[1], row[2], row[3]) for row in rows]


def newest_received_at(connection: Connection) -> int | None:
    """When the newest of the last values came, in microseconds since 1970; None when there is none."""
    row = connection.row("SELECT MAX(received_at) FROM last_values")
    return row[0] if row else None


def last_noted(connection: Connection, series_id: int) -> tuple[int, int, float] | None:
    """At, received_at and value as they were noted last."""
    row = connection.row("SELECT at, received_at, value FROM last_values WHERE series = ?", series_id)
    return (row[0], row[1], row[2]) if row else None


def _order(row: str) -> str:
    """The order of ``columns.latest``."""
    return f"""(CASE WHEN {row}.at > {row}.received_at + {CLOCK_TOLERANCE_MICROS}
                THEN {row}.received_at ELSE {row}.at END, {row}.received_at, {row}.at)"""


def _series(row: Row) -> Series:
    return Series(
        id=SeriesId(row[0]),
        home_id=HomeId(row[1]),
        position_id=PositionId(row[2]),
        name=row[3],
        unit=row[4],
        data_class=DataClass(row[5]),
    )
