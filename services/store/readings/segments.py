"""Sorted runs of readings, as rows: which there are, and the pages they consist of.

A segment that is being written is not ready and belongs to no answer; a crash leaves its pages behind,
and ``drop_unready`` takes them away. What replaces others becomes ready in the transaction that drops them.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from services.store.connection import Connection, Row
from services.store.readings.columns import Columns, unpack

DAY_MICROS: Final = 86_400_000_000
NO_DAY: Final = -(2**31)
"""In place of the day: readings of several. No time in microseconds is of such a day."""

FLUSH_TIER: Final = 0
MERGED_TIER: Final = 1
DAY_TIER: Final = 2

PAGE_READINGS: Final = 2_048

_DROPPED: Final = -1
"""In place of ``is_ready``: its pages are on their way out."""

_BOUNDS: Final = "first_at, last_at, first_received_at, last_received_at"
_SEGMENT: Final = f"SELECT id, tier, day, {_BOUNDS}, count FROM segments"
_PAGE: Final = f"id, segment, first_series, last_series, {_BOUNDS}, count"


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """One sorted run."""

    id: int
    tier: int
    day: int
    """Days since 1970 of all its readings, or ``NO_DAY``."""
    first_at: int
    last_at: int
    first_received_at: int
    last_received_at: int
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """Where a page is and what can be in it; its content is read when it is wanted."""

    id: int
    segment_id: int
    first_series: int
    last_series: int
    first_at: int
    last_at: int
    first_received_at: int
    last_received_at: int
    count: int


@dataclass(slots=True, kw_only=True)
class Extent:
    """From when to when readings are, and how many."""

    first_at: int = 2**63 - 1
    last_at: int = -(2**63)
    first_received_at: int = 2**63 - 1
    last_received_at: int = -(2**63)
    count: int = 0

    def add(self, columns: Columns) -> None:
        """Reach over these as well."""
        self.first_at = int(columns.at.min(initial=self.first_at))
        self.last_at = int(columns.at.max(initial=self.last_at))
        self.first_received_at = int(columns.received_at.min(initial=self.first_received_at))
        self.last_received_at = int(columns.received_at.max(initial=self.last_received_at))
        self.count += len(columns)


def pages_in(columns: Columns) -> Iterator[Columns]:
    """Cut sorted readings into pages."""
    for start in range(0, len(columns), PAGE_READINGS):
        yield columns.where(slice(start, start + PAGE_READINGS))


def begin(connection: Connection, *, tier: int, day: int) -> int:
    """A new segment that is not ready; returns its id."""
    row = connection.row(
        f"""INSERT INTO segments (tier, day, is_ready, {_BOUNDS}, count)
           VALUES (?, ?, 0, 0, 0, 0, 0, 0) RETURNING id""",
        tier,
        day,
    )
    assert row is not None  # noqa: S101 - RETURNING always answers
    return int(row[0])


def add_page(connection: Connection, segment_id: int, columns: Columns, content: bytes) -> None:
    """Write the next page of a segment.

    Args:
        connection: The readings' database.
        segment_id: Whose page it is.
        columns: What is in it, sorted.
        content: The same, packed (packing is done outside of the transaction).
    """
    connection.run(
        f"""INSERT INTO pages (segment, first_series, last_series, {_BOUNDS}, count, content)
           VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)""",
        segment_id,
        *_bounds(columns),
        content,
    )


def replace_page(connection: Connection, page: Page, columns: Columns, content: bytes) -> None:
    """Put what is left of a page in its place; nothing left, no page.

    Args:
        connection: The readings' database.
        page: Which one.
        columns: What is left of it, sorted.
        content: The same, packed.
    """
    if not len(columns):
        connection.run("DELETE FROM pages WHERE id = ?", page.id)
        return
    connection.run(
        f"""UPDATE pages SET (first_series, last_series, {_BOUNDS}, count, content)
               = (?, ?, ?, ?, ?, ?, ?, ?) WHERE id = ?""",
        *_bounds(columns),
        content,
        page.id,
    )


def finish(connection: Connection, segment_id: int, extent: Extent) -> None:
    """Make a segment ready, with what its pages hold."""
    connection.run(
        f"UPDATE segments SET is_ready = 1, ({_BOUNDS}, count) = (?, ?, ?, ?, ?) WHERE id = ?",
        extent.first_at,
        extent.last_at,
        extent.first_received_at,
        extent.last_received_at,
        extent.count,
        segment_id,
    )


def shrink(connection: Connection, segment_id: int, went: int) -> None:
    """Note that so many readings are gone from a segment; one that holds nothing any more goes."""
    connection.run(
        """UPDATE segments SET count = count - ?, is_ready = CASE count WHEN ? THEN ? ELSE is_ready END
           WHERE id = ?""",
        went,
        went,
        _DROPPED,
        segment_id,
    )


def drop(connection: Connection, segment_ids: Sequence[int]) -> None:
    """Take segments out of every answer; ``drop_pages`` removes their pages."""
    connection.run(
        f"UPDATE segments SET is_ready = ? WHERE id IN ({_marks(segment_ids)})", _DROPPED, *segment_ids
    )


def drop_unready(connection: Connection) -> None:
    """Take away what a crash has left half written."""
    connection.run("UPDATE segments SET is_ready = ? WHERE is_ready = 0", _DROPPED)


def drop_pages(connection: Connection, *, limit: int) -> bool:
    """Delete pages of a dropped segment, a few at a time; returns whether there may be more.

    To be called until it says no: what is dropped can still be found in the file.
    """
    row = connection.row("SELECT id FROM segments WHERE is_ready = ? LIMIT 1", _DROPPED)
    if row is None:
        return False
    went = connection.run(
        "DELETE FROM pages WHERE id IN (SELECT id FROM pages WHERE segment = ? LIMIT ?)", row[0], limit
    )
    if went < limit:
        connection.run("DELETE FROM segments WHERE id = ?", row[0])
    return True


def ready(connection: Connection) -> list[Segment]:
    """Every segment that can be read, oldest first."""
    return [_segment(row) for row in connection.rows(f"{_SEGMENT} WHERE is_ready = 1 ORDER BY id")]


def overlapping(connection: Connection, *, first_at: int, last_at: int) -> list[Segment]:
    """Those that can hold readings of a time, both ends included."""
    found = connection.rows(
        f"{_SEGMENT} WHERE is_ready = 1 AND first_at <= ? AND last_at >= ? ORDER BY id", last_at, first_at
    )
    return [_segment(row) for row in found]


def pages(connection: Connection, segment_id: int) -> list[Page]:
    """Every page of a segment, in its order."""
    found = connection.rows(
        f"SELECT {_PAGE} FROM pages WHERE segment = ? ORDER BY first_series, id", segment_id
    )
    return [_page(row) for row in found]


def pages_of_series(connection: Connection, segment_id: int, series_id: int) -> list[Page]:
    """The pages that hold a series: those that begin with it, and the one that may end with it."""
    starting = connection.rows(
        f"SELECT {_PAGE} FROM pages WHERE segment = ? AND first_series = ? ORDER BY id", segment_id, series_id
    )
    before = connection.row(
        f"""SELECT {_PAGE} FROM pages WHERE segment = ? AND first_series < ?
            ORDER BY first_series DESC, id DESC LIMIT 1""",
        segment_id,
        series_id,
    )
    reaching = [before] if before is not None and before[3] >= series_id else []
    return [_page(row) for row in (*reaching, *starting)]


def read(connection: Connection, page: Page) -> Columns:
    """What is in a page."""
    return content(connection, page.id)


def content(connection: Connection, page_id: int) -> Columns:
    """What is in the page with this id."""
    row = connection.row("SELECT content, count FROM pages WHERE id = ?", page_id)
    assert row is not None  # noqa: S101 - found in the same transaction
    return unpack(row[0], row[1])


def day_of(at: int) -> int:
    """Days since 1970 (UTC) of a time in microseconds."""
    return at // DAY_MICROS


def _bounds(columns: Columns) -> tuple[int, ...]:
    return (
        int(columns.series[0]),
        int(columns.series[-1]),
        int(np.min(columns.at)),
        int(np.max(columns.at)),
        int(np.min(columns.received_at)),
        int(np.max(columns.received_at)),
        len(columns),
    )


def _segment(row: Row) -> Segment:
    return Segment(
        id=row[0],
        tier=row[1],
        day=row[2],
        first_at=row[3],
        last_at=row[4],
        first_received_at=row[5],
        last_received_at=row[6],
        count=row[7],
    )


def _page(row: Row) -> Page:
    return Page(
        id=row[0],
        segment_id=row[1],
        first_series=row[2],
        last_series=row[3],
        first_at=row[4],
        last_at=row[5],
        first_received_at=row[6],
        last_received_at=row[7],
        count=row[8],
    )


def _marks(values: Sequence[object]) -> str:
    return ", ".join("?" * len(values))
