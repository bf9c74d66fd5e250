"""Erases a home's readings, or a position's, everywhere in the file: nothing of them can be read again.

    begin    series and last values go; which they were is noted with what was asked
    forget   the process forgets them; from here on whatever is said there is new, and is kept
    sweep    rules, clocks, what was set aside ──> pages ──> journal ──> the write-ahead log

Interrupted anywhere, it goes on from there. Erased bytes are overwritten (``erasures.overwrite_deleted``).
What stays: that it was asked for, to whom readings were released (for the audit), and what is on its way to
the alarm path. What was exported elsewhere is not ours to erase.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Final

import numpy as np

from services.domain.clock import Clock
from services.domain.readings import SeriesId
from services.readings.upkeep.pages import thin_out
from services.store import events, integrations, registry
from services.store.connection import Connection
from services.store.readings import erasures, journal, marks, segments, unknown
from services.store.readings import series as series_rows
from services.store.readings.columns import Columns, Mask
from services.store.readings.erasures import Erasure
from services.store.readings.recent import Recent
from services.store.readings.segments import Page
from services.store.sqlite import SqliteConnection
from services.store.writer import Writer

ALL: Final = 1_000_000
ROWS_PER_STEP: Final = 20
PAGES_PER_STEP: Final = 32
SET_ASIDE_PER_STEP: Final = 100

LOG_TRIES: Final = 50
LOG_PAUSE: Final = timedelta(milliseconds=100)


@dataclass(frozen=True, slots=True, kw_only=True)
class Erased:
    """What is to be forgotten in memory."""

    series_ids: Sequence[SeriesId]
    home_id: str
    position_ids: frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Names:
    """What else belongs to the home or the position, by the registry."""

    position_ids: frozenset[str]
    device_ids: frozenset[str]
    client_ids: frozenset[str]
    """Who sent for the home: its devices, and integrations that stand in it."""
    strangers: Sequence[tuple[str, str | None]]
    """Integration and external id on the list of unknown devices; None: all of that integration."""


class Eraser:
    """Carries out what was asked for. Used by whoever is the one to write to the readings' database."""

    def __init__(
        self,
        writer: Writer,
        reader: SqliteConnection,
        registry_reader: SqliteConnection,
        recent: Recent,
        *,
        clock: Clock,
        forget: Callable[[Erased], None] = lambda _: None,
    ) -> None:
        """Join the parts.

        Args:
            writer: Of the readings' database.
            reader: The same database, for the threads that look.
            registry_reader: The alarm path's database.
            recent: What is in no segment yet.
            clock: The time.
            forget: Called in the event loop when the series are gone from the store.
        """
        self._writer = writer
        self._reader = reader
        self._registry_reader = registry_reader
        self._recent = recent
        self._clock = clock
        self._forget = forget
        self._swept: set[str] = set()

    async def erase(self, asked: Erasure) -> bool:
        """Erase; returns whether it is done, or to be called again: somebody still reads what is erased."""
        if asked.id not in self._swept:
            await self._sweep(asked)
            self._swept.add(asked.id)
        if not await self._empty_log():
            return False
        await self._writer.write(partial(erasures.done, id_=asked.id, at=self._clock.now()))
        return True

    async def _sweep(self, asked: Erasure) -> None:
        ids = _series_ids(self._reader, asked)
        names = await asyncio.to_thread(_names, self._registry_reader, asked)
        self._recent.erase(ids)
        await self._writer.write(partial(_begin, id_=asked.id, series_ids=ids))
        self._forget(Erased(series_ids=ids, home_id=asked.home_id, position_ids=names.position_ids))
        await self._writer.write(_nothing, is_urgent=True)  # what was gathered before is on disk with this
        await self._writer.write(partial(_forget_marks, names=names))
        await self._erase_set_aside(asked.home_id, names.client_ids)
        await self._erase_segments(asked.id, ids)
        await self._erase_journal(asked.id, ids)

    async def _erase_set_aside(self, home_id: str, client_ids: frozenset[str]) -> None:
        step = partial(
            events.forget_quarantined, home_id=home_id, client_ids=client_ids, limit=SET_ASIDE_PER_STEP
        )
        while await self._writer.write(step):
            pass

    async def _erase_segments(self, id_: str, series_ids: Sequence[SeriesId]) -> None:
        for segment in segments.ready(self._reader):
            pages = await asyncio.to_thread(_pages, self._reader, segment.id, series_ids)
            await thin_out(
                self._writer,
                self._reader,
                pages,
                is_kept=partial(_is_kept, series_ids=series_ids),
                note=partial(erasures.add_count, id_=id_),
            )
        while await self._writer.write(partial(segments.drop_pages, limit=PAGES_PER_STEP)):
            pass  # also what merges have replaced: it is in no answer, and still in the file

    async def _erase_journal(self, id_: str, series_ids: Sequence[SeriesId]) -> None:
        after, newest = 0, journal.newest(self._reader)
        while rows := await asyncio.to_thread(
            journal.rows, self._reader, after=after, up_to=newest, limit=ROWS_PER_STEP
        ):
            held = [number for number, columns in rows if np.isin(columns.series, series_ids).any()]
            if held:
                await self._writer.write(partial(_erase_rows, id_=id_, numbers=held, series_ids=series_ids))
            after = rows[-1][0]

    async def _empty_log(self) -> bool:
        """Have nothing of what is erased left in the write-ahead log."""
        await asyncio.to_thread(self._reader.checkpoint)
        for _ in range(LOG_TRIES):
            if await asyncio.to_thread(self._reader.empty_log):
                return True
            await asyncio.sleep(LOG_PAUSE.total_seconds())
        return False


