"""Times as people type them.

2026-11-23T08:00:00+01:00    RFC 3339, with its offset
2026-11-23                   a date: its first moment in Sweden
90s 15m 24h 7d               a time span
"""

import math
import re
from datetime import UTC, date, datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from devices.codecs.rfc3339 import parse_time
from services.domain.errors import InvalidError

DAY: Final = timedelta(days=1)
ZONE: Final = "Europe/Stockholm"
EXPECTED: Final = "RFC 3339 with an offset, such as 2026-11-23T08:00:00+01:00, or a date such as 2026-11-23"
WITHOUT_ZONES: Final = (
    "RFC 3339 with an offset, such as 2026-11-23T08:00:00+01:00 (dates need the package tzdata)"
)

SPAN: Final = "a number and s, m, h or d, such as 90s, 15m, 24h or 7d"

_SECONDS: Final = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}
_SPAN: Final = re.compile(r"(\d{1,9})([smhd])", re.ASCII)
EXPECTED_OR_AGO: Final = f"how long ago, such as 24h or 7d; or {EXPECTED}"

_DATE: Final = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)


def moment(what: str, text: str) -> datetime:
    """The moment that ``text`` names, in UTC.

    Raises:
        InvalidError: It names none; says what would.
    """
    found = _midnight(what, text) if _DATE.fullmatch(text) else parse_time(text)
    if found is None:
        raise InvalidError(what, text, expected=EXPECTED)
    return found


def seconds_in(what: str, text: str) -> int:
    """The length of the time span that ``text`` names.

    Raises:
        InvalidError: It names none; says what would.
    """
    found = _SPAN.fullmatch(text)
    if found is None:
        raise InvalidError(what, text, expected=SPAN)
    return int(found[1]) * _SECONDS[found[2]]


def duration(what: str, seconds: float) -> timedelta:
    """A time span of so many seconds, at most a day.

    Raises:
        InvalidError: It is longer, or no number.
    """
    if not math.isfinite(seconds) or seconds > DAY.total_seconds():
        raise InvalidError(what, seconds, expected="more than 0 and at most 86400 seconds")
    return timedelta(seconds=seconds)


def moment_or_ago(what: str, text: str, *, now: datetime) -> datetime:
    """The moment that ``text`` names, also by how long ago it was, in UTC. A day ago is 24 hours ago.

    Raises:
        InvalidError: It names none; says what would.
    """
    try:
        if _SPAN.fullmatch(text):
            return now - timedelta(seconds=seconds_in(what, text))
        return moment(what, text)
    except (OverflowError, InvalidError) as error:
        raise InvalidError(what, text, expected=EXPECTED_OR_AGO) from error


def _midnight(what: str, text: str) -> datetime:
    try:
        zone = ZoneInfo(ZONE)
    except ZoneInfoNotFoundError as error:
        raise InvalidError(what, text, expected=WITHOUT_ZONES) from error
    try:
        return datetime.combine(date.fromisoformat(text), time(), tzinfo=zone).astimezone(UTC)
    except (ValueError, OverflowError) as error:  # 30 February; year 0001 before the first moment
        raise InvalidError(what, text, expected=EXPECTED) from error
