"""Readings go when their time is over: by class, longer where a purpose asks for it, by whole days."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest

from devices.kinds import DataClass
from services.readings.upkeep.expire import Retention
from services.store import registry
from services.store.connection import from_micros, to_micros
from services.store.readings import journal, segments
from services.store.readings import series as series_rows
from services.store.readings.segments import DAY_MICROS
from tests.support import rows
from tests.support.readings_store import DiedError, SqliteReadings, series

START = to_micros(datetime(2026, 11, 1, 12, tzinfo=UTC))
CLIMATE, CARE = DataClass.CLIMATE, DataClass.CARE
KEPT = {CLIMATE: timedelta(days=10), CARE: timedelta(days=3)}
RETENTION = Retention(of_class=KEPT)
DAYS = 14


def at_noon(day: int) -> datetime:
    return from_micros(START + day * DAY_MICROS)


@pytest.fixture
def fortnight(readings: SqliteReadings) -> SqliteReadings:
    """Two series of each class, a reading at noon of each of fourteen days, sorted into days but the last."""
    readings.add(
        series(1), series(2, data_class=CARE), series(3, data_class=CLIMATE), series(4, data_class=CARE)
    )
    for day in range(DAYS):
        at = START + day * DAY_MICROS
        readings.commit([(id_, at, at, float(day)) for id_ in (1, 2, 3, 4)])
        readings.flush()
        readings.merge_days(today=segments.day_of(at))
    return readings


def days_left(readings: SqliteReadings, id_: int) -> list[int]:
    return sorted((row.at - START) // DAY_MICROS for row in readings.raw() if row.series == id_)


def test_each_class_is_kept_for_its_days(fortnight: SqliteReadings) -> None:
    went = fortnight.expire(RETENTION, now=at_noon(13))

    assert days_left(fortnight, 1) == days_left(fortnight, 3) == list(range(3, DAYS))
    assert days_left(fortnight, 2) == days_left(fortnight, 4) == list(range(10, DAYS))
    assert went == 2 * 3 + 2 * 10


def test_a_day_goes_whole_so_nothing_is_kept_for_less_than_its_days(fortnight: SqliteReadings) -> None:
    late = at_noon(13) + timedelta(hours=11)
    fortnight.expire(RETENTION, now=at_noon(13) - timedelta(hours=12))
    at_midnight = days_left(fortnight, 2)

    fortnight.expire(RETENTION, now=late)

    assert at_midnight == days_left(fortnight, 2) == list(range(10, DAYS))


def test_a_day_of_which_all_is_gone_is_no_segment(fortnight: SqliteReadings) -> None:
    fortnight.expire(RETENTION, now=at_noon(13))

    first_day = segments.day_of(START)
    found = [
        item.day - first_day for item in segments.ready(fortnight.connection) if item.day != segments.NO_DAY
    ]
    assert found == list(range(3, DAYS - 1))
    fortnight.drop()
    held = sum(
        page.count for item in segments.ready(fortnight.connection) for page in _pages(fortnight, item.id)
    )
    assert held == len(fortnight.raw())


def _pages(readings: SqliteReadings, id_: int) -> list[segments.Page]:
    return segments.pages(readings.connection, id_)


def test_it_goes_on_day_by_day_and_looks_at_nothing_twice(
    fortnight: SqliteReadings, monkeypatch: pytest.MonkeyPatch
) -> None:
    fortnight.expire(RETENTION, now=at_noon(13))
    read = []
    plain = segments.read
    monkeypatch.setattr(segments, "read", lambda c, page: read.append(page.id) or plain(c, page))

    fortnight.expire(RETENTION, now=at_noon(13) + timedelta(hours=3))
    same_day = list(read)
    fortnight.expire(RETENTION, now=at_noon(14))

    assert same_day == []
    assert len(read) == 2, "a page of the day that is over for climate, one of that for care"
    assert days_left(fortnight, 1) == list(range(4, DAYS))
    assert days_left(fortnight, 2) == list(range(11, DAYS))


@pytest.mark.parametrize(
    ("purpose", "valid_until", "first_kept"),
    [
        ("studies damp", None, 0),
        ("studies damp", at_noon(2), 3),
        ("answers alarms", None, 3),
    ],
    ids=["a grant in force", "one that has ended", "another purpose"],
)
def test_a_purpose_keeps_a_homes_class_longer_while_its_grant_is_in_force(
    fortnight: SqliteReadings, purpose: str, valid_until: datetime | None, first_kept: int
) -> None:
    longer = Retention(of_class=KEPT, of_purpose={"studies damp": {CLIMATE: timedelta(days=90)}})
    fortnight.add(series(5, home="h-2"))
    fortnight.commit([(5, START + 3, START + 3, 0.0)])
    with fortnight.registry.transaction():
        rows.settle(fortnight.registry)
        grant = rows.grant_of(
            data_class=CLIMATE, purpose=purpose, valid_from=at_noon(0), valid_until=valid_until
        )
        registry.add_grant(fortnight.registry, grant)

    fortnight.expire(longer, now=at_noon(13))

    assert days_left(fortnight, 1) == list(range(first_kept, DAYS))
    assert days_left(fortnight, 2) == list(range(10, DAYS)), "not of the purpose's class"
    assert days_left(fortnight, 5) == [], "not of the grant's home"


def test_when_a_grant_ends_what_it_kept_goes(fortnight: SqliteReadings) -> None:
    longer = Retention(of_class=KEPT, of_purpose={"studies damp": {CLIMATE: timedelta(days=90)}})
    with fortnight.registry.transaction():
        rows.settle(fortnight.registry)
        grant = rows.grant_of(data_class=CLIMATE, purpose="studies damp", valid_from=at_noon(0))
        registry.add_grant(fortnight.registry, grant)
    fortnight.expire(longer, now=at_noon(13))
    before = days_left(fortnight, 1)

    with fortnight.registry.transaction():
        registry.revoke_grant(fortnight.registry, grant.id, at_noon(13))
    fortnight.expire(longer, now=at_noon(13) + timedelta(minutes=1))

    assert before == list(range(DAYS))
    assert days_left(fortnight, 1) == list(range(3, DAYS))


@pytest.mark.parametrize("off", [timedelta(days=-9_000), timedelta(days=9_000)], ids=["behind", "ahead"])
def test_time_counts_from_the_receipt_whatever_the_devices_clock_said(
    readings: SqliteReadings, off: timedelta
) -> None:
    readings.add(series(1))
    wrong = to_micros(at_noon(0) + off)
    readings.commit([(1, wrong, START, 1.0), (1, START + DAY_MICROS, START + DAY_MICROS, 2.0)])
    readings.flush()
    readings.merge_days(today=segments.day_of(START) + 2)

    left = []
    for day in (10, 11):
        readings.expire(RETENTION, now=at_noon(day))
        left.append(sorted(row.value for row in readings.raw()))

    assert left == [[1.0, 2.0], [2.0]]


def test_a_segment_that_was_received_over_many_days_goes_bit_by_bit(readings: SqliteReadings) -> None:
    readings.add(series(1))
    for day in range(6):
        readings.commit([(1, START - 99 * DAY_MICROS + day, START + day * DAY_MICROS, float(day))])
    readings.flush()
    readings.merge_days(today=segments.day_of(START) + 6)

    left = []
    for day in range(10, 17):
        readings.expire(RETENTION, now=at_noon(day))
        left.append([row.value for row in readings.raw()])

    assert left == [[float(day) for day in range(first, 6)] for first in range(7)]


def test_what_was_committed_and_never_flushed_goes_too(readings: SqliteReadings) -> None:
    readings.add(series(1))
    readings.commit([(1, START, START, 1.0)])

    assert readings.expire(RETENTION, now=at_noon(20)) == 1
    assert readings.raw() == []


def test_rows_of_the_journal_that_are_kept_for_other_reasons_are_emptied(fortnight: SqliteReadings) -> None:
    fortnight.expire(RETENTION, now=at_noon(13))

    held = journal.rows(fortnight.connection, after=0, up_to=99, limit=99)
    assert [number for number, _ in held] == list(range(1, DAYS + 1))
    assert [sorted(columns.series.tolist()) for _, columns in held] == (
        [[]] * 3 + [[1, 3]] * 7 + [[1, 2, 3, 4]] * 4
    )


def test_a_last_value_that_is_too_old_goes_and_a_young_one_stays(fortnight: SqliteReadings) -> None:
    fortnight.add(series(5, data_class=CARE), series(6, data_class=CLIMATE))
    fortnight.commit([(id_, START, START, 7.0) for id_ in (5, 6)])
    fortnight.reopen()  # a start notes last values

    fortnight.expire(RETENTION, now=at_noon(9))

    noted = {row[0] for row in series_rows.all_last(fortnight.connection)}
    assert noted == {1, 2, 3, 4, 6}
    fortnight.reopen()
    assert {row[0] for row in series_rows.all_last(fortnight.connection)} == noted


def test_it_can_die_before_any_step_and_is_finished_by_the_next_run(fortnight: SqliteReadings) -> None:
    deaths = 0
    for steps in range(200):
        fortnight.writer.steps_left = steps // 3
        try:
            fortnight.expire(RETENTION, now=at_noon(13))
        except DiedError:
            deaths += 1
            fortnight.reopen()
        else:
            break

    assert deaths > 10
    assert days_left(fortnight, 1) == list(range(3, DAYS))
    assert days_left(fortnight, 4) == list(range(10, DAYS))


def test_a_step_changes_a_few_pages_at_most(fortnight: SqliteReadings) -> None:
    """So that what has just arrived never waits long."""
    at = START
    fortnight.add(*(series(id_) for id_ in range(5, 105)))
    fortnight.commit([(id_, at, at, 0.0) for id_ in range(5, 105)])
    changed = []

    def note() -> None:
        changed.append(fortnight.connection.row("SELECT COUNT(*), SUM(count) FROM pages"))

    fortnight.flush()
    fortnight.writer.before_step = note
    fortnight.expire(RETENTION, now=at_noon(13))

    pages = [row[0] for row in changed]
    assert max(before - after for before, after in pairwise(pages)) <= 2
    assert pages[0] - pages[-1] > 20