def _series_ids(reader: Connection, asked: Erasure) -> list[SeriesId]:
    begun = erasures.begun(reader, asked.id)
    if begun is not None:
        return begun
    found = series_rows.find(reader, home_id=asked.home_id, position_id=asked.position_id, limit=ALL)
    return [series.id for series in found]


def _names(registry_reader: Connection, asked: Erasure) -> _Names:
    devices = registry.devices(registry_reader, home_id=asked.home_id, limit=ALL)
    placed = [device for device in devices if asked.position_id in {None, device.position_id}]
    standing = integrations.integrations(registry_reader, home_id=asked.home_id, limit=ALL)
    placed_ids = {device.id for device in placed}
    adopted = integrations.foreign_devices(registry_reader, home_id=asked.home_id, limit=ALL)
    strangers: list[tuple[str, str | None]] = [
        (foreign.integration_id, foreign.external_id)
        for foreign in adopted
        if foreign.device_id in placed_ids
    ]
    if asked.position_id is None:
        strangers += [(integration.id, None) for integration in standing]
    return _Names(
        position_ids=frozenset(device.position_id for device in placed),
        device_ids=frozenset(placed_ids),
        client_ids=frozenset(device.id for device in devices) | {item.id for item in standing},
        strangers=strangers,
    )


def _pages(reader: SqliteConnection, segment_id: int, series_ids: Sequence[SeriesId]) -> list[Page]:
    found = (page for id_ in series_ids for page in segments.pages_of_series(reader, segment_id, id_))
    return list({page.id: page for page in found}.values())


def _begin(connection: Connection, id_: str, series_ids: Sequence[SeriesId]) -> None:
    erasures.overwrite_deleted(connection)
    erasures.begin(connection, id_, series_ids)
    series_rows.remove(connection, series_ids)


def _nothing(_: Connection) -> None:
    pass


def _forget_marks(connection: Connection, names: _Names) -> None:
    marks.set_clocks(connection, dict.fromkeys(names.device_ids, ""))
    for position_id in names.position_ids:
        marks.forget_position(connection, position_id)
    for integration_id, external_id in names.strangers:
        unknown.forget(connection, integration_id, external_id)


def _is_kept(columns: Columns, series_ids: Sequence[SeriesId]) -> Mask:
    return np.isin(columns.series, series_ids, invert=True)


def _erase_rows(
    connection: Connection, id_: str, numbers: Sequence[int], series_ids: Sequence[SeriesId]
) -> None:
    flushed_to = events.counter(connection, journal.FLUSHED_TO)
    for number in numbers:
        for _, columns in journal.rows(connection, after=number - 1, up_to=number, limit=1):
            left = columns.where(_is_kept(columns, series_ids))
            journal.rewrite(connection, number, left)
            if number > flushed_to:  # else it was counted in its segment
                erasures.add_count(connection, len(columns) - len(left), id_)
