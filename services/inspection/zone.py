"""The days and hours of the people whom the log is about."""

from datetime import datetime
from typing import Final
from zoneinfo import ZoneInfo

from services.store.connection import from_micros

ZONE: Final = "Europe/Stockholm"


def local(at: int) -> datetime:
    """A time of the log on a clock in Sweden.

    Args:
        at: Microseconds since 1970, UTC.
    """
    return from_micros(at).astimezone(ZoneInfo(ZONE))
