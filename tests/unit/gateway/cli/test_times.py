"""Times as people type them."""

from datetime import UTC, datetime

import pytest

from gateway.cli.times import moment
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
