"""What organisations have used, counted from the rows that it left, and months that were closed."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from services.store.connection import Connection, from_micros, optional_time, to_micros

MADE_WITHIN: Final = timedelta(days=1)
"""Ids of deliveries sort by the time that they were made, by the machine's clock: within this of
``created_at``, also when that clock was set meanwhile."""

_GRANTS: Final = """
    SELECT organisation_id, home_id, data_class, valid_from,
           CASE WHEN revoked_at IS NULL OR valid_until < revoked_at THEN valid_until ELSE revoked_at END
               AS ended_at
    FROM grants
    UNION ALL
    SELECT organisation_id, home_id, data_class, valid_from, ended_at FROM usage_deleted_grants"""

_IN_FORCE: Final = "valid_from < ? AND (ended_at IS NULL OR (ended_at > ? AND ended_at > valid_from))"


class Count(NamedTuple):
    """How much of something an organisation has used."""

    organisation_id: str
    what: str
    part: str
    """Of which class, over which channel; empty: all of it."""
    used: int


def homes(connection: Connection, *, since: datetime, until: datetime) -> list[Count]:
    """Homes of which an organisation could know something at any moment of a span: by class, and in all."""
    span = (to_micros(until), to_micros(since))
    by_class = connection.rows(
        f"""SELECT organisation_id, 'homes', data_class, COUNT(DISTINCT home_id) FROM ({_GRANTS}) AS given
            WHERE {_IN_FORCE} GROUP BY organisation_id, data_class""",
        *span,
    )
    all_classes = connection.rows(
        f"""SELECT organisation_id, 'homes', '', COUNT(DISTINCT home_id) FROM ({_GRANTS}) AS given
            WHERE {_IN_FORCE} GROUP BY organisation_id""",
        *span,
    )
    return [Count(*row) for row in [*by_class, *all_classes]]


def deliveries(connection: Connection, *, since: datetime, until: datetime) -> list[Count]:
    """Deliveries that came into being in a span, by channel and by the state that they have now."""
    rows = connection.rows(
        """SELECT organisation_id, 'deliveries', channel || '/' || state, COUNT(*) FROM deliveries
           WHERE id >= ? AND id < ? AND created_at >= ? AND created_at < ?
           GROUP BY organisation_id, channel, state""",
        _id_floor(since - MADE_WITHIN),
        _id_floor(until + MADE_WITHIN),
        to_micros(since),
        to_micros(until),
    )
    return [Count(*row) for row in rows]


def looks(connection: Connection, *, since: datetime, until: datetime) -> list[Count]:
    """How often an organisation's people and machines looked at a home, by the log."""
    rows = connection.rows(
        """SELECT organisation_id, 'looks', '', COUNT(*) FROM audit
           WHERE at >= ? AND at < ? AND action = 'looked' AND organisation_id IS NOT NULL
               AND home_id IS NOT NULL
           GROUP BY organisation_id""",
        to_micros(since),
        to_micros(until),
    )
    return [Count(*row) for row in rows]


def readings(connection: Connection, *, first_day: int, end_day: int) -> list[Count]:
    """Readings that were released on some days and are filed, by class."""
    rows = connection.rows(
        """SELECT organisation_id, 'readings', data_class, SUM(count) FROM usage_readings
           WHERE day >= ? AND day < ? GROUP BY organisation_id, data_class""",
        first_day,
        end_day,
    )
    return [Count(*row) for row in rows]


def add_readings(
    connection: Connection, organisation_id: str, data_class: str, *, day: int, count: int
) -> None:
    """Count readings that were released on a day (since 1970, UTC)."""
    connection.run(
        """INSERT INTO usage_readings (day, organisation_id, data_class, count) VALUES (?, ?, ?, ?)
           ON CONFLICT (day, organisation_id, data_class) DO UPDATE SET
               count = usage_readings.count + excluded.count""",
        day,
        organisation_id,
        data_class,
        count,
    )


def close(
    connection: Connection, month: str, counts: Iterable[Count], *, until: datetime, at: datetime
) -> None:
    """Keep what was counted for a month; grants that were deleted are not needed for it any more."""
    connection.run("INSERT INTO usage_months (month, closed_at) VALUES (?, ?)", month, to_micros(at))
    connection.run_many(
        "INSERT INTO usage_counts (month, organisation_id, what, part, count) VALUES (?, ?, ?, ?, ?)",
        ((month, *count) for count in counts),
    )
    connection.run(
        "DELETE FROM usage_deleted_grants WHERE ended_at IS NULL OR ended_at <= ?", to_micros(until)
    )


def closed_at(connection: Connection, month: str) -> datetime | None:
    """When a month was closed; None: it was not."""
    row = connection.row("SELECT closed_at FROM usage_months WHERE month = ?", month)
    return from_micros(row[0]) if row else None


def closed_counts(connection: Connection, month: str) -> list[Count]:
    """What was counted for a month that is closed."""
    rows = connection.rows(
        "SELECT organisation_id, what, part, count FROM usage_counts WHERE month = ?", month
    )
    return [Count(*row) for row in rows]


def last_closed(connection: Connection) -> str | None:
    """The newest month that is closed."""
    row = connection.row("SELECT MAX(month) FROM usage_months")
    return row[0] if row else None


def first_grant_at(connection: Connection) -> datetime | None:
    """Since when anybody could know anything; None: nobody ever could."""
    row = connection.row(f"SELECT MIN(valid_from) FROM ({_GRANTS}) AS given")
    return optional_time(row[0]) if row else None


def _id_floor(moment: datetime) -> str:
    """What no UUIDv7 (RFC 9562, 5.7) of this moment or later sorts before."""
    milliseconds = max(to_micros(moment) // 1_000, 0)
    return f"{milliseconds >> 16:08x}-{milliseconds & 0xFFFF:04x}"
