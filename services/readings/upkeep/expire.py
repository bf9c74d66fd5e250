"""Deletes readings whose time is over: by data class, longer where a granted purpose asks for it.

kept = the days of the class, or of the longest purpose that a grant in force names for that home
"""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from typing import Final

import numpy as np
from numpy.typing import NDArray

from devices.kinds import DataClass
from services.access import is_in_force
from services.domain.homes import Grant
from services.domain.readings import Series
from services.readings.upkeep.pages import finish, in_steps
from services.store import registry
from services.store.connection import Connection, to_micros
from services.store.readings import segments
from services.store.readings import series as series_rows
from services.store.readings.segments import Page, Segment
from services.store.sqlite import SqliteConnection
from services.store.writer import Writer

ALL: Final = 10_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Retention:
    """How long readings are kept."""

    of_class: Mapping[DataClass, timedelta]
    of_purpose: Mapping[str, Mapping[DataClass, timedelta]] = field(default_factory=dict)
    """Longer than the class, while a grant names the purpose."""

    def kept(self, data_class: DataClass, grants: Sequence[Grant], at: datetime) -> timedelta:
        """How long a home's readings of a class are kept, by the grants of that home and class."""
        of_purposes = (
            self.of_purpose.get(grant.purpose, {}).get(data_class, timedelta(0))
            for grant in grants
            if is_in_force(grant, at)
        )
        return max(self.of_class[data_class], *of_purposes, timedelta(0))


async def expire(
    writer: Writer,
    reader: SqliteConnection,
    registry_reader: SqliteConnection,
    retention: Retention,
    *,
    now: datetime,
) -> int:
    """Delete what is too old, a few pages at a time; returns how many readings went."""
    cutoffs = await asyncio.to_thread(_cutoffs, reader, registry_reader, retention, now)
    count = 0
    for segment in segments.ready(reader):
        if segment.first_at >= cutoffs.max(initial=0):
            continue
        pages = await asyncio.to_thread(_old_pages, reader, segment, int(cutoffs.max()))
        for step in in_steps(pages):
            count += await writer.write(partial(_delete, pages=step, cutoffs=cutoffs))
        if pages:
            await writer.write(partial(finish, targets=[segment.id], sources=[]))
    return count


def _cutoffs(
    reader: SqliteConnection, registry_reader: SqliteConnection, retention: Retention, now: datetime
) -> NDArray[np.int64]:
    """By series id: the first time that is still kept, in microseconds since 1970."""
    cutoffs = np.zeros(series_rows.newest_id(reader) + 1, np.int64)
    for series, grants in _with_grants(reader, registry_reader, retention):
        cutoffs[series.id] = to_micros(now - retention.kept(series.data_class, grants, now))
    return cutoffs


def _with_grants(
    reader: SqliteConnection, registry_reader: SqliteConnection, retention: Retention
) -> Iterator[tuple[Series, list[Grant]]]:
    asks_for_more = {data_class for classes in retention.of_purpose.values() for data_class in classes}
    for series in series_rows.find(reader, limit=ALL):
        grants = []
        if series.data_class in asks_for_more:
            grants = registry.grants_of_home(registry_reader, series.home_id, series.data_class)
        yield series, grants


def _old_pages(reader: SqliteConnection, segment: Segment, newest_cutoff: int) -> list[Page]:
    return [page for page in segments.pages(reader, segment.id) if page.first_at < newest_cutoff]


def _delete(connection: Connection, pages: Sequence[Page], cutoffs: NDArray[np.int64]) -> int:
    count = 0
    for page in pages:
        columns = segments.read(connection, page)
        left = columns.where(columns.at >= cutoffs[columns.series])
        if len(left) < len(columns):
            segments.replace_page(connection, page, left)
            count += len(columns) - len(left)
    return count
