"""What has been released to whom, one row for each organisation, home, class, grant and day."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

from services.store.connection import Connection


class ReleaseKey(NamedTuple):
    """Who received readings of what, by which right, on which day."""

    day: int
    """Days since 1970, UTC."""
    organisation_id: str
    home_id: str
    data_class: str
    grant_id: str
    purpose: str


@dataclass(slots=True, kw_only=True)
class Released:
    """How much it was."""

    first_at: int
    """When the first was released, microseconds since 1970."""
    last_at: int
    count: int


def note(connection: Connection, rows: Iterable[tuple[ReleaseKey, Released]]) -> None:
    """Add to what was released; times widen, counts add up."""
    connection.run_many(
        """INSERT INTO releases (day, organisation_id, home_id, data_class, grant_id, purpose,
                                 first_at, last_at, count)
           VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
           ON CONFLICT (day, organisation_id, home_id, data_class, grant_id) DO UPDATE SET
               last_at = excluded.last_at, count = releases.count + excluded.count""",
        ((*key, row.first_at, row.last_at, row.count) for key, row in rows),
    )


def before(connection: Connection, day: int, *, limit: int) -> list[tuple[ReleaseKey, Released]]:
    """What was released on days before a day, oldest first."""
    rows = connection.rows(
        """SELECT day, organisation_id, home_id, data_class, grant_id, purpose, first_at, last_at, count
           FROM releases WHERE day < ? ORDER BY day, organisation_id, home_id LIMIT ?""",
        day,
        limit,
    )
    return [(ReleaseKey(*row[:6]), Released(first_at=row[6], last_at=row[7], count=row[8])) for row in rows]


def totals(connection: Connection, *, first_day: int, end_day: int) -> list[tuple[str, str, int]]:
    """Organisation, class and count of what is here of some days; ``end_day`` is the first not asked for."""
    rows = connection.rows(
        """SELECT organisation_id, data_class, SUM(count) FROM releases WHERE day >= ? AND day < ?
           GROUP BY organisation_id, data_class""",
        first_day,
        end_day,
    )
    return [(str(row[0]), str(row[1]), int(row[2])) for row in rows]


def drop(connection: Connection, keys: Iterable[ReleaseKey]) -> None:
    """Delete rows that have been handed over."""
    connection.run_many(
        """DELETE FROM releases WHERE day = ? AND organisation_id = ? AND home_id = ? AND data_class = ?
           AND grant_id = ?""",
        (key[:5] for key in keys),
    )
