"""API tokens as rows."""

from datetime import datetime
from typing import Final

from services.domain.ids import OrganisationId
from services.domain.tokens import ApiToken, TokenId
from services.store import lists
from services.store.connection import Connection, Row, from_micros, matching, optional_time, to_micros

_SELECT: Final = """
    SELECT id, organisation_id, name, digest, created_at, expires_at, roles, narrowed_to, created_by,
           revoked_at, last_used_at
    FROM api_tokens"""


def add(connection: Connection, token: ApiToken) -> None:
    """Insert a token that nobody has used or revoked yet."""
    connection.run(
        """INSERT INTO api_tokens (id, organisation_id, name, digest, created_at, expires_at, roles,
                                   narrowed_to, created_by) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)""",
        token.id,
        token.organisation_id,
        token.name,
        token.digest,
        to_micros(token.created_at),
        to_micros(token.expires_at),
        lists.written(token.roles),
        lists.written_or_none(token.narrowed_to),
        token.created_by,
    )


def get(connection: Connection, token_id: str) -> ApiToken | None:
    """The token with this id, whether it holds or not."""
    row = connection.row(f"{_SELECT} WHERE id = ?", token_id)
    return _token(row) if row else None


def with_digest(connection: Connection, digest: bytes) -> ApiToken | None:
    """The token whose text has this digest, whether it holds or not."""
    row = connection.row(f"{_SELECT} WHERE digest = ?", digest)
    return _token(row) if row else None


def tokens(
    connection: Connection, *, organisation_id: str | None = None, before: str | None = None, limit: int
) -> list[ApiToken]:
    """Tokens, the newest first: an organisation's, or all; only those made before a given one."""
    where, parameters = matching(organisation_id=organisation_id)
    if before is not None:
        where, parameters = f"{where or 'WHERE TRUE'} AND id < ?", [*parameters, before]
    rows = connection.rows(f"{_SELECT} {where} ORDER BY id DESC LIMIT ?", *parameters, limit)
    return [_token(row) for row in rows]


def revoke(connection: Connection, token_id: str, *, at: datetime) -> None:
    """End a token now. A token that was ended keeps its first end."""
    connection.run(
        "UPDATE api_tokens SET revoked_at = ? WHERE id = ? AND revoked_at IS NULL", to_micros(at), token_id
    )


def note_use(connection: Connection, token_id: str, *, at: datetime) -> None:
    """Set when a token was last used; never back."""
    connection.run(
        """UPDATE api_tokens SET last_used_at = ?
           WHERE id = ? AND (last_used_at IS NULL OR last_used_at < ?)""",
        to_micros(at),
        token_id,
        to_micros(at),
    )


def _token(row: Row) -> ApiToken:
    return ApiToken(
        id=TokenId(row[0]),
        organisation_id=OrganisationId(row[1]),
        name=row[2],
        digest=bytes(row[3]),
        created_at=from_micros(row[4]),
        expires_at=from_micros(row[5]),
        roles=lists.roles(row[6]),
        narrowed_to=lists.permissions(row[7]),
        created_by=row[8],
        revoked_at=optional_time(row[9]),
        last_used_at=optional_time(row[10]),
    )
