"""Times as the public contract writes them: RFC 3339, UTC, milliseconds, Z.

"2026-11-23T09:15:02.12+01:00"  ->  datetime 08:15:02.120 UTC  ->  "2026-11-23T08:15:02.120Z"
"""

import re
from datetime import UTC, datetime
from typing import Final

from devices.codecs.errors import NaiveTimeError

_TIME: Final = re.compile(
    r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)", re.ASCII
)  # RFC 3339 section 5.6
_YEARS: Final = range(1970, 2200)
"""A device without a clock battery starts in 1970; nothing later than this is a clock at all."""


def parse_time(text: str) -> datetime | None:
    """The moment that ``text`` names, in UTC; None when it names none, or no offset, or a far year."""
    if not _TIME.fullmatch(text):
        return None
    try:
        moment = datetime.fromisoformat(text.upper()).astimezone(UTC)
    except (ValueError, OverflowError):  # 30 February; an offset that leaves the calendar
        return None
    return moment if moment.year in _YEARS else None


def time_text(moment: datetime) -> str:
    """Write ``moment``; what is finer than a millisecond is cut off.

    Raises:
        NaiveTimeError: It has no time zone.
    """
    if moment.utcoffset() is None:
        raise NaiveTimeError(moment)
    in_utc = moment.astimezone(UTC)
    return in_utc.replace(tzinfo=None).isoformat(timespec="milliseconds") + "Z"
