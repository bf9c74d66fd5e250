"""Sessions as rows."""

from datetime import datetime
from typing import Final

from services.domain.accounts import AccountId, Session, SessionId, SignedInBy
from services.store.connection import Connection, Row, from_micros, optional_time, to_micros

_SELECT: Final = """
    SELECT id, account_id, digest, method, opened_at, seen_at, expires_at, ended_at
    FROM sessions"""


def add(connection: Connection, session: Session) -> None:
    """Insert a session that has just been opened."""
    connection.run(
        """INSERT INTO sessions (id, account_id, digest, method, opened_at, seen_at, expires_at)
           VALUES (?, ?, ?, ?, ?, ?, ?)""",
        session.id,
        session.account_id,
        session.digest,
        session.method,
        to_micros(session.opened_at),
        to_micros(session.seen_at),
        to_micros(session.expires_at),
    )


def get(connection: Connection, session_id: str) -> Session | None:
    """The session with this id, whether it holds or not."""
    row = connection.row(f"{_SELECT} WHERE id = ?", session_id)
    return _session(row) if row else None


def with_digest(connection: Connection, digest: bytes) -> Session | None:
    """The session whose text has this digest, whether it holds or not."""
    row = connection.row(f"{_SELECT} WHERE digest = ?", digest)
    return _session(row) if row else None


def open_of(connection: Connection, account_id: str, *, now: datetime) -> list[Session]:
    """An account's sessions that have not ended, the newest first."""
    rows = connection.rows(
        f"{_SELECT} WHERE account_id = ? AND ended_at IS NULL AND expires_at > ? ORDER BY id DESC",
        account_id,
        to_micros(now),
    )
    return [_session(row) for row in rows]


def end(connection: Connection, session_id: str, *, at: datetime) -> bool:
    """End a session now; false: it had ended."""
    changed = connection.run(
        "UPDATE sessions SET ended_at = ? WHERE id = ? AND ended_at IS NULL", to_micros(at), session_id
    )
    return changed == 1


def end_all(connection: Connection, account_id: str, *, at: datetime) -> int:
    """End every session of an account; returns how many there were."""
    return connection.run(
        "UPDATE sessions SET ended_at = ? WHERE account_id = ? AND ended_at IS NULL AND expires_at > ?",
        to_micros(at),
        account_id,
        to_micros(at),
    )


def note_seen(connection: Connection, session_id: str, *, at: datetime) -> None:
    """Set when a session was last used; never back."""
    connection.run(
        "UPDATE sessions SET seen_at = ? WHERE id = ? AND seen_at < ?",
        to_micros(at),
        session_id,
        to_micros(at),
    )


def forget_before(connection: Connection, moment: datetime, *, limit: int) -> int:
    """Delete sessions that ran out before a moment; returns how many."""
    return connection.run(
        "DELETE FROM sessions WHERE id IN (SELECT id FROM sessions WHERE expires_at < ? LIMIT ?)",
        to_micros(moment),
        limit,
    )


def _session(row: Row) -> Session:
    return Session(
        id=SessionId(row[0]),
        account_id=AccountId(row[1]),
        digest=bytes(row[2]),
        method=SignedInBy(row[3]),
        opened_at=from_micros(row[4]),
        seen_at=from_micros(row[5]),
        expires_at=from_micros(row[6]),
        ended_at=optional_time(row[7]),
    )
