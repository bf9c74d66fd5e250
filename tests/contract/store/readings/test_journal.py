"""The journal gives back what was committed, in the order in which it came."""

import numpy as np
import pytest

from services.store import events
from services.store.readings import journal
from services.store.readings.columns import Columns
from services.store.readings.journal import Packets
from tests.support.readings_store import NO_PACKETS, Row, SqliteReadings, columns, series

FIRST = [(1, 10, 11, 1.0), (2, 10, 12, 2.0)]
SECOND = [(1, 5, 13, 3.0)]
THIRD = [(3, 7, 14, 4.0), (2, 7, 15, 5.0)]


def rows(found: Columns) -> list[Row]:
    return [Row(*row) for row in found.rows()]


@pytest.fixture
def committed(readings: SqliteReadings) -> SqliteReadings:
    readings.add(series(1), series(2), series(3))
    for made in (FIRST, SECOND, THIRD):
        readings.commit(made)
    return readings


def packets(*pairs: tuple[int, int]) -> Packets:
    return Packets(
        ids=np.array([id_ for id_, _ in pairs], np.uint16),
        sums=np.array([sum_ for _, sum_ in pairs], np.uint32),
    )


def test_rows_come_back_oldest_first_between_two_numbers(committed: SqliteReadings) -> None:
    def asked(after: int, up_to: int, limit: int) -> list[tuple[int, list[Row]]]:
        found = journal.rows(committed.connection, after=after, up_to=up_to, limit=limit)
        return [(number, rows(held)) for number, held in found]

    assert asked(0, 99, 99) == [(1, FIRST), (2, SECOND), (3, THIRD)]
    assert asked(1, 2, 99) == [(2, SECOND)]
    assert asked(0, 99, 2) == [(1, FIRST), (2, SECOND)]
    assert asked(3, 99, 99) == []
    assert journal.newest(committed.connection) == 3


def test_what_is_in_no_segment_is_what_came_since_the_flush(committed: SqliteReadings) -> None:
    connection = committed.connection
    before = rows(journal.unflushed(connection))
    committed.flush()
    committed.commit(SECOND)

    assert before == [*FIRST, *SECOND, *THIRD]
    assert rows(journal.unflushed(connection)) == SECOND
    assert journal.unflushed_count(connection) == 1
    assert events.counter(connection, journal.FLUSHED_TO) == 3


def test_some_series_are_found_in_the_order_in_which_they_came(committed: SqliteReadings) -> None:
    connection, asked = committed.connection, np.array([2, 3], np.uint32)

    assert rows(journal.unflushed(connection, series_ids=asked)) == [FIRST[1], *THIRD]
    assert rows(journal.of_series_since(connection, asked, after=1)) == THIRD
    assert rows(journal.of_series_since(connection, np.array([9], np.uint32), after=0)) == []


def test_rows_go_oldest_first_and_a_few_at_a_time(committed: SqliteReadings) -> None:
    connection = committed.connection
    with connection.transaction():
        went = [journal.drop(connection, up_to=2, limit=1) for _ in range(3)]

    assert went == [1, 1, 0]
    assert [number for number, _ in journal.rows(connection, after=0, up_to=99, limit=9)] == [3]


def test_a_number_is_not_given_again_when_all_rows_are_gone(committed: SqliteReadings) -> None:
    connection = committed.connection
    committed.flush()
    with connection.transaction():
        journal.drop(connection, up_to=3, limit=9)

    assert journal.newest(connection) == 3, "what the last flush reached"


def test_a_row_keeps_its_packets_when_its_readings_go(readings: SqliteReadings) -> None:
    connection = readings.connection
    with connection.transaction():
        number = journal.append(connection, columns(FIRST), packets((7, 70), (8, 80)))
        journal.rewrite(connection, number, columns(FIRST[1:]))

    assert [rows(held) for _, held in journal.rows(connection, after=0, up_to=9, limit=9)] == [FIRST[1:]]
    assert journal.unflushed_count(connection) == 1
    assert journal.recent_packets(connection, at_least=9) == [(7, 70), (8, 80)]


def test_the_newest_packets_are_found_oldest_first(readings: SqliteReadings) -> None:
    connection = readings.connection
    with connection.transaction():
        for first in range(0, 65_536, 9_000):
            made = packets(*((id_, 2**32 - 1 - id_) for id_ in range(first, min(first + 9_000, 65_536))))
            journal.append(connection, columns([]), made)
        journal.append(connection, columns([]), NO_PACKETS)

    found = journal.recent_packets(connection, at_least=10_000)

    assert 10_000 <= len(found) < 20_000
    assert found == [(id_, 2**32 - 1 - id_) for id_ in range(65_536 - len(found), 65_536)]
    assert journal.recent_packets(connection, at_least=0) == []
    assert len(journal.recent_packets(connection, at_least=10**6)) == 65_536
