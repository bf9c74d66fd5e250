"""What was answered to requests that may come again, as rows."""

from dataclasses import dataclass
from datetime import datetime

from services.store.connection import Connection, from_micros, to_micros


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptAnswer:
    """An answer, and to which request."""

    principal: str
    """Who asked."""
    key_digest: bytes
    """Of the key that the request came with."""
    fingerprint: bytes
    """Of the request itself."""
    status: int
    body: bytes
    """Sealed."""
    at: datetime


def find(connection: Connection, principal: str, key_digest: bytes, *, since: datetime) -> KeptAnswer | None:
    """The answer that somebody got under a key, unless it is older."""
    row = connection.row(
        """SELECT fingerprint, status, body, at FROM api_answers
           WHERE principal = ? AND key_digest = ? AND at > ?""",
        principal,
        key_digest,
        to_micros(since),
    )
    if row is None:
        return None
    return KeptAnswer(
        principal=principal,
        key_digest=key_digest,
        fingerprint=bytes(row[0]),
        status=row[1],
        body=bytes(row[2]),
        at=from_micros(row[3]),
    )


def keep(connection: Connection, answer: KeptAnswer) -> None:
    """Keep an answer, in the place of an older one."""
    connection.run(
        """INSERT INTO api_answers (principal, key_digest, fingerprint, status, body, at)
           VALUES (?, ?, ?, ?, ?, ?)
           ON CONFLICT (principal, key_digest) DO UPDATE SET fingerprint = excluded.fingerprint,
               status = excluded.status, body = excluded.body, at = excluded.at""",
        answer.principal,
        answer.key_digest,
        answer.fingerprint,
        answer.status,
        answer.body,
        to_micros(answer.at),
    )


def forget(connection: Connection, *, before: datetime, limit: int) -> int:
    """Let go of the oldest answers that are older; returns how many it were."""
    return connection.run(
        """DELETE FROM api_answers WHERE (principal, key_digest) IN (
               SELECT principal, key_digest FROM api_answers WHERE at <= ? ORDER BY at LIMIT ?)""",
        to_micros(before),
        limit,
    )
