"""What is drawn of one series, and the sentences beside it; the same for a terminal and a picture.

buckets, last reading, limits  --in the unit people use-->  Plot  ->  terminal | pictures
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from services.domain.readings import Sample, Series
from services.readings.history import Buckets, counts_from, stretches

_SHOWN: Final = {
    "Cel": ("°C", 1.0),
    "%EL": ("%", 1.0),
    "J": ("kWh", 1 / 3_600_000),
    "Pa": ("hPa", 0.01),
    "Ohm": ("Ω", 1.0),
    "m2": ("m²", 1.0),
    "m3": ("m³", 1.0),
    "m3/s": ("m³/s", 1.0),
    "W/m2": ("W/m²", 1.0),
    "m/s2": ("m/s²", 1.0),
    "/": ("", 1.0),
    "count": ("", 1.0),
}
"""SenML units that people call otherwise: by what name, and how many of those one is."""

_DECIMALS: Final = ((1000, 0), (10, 1), (1, 2))
"""From which value on how many decimals say enough."""

_AIR: Final = 0.06
"""Above and below what is drawn, in parts of its height."""

_LEAST_AIR: Final = 0.5
"""The same where it has no height, in the unit that is shown."""

_NEAR: Final = 2
"""How many heights of the readings away from them a limit is still drawn."""

_US: Final = 1_000_000
_AGES: Final = (("day", 86_400), ("h", 3_600), ("min", 60), ("s", 1))


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitLine:
    """A value that a rule watches."""

    label: str
    """Such as ``damp above``; the value is written after it."""
    value: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Plot:
    """One series over a stretch of time."""

    home: str
    position: str
    """The position's name."""
    name: str
    unit: str
    """As people write it; empty for a bare number."""
    buckets: Buckets
    since: datetime
    until: datetime
    last: Sample | None
    """The newest reading of all, also when it is older than ``since``."""
    now: datetime
    zone: ZoneInfo
    limits: tuple[LimitLine, ...] = ()

    @property
    def title(self) -> str:
        """What is measured, and where."""
        return f"{self.position} · {self.name}"

    @property
    def value_label(self) -> str:
        """What stands beside the value axis."""
        return f"{self.name} ({self.unit})" if self.unit else self.name

    @property
    def time_label(self) -> str:
        """What stands below the time axis."""
        names = dict.fromkeys(str(at.astimezone(self.zone).tzname()) for at in (self.since, self.until))
        return f"local time, {self.zone.key} ({'/'.join(names)})"

    @property
    def span_text(self) -> str:
        """From when to when, in local time."""
        return f"{self._local(self.since)} to {self._local(self.until)}"

    @property
    def key_text(self) -> str:
        """What the line and the band are."""
        if not len(self.buckets):
            return "no readings"
        if (self.buckets.count == 1).all():
            return "every reading"
        width = duration_text(timedelta(microseconds=self.buckets.width_us), units=1)
        return f"line: mean, band: lowest to highest, of every {width} or so"

    @property
    def last_text(self) -> str:
        """The newest reading and how old it is."""
        if self.last is None:
            return "never heard"
        at = counts_from(self.last)
        age = duration_text(self.now - at)
        return f"last {self.with_unit(self.last.value)}, {age} ago ({self._local(at)})"

    @property
    def description(self) -> str:
        """All of it in words, for those who do not see it."""
        parts = [f"{self.name} at {self.position}, home {self.home}, {self.span_text} ({self.time_label})."]
        if self._extremes:
            low, high = self._extremes
            parts.append(f"Lowest {self.with_unit(low)}, highest {self.with_unit(high)}.")
            gaps = len(self.runs) - 1
            parts.append("No gaps." if gaps == 0 else f"Gaps without readings: {gaps}.")
        else:
            parts.append("No readings in this time.")
        parts += [f"Limit: {self.limit_text(limit)}." for limit in self.limits]
        return " ".join([*parts, f"{self.last_text[0].upper()}{self.last_text[1:]}."])

    @property
    def runs(self) -> list[slice]:
        """The buckets in stretches without a gap."""
        return stretches(self.buckets)

    @property
    def middles(self) -> NDArray[np.float64]:
        """Where each bucket is drawn: seconds since 1970."""
        ends_us = np.minimum(self.buckets.start_us + self.buckets.width_us, self.until.timestamp() * _US)
        return (self.buckets.start_us + ends_us) / 2 / _US

    @property
    def value_range(self) -> tuple[float, float]:
        """Lowest and highest of the value axis: everything that is drawn, and a little air."""
        drawn = [*self._extremes, *(limit.value for limit in self.drawn_limits)]
        low, high = (min(drawn), max(drawn)) if drawn else (0.0, 1.0)
        air = (high - low) * _AIR or max(abs(high) * _AIR, _LEAST_AIR)
        return low - air, high + air

    @property
    def drawn_limits(self) -> list[LimitLine]:
        """Those near enough to the readings that these are still seen beside them."""
        if not self._extremes:
            return list(self.limits)
        low, high = self._extremes
        near = max(high - low, _LEAST_AIR) * _NEAR
        return [limit for limit in self.limits if low - near <= limit.value <= high + near]

    def limit_text(self, limit: LimitLine) -> str:
        """A limit as people read it."""
        return f"{limit.label} {self.with_unit(limit.value)}"

    def with_unit(self, value: float) -> str:
        """A value as people read it."""
        decimals = next((decimals for least, decimals in _DECIMALS if abs(value) >= least), 3)
        digits = f"{value:.{decimals}f}"
        digits = digits.rstrip("0").rstrip(".") if decimals else digits
        return f"{digits} {self.unit}".rstrip()

    @property
    def _extremes(self) -> tuple[float, float] | tuple[()]:
        """Lowest and highest reading."""
        if not len(self.buckets):
            return ()
        return float(self.buckets.min.min()), float(self.buckets.max.max())

    def _local(self, moment: datetime) -> str:
        return f"{moment.astimezone(self.zone):%-d %b %Y %H:%M}"


