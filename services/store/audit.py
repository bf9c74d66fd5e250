"""The log of every look and change as rows; the chain over them is ``services.audit``'s."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from services.store.connection import Connection, Row, matching

_PAGE: Final = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditRow:
    """One entry, as it is hashed."""

    number: int
    at: int
    """Microseconds since 1970, UTC."""
    actor: str
    action: str
    organisation_id: str | None
    home_id: str | None
    subject: str
    purpose: str
    details: str
    hash: str


def last(connection: Connection) -> tuple[int, str]:
    """Number and hash of the newest entry; zero and nothing before the first."""
    row = connection.row("SELECT number, hash FROM audit ORDER BY number DESC LIMIT 1")
    return (int(row[0]), str(row[1])) if row else (0, "")


def append(connection: Connection, row: AuditRow) -> None:
    """Add one entry."""
    connection.run(
        """INSERT INTO audit (number, at, actor, action, organisation_id, home_id, subject, purpose, details,
                              hash) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)""",
        row.number,
        row.at,
        row.actor,
        row.action,
        row.organisation_id,
        row.home_id,
        row.subject,
        row.purpose,
        row.details,
        row.hash,
    )


def entries(connection: Connection) -> Iterator[AuditRow]:
    """Every entry, oldest first, a page at a time."""
    after = 0
    while page := connection.rows(
        """SELECT number, at, actor, action, organisation_id, home_id, subject, purpose, details, hash
           FROM audit WHERE number > ? ORDER BY number LIMIT ?""",
        after,
        _PAGE,
    ):
        yield from (_row(row) for row in page)
        after = int(page[-1][0])


def newest(
    connection: Connection, *, home_id: str | None, organisation_id: str | None, limit: int
) -> list[AuditRow]:
    """Entries about a home or an organisation, or all; newest first."""
    where, parameters = matching(home_id=home_id, organisation_id=organisation_id)
    rows = connection.rows(
        f"""SELECT number, at, actor, action, organisation_id, home_id, subject, purpose, details, hash
            FROM audit {where} ORDER BY number DESC LIMIT ?""",
        *parameters,
        limit,
    )
    return [_row(row) for row in rows]


def _row(row: Row) -> AuditRow:
    return AuditRow(
        number=row[0],
        at=row[1],
        actor=row[2],
        action=row[3],
        organisation_id=row[4],
        home_id=row[5],
        subject=row[6],
        purpose=row[7],
        details=row[8],
        hash=row[9],
    )
