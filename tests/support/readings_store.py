"""The readings' store under test: what its contract needs, over one kind of database.

    commit, flush, merge …  ──SteppedWriter──>  file  ──>  reader

``SteppedWriter`` can die before any step; ``reopen`` is what a new process finds. To add another database:
one more class with these members, and one more parameter of the ``readings`` fixture.
"""

import asyncio
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final, NamedTuple, NoReturn, TypeVar

import numpy as np
import pytest

from devices.kinds import DataClass, HomeId
from gateway.reading import app, noting
from services.domain.ids import PositionId
from services.domain.readings import Series, SeriesId
from services.readings.upkeep import merge, pages
from services.readings.upkeep.erase import Erased, Eraser
from services.readings.upkeep.expire import Retention, expire
from services.readings.upkeep.flush import flush
from services.store.connection import Connection
from services.store.migrations import READINGS, migrate
from services.store.readings import erasures, journal, segments
from services.store.readings import series as series_rows
from services.store.readings.columns import Columns, columns_of
from services.store.readings.journal import Packets
from services.store.readings.reader import ReadingsReader
from services.store.readings.recent import Recent
from services.store.sqlite import SqliteConnection
from tests.support.clock import FrozenClock

T = TypeVar("T")

NO_PACKETS: Final = Packets(ids=np.zeros(0, np.uint16), sums=np.zeros(0, np.uint32))
LONG: Final = Retention(of_class=dict.fromkeys(DataClass, timedelta(days=30)))


class Row(NamedTuple):
    """One reading; times in microseconds since 1970."""

    series: int
    at: int
    received_at: int
    value: float


def columns(rows: Iterable[Sequence[Any]]) -> Columns:
    """Rows of series, at, received_at and value as columns."""
    found = list(rows)
    return columns_of(*zip(*found, strict=True)) if found else columns_of((), (), (), ())


def series(
    number: int, *, home: str = "h-1", position: str | None = None, name: str = "temperature", **kind: Any
) -> Series:
    """A series of a position of its own."""
    return Series(
        id=SeriesId(number),
        home_id=HomeId(home),
        position_id=PositionId(position or f"position-{number}"),
        name=name,
        unit="Cel",
        data_class=kind.get("data_class", DataClass.CLIMATE),
    )


