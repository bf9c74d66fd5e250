"""Readings for whoever only looks: the command line, the web, the export.

    last      last_values, and the commits since they were noted
    points    the segments that can hold it, and the commits that are in no segment yet

Each answer is one snapshot of the file: what is being flushed or merged meanwhile is neither missed nor
seen twice.
"""

from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Final, Self

import numpy as np

from services.domain.ids import PositionId
from services.domain.readings import Points, Sample, Series, SeriesId
from services.store import events
from services.store.connection import from_micros
from services.store.migrations import READINGS, migrate
from services.store.readings import alive, journal, segments
from services.store.readings import series as rows
from services.store.readings.columns import NONE, Columns, columns_of, joined, latest
from services.store.sqlite import SqliteConnection

CHUNK_DAYS: Final = 1
"""What ``points`` hands out at once: a day of one series is at most a few million readings."""


class ReadingsReader:
    """The readings of one data folder, to be looked at. Close it after use.

    Answers that are open at the same time are of the same snapshot, that of the first.
    """

    def __init__(self, path: Path) -> None:
        self._connection = SqliteConnection(path)
        self._open_answers = 0
        self._is_closed = False
        migrate(self._connection, READINGS)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file; answers that are still open end."""
        self._is_closed = True
        self._connection.close()

    def get(self, series_id: int) -> Series | None:
        """The series with this id."""
        return rows.get(self._connection, series_id)

    def series(
        self,
        *,
        home_id: str | None = None,
        position_id: str | None = None,
        name: str | None = None,
        limit: int,
    ) -> list[Series]:
        """Series by home, position and name."""
        return rows.find(self._connection, home_id=home_id, position_id=position_id, name=name, limit=limit)

    def last(self, series_ids: Sequence[SeriesId]) -> dict[SeriesId, Sample]:
        """The last reading of each series that has one."""
        with self._snapshot():
            noted = [(id_, rows.last_noted(self._connection, id_)) for id_ in series_ids]
            known = (
                columns_of(*zip(*((id_, *value) for id_, value in noted if value is not None), strict=True))
                if any(value for _, value in noted)
                else NONE
            )
            since = journal.of_series_since(
                self._connection,
                np.asarray(series_ids, np.uint32),
                after=events.counter(self._connection, journal.NOTED_TO),
            )
        return {
            SeriesId(series_id): Sample(at=from_micros(at), received_at=from_micros(received_at), value=value)
            for series_id, at, received_at, value in latest(joined([known, since])).rows()
        }

    def has_listened(self, *, now: datetime) -> bool:
        """Whether the reading process has been there for long enough to know who speaks."""
        return alive.has_listened(self._connection, now=now)

    def last_received(self, position_ids: Iterable[PositionId]) -> dict[PositionId, datetime]:
        """When the last readings of these positions were received, where there are any.

        A reading that came late, behind newer ones, does not count.
        """
        position_of = {
            series.id: series.position_id
            for position_id in position_ids
            for series in rows.of_position(self._connection, position_id)
        }
        found: dict[PositionId, datetime] = {}
        for series_id, sample in self.last(list(position_of)).items():
            position_id = position_of[series_id]
            found[position_id] = max(sample.received_at, found.get(position_id, sample.received_at))
        return found

    def points(self, series_id: SeriesId, *, since_us: int, until_us: int) -> Generator[Points]:
        """Readings of a series from one time up to, not including, another: a chunk for each day.

        Args:
            series_id: Which series.
            since_us: Microseconds since 1970, UTC, by the device's clock.
            until_us: The first moment that is not asked for.
        """
        with self._snapshot():
            last_us = until_us - 1
            found = segments.overlapping(self._connection, first_at=since_us, last_at=last_us)
            days = {segment.day for segment in found if segment.day != segments.NO_DAY}
            fresh = self._fresh(series_id, [item for item in found if item.day == segments.NO_DAY])
            fresh = fresh.where((fresh.at >= since_us) & (fresh.at <= last_us))
            days |= set(np.unique(fresh.at // segments.DAY_MICROS).tolist())
            for day in sorted(days):
                sources = [self._of(segment, series_id) for segment in found if segment.day == day]
                of_day = joined([*sources, fresh.where(fresh.at // segments.DAY_MICROS == day)]).sorted()
                chosen = of_day.where((of_day.at >= since_us) & (of_day.at <= last_us))
                if len(chosen):
                    yield Points(at=chosen.at, received_at=chosen.received_at, value=chosen.value)

    def _fresh(self, series_id: SeriesId, recent: list[segments.Segment]) -> Columns:
        """What is in no segment of a day yet."""
        in_segments = [self._of(segment, series_id) for segment in recent]
        unflushed = journal.unflushed(self._connection, series_ids=np.asarray([series_id], np.uint32))
        return joined([*in_segments, unflushed])

    def _of(self, segment: segments.Segment, series_id: SeriesId) -> Columns:
        pages = segments.pages_of_series(self._connection, segment.id, series_id)
        return joined(segments.read(self._connection, page).of_series(series_id) for page in pages)

    @contextmanager
    def _snapshot(self) -> Iterator[None]:
        if not self._open_answers:
            self._connection.run("BEGIN")
        self._open_answers += 1
        try:
            yield
        finally:
            self._open_answers -= 1
            if not self._open_answers and not self._is_closed:
                self._connection.run("COMMIT")
