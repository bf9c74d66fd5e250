"""The log of every look and change as rows; the chain over them is ``services.audit``'s."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from services.store.connection import Connection, Row

NEWEST_FORMAT: Final = 2
UNREADABLE: Final = 0
"""The format that stands for a row which holds no text where text must be."""

BY_THE_HUB: Final = "hub"
"""The actor of what the hub does by itself; its entries are in no index of actors."""

_PAGE: Final = 1_000

_COLUMNS: Final = """number, at, actor, action, organisation_id, home_id, resident_id, subject, purpose,
                     details, format, hash"""


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
    resident_id: str | None = None
    subject: str
    purpose: str
    details: str
    format: int = NEWEST_FORMAT
    """What is hashed, and how: 1 has no resident."""
    hash: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which entries; None: whatever it is."""

    home_id: str | None = None
    organisation_id: str | None = None
    resident_id: str | None = None
    actor: str | None = None
    since: int | None = None
    """Microseconds since 1970, UTC; this one included."""
    until: int | None = None
    """Not included."""
    by_somebody: bool = False
    """Not what the hub did by itself."""


Place = tuple[int, int]
"""Time and number of an entry: entries are asked for in this order."""


def last(connection: Connection) -> tuple[int, str]:
    """Number and hash of the newest entry; zero and nothing before the first."""
    row = connection.row("SELECT number, hash FROM audit ORDER BY number DESC LIMIT 1")
    return (int(row[0]), str(row[1])) if row else (0, "")


def append(connection: Connection, row: AuditRow) -> None:
    """Add one entry."""
    connection.run(
        f"INSERT INTO audit ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        row.number,
        row.at,
        row.actor,
        row.action,
        row.organisation_id,
        row.home_id,
        row.resident_id,
        row.subject,
        row.purpose,
        row.details,
        row.format,
        row.hash,
    )


def get(connection: Connection, number: int) -> AuditRow | None:
    """The entry with this number."""
    row = connection.row(f"SELECT {_COLUMNS} FROM audit WHERE number = ?", number)
    return _row(row) if row else None


def entries(connection: Connection, *, after: int = 0) -> Iterator[AuditRow]:
    """Every entry behind a number, oldest first, a page at a time; also those that are damaged."""
    while page := connection.rows(
        "SELECT number FROM audit WHERE number > ? ORDER BY number LIMIT ?", after, _PAGE
    ):
        last_of_page = max(int(row[0]) for row in page)
        if last_of_page <= after:  # in a damaged file numbers may be out of order
            return
        yield from _between(connection, after, last_of_page)
        after = last_of_page


def newest(
    connection: Connection, wanted: Wanted, *, before: Place | None = None, limit: int
) -> list[AuditRow]:
    """Entries that are wanted, the newest first.

    Args:
        connection: The store.
        wanted: Which.
        before: Only those behind this place in the order.
        limit: At most so many.
    """
    where, parameters = _where(wanted)
    if before is not None:
        where += " AND at <= ? AND (at, number) < (?, ?)"
        parameters += [before[0], *before]
    rows = connection.rows(
        f"SELECT {_COLUMNS} FROM audit WHERE {where} ORDER BY at DESC, number DESC LIMIT ?",
        *parameters,
        limit,
    )
    return [_row(row) for row in rows]


def in_order(connection: Connection, wanted: Wanted) -> Iterator[AuditRow]:
    """Entries that are wanted, the oldest first, a page at a time."""
    where, parameters = _where(wanted)
    place: Place = (-(2**62), 0)
    while page := connection.rows(
        f"""SELECT {_COLUMNS} FROM audit WHERE {where} AND at >= ? AND (at, number) > (?, ?)
            ORDER BY at, number LIMIT ?""",
        *parameters,
        place[0],
        *place,
        _PAGE,
    ):
        found = [_row(row) for row in page]
        yield from found
        place = (found[-1].at, found[-1].number)


def of_emergencies(connection: Connection, *, since: int, until: int) -> list[int]:
    """Numbers of entries about emergencies, and about what was seen by a right that was taken in one.

    Args:
        connection: The store.
        since: Microseconds since 1970, UTC.
        until: The first moment that is not asked for.
    """
    rows = connection.rows(
        """SELECT number FROM audit WHERE at >= ? AND at < ? AND (
               action LIKE 'emergency%' OR subject IN (SELECT grant_id FROM emergency_grants))
           ORDER BY at, number""",
        since,
        until,
    )
    return [int(row[0]) for row in rows]


def first_since(connection: Connection, at: int) -> int | None:
    """The first number with a time from ``at`` on: all that come before are older. None: there is none."""
    row = connection.row("SELECT number FROM audit WHERE +at >= ? ORDER BY number LIMIT 1", at)
    return int(row[0]) if row else None


def first(connection: Connection) -> int | None:
    """The number of the oldest entry that is there."""
    row = connection.row("SELECT number FROM audit ORDER BY number LIMIT 1")
    return int(row[0]) if row else None


def delete_up_to(connection: Connection, number: int) -> None:
    """Delete entries; only those before the newest anchor can be."""
    connection.run("DELETE FROM audit WHERE number <= ?", number)


def unsound(connection: Connection, table: str) -> str | None:
    """What the database finds wrong with a table and its indices; None: nothing."""
    found = connection.rows(f"PRAGMA integrity_check({table})")
    return None if [tuple(row) for row in found] == [("ok",)] else str(found[0][0])


def _between(connection: Connection, after: int, last_number: int) -> list[AuditRow]:
    try:
        rows = connection.rows(
            f"SELECT {_COLUMNS} FROM audit WHERE number > ? AND number <= ? ORDER BY number",
            after,
            last_number,
        )
    except UnicodeDecodeError:
        if last_number - after == 1:
            return [_unreadable(last_number)]
        middle = (after + last_number) // 2
        return [*_between(connection, after, middle), *_between(connection, middle, last_number)]
    return [_row(row) for row in rows]


def _where(wanted: Wanted) -> tuple[str, list[Any]]:
    """The condition; the column that narrows most is left to its index, the others are only compared."""
    columns = {
        "home_id": wanted.home_id,
        "resident_id": wanted.resident_id,
        "actor": wanted.actor,
        "organisation_id": wanted.organisation_id,
    }
    asked = {name: value for name, value in columns.items() if value is not None}
    terms = [f"{name} = ?" if place == 0 else f"+{name} = ?" for place, name in enumerate(asked)]
    if wanted.by_somebody or (wanted.actor is not None and wanted.actor != BY_THE_HUB):
        terms.append(f"actor <> '{BY_THE_HUB}'")  # word for word: so SQLite knows that the index will do
    parameters: list[Any] = list(asked.values())
    for term, moment in (("at >= ?", wanted.since), ("at < ?", wanted.until)):
        if moment is not None:
            terms.append(term)
            parameters.append(moment)
    return " AND ".join(terms) or "TRUE", parameters


def _unreadable(number: int) -> AuditRow:
    return AuditRow(
        number=number,
        at=0,
        actor="",
        action="",
        organisation_id=None,
        home_id=None,
        subject="",
        purpose="",
        details="",
        format=UNREADABLE,
        hash="",
    )


def _row(row: Row) -> AuditRow:
    return AuditRow(
        number=row[0],
        at=row[1],
        actor=row[2],
        action=row[3],
        organisation_id=row[4],
        home_id=row[5],
        resident_id=row[6],
        subject=row[7],
        purpose=row[8],
        details=row[9],
        format=row[10],
        hash=row[11],
    )