@contextmanager
def small_sizes() -> Iterator[None]:
    """Pages of four readings and merges of three segments, so that few readings meet every border."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(segments, "PAGE_READINGS", 4)
        patch.setattr(pages, "PAGES_PER_STEP", 2)
        patch.setattr(merge, "FLUSHES", 3)
        patch.setattr(merge, "SEGMENTS_OF_A_DAY", 2)
        patch.setattr(merge, "RANGE_READINGS", 6)
        patch.setattr(noting, "PER_COMMIT", 2)
        yield


class DiedError(Exception):
    """The process is gone."""


def _die() -> NoReturn:
    raise DiedError


class SteppedWriter:
    """A ``Writer`` that works at once and twice (work must bear that), and may die before a step."""

    def __init__(self, connection: SqliteConnection) -> None:
        self._connection = connection
        self.steps_left: int | None = None
        self.before_step: Callable[[], None] = lambda: None

    async def write(self, work: Callable[[Connection], T], *, is_urgent: bool = False) -> T:
        del is_urgent
        if self.steps_left is not None:
            if self.steps_left == 0:
                _die()
            self.steps_left -= 1
        self.before_step()
        self._once_for_nothing(work)
        with self._connection.transaction():
            return work(self._connection)

    def _once_for_nothing(self, work: Callable[[Connection], object]) -> None:
        with suppress(DiedError), self._connection.transaction():
            work(self._connection)
            _die()


class SqliteReadings:
    """Readings in a real SQLite file."""

    def __init__(self, folder: Path, *, is_synced: bool = True) -> None:
        self.path = folder / "readings.db"
        self.registry_path = folder / "stadsnav.db"
        self.clock = FrozenClock()
        self.forgotten: list[Erased] = []
        self._is_synced = is_synced
        self._readers = ExitStack()
        self._open()

    def _open(self) -> None:
        self.connection = self._connected(self.path)
        migrate(self.connection, READINGS)
        self.states = app._remembered(self.connection)
        self.recent = Recent(journal.unflushed(self.connection), number=journal.newest(self.connection))
        self.writer = SteppedWriter(self.connection)
        self.upkeep_reader = self._connected(self.path)
        self.registry = self._connected(self.registry_path)
        migrate(self.registry)
        self.eraser = Eraser(
            self.writer,  # type: ignore[arg-type]
            self.upkeep_reader,
            self.registry,
            self.recent,
            clock=self.clock,
            forget=self._forget,
        )

    def _connected(self, path: Path) -> SqliteConnection:
        connection = SqliteConnection(path)
        if not self._is_synced:
            connection.rows("PRAGMA synchronous=OFF")  # the process dies here, never the machine
        return connection

    def _forget(self, erased: Erased) -> None:
        self.forgotten.append(erased)
        self.states.forget(erased.series_ids)

    def add(self, *added: Series) -> None:
        with self.connection.transaction():
            for one in added:
                series_rows.add(self.connection, one)
        while len(self.states.newest_at) <= series_rows.newest_id(self.connection):
            self.states.add()

    def commit(self, rows: Iterable[Sequence[Any]]) -> int:
        """One row of the journal, as it comes."""
        return self.commit_columns(columns(rows))

    def commit_columns(self, committed: Columns) -> int:
        with self.connection.transaction():
            number = journal.append(self.connection, committed, NO_PACKETS)
        self.recent.add(committed, number=number)
        return number

    def flush(self) -> None:
        asyncio.run(flush(self.writer, self.recent))  # type: ignore[arg-type]

    def merge_flushes(self) -> None:
        asyncio.run(merge.merge_flushes(self.writer, self.upkeep_reader))  # type: ignore[arg-type]

    def merge_days(self, *, today: int) -> None:
        asyncio.run(merge.merge_days(self.writer, self.upkeep_reader, today=today))  # type: ignore[arg-type]

    def expire(self, retention: Retention = LONG, *, now: datetime) -> int:
        work = expire(
            self.writer,  # type: ignore[arg-type]
            self.upkeep_reader,
            self.registry,
            self.recent,
            retention=retention,
            now=now,
        )
        return asyncio.run(work)

    def ask(self, home_id: str, position_id: str | None = None) -> str:
        with self.connection.transaction():
            return erasures.ask(
                self.connection,
                home_id=home_id,
                position_id=position_id,
                actor="tester",
                at=self.clock.now(),
            )

    def erase(self, home_id: str, position_id: str | None = None) -> bool:
        """Ask for it, unless it is asked for; and do all that is."""
        if not erasures.waiting(self.connection):
            self.ask(home_id, position_id)
        return self.do_erasures()

    def do_erasures(self) -> bool:
        waiting = erasures.waiting(self.connection)
        done = [asyncio.run(self.eraser.erase(asked)) for asked in waiting]
        return all(done)

    def drop(self) -> None:
        """Take away the pages of all that was replaced."""
        more = True
        while more:
            with self.connection.transaction():
                more = segments.drop_pages(self.connection, limit=3)

    def reader(self) -> ReadingsReader:
        return self._readers.enter_context(ReadingsReader(self.path))

    def raw(self) -> list[Row]:
        """Every reading as it stands there: one that is there twice comes twice."""
        found = [
            segments.read(self.connection, page)
            for item in segments.ready(self.connection)
            for page in segments.pages(self.connection, item.id)
        ]
        found.append(journal.unflushed(self.connection))
        return sorted(Row(*row) for part in found for row in part.rows())

    def reopen(self) -> None:
        """The process dies here, and the next one finds what is on disk."""
        self._close_ours()
        self._open()

    def close(self) -> None:
        self._readers.close()
        self._close_ours()

    def _close_ours(self) -> None:
        for connection in (self.connection, self.upkeep_reader, self.registry):
            connection.close()
