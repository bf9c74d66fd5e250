"""Rows beside the chain that are as safe as the chain: an entry carries the digest of each.

    audit_heads, audit_samples, audit_reviews: key n ──digest──> details of entry n

So a row that is changed no longer fits its entry, one that is deleted is missed by its entry, and one that is
put in has none.
"""

import hashlib
import json
from collections.abc import Sequence
from typing import Any, Final

from services.store import audit as audit_rows
from services.store import audit_heads
from services.store.connection import Connection

SEALED_BY: Final = {
    audit_heads.HEADS: frozenset({"head_signed", "log_pruned"}),
    audit_heads.SAMPLES: frozenset({"sample_drawn"}),
    audit_heads.REVIEWS: frozenset({"sample_reviewed"}),
}
"""The actions whose entries seal the rows of a table."""

_PREFIX: Final = "sha256 "


def digest(row: Sequence[Any]) -> str:
    """What a row is known by: SHA-256 over the canonical JSON of its values, in hexadecimal.

    Raises:
        TypeError: A value is neither text nor a number nor nothing.
    """
    canonical = json.dumps(list(row), ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()


def next_entry(connection: Connection) -> int:
    """The number of the entry that is written next in this transaction."""
    return audit_rows.last(connection)[0] + 1


def details(row: Sequence[Any]) -> str:
    """What an entry says of the row that it seals."""
    return _PREFIX + digest(row)


def sealing(entry: audit_rows.AuditRow) -> str | None:
    """The table of the row that an entry seals; None: it seals none."""
    return next((table for table, actions in SEALED_BY.items() if entry.action in actions), None)


def fits(row: Sequence[Any], said: str) -> bool:
    """Whether a row is the one that an entry speaks of.

    Args:
        row: The values, the key first.
        said: The details of the entry whose number is the key.
    """
    try:
        return details(row) == said
    except (TypeError, ValueError):
        return False
