"""The log goes after five years, in whole days, and what remains verifies."""

from datetime import UTC, datetime, timedelta

import pytest

from services.inspection import heads, retention, samples
from services.inspection.retention import STEP
from services.store import audit as rows
from services.store import audit_heads
from services.store.sqlite import SqliteConnection
from tests.support.clock import START
from tests.support.log import DAY, KEY, LOG, WHOLE, Found, found, looked, set_cell, unlock

NOW = datetime(2031, 11, 24, 3, tzinfo=UTC)
"""Five years and a day after the start."""


def prune(database: SqliteConnection, now: datetime = NOW) -> int | None:
    """Everything that is past its time."""
    last = retention.past_its_time(database, now=now)
    if last is not None:
        heads.sign_anchor(database, KEY, number=last, now=now)
        while retention.delete_some(database):
            pass
    return last


@pytest.mark.parametrize(
    ("now", "since"),
    [
        (NOW, datetime(2026, 11, 24, tzinfo=UTC)),
        (datetime(2028, 2, 29, 12, tzinfo=UTC), datetime(2023, 2, 28, tzinfo=UTC)),
    ],
    ids=str,
)
def test_whole_days_of_five_years_are_kept(now: datetime, since: datetime) -> None:
    assert retention.kept_since(now) == since


def test_what_is_past_its_time_goes_and_the_rest_verifies(database: SqliteConnection) -> None:
    for _ in range(STEP + 5):
        looked(database)
    kept = looked(database, at=START + DAY)

    assert prune(database) == STEP + 5

    assert next(row.number for row in rows.entries(database)) == kept
    assert found(database, kept=audit_heads.heads(database)) == WHOLE


def test_a_transaction_deletes_a_few_only_and_what_is_left_meanwhile_verifies(
    database: SqliteConnection,
) -> None:
    for _ in range(STEP + 5):
        looked(database)
    heads.sign_anchor(database, KEY, number=STEP + 5, now=NOW)

    assert retention.delete_some(database)

    assert rows.first(database) == STEP + 1
    assert found(database) == WHOLE
    assert not retention.delete_some(database)
    assert not retention.delete_some(database)


def test_nothing_goes_before_its_time(database: SqliteConnection) -> None:
    looked(database)

    assert prune(database, NOW - DAY) is None
    assert rows.first(database) == 1


def test_an_empty_log_has_nothing_to_delete(database: SqliteConnection) -> None:
    assert prune(database) is None
    assert not retention.delete_some(database)


def test_again_a_day_later_the_chain_begins_later(database: SqliteConnection) -> None:
    for day in range(3):
        looked(database, at=START + day * DAY)
    heads.sign_head(database, KEY, now=START + 2 * DAY)

    assert [prune(database, NOW + day * DAY) for day in range(2)] == [1, 2]

    assert rows.first(database) == 3
    assert found(database) == WHOLE


def test_a_change_behind_the_anchor_is_found_as_before(database: SqliteConnection) -> None:
    looked(database)
    later = [looked(database, at=START + DAY) for _ in range(2)]
    prune(database)
    unlock(database)

    set_cell(database, LOG, "actor", later[0], "nobody")

    assert found(database) == Found(later[0], frozenset({LOG}))


def test_an_entry_that_goes_missing_right_behind_the_anchor_is_missed(database: SqliteConnection) -> None:
    looked(database)
    for _ in range(2):
        looked(database, at=START + DAY)
    prune(database)
    unlock(database)

    database.run("DELETE FROM audit WHERE number = 2")

    assert found(database).first_bad == 3


def test_an_anchor_that_nobody_signed_hides_nothing(database: SqliteConnection) -> None:
    for _ in range(3):
        looked(database)
    heads.sign_head(database, KEY, now=START)
    row = rows.get(database, 2)
    assert row is not None
    unlock(database)

    database.run(
        "INSERT INTO audit_heads VALUES (99, 'anchor', '2026-11-23', 2, ?, 0, '', 'x', '')", row.hash
    )
    database.run("DELETE FROM audit WHERE number <= 2")

    assert audit_heads.HEADS in found(database).tables


def test_samples_go_with_the_log_that_they_are_of(database: SqliteConnection) -> None:
    looked(database)
    asked = samples.Criteria(
        kind=samples.Kind.RANDOM, since=START - DAY, until=START + timedelta(seconds=1), size=1
    )
    old = samples.record(database, samples.pick(database, asked), actor="auditor", now=START)
    samples.review(database, old.entry, samples.Outcome.IN_ORDER, reviewer="chief", now=START + DAY)
    looked(database, at=START + DAY)

    prune(database)
    assert (audit_heads.samples(database, limit=9), len(audit_heads.reviews(database, old.entry))) == ([], 1)
    assert found(database) == WHOLE

    prune(database, NOW + DAY)
    assert audit_heads.reviews(database, old.entry) == []
    assert found(database) == WHOLE


def test_a_head_whose_entry_has_gone_is_missed_by_the_head_behind_it(database: SqliteConnection) -> None:
    for _ in range(2):
        heads.sign_head(database, KEY, now=START)
    looked(database, at=START + DAY)
    prune(database)
    assert found(database) == WHOLE
    unlock(database)

    database.run("DELETE FROM audit_heads WHERE entry = 1")

    assert found(database).tables == {audit_heads.HEADS}
