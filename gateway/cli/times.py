"""Times as people type them.

2026-11-23T08:00:00+01:00    RFC 3339, with its offset
2026-11-23                   a date: its first moment in Sweden
"""

import re
from datetime import UTC, date, datetime, time
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from devices.codecs.rfc3339 import parse_time
from services.domain.errors import InvalidError

ZONE: Final = "Europe/Stockholm"
EXPECTED: Final = "RFC 3339 with an offset, such as 2026-11-23T08:00:00+01:00, or a date such as 2026-11-23"
WITHOUT_ZONES: Final = (
    "RFC 3339 with an offset, such as 2026-11-23T08:00:00+01:00 (dates need the package tzdata)"
)

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


def _midnight(what: str, text: str) -> datetime:
    try:
        zone = ZoneInfo(ZONE)
    except ZoneInfoNotFoundError as error:
        raise InvalidError(what, text, expected=WITHOUT_ZONES) from error
    try:
        return datetime.combine(date.fromisoformat(text), time(), tzinfo=zone).astimezone(UTC)
    except (ValueError, OverflowError) as error:  # 30 February; year 0001 before the first moment
        raise InvalidError(what, text, expected=EXPECTED) from error
