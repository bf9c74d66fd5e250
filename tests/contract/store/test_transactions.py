"""What a use case may rely on, whatever the database: all or nothing, parts undone alone, kept for good."""

import pytest

from services.store import events, registry
from tests.support.rows import ACME, grant_of
from tests.support.stores import Database, StoreUnderTest


class MishapError(Exception):
    """Something goes wrong in the middle of a use case."""


def count_and_fail(db: Database, name: str) -> None:
    events.count(db, name)
    raise MishapError


def keep_inside_and_fail(db: Database) -> None:
    with db.savepoint():
        events.count(db, "inner")
    raise MishapError


def test_a_transaction_that_raises_leaves_nothing_behind(db: Database) -> None:
    with pytest.raises(MishapError), db.transaction():
        count_and_fail(db, "a")

    assert events.counters(db) == {}


def test_a_savepoint_undoes_its_own_part_and_only_that(db: Database) -> None:
    with db.transaction():
        events.count(db, "before")
        with pytest.raises(MishapError), db.savepoint():
            count_and_fail(db, "inside")
        events.count(db, "after")

    assert events.counters(db) == {"after": 1, "before": 1}


def test_a_savepoint_that_ends_well_is_kept(db: Database) -> None:
    with db.transaction(), db.savepoint():
        events.count(db, "inside")

    assert events.counters(db) == {"inside": 1}


def test_an_outer_savepoint_undoes_what_an_inner_one_had_kept(db: Database) -> None:
    with db.transaction():
        with pytest.raises(MishapError), db.savepoint():
            keep_inside_and_fail(db)
        events.count(db, "after")

    assert events.counters(db) == {"after": 1}


def test_an_inner_savepoint_that_fails_leaves_the_outer_one_whole(db: Database) -> None:
    with db.transaction(), db.savepoint():
        events.count(db, "outer")
        with pytest.raises(MishapError), db.savepoint():
            count_and_fail(db, "inner")

    assert events.counters(db) == {"outer": 1}


def test_a_commit_survives_closing_and_opening_again(store: StoreUnderTest) -> None:
    with store.database.transaction():
        events.count(store.database, "kept")

    assert events.counters(store.reopen()) == {"kept": 1}


def test_what_was_not_committed_is_gone_after_opening_again(store: StoreUnderTest) -> None:
    store.database.run("BEGIN")
    events.count(store.database, "never")

    assert events.counters(store.reopen()) == {}


def test_another_connection_sees_a_commit_and_nothing_before_it(store: StoreUnderTest) -> None:
    reader = store.another()

    with store.database.transaction():
        events.count(store.database, "a")
        before = events.counters(reader)
    after = events.counters(reader)

    assert (before, after) == ({}, {"a": 1})


def test_a_row_that_hangs_on_nothing_is_refused(store: StoreUnderTest) -> None:
    with pytest.raises(store.rule_broken), store.database.transaction():
        registry.add_grant(store.database, grant_of(ACME))


def test_run_says_how_many_rows_it_changed(settled: Database) -> None:
    with settled.transaction():
        changed = settled.run("UPDATE organisations SET name = 'x'")
        unchanged = settled.run("UPDATE organisations SET name = 'x' WHERE id = 'nobody'")

    assert (changed, unchanged) == (2, 0)
