"""Writing much beside others who write."""

import pytest

from gateway.small_steps import STEP, write_in_steps
from services.store import events
from services.store.connection import Connection
from services.store.sqlite import SqliteConnection


def counted(connection: Connection, number: int) -> int:
    if number < 0:
        raise ValueError(number)
    events.count(connection, "written")
    return number


def test_everything_is_written_in_order(database: SqliteConnection) -> None:
    numbers = list(range(2 * STEP + 1))

    written = list(write_in_steps(database, numbers, counted, pause=lambda _: None))

    assert written == numbers
    assert events.counter(database, "written") == len(numbers)


def test_an_error_undoes_its_own_step_and_keeps_those_before(database: SqliteConnection) -> None:
    numbers = [*range(STEP), 1, -1]

    with pytest.raises(ValueError, match="-1"):
        list(write_in_steps(database, numbers, counted, pause=lambda _: None))

    assert events.counter(database, "written") == STEP


def test_one_step_needs_no_pause(database: SqliteConnection) -> None:
    pauses: list[float] = []

    list(write_in_steps(database, range(STEP), counted, pause=pauses.append))

    assert pauses == []
