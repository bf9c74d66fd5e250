"""Every look and every change, chained so that a row cannot be altered or taken out unseen.

    hash(n) = SHA-256( hash(n-1) || canonical JSON of row n )

The entry is written in the transaction of the thing itself: there is no look without its entry. The
store's transactions follow one another, so the chain has no forks.
"""

import dataclasses
import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from services.store import audit as rows
from services.store.audit import AuditRow
from services.store.connection import Connection, to_micros


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """Who did or saw what, about whom, for which purpose."""

    actor: str
    action: str
    """Past tense: ``released``, ``withheld``, ``granted``, ``acknowledged``, ``looked``."""
    organisation_id: str | None = None
    home_id: str | None = None
    subject: str = ""
    """The id of the alarm, delivery, grant or device that it is about."""
    purpose: str = ""
    details: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What checking the whole chain found."""

    entries: int
    first_bad: int | None
    """Number of the first entry that does not fit; None: the chain is whole."""


def note(connection: Connection, entry: Entry, *, at: datetime) -> None:
    """Append an entry to the chain."""
    number, previous = rows.last(connection)
    row = AuditRow(
        number=number + 1,
        at=to_micros(at),
        actor=entry.actor,
        action=entry.action,
        organisation_id=entry.organisation_id,
        home_id=entry.home_id,
        subject=entry.subject,
        purpose=entry.purpose,
        details=entry.details,
        hash="",
    )
    rows.append(connection, _sealed(row, previous))


def look(actor: str, asked: str, home_id: str | None) -> Entry:
    """That somebody looked at what is kept about a home; None: at what belongs to no home.

    Args:
        actor: Who looked.
        asked: What for, in the words of the question.
        home_id: Whose it was.
    """
    return Entry(actor=actor, action="looked", home_id=home_id, details=asked)


def verify(entries: Iterable[AuditRow]) -> Verdict:
    """Check a chain from its first entry.

    What was cut off at the end cannot be seen from the rows alone.
    """
    previous, count = "", 0
    for row in entries:
        count += 1
        if row.number != count or row != _sealed(row, previous):
            return Verdict(entries=count, first_bad=row.number)
        previous = row.hash
    return Verdict(entries=count, first_bad=None)


def _sealed(row: AuditRow, previous: str) -> AuditRow:
    fields = [
        row.number,
        row.at,
        row.actor,
        row.action,
        row.organisation_id,
        row.home_id,
        row.subject,
        row.purpose,
        row.details,
    ]
    canonical = json.dumps(fields, ensure_ascii=False, separators=(",", ":"))
    digest = hashlib.sha256(f"{previous}\n{canonical}".encode()).hexdigest()
    return dataclasses.replace(row, hash=digest)
