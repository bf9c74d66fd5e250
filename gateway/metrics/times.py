"""How long things took, as a Prometheus histogram.

Not the library's own: that one takes two locks and a loop for each observation. Here it is a bisection and
two additions, for one thread; reading it from another may see the newest observation half.
"""

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from typing import Final

from prometheus_client.core import HistogramMetricFamily
from prometheus_client.registry import Collector

FAST_SECONDS: Final = (0.001, 0.002, 0.003, 0.005, 0.008, 0.012, 0.02, 0.05, 0.1, 0.25, 1.0, 5.0, 30.0)
"""For what machines do."""

SLOW_SECONDS: Final = (1.0, 5.0, 15.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1_800.0, 3_600.0)
"""For what people do."""


class Times(Collector):
    """One histogram; the values of its label must be few, and ours."""

    def __init__(self, name: str, help_: str, *, label: str, bounds: Sequence[float] = FAST_SECONDS) -> None:
        self._name = name
        self._help = help_
        self._label = label
        self._bounds = tuple(bounds)
        self._counts: dict[str, list[int]] = {}
        self._sums: dict[str, float] = {}

    def observe(self, seconds: float, of: str) -> None:
        """Note one time; a clock that was set back makes it 0, never less."""
        seconds = max(seconds, 0.0)
        counts = self._counts.get(of)
        if counts is None:
            counts = self._counts[of] = [0] * (len(self._bounds) + 1)
            self._sums[of] = 0.0
        counts[bisect_left(self._bounds, seconds)] += 1
        self._sums[of] += seconds

    def collect(self) -> Iterable[HistogramMetricFamily]:
        """The histogram as it is now."""
        family = HistogramMetricFamily(self._name, self._help, labels=[self._label])
        for value, counts in list(self._counts.items()):
            family.add_metric([value], self._buckets(counts), sum_value=self._sums[value])
        yield family

    def _buckets(self, counts: Sequence[int]) -> list[tuple[str, float]]:
        buckets: list[tuple[str, float]] = []
        total = 0
        for bound, count in zip((*self._bounds, float("inf")), list(counts), strict=True):
            total += count
            buckets.append(("+Inf" if bound == float("inf") else str(bound), total))
        return buckets
