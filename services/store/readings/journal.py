"""What has been committed, in the order in which it came: one row a commit.

    append ──> row ──> flushed (its readings are in a segment) ──> exported everywhere ──> dropped

The row also keeps which packets of the broker it holds, since what was committed and not acknowledged
comes again after a crash.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from services.store import events
from services.store.connection import Connection
from services.store.readings.columns import Columns, from_journal, joined, journal_bytes

FLUSHED_TO: Final = "journal_flushed_to"
"""Counter: the newest row whose readings are in a segment."""

NOTED_TO: Final = "last_values_noted_to"
"""Counter: the newest row whose readings are in ``last_values``."""

_PACKET_ID: Final = np.dtype("<u2")
_PACKET_SUM: Final = np.dtype("<u4")


@dataclass(frozen=True, slots=True, kw_only=True)
class Packets:
    """Packets of the broker, by the id that it gave them and the CRC-32 of topic and payload."""

    ids: NDArray[np.uint16]
    sums: NDArray[np.uint32]

    def pairs(self) -> Iterator[tuple[int, int]]:
        """Id and sum of each, oldest first."""
        return zip(self.ids.tolist(), self.sums.tolist(), strict=True)


def append(connection: Connection, columns: Columns, packets: Packets) -> int:
    """Write what one commit holds; returns the row's number."""
    series, points = journal_bytes(columns)
    row = connection.row(
        """INSERT INTO journal (count, series, points, packet_ids, packet_sums) VALUES (?, ?, ?, ?, ?)
           RETURNING number""",
        len(columns),
        series,
        points,
        packets.ids.astype(_PACKET_ID).tobytes(),
        packets.sums.astype(_PACKET_SUM).tobytes(),
    )
    assert row is not None  # noqa: S101 - RETURNING always answers
    return int(row[0])


def newest(connection: Connection) -> int:
    """Number of the newest row; 0 when there was none yet."""
    row = connection.row("SELECT MAX(number) FROM journal")
    return max(int(row[0] or 0) if row else 0, events.counter(connection, FLUSHED_TO))


def rows(connection: Connection, *, after: int, up_to: int, limit: int) -> list[tuple[int, Columns]]:
    """Rows after one number up to another, oldest first."""
    found = connection.rows(
        """SELECT number, series, points FROM journal WHERE number > ? AND number <= ?
           ORDER BY number LIMIT ?""",
        after,
        up_to,
        limit,
    )
    return [(number, from_journal(series, points)) for number, series, points in found]


def counts(connection: Connection, *, after: int, limit: int) -> list[tuple[int, int]]:
    """Number of the rows after one, oldest first, and how many readings each holds."""
    found = connection.rows(
        "SELECT number, count FROM journal WHERE number > ? ORDER BY number LIMIT ?", after, limit
    )
    return [(int(number), int(count)) for number, count in found]


def waiting(connection: Connection, *, after: int) -> tuple[int, int | None]:
    """How many readings the rows after one hold, and when the oldest was received (microseconds)."""
    row = connection.row("SELECT SUM(count) FROM journal WHERE number > ?", after)
    oldest = connection.row(
        "SELECT series, points FROM journal WHERE number > ? AND count > 0 ORDER BY number LIMIT 1", after
    )
    received_at = int(from_journal(*oldest).received_at.min()) if oldest else None
    return int(row[0] or 0) if row else 0, received_at


def unflushed(connection: Connection, *, series_ids: NDArray[np.uint32] | None = None) -> Columns:
    """What is in no segment yet, as it came.

    Args:
        connection: The readings' database.
        series_ids: Only of these; rows that hold none of them are passed over unread.
    """
    after = events.counter(connection, FLUSHED_TO)
    if series_ids is None:
        found = connection.rows("SELECT series, points FROM journal WHERE number > ? ORDER BY number", after)
        return joined(from_journal(series, points) for series, points in found)
    return joined(_of(connection, after, series_ids))


def of_series_since(connection: Connection, series_ids: NDArray[np.uint32], *, after: int) -> Columns:
    """What rows after a number hold of some series, as it came."""
    return joined(_of(connection, after, series_ids))


def unflushed_count(connection: Connection) -> int:
    """How many readings are in no segment yet."""
    after = events.counter(connection, FLUSHED_TO)
    row = connection.row("SELECT SUM(count) FROM journal WHERE number > ?", after)
    return int(row[0] or 0) if row else 0


def newest_received_at(connection: Connection) -> int | None:
    """When the newest reading came, in microseconds since 1970; None when no row holds any."""
    row = connection.row("SELECT series, points FROM journal WHERE count > 0 ORDER BY number DESC LIMIT 1")
    return int(from_journal(row[0], row[1]).received_at.max()) if row else None


def recent_packets(connection: Connection, *, at_least: int) -> list[tuple[int, int]]:
    """Id and sum of the packets committed last, oldest first: at least so many, when there are."""
    found: list[Packets] = []
    count = 0
    newest_row = newest(connection)
    while count < at_least:
        row = connection.row(
            """SELECT number, packet_ids, packet_sums FROM journal WHERE number <= ?
               ORDER BY number DESC LIMIT 1""",
            newest_row,
        )
        if row is None:
            break
        found.append(Packets(ids=np.frombuffer(row[1], _PACKET_ID), sums=np.frombuffer(row[2], _PACKET_SUM)))
        count += len(found[-1].ids)
        newest_row = int(row[0]) - 1
    return [pair for packets in reversed(found) for pair in packets.pairs()]


def rewrite(connection: Connection, number: int, columns: Columns) -> None:
    """Put what is left of a row in its place."""
    series, points = journal_bytes(columns)
    connection.run(
        "UPDATE journal SET count = ?, series = ?, points = ? WHERE number = ?",
        len(columns),
        series,
        points,
        number,
    )


def drop(connection: Connection, *, up_to: int, limit: int) -> int:
    """Delete the oldest rows up to a number; returns how many went."""
    return connection.run(
        """DELETE FROM journal WHERE number IN (
               SELECT number FROM journal WHERE number <= ? ORDER BY number LIMIT ?)""",
        up_to,
        limit,
    )


def _of(connection: Connection, after: int, series_ids: NDArray[np.uint32]) -> Iterator[Columns]:
    found = connection.rows(
        "SELECT number, series FROM journal WHERE number > ? ORDER BY number", after
    )  # the points of a row are read only when it holds one of them: they lie behind the series
    for number, series in found:
        is_asked = np.isin(np.frombuffer(series, "<u4"), series_ids)
        if is_asked.any():
            row = connection.row("SELECT points FROM journal WHERE number = ?", number)
            if row is not None:
                yield from_journal(series, row[0]).where(is_asked)
