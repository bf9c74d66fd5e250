"""Where a time axis has its marks: at round local times, midnights and firsts of a month.

a day    03:00  06:00  09:00 …        a week    16 Nov  17 Nov …        a year    Nov  Jan  Mar …
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from itertools import count
from typing import Final
from zoneinfo import ZoneInfo

_STEPS: Final = (
    *(timedelta(minutes=minutes) for minutes in (1, 5, 15, 30)),
    *(timedelta(hours=hours) for hours in (1, 3, 6, 12)),
    *(timedelta(days=days) for days in (1, 2, 7)),
)
_MONTHS: Final = (1, 2, 3, 6, 12, 24, 60)
_MONTH: Final = timedelta(days=31)
_DAY: Final = timedelta(days=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tick:
    """A mark on a time axis."""

    at: datetime
    text: str
    above: str
    """What ``text`` is part of (the day of a time, the year of a day) where that begins; else empty."""


def ticks(since: datetime, until: datetime, zone: ZoneInfo, *, at_most: int) -> list[Tick]:
    """Marks from ``since`` to ``until``, about ``at_most`` of them, at round times on a clock in ``zone``."""
    found: list[Tick] = []
    form, form_above = _forms(until - since, at_most)
    before = ""
    for local in _moments(since, until, zone, at_most):
        above = local.strftime(form_above)
        tick = Tick(at=local, text=local.strftime(form), above=above if above != before else "")
        if not found or found[-1].at.timestamp() < tick.at.timestamp():  # an hour that summer time leaves out
            found.append(tick)
            before = above
    return found


def _forms(span: timedelta, at_most: int) -> tuple[str, str]:
    """How a mark and what it is part of are written (``strftime``)."""
    step = _step(span, at_most)
    if step is None:
        return "%b", "%Y"
    return ("%H:%M", "%-d %b") if step < _DAY else ("%-d %b", "%Y")


def _moments(since: datetime, until: datetime, zone: ZoneInfo, at_most: int) -> Iterator[datetime]:
    """Round local times within the time asked for; steps are those of a clock on the wall."""
    midnight = datetime.combine(since.astimezone(zone), time())
    step = _step(until - since, at_most)
    walk = _by_months(midnight, (until - since) / at_most) if step is None else _by(midnight, step)
    for wall in walk:
        moment = wall.replace(tzinfo=zone)
        if moment.timestamp() > until.timestamp():
            return
        if moment.timestamp() >= since.timestamp():
            yield datetime.fromtimestamp(moment.timestamp(), zone)


def _step(span: timedelta, at_most: int) -> timedelta | None:
    return next((step for step in _STEPS if span / step <= at_most), None)


def _by(start: datetime, step: timedelta) -> Iterator[datetime]:
    return (start + step * number for number in count())


def _by_months(start: datetime, about: timedelta) -> Iterator[datetime]:
    months = next((months for months in _MONTHS if _MONTH * months >= about), _MONTHS[-1])
    first = start.month - 1 - (start.month - 1) % min(months, 12)
    for month in count(first, months):
        yield start.replace(year=start.year + month // 12, month=month % 12 + 1, day=1)
