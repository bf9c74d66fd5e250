"""The store under test: what the contract suite needs of a database besides ``Connection``.

To add PostgreSQL: one more class with these members, and one more parameter of the ``store`` fixture.
"""

import shutil
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Final, Protocol

import apsw

from services.store.connection import Connection
from services.store.migrations import migrate
from services.store.sqlite import SqliteConnection
from services.store.writer import Epilogue, Writer

IN_MEMORY: Final = Path(":memory:")

TOO_MUCH: Final = bytes(1_000_000)
"""A payload that a full store has no room for."""

_SQLITE_MAX_PAGES: Final = 0xFFFFFFFE
"""SQLite's own limit (https://www.sqlite.org/limits.html, 13)."""


class Database(Connection, Protocol):
    """A connection whose transactions the test owns."""

    def transaction(self) -> AbstractContextManager[None]:
        """Commit on leaving, undo when the block raises."""

    def close(self) -> None:
        """Let go of the data."""


class StoreUnderTest(Protocol):
    """One database with this version's schema, and what its adapter raises."""

    rule_broken: type[Exception]
    """What a statement raises that a constraint of the schema forbids."""

    connection_gone: type[Exception]
    """What everything raises on a connection that is closed."""

    @property
    def database(self) -> Database:
        """The connection that is open now."""

    def reopen(self) -> Database:
        """Close the connection and come back to the same data."""

    def another(self) -> Database:
        """A second connection to the same data, as another process has one."""

    def writer(self, epilogue: Epilogue | None = None) -> Writer:
        """The group commit over the connection."""

    def full(self) -> AbstractContextManager[None]:
        """While entered there is room for a few rows, not for ``TOO_MUCH``."""

    def close(self) -> None:
        """Let go of everything."""


class SqliteUnderTest:
    """SQLite in a real file."""

    rule_broken: type[Exception] = apsw.ConstraintError
    connection_gone: type[Exception] = apsw.ConnectionClosedError

    def __init__(self, path: Path) -> None:
        self._path = path
        self._others: list[SqliteConnection] = []
        self.database = SqliteConnection(path)
        migrate(self.database)

    def reopen(self) -> SqliteConnection:
        self.database.close()
        self.database = SqliteConnection(self._path)
        return self.database

    def another(self) -> SqliteConnection:
        self._others.append(SqliteConnection(self._path))
        return self._others[-1]

    def writer(self, epilogue: Epilogue | None = None) -> Writer:
        return Writer(self.database, epilogue)

    @contextmanager
    def full(self) -> Iterator[None]:
        row = self.database.row("PRAGMA page_count")
        assert row is not None
        self.database.run_script(f"PRAGMA max_page_count={row[0]}")
        yield
        self.database.run_script(f"PRAGMA max_page_count={_SQLITE_MAX_PAGES}")

    def close(self) -> None:
        for connection in (*self._others, self.database):
            connection.close()


def memory_database() -> SqliteConnection:
    """An empty store in memory: for use cases, which must not care."""
    connection = SqliteConnection(IN_MEMORY)
    migrate(connection)
    return connection


def file_database_maker(
    folder: Path, settle: Callable[[SqliteConnection], object] = lambda _: None
) -> Callable[[], Path]:
    """Makes stores in files, each a copy of the first, which ``settle`` may fill: that is quick."""
    pattern = folder / "pattern.db"
    connection = SqliteConnection(pattern)
    migrate(connection)
    settle(connection)
    connection.close()  # the last one to close moves everything into the file
    count = 0

    def make() -> Path:
        nonlocal count
        count += 1
        path = folder / f"{count}.db"
        shutil.copy(pattern, path)
        return path

    return make
