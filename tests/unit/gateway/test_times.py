"""Times as people type them."""

from datetime import UTC, datetime

import pytest

from gateway.times import moment, moment_or_ago, seconds_in
from services.domain.errors import InvalidError


def test_a_time_with_an_offset_is_that_moment() -> None:
    assert moment("from", "2026-11-23T09:00:00+01:00") == datetime(2026, 11, 23, 8, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-11-23", datetime(2026, 11, 22, 23, tzinfo=UTC)),
        ("2026-07-01", datetime(2026, 6, 30, 22, tzinfo=UTC)),
    ],
)
def test_a_date_is_its_first_moment_in_sweden_in_winter_and_in_summer(text: str, expected: datetime) -> None:
    assert moment("until", text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "tomorrow",
        "2026-02-30",
        "2026-11-23T09:00:00",
        "2026-11-23 09:00",
        "0001-01-01",
        "\uff12026-01-01",
    ],
)
def test_what_names_no_moment_is_refused_with_what_would(text: str) -> None:
    with pytest.raises(InvalidError, match="as until: expected RFC 3339 with an offset"):
        moment("until", text)


@pytest.mark.parametrize(
    ("text", "seconds"), [("0s", 0), ("90s", 90), ("15m", 900), ("24h", 86_400), ("7d", 604_800)]
)
def test_a_time_span_is_so_many_seconds(text: str, seconds: int) -> None:
    assert seconds_in("for", text) == seconds


@pytest.mark.parametrize(
    "text", ["", "90", "h", "-1h", "1.5h", "1h30m", "1w", "1 h", "\uff11h", "9999999999s"]
)
def test_what_names_no_time_span_is_refused_with_what_would(text: str) -> None:
    with pytest.raises(InvalidError, match="as for: expected a number and s, m, h or d, such as 90s"):
        seconds_in("for", text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("90s", datetime(2026, 11, 23, 8, 13, 30, tzinfo=UTC)),
        ("7d", datetime(2026, 11, 16, 8, 15, tzinfo=UTC)),
        ("2026-11-23", datetime(2026, 11, 22, 23, tzinfo=UTC)),
        ("2026-11-23T09:00:00+01:00", datetime(2026, 11, 23, 8, tzinfo=UTC)),
    ],
)
def test_a_moment_can_be_named_by_how_long_ago_it_was(text: str, expected: datetime) -> None:
    assert moment_or_ago("since", text, now=datetime(2026, 11, 23, 8, 15, tzinfo=UTC)) == expected


@pytest.mark.parametrize("text", ["", "7", "d", "-7d", "7w", "999999999d", "soon"])
def test_what_is_neither_is_refused_with_what_would_be_right(text: str) -> None:
    with pytest.raises(InvalidError, match="as since: expected how long ago, such as 24h or 7d; or RFC 3339"):
        moment_or_ago("since", text, now=datetime(2026, 11, 23, 8, 15, tzinfo=UTC))
