"""Readings in memory: the ``ReadingsSource`` that history is tested on, and points made by hand."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

import numpy as np

from devices.kinds import DataClass, HomeId
from services.domain.ids import PositionId
from services.domain.readings import Points, Sample, Series, SeriesId
from services.store.connection import from_micros

LATENCY_US: Final = 250_000


def points(readings: Iterable[tuple[int, float]]) -> Points:
    """Readings as ``(at in microseconds, value)``, each received a quarter of a second later."""
    rows = list(readings)
    at = np.array([at for at, _ in rows], np.int64)
    return Points(at=at, received_at=at + LATENCY_US, value=np.array([value for _, value in rows], float))


def cut(whole: Points, sizes: Iterable[int]) -> Iterator[Points]:
    """The same points in chunks of these sizes, and the rest in one."""
    start = 0
    for size in [*sizes, len(whole)]:
        part = slice(start, start + size)
        yield Points(at=whole.at[part], received_at=whole.received_at[part], value=whole.value[part])
        start += size


def series(number: int = 1, *, home: str = "h-1", name: str = "humidity", unit: str = "%RH") -> Series:
    """A series of position ``position-<number>``."""
    return Series(
        id=SeriesId(number),
        home_id=HomeId(home),
        position_id=PositionId(f"position-{number}"),
        name=name,
        unit=unit,
        data_class=DataClass.CLIMATE,
    )


class ReadingsInMemory:
    """A ``ReadingsSource`` that remembers which stretches it was asked for."""

    def __init__(self, held: dict[SeriesId, Points], *, chunk: int = 3) -> None:
        self._held = held
        self._chunk = chunk
        self.asked: list[tuple[SeriesId, int, int]] = []

    def series(
        self,
        *,
        home_id: str | None = None,
        position_id: str | None = None,
        name: str | None = None,
        limit: int,
    ) -> list[Series]:
        found = [series(number) for number in self._held]
        return [
            one
            for one in found
            if home_id in {None, one.home_id}
            and position_id in {None, one.position_id}
            and name in {None, one.name}
        ][:limit]

    def last(self, series_ids: Sequence[SeriesId]) -> dict[SeriesId, Sample]:
        return {key: _sample(self._held[key], -1) for key in series_ids if len(self._held[key])}

    def points(self, series_id: SeriesId, *, since_us: int, until_us: int) -> Iterator[Points]:
        self.asked.append((series_id, since_us, until_us))
        held = self._held[series_id]
        inside = (held.at >= since_us) & (held.at < until_us)
        whole = Points(at=held.at[inside], received_at=held.received_at[inside], value=held.value[inside])
        return cut(whole, [self._chunk] * (len(whole) // self._chunk))


def _sample(held: Points, index: int) -> Sample:
    return Sample(
        at=from_micros(int(held.at[index])),
        received_at=from_micros(int(held.received_at[index])),
        value=float(held.value[index]),
    )
