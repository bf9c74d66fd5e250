"""Segments, their pages, and the merges: everything is found where it is, and nothing else."""

import tracemalloc

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.readings.upkeep import merge
from services.readings.upkeep.merge import MERGED_TO
from services.store import events
from services.store.readings import segments
from services.store.readings.columns import Columns, columns_of, pack
from services.store.readings.recent import Recent, keys_in_segments
from services.store.readings.segments import (
    DAY_MICROS,
    DAY_TIER,
    FLUSH_TIER,
    MERGED_TIER,
    NO_DAY,
    Extent,
    Segment,
)
from tests.support.readings_store import DiedError, Row, SqliteReadings, columns, series

DAY = 20_000
NOON = DAY * DAY_MICROS + DAY_MICROS // 2

# Sorted readings of a few series, so that a page may hold several and a series may fill several pages.
counts = st.lists(st.integers(0, 11), min_size=1, max_size=6)


def sorted_rows(of_each: list[int]) -> list[Row]:
    return [Row(id_, at, at, 0.5) for id_, count in enumerate(of_each, start=1) for at in range(count)]


def written(readings: SqliteReadings, rows: list[Row], *, is_ready: bool = True) -> int:
    """A segment of these, which are sorted."""
    connection, whole, extent = readings.connection, columns(rows), Extent()
    extent.add(whole)
    with connection.transaction():
        id_ = segments.begin(connection, tier=FLUSH_TIER, day=NO_DAY)
        for page in segments.pages_in(whole):
            segments.add_page(connection, id_, page, pack(page))
        if is_ready:
            segments.finish(connection, id_, extent)
    return id_


def tiers(readings: SqliteReadings) -> list[tuple[int, int, int]]:
    return [(item.tier, item.day, item.count) for item in segments.ready(readings.connection)]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(of_each=counts)
def test_the_pages_of_a_series_are_those_that_reach_over_it_and_no_others(
    readings: SqliteReadings, of_each: list[int]
) -> None:
    connection, rows = readings.connection, sorted_rows(of_each)
    id_ = written(readings, rows)

    for asked in range(len(of_each) + 2):
        found = segments.pages_of_series(connection, id_, asked)
        reaching, holding = [], set()
        for page in segments.pages(connection, id_):
            held = segments.read(connection, page).series
            if held.min() <= asked <= held.max():
                reaching.append(page.id)
            if asked in held:
                holding.add(page.id)
        assert [page.id for page in found] == reaching
        assert holding <= set(reaching)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(of_each=counts.filter(any))
def test_a_segment_and_its_pages_say_what_is_in_them(readings: SqliteReadings, of_each: list[int]) -> None:
    connection, rows = readings.connection, sorted_rows(of_each)
    id_ = written(readings, rows)

    pages = segments.pages(connection, id_)
    held = [Row(*row) for page in pages for row in segments.read(connection, page).rows()]
    (segment,) = [item for item in segments.ready(connection) if item.id == id_]

    assert held == rows
    assert [page.count for page in pages[:-1]] == [segments.PAGE_READINGS] * (len(pages) - 1)
    assert (segment.count, segment.first_at, segment.last_at) == (len(rows), 0, max(row.at for row in rows))
    for page in pages:
        found = segments.read(connection, page)
        assert (page.first_series, page.last_series) == (found.series.min(), found.series.max())
        assert (page.first_at, page.last_at) == (found.at.min(), found.at.max())
        assert (page.first_received_at, page.last_received_at) == (page.first_at, page.last_at)


def test_a_segment_that_is_being_written_is_in_no_answer_and_a_start_clears_it_away(
    readings: SqliteReadings,
) -> None:
    readings.add(series(1))
    written(readings, sorted_rows([9]), is_ready=False)

    with readings.reader() as reader:
        assert list(reader.points(series(1).id, since_us=0, until_us=99)) == []
    readings.reopen()
    readings.drop()

    assert readings.connection.rows("SELECT COUNT(*) FROM segments") == [(0,)]
    assert readings.connection.rows("SELECT COUNT(*) FROM pages") == [(0,)]


def test_pages_go_a_few_at_a_time_and_those_of_others_stay(readings: SqliteReadings) -> None:
    connection = readings.connection
    dropped, kept = written(readings, sorted_rows([20])), written(readings, sorted_rows([3]))
    with connection.transaction():
        segments.drop(connection, [dropped])

    sizes = []
    while True:
        with connection.transaction():
            if not segments.drop_pages(connection, limit=2):
                break
        sizes.append(len(segments.pages(connection, dropped)))

    assert sizes == [3, 1, 0]
    assert [item.id for item in segments.ready(connection)] == [kept]
    assert len(segments.pages(connection, kept)) == 1


