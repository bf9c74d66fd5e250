"""SQLite as the store: WAL, ``synchronous=FULL``, one writer at a time.

``apsw`` brings its own SQLite: Debian 12's 3.40.1 has the WAL-reset race (3.7.0 to 3.51.2, mended in
3.51.3), which two processes on one file can hit. FULL is what makes a commit a promise: NORMAL
returns before anything is on the disk.
"""

import contextlib
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import apsw

from services.store.connection import Row, StoreUnavailableError

BUSY_TRIES: Final = 10_000
BUSY_PAUSE_SECONDS: Final = 0.001
"""How often, for some fifteen seconds, a writer asks whether another process's transaction is over.
SQLite's own handler asks ten times a second and never meets the short gaps that a busy writer leaves."""

EMPTY_WITHIN_MILLISECONDS: Final = 20

STATEMENT_CACHE: Final = 256
OLDEST_SAFE_SQLITE: Final = (3, 51, 3)

RESTART_TRIES: Final = 50
RESTART_PAUSE_SECONDS: Final = 0.002

WAL_LIMIT_BYTES: Final = 64 * 1024 * 1024
"""The write-ahead log is cut back to this after a checkpoint."""

LONG_WAL_FRAMES: Final = WAL_LIMIT_BYTES // 4096
"""A log that is longer makes each look at a page dearer, and the next the more."""


class SqliteConnection:
    """One connection to one file. Not for two threads at once."""

    def __init__(self, path: Path) -> None:
        if tuple(int(part) for part in apsw.sqlite_lib_version().split(".")) < OLDEST_SAFE_SQLITE:
            raise StoreUnavailableError(
                f"SQLite {apsw.sqlite_lib_version()} can corrupt a WAL; 3.51.3 is needed"
            )
        try:
            self._connection = apsw.Connection(str(path), statementcachesize=STATEMENT_CACHE)
            self._connection.set_busy_handler(_wait_for_the_other)
            self._connection.config(
                apsw.SQLITE_DBCONFIG_ENABLE_QPSG, 1
            )  # else each new value is planned anew
            for pragma in _PRAGMAS:
                self._connection.execute(pragma)
        except apsw.Error as error:
            raise StoreUnavailableError(f"{path}: {error}") from error

    def rows(self, sql: str, *parameters: Any) -> list[Row]:
        """Every row of the answer."""
        try:
            rows: list[Row] = list(self._connection.execute(sql, parameters))
        except _ENVIRONMENT as error:
            raise StoreUnavailableError(str(error)) from error
        return rows

    def row(self, sql: str, *parameters: Any) -> Row | None:
        """The first row of the answer, or None."""
        try:
            row: Row | None = self._connection.execute(sql, parameters).fetchone()
        except _ENVIRONMENT as error:
            raise StoreUnavailableError(str(error)) from error
        return row

    def run(self, sql: str, *parameters: Any) -> int:
        """Change something; returns how many rows were changed."""
        try:
            self._connection.execute(sql, parameters)
        except _ENVIRONMENT as error:
            raise StoreUnavailableError(str(error)) from error
        return self._connection.changes()

    def run_many(self, sql: str, rows: Iterable[Sequence[Any]]) -> None:
        """Change something once for each row of parameters."""
        try:
            self._connection.executemany(sql, rows)
        except _ENVIRONMENT as error:
            raise StoreUnavailableError(str(error)) from error

    @contextlib.contextmanager
    def savepoint(self) -> Iterator[None]:
        """Undo what was done inside, and only that, when the block raises."""
        self._connection.execute("SAVEPOINT part")
        try:
            yield
        except BaseException:
            if self._connection.in_transaction:  # a full disk has rolled all of it back already
                self._connection.execute("ROLLBACK TO part")
                self._connection.execute("RELEASE part")
            raise
        self._connection.execute("RELEASE part")

    @contextlib.contextmanager
    def transaction(self) -> Iterator[None]:
        """Commit on leaving, durable on disk when this returns; undo everything when the block raises.

        Raises:
            StoreUnavailableError: The disk is full or broken, or another process held on too long.
        """
        try:
            self._connection.execute("BEGIN IMMEDIATE")
            yield
            self._connection.execute("COMMIT")
        except _ENVIRONMENT as error:
            self._roll_back()
            raise StoreUnavailableError(str(error)) from error
        except BaseException:
            self._roll_back()
            raise

    @contextlib.contextmanager
    def snapshot(self) -> Iterator[None]:
        """See one state of the file inside the block; to be left soon, the log grows meanwhile."""
        self._connection.execute("BEGIN")
        try:
            yield
        finally:
            self._connection.execute("COMMIT")

    def data_version(self) -> int:
        """Changes whenever another connection has committed (SQLite's ``PRAGMA data_version``)."""
        row = self.row("PRAGMA data_version")
        return int(row[0]) if row else 0

    def checkpoint(self) -> None:
        """Move what is in the write-ahead log into the file, and let the log begin anew.

        Moving makes no writer wait. But under load a writer adds to the log before the last of it is moved,
        so it would grow for ever, and every look with it. So once it is long the little that is left is
        moved with the writer's lock in hand, some milliseconds; if anybody reads or writes just then, not
        now.
        """
        row = self.row("PRAGMA wal_checkpoint(PASSIVE)")  # busy, frames in the log, frames in the file
        if row is None or row[1] < LONG_WAL_FRAMES:
            return
        self._connection.set_busy_handler(None)
        try:
            for _ in range(RESTART_TRIES):
                row = self.row("PRAGMA wal_checkpoint(RESTART)")
                if row is not None and row[0] == 0:
                    return
                time.sleep(RESTART_PAUSE_SECONDS)
        finally:
            self._connection.set_busy_handler(_wait_for_the_other)

    def empty_log(self) -> bool:
        """Move all of the write-ahead log into the file and cut it to nothing; False: others are in the way.

        Writers wait meanwhile, so call ``checkpoint`` first, and it gives up soon.
        """
        self._connection.set_busy_timeout(EMPTY_WITHIN_MILLISECONDS)
        try:
            row = self.row("PRAGMA wal_checkpoint(TRUNCATE)")
        finally:
            self._connection.set_busy_handler(_wait_for_the_other)
        return row is not None and row[0] == 0

    def run_script(self, script: str) -> None:
        """Run the statements of one migration."""
        self._connection.execute(script)

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    def _roll_back(self) -> None:
        if self._connection.in_transaction:
            self._connection.execute("ROLLBACK")


def _wait_for_the_other(tries: int) -> bool:
    time.sleep(BUSY_PAUSE_SECONDS)
    return tries < BUSY_TRIES


_PRAGMAS: Final = (
    "PRAGMA journal_mode=WAL",
    "PRAGMA synchronous=FULL",
    "PRAGMA foreign_keys=ON",
    "PRAGMA wal_autocheckpoint=0",  # one task of the alarm process does it, beside the writer
    f"PRAGMA journal_size_limit={WAL_LIMIT_BYTES}",
    "PRAGMA mmap_size=0",
    "PRAGMA temp_store=MEMORY",
)

_ENVIRONMENT: Final = (
    apsw.FullError,
    apsw.IOError,
    apsw.BusyError,
    apsw.ReadOnlyError,
    apsw.CantOpenError,
    apsw.CorruptError,
    apsw.NotADBError,
    apsw.NoMemError,
)
"""Faults of the machine, not of a statement: they undo the whole transaction."""
