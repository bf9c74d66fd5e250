"""Every look and every change, chained so that a row cannot be altered or taken out unseen.

    hash(n) = SHA-256( hash(n-1) || canonical JSON of row n )

The entry is written in the transaction of the thing itself: there is no look without its entry. The
store's transactions follow one another, so the chain has no forks. What is done with the log afterwards
(heads, verification, extracts, samples) is ``services.inspection``'s.
"""

import dataclasses
import hashlib
import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from services.store import audit as rows
from services.store.audit import AuditRow
from services.store.connection import Connection, to_micros


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """Who did or saw what, about whom, for which purpose."""

    actor: str
    action: str
    """Past tense: ``released``, ``withheld``, ``granted``, ``acknowledged``, ``looked``; each has its
    sentences in ``services.inspection.sentences``."""
    organisation_id: str | None = None
    home_id: str | None = None
    resident_id: str | None = None
    """The one resident whom it concerns; None: the whole home, or nobody."""
    subject: str = ""
    """The id of the alarm, delivery, grant or device that it is about."""
    purpose: str = ""
    details: str = ""


def note(connection: Connection, entry: Entry, *, at: datetime) -> int:
    """Append an entry to the chain; returns its number."""
    number, previous = rows.last(connection)
    row = AuditRow(
        number=number + 1,
        at=to_micros(at),
        actor=entry.actor,
        action=entry.action,
        organisation_id=entry.organisation_id,
        home_id=entry.home_id,
        resident_id=entry.resident_id,
        subject=entry.subject,
        purpose=entry.purpose,
        details=entry.details,
        hash="",
    )
    rows.append(connection, sealed(row, previous))
    return row.number


def look(actor: str, asked: str, home_id: str | None) -> Entry:
    """That somebody looked at what is kept about a home; None: at what belongs to no home.

    Args:
        actor: Who looked.
        asked: What for, in the words of the question.
        home_id: Whose it was.
    """
    return Entry(actor=actor, action="looked", home_id=home_id, details=asked)


def sealed(row: AuditRow, previous: str) -> AuditRow:
    """A row with the hash that it must have behind another.

    Args:
        row: Its own hash does not matter.
        previous: The hash of the row before; empty before the first.
    """
    return dataclasses.replace(row, hash=hash_of(row, previous))


def hash_of(row: AuditRow, previous: str) -> str:
    """The hash that a row must have behind another, in hexadecimal.

    Args:
        row: Its own hash does not matter.
        previous: The hash of the row before; empty before the first.

    Raises:
        TypeError: A member is neither text nor a number nor nothing: a damaged file.
    """
    canonical = json.dumps(_hashed(row), ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(f"{previous}\n{canonical}".encode()).hexdigest()


def _hashed(row: AuditRow) -> list[Any]:
    """What the hash is of; the number of members tells the formats apart."""
    about = [row.number, row.at, row.actor, row.action, row.organisation_id, row.home_id]
    said = [row.subject, row.purpose, row.details]
    if row.format == 1:
        return [*about, *said]
    return [row.format, *about, row.resident_id, *said]
