"""The journal in batches: whole rows, in order, and what is missing between them is noticed."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from devices.kinds import DataClass, HomeId
from gateway.export.cursors import Lost
from gateway.export.lines import Lines
from gateway.export.pseudonyms import Pseudonyms
from gateway.export.source import JournalSource
from services.domain.ids import PositionId
from services.domain.readings import Series, SeriesId
from services.store.migrations import READINGS, migrate
from services.store.readings import journal
from services.store.readings import series as series_rows
from services.store.readings.columns import columns_of
from services.store.sqlite import SqliteConnection

AT = 1_763_971_200_000_000
NO_PACKETS = journal.Packets(ids=np.zeros(0, np.uint16), sums=np.zeros(0, np.uint32))


@pytest.fixture
def readings() -> Iterator[SqliteConnection]:
    with closing(SqliteConnection(Path(":memory:"))) as connection:
        migrate(connection, READINGS)
        series = Series(
            id=SeriesId(1),
            home_id=HomeId("h-1"),
            position_id=PositionId("p-1"),
            name="humidity",
            unit="%RH",
            data_class=DataClass.CLIMATE,
        )
        series_rows.add(connection, series)
        yield connection


def commit(readings: SqliteConnection, *values: float) -> int:
    """One row of the journal; its readings are received a second apart from all others."""
    received_at = AT + (journal.newest(readings) + 1) * 1_000_000
    at = [received_at - 1 - number for number in range(len(values))]
    return journal.append(
        readings, columns_of([1] * len(values), at, [received_at] * len(values), values), NO_PACKETS
    )


def source_of(readings: SqliteConnection, *, batch_points: int = 4) -> JournalSource:
    return JournalSource(readings, Lines(readings, Pseudonyms(b"k")), batch_points=batch_points)


def values(lines: object) -> list[float]:
    assert isinstance(lines, list)
    return [float(line.partition(" value=")[2].split(" ")[0]) for line in lines]


def test_a_batch_is_whole_rows_until_it_is_full(readings: SqliteConnection) -> None:
    for row in ((1, 2), (3, 4, 5), (6,)):
        commit(readings, *row)

    batch = source_of(readings).after(0, received_to_us=0)

    assert batch is not None
    assert values(batch.lines) == [1, 2, 3, 4, 5]
    assert (batch.up_to, batch.received_to_us, batch.lost) == (2, AT + 2_000_000, None)
    assert batch.is_full


def test_a_batch_of_readings_that_are_not_sent_is_full_all_the_same(readings: SqliteConnection) -> None:
    commit(readings, 1, 2, 3, 4)
    lines = Lines(readings, Pseudonyms(b"k"), [DataClass.ENERGY])

    batch = JournalSource(readings, lines, batch_points=4).after(0, received_to_us=0)

    assert batch is not None
    assert (batch.lines, batch.unsendable, batch.is_full) == ([], 0, True)


def test_a_row_larger_than_a_batch_is_one_batch(readings: SqliteConnection) -> None:
    commit(readings, *range(50))

    batch = source_of(readings).after(0, received_to_us=0)

    assert batch is not None
    assert len(batch.lines) == 50


def test_after_the_newest_row_there_is_nothing(readings: SqliteConnection) -> None:
    number = commit(readings, 1)

    source = source_of(readings)

    assert source.newest() == number
    assert source.after(number, received_to_us=0) is None


def test_rows_that_are_gone_are_counted_with_the_time_in_which_they_were_received(
    readings: SqliteConnection,
) -> None:
    for number in range(1, 6):
        commit(readings, number)
    journal.drop(readings, up_to=3, limit=10)

    batch = source_of(readings).after(1, received_to_us=AT + 1_000_000)

    assert batch is not None
    assert values(batch.lines) == [4, 5]
    assert batch.lost == Lost(rows=2, since_us=AT + 1_000_000, until_us=AT + 4_000_000)


def test_a_row_whose_readings_were_erased_is_passed_over(readings: SqliteConnection) -> None:
    number = commit(readings, 1)
    journal.rewrite(readings, number, columns_of([], [], [], []))

    batch = source_of(readings).after(0, received_to_us=0)

    assert batch is not None
    assert (batch.lines, batch.up_to, batch.received_to_us) == ([], number, 0)


def test_what_no_line_can_carry_is_counted(readings: SqliteConnection) -> None:
    commit(readings, 1, float("nan"), 2)

    batch = source_of(readings).after(0, received_to_us=0)

    assert batch is not None
    assert (values(batch.lines), batch.unsendable) == ([1, 2], 1)


def test_the_lag_is_that_of_the_oldest_reading_that_waits(readings: SqliteConnection) -> None:
    first = commit(readings, 1, 2)
    commit(readings, 3, 4, 5)

    assert journal.waiting(readings, after=0) == (5, AT + 1_000_000)
    assert journal.waiting(readings, after=first) == (3, AT + 2_000_000)
    assert journal.waiting(readings, after=first + 1) == (0, None)