@pytest.mark.parametrize(
    ("first", "last", "is_found"), [(0, 4, 1), (4, 9, 1), (5, 9, 0), (-9, -1, 0), (2, 2, 1)]
)
def test_segments_are_found_by_time_both_ends_included(
    readings: SqliteReadings, first: int, last: int, is_found: int
) -> None:
    written(readings, sorted_rows([5]))

    assert len(segments.overlapping(readings.connection, first_at=first, last_at=last)) == is_found


# What is there already.

keys = st.sets(st.tuples(st.integers(1, 4), st.integers(0, 12)), max_size=12)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(parts=st.lists(keys, max_size=4), asked=keys)
def test_known_readings_are_those_that_are_in_a_segment(
    readings: SqliteReadings, parts: list[set[tuple[int, int]]], asked: set[tuple[int, int]]
) -> None:
    connection = readings.connection
    with connection.transaction():
        segments.drop(connection, [item.id for item in segments.ready(connection)])
    for part in parts:
        if part:
            written(readings, [Row(id_, at, at, 0.0) for id_, at in sorted(part)])

    assert keys_in_segments(connection, asked) == asked & set().union(*parts)


@given(
    parts=st.lists(keys, max_size=5), asked=keys, flushed=st.integers(0, 3), erased=st.sets(st.integers(1, 4))
)
def test_known_readings_are_those_that_are_in_memory(
    parts: list[set[tuple[int, int]]], asked: set[tuple[int, int]], flushed: int, erased: set[int]
) -> None:
    made = [columns([(id_, at, at, 0.0) for id_, at in sorted(part)]) for part in parts]
    recent = Recent(columns([]), number=0)
    for number, part in enumerate(made[:flushed], start=1):
        recent.add(part, number=number)
    _, blocks = recent.all()
    for number, part in enumerate(made[flushed:], start=flushed + 1):
        recent.add(part, number=number)
    recent.flushed(blocks)
    recent.erase(erased)
    recent.add(columns([(1, 99, 99, 0.0)]), number=99)

    left = set().union(*parts[flushed:]) | {(1, 99)}
    assert recent.known(asked | {(1, 99)}) == {
        key for key in left & (asked | {(1, 99)}) if key[0] not in erased
    }
    assert recent.all()[0] == 99


def test_a_page_is_read_once_for_many_late_readings(
    readings: SqliteReadings, monkeypatch: pytest.MonkeyPatch
) -> None:
    written(readings, sorted_rows([40]))
    read, plain = [], segments.read

    def counted(connection: object, page: segments.Page) -> Columns:
        read.append(page.id)
        return plain(connection, page)  # type: ignore[arg-type]

    monkeypatch.setattr(segments, "read", counted)
    found = keys_in_segments(readings.connection, {(1, at) for at in range(10, 22)})

    assert len(found) == 12
    assert len(read) == len(set(read)) == 4


# Merges.


def test_flushes_are_merged_when_there_are_enough(readings: SqliteReadings) -> None:
    sizes = []
    for at in range(4):
        readings.commit([(1, NOON + at, NOON + at, 0.0), (2, NOON, NOON, 0.0)])
        readings.flush()
        readings.merge_flushes()
        sizes.append(tiers(readings))

    flush = (FLUSH_TIER, NO_DAY, 2)
    merged = (MERGED_TIER, NO_DAY, 4)
    assert sizes == [[flush], [flush, flush], [merged], [merged, flush]]


def test_a_flush_of_nothing_makes_no_segment(readings: SqliteReadings) -> None:
    readings.commit([])

    readings.flush()

    assert tiers(readings) == []
    assert events.counter(readings.connection, "journal_flushed_to") == 1


def test_a_day_that_has_ended_becomes_one_segment_and_today_stays_together(readings: SqliteReadings) -> None:
    for at in (
        NOON,
        NOON + DAY_MICROS,
        NOON + DAY_MICROS + 1,
        NOON - 3 * DAY_MICROS,
        NOON + 900 * DAY_MICROS,
    ):
        readings.commit([(1, at, at, 0.0)])
        readings.flush()

    readings.merge_days(today=DAY + 1)

    assert tiers(readings) == [(DAY_TIER, DAY - 3, 1), (DAY_TIER, DAY, 1), (MERGED_TIER, NO_DAY, 3)]
    assert events.counter(readings.connection, MERGED_TO) == DAY + 1


