"""Whether the log is as it was written, asked of the store alone or against heads that were kept elsewhere.

chain        every entry fits the one before, from the anchor or the first on
heads        signed, each naming the one before; the entry that each names has that hash
kept heads   the same, from a file that whoever can write the store cannot write: sees what was cut off
sealed rows  heads, samples and reviews fit the entries that speak of them
database     the indices agree with their tables
"""

from collections.abc import Iterable, Iterator
from dataclasses import astuple, dataclass, field
from datetime import datetime
from typing import Final

from services.audit import hash_of
from services.inspection import seals
from services.inspection.heads import is_signed_by, is_well_formed
from services.inspection.signing import PublicKeys
from services.store import audit as audit_rows
from services.store import audit_heads as rows
from services.store.audit import NEWEST_FORMAT, AuditRow
from services.store.audit_heads import HeadRow
from services.store.connection import Connection, Row, from_micros

LOG: Final = "audit"
FORMATS: Final = frozenset(range(1, NEWEST_FORMAT + 1))

TABLES: Final = (LOG, *seals.SEALED_BY)
"""All that belongs to the log."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One thing that is not as it was written."""

    table: str
    row: int
    """Number of the row; zero: the table as such."""
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What checking the whole log found."""

    entries: int
    """How many were looked at."""
    first_bad: int | None
    """Number of the first entry that does not fit or is missing; None: the chain is whole."""
    problems: tuple[Problem, ...]
    since: datetime | None
    """The time of the first entry; None: there is none."""
    until: datetime | None
    """The time of the last entry that fits."""
    heads: int
    signed_to: int
    """The last entry that a head covers whose signature is good; zero: none, or no key was at hand."""

    @property
    def is_whole(self) -> bool:
        """Whether nothing was found."""
        return not self.problems


@dataclass(slots=True)
class _Walk:
    """What going along the chain has found."""

    number: int
    hash: str
    entries: int = 0
    since: int | None = None
    until: int | None = None
    first_bad: int | None = None
    hashes: dict[int, str] = field(default_factory=dict)
    """Of the entries that heads name."""
    seals: dict[int, tuple[str, str]] = field(default_factory=dict)
    """Table and details of each entry that seals a row."""


def verify(connection: Connection, *, keys: PublicKeys, kept: Iterable[HeadRow] = ()) -> Verdict:
    """Check the whole log.

    Args:
        connection: The store, or a copy of it; nothing is written.
        keys: Those that may have signed; empty: signatures are not looked at.
        kept: Heads from elsewhere.
    """
    kept = list(kept)
    # Before the chain, so that what is written meanwhile is behind what is looked at.
    sealed_rows = {table: list(rows.sealed_rows(connection, table)) for table in seals.SEALED_BY}
    found = [HeadRow(*row) for _, row in sealed_rows[rows.HEADS] if row is not None]
    readable = [head for head in found if is_well_formed(head)]  # the others do not fit their entries either
    anchor = max((head for head in readable if head.kind == rows.ANCHOR), key=_number, default=None)
    walk = _walk(connection, anchor, {head.number for head in [*readable, *kept]})
    problems = [
        *_unsound(connection),
        *_bad_entries(connection, walk),
        *_bad_heads(readable, walk, anchor, keys),
        *_bad_kept(kept, readable, walk, anchor, keys),
        *_bad_seals(connection, sealed_rows, walk, anchor),
    ]
    bad_entries = [problem.row for problem in problems if problem.table == LOG and problem.row > 0]
    return Verdict(
        entries=walk.entries,
        first_bad=min(bad_entries, default=None),
        problems=tuple(problems),
        since=None if walk.since is None else from_micros(walk.since),
        until=None if walk.until is None else from_micros(walk.until),
        heads=len(readable),
        signed_to=max((head.number for head in readable if is_signed_by(head, keys)), default=0),
    )


def _number(head: HeadRow) -> int:
    return head.number


def _walk(connection: Connection, anchor: HeadRow | None, named: set[int]) -> _Walk:
    """Go along the chain up to the first entry that does not fit."""
    walk = _Walk(number=anchor.number, hash=anchor.hash) if anchor else _Walk(number=0, hash="")
    for row in audit_rows.entries(connection, after=walk.number):
        walk.entries += 1
        if row.number != walk.number + 1 or not _fits(row, walk.hash):
            walk.first_bad = row.number
            break
        walk.number, walk.hash, walk.until = row.number, row.hash, row.at
        walk.since = row.at if walk.since is None else walk.since
        if row.number in named:
            walk.hashes[row.number] = row.hash
        table = seals.sealing(row)
        if table is not None:
            walk.seals[row.number] = (table, row.details)
    return walk


def _fits(row: AuditRow, previous: str) -> bool:
    if row.format not in FORMATS or (row.format == 1 and row.resident_id is not None):
        return False
    try:
        return row.hash == hash_of(row, previous)
    except (TypeError, ValueError):  # bytes where text must be
        return False


def _unsound(connection: Connection) -> Iterator[Problem]:
    for table in TABLES:
        found = audit_rows.unsound(connection, table)
        if found is not None:
            yield Problem(table=table, row=0, text=f"the database is damaged: {found}")


def _bad_entries(connection: Connection, walk: _Walk) -> Iterator[Problem]:
    if walk.first_bad is not None:
        yield Problem(table=LOG, row=walk.first_bad, text="does not fit the entry before it")
    first = audit_rows.first(connection)
    if first is not None and first <= 0:
        yield Problem(table=LOG, row=0, text=f"entry {first} was put in before the first")


def _bad_heads(
    heads: list[HeadRow], walk: _Walk, anchor: HeadRow | None, keys: PublicKeys
) -> Iterator[Problem]:
    previous = ""
    for head in heads:
        if head.previous != previous:
            yield Problem(table=rows.HEADS, row=head.entry, text="does not name the head before it")
        if keys and not is_signed_by(head, keys):
            yield Problem(table=rows.HEADS, row=head.entry, text="is not signed by a key that is known")
        else:
            yield from _bad_end(head, walk, anchor)
        previous = seals.digest(astuple(head))


def _bad_kept(
    kept: list[HeadRow], heads: list[HeadRow], walk: _Walk, anchor: HeadRow | None, keys: PublicKeys
) -> Iterator[Problem]:
    known = {head.entry: head for head in heads}
    for head in kept:
        if keys and not is_signed_by(head, keys):
            yield Problem(
                table="kept heads", row=head.entry, text=f"{head.day}: is not signed by a key that is known"
            )
        elif known.get(head.entry) != head:
            yield Problem(
                table=rows.HEADS, row=head.entry, text=f"is not the head of {head.day} that was kept"
            )
            yield from _bad_end(head, walk, anchor)


def _bad_end(head: HeadRow, walk: _Walk, anchor: HeadRow | None) -> Iterator[Problem]:
    """What a head says of the entry that it names, where the chain has been seen."""
    if anchor is not None and head.number <= anchor.number:
        return
    if head.number > walk.number:
        if walk.first_bad is None:  # else it is named already
            text = f"is missing: the head of {head.day} reaches to entry {head.number}"
            yield Problem(table=LOG, row=walk.number + 1, text=text)
    elif head.number and walk.hashes.get(head.number) != head.hash:
        text = (
            f"is not the one that the head of {head.day} names: it was written anew, as was what is behind it"
        )
        yield Problem(table=LOG, row=head.number, text=text)


def _bad_seals(
    connection: Connection,
    sealed_rows: dict[str, list[tuple[int, Row | None]]],
    walk: _Walk,
    anchor: HeadRow | None,
) -> Iterator[Problem]:
    unseen = dict(walk.seals)
    for table, of_table in sealed_rows.items():
        for entry, row in of_table:
            seal = unseen.pop(entry, None)
            if row is None:
                yield Problem(table=table, row=entry, text="cannot be read")
            elif seal is None:
                yield from _bad_unsealed(table, entry, walk, anchor)
            elif seal[0] != table or not seals.fits(row, seal[1]):
                yield Problem(table=table, row=entry, text="is not as it was written")
    for entry, (table, details) in unseen.items():
        row = rows.sealed_row(connection, table, entry)  # it may have been written meanwhile
        if row is None or not seals.fits(row, details):
            yield Problem(table=table, row=entry, text="was deleted")


def _bad_unsealed(table: str, entry: int, walk: _Walk, anchor: HeadRow | None) -> Iterator[Problem]:
    """What is wrong with a row of which no entry was seen that speaks of it; nothing, if that was pruned."""
    if entry > walk.number:
        if walk.first_bad is None:
            yield Problem(table=LOG, row=walk.number + 1, text=f"is missing: {table} names {entry}")
    elif anchor is None or entry > anchor.number:
        yield Problem(table=table, row=entry, text="no entry speaks of it: it was put in")
