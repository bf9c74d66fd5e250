"""Marks of a time axis: round on the clock on the wall, whatever summer time does."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.plots.ticks import ticks

STOCKHOLM = ZoneInfo("Europe/Stockholm")
MORNING = datetime(2026, 11, 23, 8, 15, tzinfo=UTC)


def texts(since: datetime, until: datetime, at_most: int = 8) -> list[str]:
    return [f"{tick.above} {tick.text}".strip() for tick in ticks(since, until, STOCKHOLM, at_most=at_most)]


@pytest.mark.parametrize(
    ("back", "expected"),
    [
        (timedelta(minutes=6), ["23 Nov 09:09", "09:10", "09:11", "09:12", "09:13", "09:14", "09:15"]),
        (timedelta(hours=20), ["22 Nov 15:00", "18:00", "21:00", "23 Nov 00:00", "03:00", "06:00", "09:00"]),
        (timedelta(days=5), ["2026 19 Nov", "20 Nov", "21 Nov", "22 Nov", "23 Nov"]),
        (timedelta(days=365), ["2026 Jan", "Mar", "May", "Jul", "Sep", "Nov"]),
        (
            timedelta(days=4 * 365),
            ["2023 Jan", "Jul", "2024 Jan", "Jul", "2025 Jan", "Jul", "2026 Jan", "Jul"],
        ),
    ],
)
def test_marks_are_round_and_say_what_they_are_part_of_where_it_begins(
    back: timedelta, expected: list[str]
) -> None:
    assert texts(MORNING - back, MORNING) == expected


def test_a_day_begins_at_local_midnight_on_both_sides_of_a_change_of_clocks() -> None:
    marks = ticks(
        datetime(2026, 10, 23, tzinfo=UTC), datetime(2026, 10, 27, tzinfo=UTC), STOCKHOLM, at_most=8
    )

    midnights = [mark.at for mark in marks if mark.at.hour == 0]
    assert [midnight.astimezone(UTC).hour for midnight in midnights] == [22, 22, 23, 23]


@pytest.mark.parametrize("day", [datetime(2026, 3, 29, tzinfo=UTC), datetime(2026, 10, 25, tzinfo=UTC)])
def test_no_mark_stands_twice_in_an_hour_that_is_left_out_or_comes_again(day: datetime) -> None:
    marks = ticks(day - timedelta(hours=1), day + timedelta(hours=5), STOCKHOLM, at_most=8)

    moments = [mark.at.timestamp() for mark in marks]
    assert moments == sorted(set(moments))
    assert len(moments) >= 5


@given(
    since=st.datetimes(datetime(1970, 1, 2), datetime(2100, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001
    span=st.timedeltas(timedelta(minutes=1), timedelta(days=20 * 365)),
    at_most=st.integers(3, 12),
)
def test_marks_lie_within_the_axis_ascend_and_are_not_too_many(
    since: datetime, span: timedelta, at_most: int
) -> None:
    marks = [mark.at.timestamp() for mark in ticks(since, since + span, STOCKHOLM, at_most=at_most)]

    assert marks == sorted(set(marks))
    assert all(since.timestamp() <= mark <= (since + span).timestamp() for mark in marks)
    assert len(marks) <= at_most + 2