def test_late_readings_wait_for_the_next_day_so_that_today_is_not_sorted_again_for_each(
    readings: SqliteReadings,
) -> None:
    readings.commit([(1, NOON, NOON, 0.0)])
    readings.flush()
    readings.merge_days(today=DAY + 1)
    readings.commit([(1, NOON + 1, NOON + DAY_MICROS, 0.0), (1, NOON + DAY_MICROS, NOON + DAY_MICROS, 0.0)])
    readings.flush()

    readings.merge_days(today=DAY + 1)
    same_day = tiers(readings)
    readings.merge_days(today=DAY + 2)

    assert same_day == [(DAY_TIER, DAY, 1), (FLUSH_TIER, NO_DAY, 2)]
    assert tiers(readings) == [(DAY_TIER, DAY + 1, 1), (DAY_TIER, DAY, 2)], "two pieces of a day became one"


def test_a_merge_that_dies_anywhere_leaves_what_was_there(readings: SqliteReadings) -> None:
    for number in range(3):
        readings.commit([(id_, NOON + number, NOON, 0.0) for id_ in range(1, 9)])
        readings.flush()
    before, dying = readings.raw(), 0

    while True:
        readings.writer.steps_left = dying
        try:
            readings.merge_flushes()
        except DiedError:
            readings.reopen()
            assert readings.raw() == before
            dying += 1
        else:
            break

    assert dying > 3
    assert readings.raw() == before
    assert tiers(readings) == [(MERGED_TIER, NO_DAY, 24)]


def test_what_is_flushed_while_days_are_merged_is_kept(readings: SqliteReadings) -> None:
    for number in range(3):
        readings.commit([(id_, NOON + number, NOON, 0.0) for id_ in range(1, 9)])
        readings.flush()
    late = iter(range(100))

    def meanwhile() -> None:
        readings.commit([(1, NOON + 50 + next(late), NOON, 0.0)])

    readings.writer.before_step = meanwhile
    readings.merge_days(today=DAY + 1)
    readings.writer.before_step = lambda: None
    readings.flush()

    assert len(readings.raw()) == 24 + next(late)


@pytest.mark.parametrize("tier", ["flushes", "days"])
def test_the_memory_of_a_merge_does_not_grow_with_what_is_merged(
    readings: SqliteReadings, monkeypatch: pytest.MonkeyPatch, tier: str
) -> None:
    monkeypatch.setattr(segments, "PAGE_READINGS", 256)
    monkeypatch.setattr(merge, "RANGE_READINGS", 2_000)

    small, large = (_peak_of_merge(readings, tier, number_of_series) for number_of_series in (200, 1_600))

    assert large < 2.5 * small, f"{small} bytes, and {large} for eight times as much"


def _peak_of_merge(readings: SqliteReadings, tier: str, number_of_series: int) -> int:
    with readings.connection.transaction():
        segments.drop(readings.connection, [item.id for item in segments.ready(readings.connection)])
        events.set_counter(readings.connection, MERGED_TO, 0)
    ids = np.repeat(np.arange(1, number_of_series + 1), 10)
    for number in range(3):
        at = NOON + number * 100 + np.tile(np.arange(10), number_of_series)
        readings.commit_columns(columns_of(ids, at, at, np.zeros(len(ids))))
        readings.flush()
    tracemalloc.start()
    try:
        if tier == "flushes":
            readings.merge_flushes()
        else:
            readings.merge_days(today=DAY + 1)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_an_extent_reaches_over_all_that_was_added() -> None:
    extent = Extent()
    for rows in ([(1, 5, 50, 0.0), (1, 3, 70, 0.0)], [], [(2, 9, 40, 0.0)]):
        extent.add(columns(rows))

    found = (extent.first_at, extent.last_at, extent.first_received_at, extent.last_received_at, extent.count)
    assert found == (3, 9, 40, 70, 3)


def test_a_segment_of_which_all_is_gone_goes(readings: SqliteReadings) -> None:
    connection, id_ = readings.connection, written(readings, sorted_rows([3]))

    def left() -> list[Segment]:
        with connection.transaction():
            segments.shrink(connection, id_, 1)
        return segments.ready(connection)

    assert [sum(item.count for item in left()) for _ in range(3)] == [2, 1, 0]
    assert segments.ready(connection) == []
