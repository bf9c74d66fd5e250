"""Series and the last value of each, as rows."""

from collections.abc import Iterable, Sequence

from devices.kinds import DataClass, HomeId
from services.domain.ids import PositionId
from services.domain.readings import Series, SeriesId
from services.store.connection import Connection, Row, matching


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
    """The largest id that was given; 0 when there is none."""
    row = connection.row("SELECT MAX(id) FROM series")
    return int(row[0] or 0) if row else 0


def get(connection: Connection, series_id: int) -> Series | None:
    """The series with this id."""
    row = connection.row(
        "SELECT id, home_id, position_id, name, unit, data_class FROM series WHERE id = ?", series_id
    )
    return _series(row) if row else None


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


def positions_of_home(connection: Connection, home_id: str) -> set[str]:
    """The positions of a home that have ever measured anything."""
    rows = connection.rows("SELECT DISTINCT position_id FROM series WHERE home_id = ?", home_id)
    return {str(row[0]) for row in rows}


def remove(connection: Connection, series_ids: Sequence[SeriesId]) -> None:
    """Forget series and their last values; their readings must be gone."""
    for series_id in series_ids:
        connection.run("DELETE FROM last_values WHERE series = ?", series_id)
        connection.run("DELETE FROM series WHERE id = ?", series_id)


def note_last(connection: Connection, values: Iterable[tuple[int, int, int, float]]) -> None:
    """Set the last values: series, at, received_at and value of each."""
    connection.run_many(
        """INSERT INTO last_values (series, at, received_at, value) VALUES (?, ?, ?, ?)
           ON CONFLICT (series) DO UPDATE SET at = excluded.at, received_at = excluded.received_at,
               value = excluded.value""",
        values,
    )


def note_newer(connection: Connection, values: Iterable[tuple[int, int, int, float]]) -> None:
    """Set the last values where these were received later than what is noted."""
    connection.run_many(
        """INSERT INTO last_values (series, at, received_at, value) VALUES (?, ?, ?, ?)
           ON CONFLICT (series) DO UPDATE SET at = excluded.at, received_at = excluded.received_at,
               value = excluded.value
           WHERE MIN(excluded.at, excluded.received_at) >= MIN(last_values.at, last_values.received_at)""",
        values,
    )


def all_last(connection: Connection) -> list[tuple[int, int, int, float]]:
    """Series, at, received_at and value of every last value."""
    rows = connection.rows("SELECT series, at, received_at, value FROM last_values")
    return [(row[0], row[1], row[2], row[3]) for row in rows]


def last_noted(connection: Connection, series_id: int) -> tuple[int, int, float] | None:
    """At, received_at and value as they were noted last."""
    row = connection.row("SELECT at, received_at, value FROM last_values WHERE series = ?", series_id)
    return (row[0], row[1], row[2]) if row else None


def _series(row: Row) -> Series:
    return Series(
        id=SeriesId(row[0]),
        home_id=HomeId(row[1]),
        position_id=PositionId(row[2]),
        name=row[3],
        unit=row[4],
        data_class=DataClass(row[5]),
    )
