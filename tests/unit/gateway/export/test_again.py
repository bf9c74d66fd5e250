"""A stretch of the history once more: everything in it, whatever is merged meanwhile."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from gateway.export import again
from gateway.export.again import Span, history
from services.store import events
from services.store.migrations import READINGS, migrate
from services.store.readings import journal, segments
from services.store.readings.columns import Columns, columns_of, joined, pack
from services.store.sqlite import SqliteConnection

NO_PACKETS = journal.Packets(ids=np.zeros(0, np.uint16), sums=np.zeros(0, np.uint32))
LAG = 5
SPAN = Span(since_us=100, until_us=200)


@pytest.fixture
def readings() -> Iterator[SqliteConnection]:
    with closing(SqliteConnection(Path(":memory:"))) as connection:
        migrate(connection, READINGS)
        yield connection


def at(*times: int) -> Columns:
    """Readings of one series, received ``LAG`` later; a value is its time."""
    return columns_of([1] * len(times), times, [time + LAG for time in times], times)


def segment(readings: SqliteConnection, *pages: Columns) -> int:
    number, extent = segments.begin(readings, tier=0, day=segments.NO_DAY), segments.Extent()
    for columns in pages:
        segments.add_page(readings, number, columns, pack(columns))
        extent.add(columns)
    segments.finish(readings, number, extent)
    return number


def times(parts: Iterator[Columns]) -> list[int]:
    return sorted(joined(parts).at.tolist())


def test_what_was_measured_or_received_in_the_time_is_found_wherever_it_is(
    readings: SqliteConnection,
) -> None:
    segment(readings, at(10, 90, 94), at(95, 150))
    segment(readings, at(199, 200, 300))
    flushed = journal.append(readings, at(160), NO_PACKETS)
    events.set_counter(readings, journal.FLUSHED_TO, flushed)
    segment(readings, at(160))
    journal.append(readings, at(50, 170, 201), NO_PACKETS)

    assert times(history(readings, SPAN)) == [95, 150, 160, 170, 199]


def test_what_is_merged_while_it_is_sent_is_not_left_out(
    readings: SqliteConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(again, "PAGES_AT_ONCE", 1)
    first = segment(readings, at(110), at(120), at(130))
    parts = history(readings, SPAN)
    found = [next(parts)]

    segment(readings, at(110, 120, 130))
    segments.drop(readings, [first])
    while segments.drop_pages(readings, limit=1):
        pass
    found += parts

    assert set(joined(found).at.tolist()) == {110, 120, 130}


def test_what_is_erased_while_it_is_sent_takes_nothing_else_away(
    readings: SqliteConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(again, "PAGES_AT_ONCE", 1)
    number = segment(readings, at(110), at(120), at(130))
    parts = history(readings, SPAN)
    found = [next(parts)]

    segments.replace_page(readings, segments.pages(readings, number)[0], at(), b"")
    found += parts

    assert times(iter(found)) == [110, 120, 130]
