"""How often signing in was tried in vain, by digests of what was tried, as rows."""

from datetime import datetime

from services.store.connection import Connection, from_micros, to_micros


def tries(connection: Connection, digest: bytes) -> tuple[int, datetime] | None:
    """How many in a row, and when the last one was; None: none."""
    row = connection.row("SELECT failures, at FROM sign_in_tries WHERE digest = ?", digest)
    return (int(row[0]), from_micros(row[1])) if row else None


def put(connection: Connection, digest: bytes, *, failures: int, at: datetime) -> None:
    """Set how many there were, and when the last one was."""
    connection.run(
        """INSERT INTO sign_in_tries (digest, failures, at) VALUES (?, ?, ?)
           ON CONFLICT (digest) DO UPDATE SET failures = excluded.failures, at = excluded.at""",
        digest,
        failures,
        to_micros(at),
    )


def forget(connection: Connection, digest: bytes) -> None:
    """There were none."""
    connection.run("DELETE FROM sign_in_tries WHERE digest = ?", digest)


def forget_before(connection: Connection, moment: datetime, *, limit: int) -> int:
    """Delete the oldest of those before a moment; returns how many."""
    return connection.run(
        """DELETE FROM sign_in_tries WHERE digest IN (
               SELECT digest FROM sign_in_tries WHERE at < ? ORDER BY at LIMIT ?)""",
        to_micros(moment),
        limit,
    )