def plot_of(  # noqa: D417 - the others are members of ``Plot``
    series: Series,
    *,
    position: str,
    buckets: Buckets,
    span: tuple[datetime, datetime],
    last: Sample | None,
    now: datetime,
    zone: ZoneInfo,
    limits: Sequence[LimitLine] = (),
) -> Plot:
    """What is drawn of a series, in the unit that people use.

    Args:
        span: From when, until when.
        last: In the series' own unit, as are ``buckets`` and ``limits``.
    """
    unit, scale = _SHOWN.get(series.unit, (series.unit, 1.0))
    return Plot(
        home=series.home_id,
        position=position,
        name=series.name,
        unit=unit,
        buckets=_scaled(buckets, scale),
        since=span[0],
        until=span[1],
        last=None if last is None else replace(last, value=last.value * scale),
        now=now,
        zone=zone,
        limits=tuple(replace(limit, value=limit.value * scale) for limit in limits),
    )


def duration_text(duration: timedelta, *, units: int = 2) -> str:
    """About how long, in the largest ``units`` units: ``3 days 4 h``, ``12 min``, ``5 s``."""
    left = max(0, round(duration.total_seconds()))
    parts: list[str] = []
    for unit, seconds in _AGES:
        number, left = divmod(left, seconds)
        if number:
            parts.append(f"{number} {unit}{'s' if unit == 'day' and number > 1 else ''}")
        elif parts:
            break
    return " ".join(parts[:units]) or "0 s"


def _scaled(buckets: Buckets, scale: float) -> Buckets:
    return replace(
        buckets,
        min=buckets.min * scale,
        max=buckets.max * scale,
        mean=buckets.mean * scale,
        last=buckets.last * scale,
    )
