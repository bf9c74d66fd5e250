"""What the reading lane has to tell the alarm path, as rows in the order in which it was found.

Written in the commit that holds the readings behind it; read, never changed, by the alarm process, which
keeps its own mark of how far it came. So neither ever waits for the other's lock.
"""

from collections.abc import Sequence
from datetime import datetime

from services.store.connection import Connection, from_micros, to_micros


def add(connection: Connection, bodies: Sequence[str], *, at: datetime) -> None:
    """Append what is to be told."""
    for body in bodies:
        connection.run("INSERT INTO handovers (at, body) VALUES (?, ?)", to_micros(at), body)


def after(connection: Connection, number: int, *, limit: int) -> list[tuple[int, str]]:
    """Number and body of what follows a number, oldest first."""
    rows = connection.rows(
        "SELECT number, body FROM handovers WHERE number > ? ORDER BY number LIMIT ?", number, limit
    )
    return [(row[0], row[1]) for row in rows]


def oldest_after(connection: Connection, number: int) -> datetime | None:
    """Since when the oldest that follows a number waits; None when nothing does."""
    row = connection.row("SELECT at FROM handovers WHERE number > ? ORDER BY number LIMIT 1", number)
    return from_micros(row[0]) if row else None


def newest(connection: Connection) -> int:
    """The number that was given last, also when that row is gone; 0: none was ever given."""
    row = connection.row("SELECT seq FROM sqlite_sequence WHERE name = 'handovers'")
    return int(row[0]) if row else 0


def drop(connection: Connection, *, up_to: int, limit: int) -> int:
    """Delete what has been taken; returns how many rows went."""
    return connection.run(
        """DELETE FROM handovers WHERE number IN (
               SELECT number FROM handovers WHERE number <= ? ORDER BY number LIMIT ?)""",
        up_to,
        limit,
    )
