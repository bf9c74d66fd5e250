"""One row that cannot be handled is undone alone; a disk that fails is everybody's failure."""

import pytest

from services.store import events
from services.store.apart import apart
from services.store.connection import StoreUnavailableError
from tests.support.stores import Database


def count_and_raise(db: Database, error: Exception) -> None:
    events.count(db, "half done")
    raise error


def test_work_that_raises_is_undone_alone_and_said_to_have_failed(db: Database) -> None:
    with db.transaction():
        outcomes = [
            apart(db, "row", "1", lambda: events.count(db, "before")),
            apart(db, "row", "2", lambda: count_and_raise(db, ZeroDivisionError())),
            apart(db, "row", "3", lambda: events.count(db, "after")),
        ]

    assert outcomes == [True, False, True]
    assert events.counters(db) == {"after": 1, "before": 1}


def test_a_store_that_is_unavailable_is_not_one_rows_failure(db: Database) -> None:
    with pytest.raises(StoreUnavailableError), db.transaction():
        apart(db, "row", "1", lambda: count_and_raise(db, StoreUnavailableError("full")))

    assert events.counters(db) == {}
