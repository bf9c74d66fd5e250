"""The log is kept five years, whatever else is kept for how long, and then goes in whole days.

    entries of days past ──> an anchor is signed at the last of them ──> they are deleted, some at a time

The chain then begins behind the anchor, with the hash that it names: what remains verifies as before.
"""

from datetime import UTC, datetime, time
from typing import Final

from services.store import audit as rows
from services.store import audit_heads
from services.store.connection import Connection, to_micros

KEPT_YEARS: Final = 5
STEP: Final = 500
"""Entries that are deleted in one transaction: an alarm waits for at most one of those."""


def kept_since(now: datetime) -> datetime:
    """The first moment whose entries are kept: of a day (UTC), five years ago."""
    today = now.astimezone(UTC).date()
    is_leap_day = (today.month, today.day) == (2, 29)
    first = today.replace(year=today.year - KEPT_YEARS, day=28 if is_leap_day else today.day)
    return datetime.combine(first, time(), tzinfo=UTC)


def past_its_time(connection: Connection, *, now: datetime) -> int | None:
    """The number of the last entry that need not be kept; all before it are as old. None: there is none.

    An entry that says that it is younger keeps all that follow it: deleting goes from the front.
    """
    oldest = rows.first(connection)
    if oldest is None:
        return None
    first_kept = rows.first_since(connection, to_micros(kept_since(now)))
    last = rows.last(connection)[0] if first_kept is None else first_kept - 1
    return last if last >= oldest else None


def delete_some(connection: Connection) -> bool:
    """Delete some of what lies before the anchor; returns whether there is more."""
    anchor, oldest = audit_heads.anchor(connection), rows.first(connection)
    if anchor is None or oldest is None or oldest > anchor.number:
        return False
    up_to = min(anchor.number, oldest + STEP - 1)
    rows.delete_up_to(connection, up_to)
    audit_heads.delete_up_to(connection, up_to)
    return up_to < anchor.number
