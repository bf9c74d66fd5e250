"""What was measured over a stretch of time, in as many rows as somebody can look at.

    points, chunk by chunk  ->  downsample  ->  a few hundred buckets: min, max, mean, last
                            ->  newest      ->  the last so many readings

A spike of one second is still there in the min and max of a bucket that spans a day. Where nothing
was heard there is no bucket: nothing is made up between two readings.
"""

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from services.domain.readings import CLOCK_TOLERANCE, Points, Sample, Series, SeriesId
from services.store.connection import from_micros, to_micros

SILENT_AFTER_SPACINGS: Final = 3
"""A stretch without readings is a gap when it is longer than so many of the usual spacings; a device
is silent after as many missed heartbeats (``devices/profiles``)."""

FIRST_LOOK_BACK_US: Final = 24 * 3600 * 1_000_000
"""The newest readings are looked for in this last stretch first, then in ever longer ones before it."""

LOOK_BACK_GROWTH: Final = 4


class ReadingsSource(Protocol):
    """Where readings are kept, for looking only."""

    def series(
        self,
        *,
        home_id: str | None = None,
        position_id: str | None = None,
        name: str | None = None,
        limit: int,
    ) -> list[Series]:
        """The series that match everything that is asked for."""

    def last(self, series_ids: Sequence[SeriesId]) -> dict[SeriesId, Sample]:
        """The newest reading of each series that has any."""

    def points(self, series_id: SeriesId, *, since_us: int, until_us: int) -> Iterator[Points]:
        """The readings with ``since_us <= at < until_us`` in chunks, ascending."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Buckets:
    """Readings of one series in equal spans of time; only those spans in which there are any.

    Columns of one length, by ascending ``start_us``.
    """

    width_us: int
    """How long every bucket lasts."""
    start_us: NDArray[np.int64]
    """Microseconds since 1970, UTC; the first moment that belongs to the bucket."""
    count: NDArray[np.int64]
    min: NDArray[np.float64]
    max: NDArray[np.float64]
    mean: NDArray[np.float64]
    """Of the readings, each counting the same however long it stood."""
    last: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.start_us)


def downsample(chunks: Iterable[Points], *, since_us: int, until_us: int, buckets: int) -> Buckets:
    """Readings with ``since_us <= at < until_us``, in at most ``buckets`` spans of equal length.

    Holds one chunk and the buckets, however many readings there are. How the readings are cut into
    chunks makes no difference, not even to the last digit of a mean.

    Args:
        chunks: Ascending within and among themselves; readings outside the time asked for are passed over.
        since_us: Where the first bucket starts; microseconds since 1970, UTC.
        until_us: The first moment that no longer counts; the last bucket may reach beyond it.
        buckets: At least 1.
    """
    width_us = max(1, -(-(until_us - since_us) // buckets))
    edges = np.arange(since_us, until_us + width_us, width_us, dtype=np.int64).clip(max=until_us)
    tally = _Tally(max(0, len(edges) - 1))
    for chunk in chunks:
        tally.add(chunk, edges)
    return tally.buckets(edges, width_us)


def stretches(buckets: Buckets) -> list[slice]:
    """The buckets in runs without a gap, as a line is drawn through them.

    How often a device speaks is not known here, so the usual spacing is the middle one of those seen.
    """
    if len(buckets) == 0:
        return []
    spacings_us = np.diff(buckets.start_us)
    usual_us = float(np.median(spacings_us)) if len(spacings_us) else 0.0
    breaks = np.flatnonzero(spacings_us > SILENT_AFTER_SPACINGS * usual_us) + 1
    return [slice(first, end) for first, end in pairwise([0, *breaks.tolist(), len(buckets)])]


def counts_from(sample: Sample) -> datetime:
    """When a reading was made: by the device's clock, or by ours where the device's is ahead."""
    is_ahead = sample.at > sample.received_at + CLOCK_TOLERANCE
    return sample.received_at if is_ahead else sample.at


def newest(
    source: ReadingsSource, series: Sequence[Series], *, since_us: int, until_us: int, limit: int
) -> list[tuple[Series, Sample]]:
    """The newest ``limit`` readings of all these series together, newest first.

    Those of one moment stand in the order of ``series``.
    """
    kept: list[tuple[Series, Sample]] = []
    for one in series:
        tail = _tail(source, one.id, since_us=since_us, until_us=until_us, limit=limit)
        kept += [(one, sample) for sample in _samples(tail)]
        kept = sorted(kept, key=lambda item: item[1].at, reverse=True)[:limit]
        if len(kept) == limit:
            since_us = to_micros(kept[-1][1].at)  # what is older than these is not asked for any more
    return kept


def _tail(
    source: ReadingsSource, series_id: SeriesId, *, since_us: int, until_us: int, limit: int
) -> list[Points]:
    """The newest readings, at most ``limit``, ascending; found without reading all that is older."""
    found: list[Points] = []
    upper_us, span_us = until_us, FIRST_LOOK_BACK_US
    while limit > 0 and upper_us > since_us:
        lower_us = max(since_us, upper_us - span_us)
        end = _end(source.points(series_id, since_us=lower_us, until_us=upper_us), limit)
        found = [*end, *found]
        limit -= sum(map(len, end))
        upper_us, span_us = lower_us, span_us * LOOK_BACK_GROWTH
    return found


def _end(chunks: Iterable[Points], limit: int) -> list[Points]:
    """The last readings of a stretch, at most ``limit``; holds a chunk more than that."""
    kept: deque[Points] = deque()
    too_many = -limit
    for chunk in chunks:
        kept.append(chunk)
        too_many += len(chunk)
        while too_many >= len(kept[0]):
            too_many -= len(kept.popleft())
    if too_many > 0:
        first = kept.popleft()
        rest = slice(too_many, None)
        kept.appendleft(
            Points(at=first.at[rest], received_at=first.received_at[rest], value=first.value[rest])
        )
    return list(kept)


def _samples(chunks: Iterable[Points]) -> Iterator[Sample]:
    for chunk in chunks:
        for at, received_at, value in zip(
            chunk.at.tolist(), chunk.received_at.tolist(), chunk.value.tolist(), strict=True
        ):
            yield Sample(at=from_micros(at), received_at=from_micros(received_at), value=value)


class _Tally:
    """What is known of each bucket so far."""

    def __init__(self, buckets: int) -> None:
        self._count = np.zeros(buckets, np.int64)
        self._sum = np.zeros(buckets)
        self._min = np.full(buckets, np.inf)
        self._max = np.full(buckets, -np.inf)
        self._last = np.zeros(buckets)

    def add(self, chunk: Points, edges: NDArray[np.int64]) -> None:
        bounds = np.searchsorted(chunk.at, edges)
        counts = np.diff(bounds)
        hit = np.flatnonzero(counts)
        if not len(hit):
            return
        starts, value = bounds[hit], chunk.value[bounds[0] : bounds[-1]]
        from_here = starts - bounds[0]
        self._count[hit] += counts[hit]
        np.add.at(self._sum, np.repeat(hit, counts[hit]), value)  # one by one, so that chunks do not matter
        self._min[hit] = np.minimum(self._min[hit], np.minimum.reduceat(value, from_here))
        self._max[hit] = np.maximum(self._max[hit], np.maximum.reduceat(value, from_here))
        self._last[hit] = chunk.value[bounds[hit + 1] - 1]

    def buckets(self, edges: NDArray[np.int64], width_us: int) -> Buckets:
        hit = np.flatnonzero(self._count)
        mean = self._sum[hit] / self._count[hit]
        return Buckets(
            width_us=width_us,
            start_us=edges[hit],
            count=self._count[hit],
            min=self._min[hit],
            max=self._max[hit],
            mean=mean.clip(self._min[hit], self._max[hit]),  # rounding can carry it a digit outside
            last=self._last[hit],
        )
