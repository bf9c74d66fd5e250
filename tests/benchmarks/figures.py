"""A figure, its unit and, where the product promises one, its limit."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    what: str
    value: float
    unit: str
    at_most: float | None = None
    at_least: float | None = None

    @property
    def is_within(self) -> bool:
        is_low_enough = self.at_most is None or self.value <= self.at_most
        return is_low_enough and (self.at_least is None or self.value >= self.at_least)

    def cells(self) -> tuple[str, str, str, str]:
        verdict = "" if not self._limit() else "ok" if self.is_within else "BEYOND"
        return self.what, f"{self.value:.2f} {self.unit}", self._limit(), verdict

    def _limit(self) -> str:
        parts = [
            f"{sign} {value:g}"
            for sign, value in (("≥", self.at_least), ("≤", self.at_most))
            if value is not None
        ]
        return f"{' and '.join(parts)} {self.unit}" if parts else ""


def percentile(values: Sequence[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]
