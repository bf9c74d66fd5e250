"""Signed heads of the log, samples and reviews as rows: each is sealed by the entry that is its key."""

from collections.abc import Iterator
from dataclasses import astuple, dataclass
from typing import Final

from services.store.connection import Connection, Row

HEADS: Final = "audit_heads"
SAMPLES: Final = "audit_samples"
REVIEWS: Final = "audit_reviews"

HEAD: Final = "head"
ANCHOR: Final = "anchor"

_HEAD: Final = "SELECT entry, kind, day, number, hash, at, previous, key_id, signature FROM audit_heads"
_SAMPLE: Final = """
    SELECT entry, at, actor, kind, criteria, seed, size, population, picked FROM audit_samples"""
_REVIEW: Final = "SELECT entry, sample, at, reviewer, outcome, note FROM audit_reviews"
_SELECT: Final = {HEADS: _HEAD, SAMPLES: _SAMPLE, REVIEWS: _REVIEW}


@dataclass(frozen=True, slots=True)
class HeadRow:
    """How far the log reached at a moment; members in the order of the columns."""

    entry: int
    """The number of the entry that says that it was signed."""
    kind: str
    """``head`` or ``anchor``."""
    day: str
    """On which it was signed, UTC, as 2026-11-24."""
    number: int
    """Of the last entry that it is about; zero before the first."""
    hash: str
    at: int
    """Microseconds since 1970, UTC."""
    previous: str
    """The digest of the row before."""
    key_id: str
    signature: str
    """Base64."""


@dataclass(frozen=True, slots=True)
class SampleRow:
    """What was drawn from the log; members in the order of the columns."""

    entry: int
    at: int
    actor: str
    kind: str
    criteria: str
    """JSON."""
    seed: str
    size: int
    population: int
    picked: str
    """Numbers of entries, JSON."""


@dataclass(frozen=True, slots=True)
class ReviewRow:
    """What somebody found who looked at a sample; members in the order of the columns."""

    entry: int
    sample: int
    at: int
    reviewer: str
    outcome: str
    note: str


def add_head(connection: Connection, row: HeadRow) -> None:
    """Add a head."""
    connection.run("INSERT INTO audit_heads VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", *astuple(row))


def heads(connection: Connection, *, after: int = 0) -> list[HeadRow]:
    """Heads and anchors behind an entry, the oldest first: one a day."""
    return [HeadRow(*row) for row in connection.rows(f"{_HEAD} WHERE entry > ? ORDER BY entry", after)]


def newest_head(connection: Connection) -> HeadRow | None:
    """The newest head or anchor."""
    row = connection.row(f"{_HEAD} ORDER BY entry DESC LIMIT 1")
    return HeadRow(*row) if row else None


def anchor(connection: Connection) -> HeadRow | None:
    """Where the chain begins now; None: at the first entry."""
    row = connection.row(f"{_HEAD} WHERE kind = 'anchor' ORDER BY number DESC LIMIT 1")
    return HeadRow(*row) if row else None


def add_sample(connection: Connection, row: SampleRow) -> None:
    """Add a sample."""
    connection.run("INSERT INTO audit_samples VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", *astuple(row))


def sample(connection: Connection, entry: int) -> SampleRow | None:
    """The sample with this number."""
    row = connection.row(f"{_SAMPLE} WHERE entry = ?", entry)
    return SampleRow(*row) if row else None


def samples(connection: Connection, *, before: int | None = None, limit: int) -> list[SampleRow]:
    """Samples, the newest first."""
    where, parameters = ("", []) if before is None else ("WHERE entry < ?", [before])
    rows = connection.rows(f"{_SAMPLE} {where} ORDER BY entry DESC LIMIT ?", *parameters, limit)
    return [SampleRow(*row) for row in rows]


def add_review(connection: Connection, row: ReviewRow) -> None:
    """Add a review."""
    connection.run("INSERT INTO audit_reviews VALUES (?, ?, ?, ?, ?, ?)", *astuple(row))


def reviews(connection: Connection, sample: int) -> list[ReviewRow]:
    """The reviews of a sample, the oldest first."""
    rows = connection.rows(f"{_REVIEW} WHERE sample = ? ORDER BY entry", sample)
    return [ReviewRow(*row) for row in rows]


def delete_up_to(connection: Connection, entry: int) -> None:
    """Delete samples and reviews; only those before the newest anchor can be."""
    connection.run("DELETE FROM audit_reviews WHERE entry <= ?", entry)
    connection.run("DELETE FROM audit_samples WHERE entry <= ?", entry)


def sealed_rows(connection: Connection, table: str) -> Iterator[tuple[int, Row | None]]:
    """Key and values of every row of a table, in order; no values where they cannot be read as text."""
    for key in connection.rows(f"SELECT entry FROM {table} ORDER BY entry"):
        entry = int(key[0])
        yield entry, sealed_row(connection, table, entry)


def sealed_row(connection: Connection, table: str, entry: int) -> Row | None:
    """The values of a row; None: it is not there, or cannot be read as text."""
    try:
        return connection.row(f"{_SELECT[table]} WHERE entry = ?", entry)
    except UnicodeDecodeError:
        return None
