"""A figure, its unit and, where the product promises one, its limit."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    what: str
    value: float
    unit: str
    at_most: float | None = None

    @property
    def is_within(self) -> bool:
        return self.at_most is None or self.value <= self.at_most

    def cells(self) -> tuple[str, str, str, str]:
        limit = "" if self.at_most is None else f"≤ {self.at_most:g} {self.unit}"
        verdict = "" if self.at_most is None else "ok" if self.is_within else "BEYOND"
        return self.what, f"{self.value:.2f} {self.unit}", limit, verdict


def percentile(values: Sequence[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]
