"""Packs of readings that the broker has not taken over yet, in a file of their own beside the alarms'.

    add ──> row ──(sent)──> PUBACK: row deleted          full: the oldest row gives way, and is counted

Nothing that happens here may keep an alarm back: so it is another file, and a write does not wait for the
disk. A power cut may cost the last few readings; kill -9 costs none.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Final

import structlog

from devices.agent.settings import AgentSettings
from devices.agent.store import StoreError, make_private
from devices.kinds import DeviceId

_ROW_BYTES: Final = 100
"""What a row takes besides its body, generously."""

_SCHEMA: Final = """
    CREATE TABLE IF NOT EXISTS pack (
        number INTEGER PRIMARY KEY AUTOINCREMENT,
        device TEXT NOT NULL,
        body BLOB NOT NULL
    );
    CREATE TABLE IF NOT EXISTS dropped (count INTEGER NOT NULL);
    INSERT INTO dropped SELECT 0 WHERE NOT EXISTS (SELECT 1 FROM dropped);
"""

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptPack:
    """A pack that waits."""

    number: int
    """Counts up, also over restarts."""
    device_id: DeviceId
    body: bytes


class Packs:
    """The packs that wait, oldest first; safe to use from several threads.

    Args:
        path: The file, made if it is missing; None keeps everything in memory.
        max_bytes: How much may wait; then the oldest give way.

    Raises:
        StoreError: The file cannot be made or read, or is in use.
    """

    def __init__(self, path: Path | None, *, max_bytes: int) -> None:
        self._path = path
        self._max_bytes = max_bytes
        self._lock = Lock()
        self._is_full = False
        with self._translated():
            if path is not None:
                make_private(path)
            self._connection = _open(path)
        bodies_bytes = self._number("SELECT COALESCE(SUM(LENGTH(body)), 0) FROM pack")
        self._bytes = bodies_bytes + len(self) * _ROW_BYTES

    def __len__(self) -> int:
        return self._number("SELECT COUNT(*) FROM pack")

    @property
    def dropped(self) -> int:
        """How many gave way, as long as the file lives."""
        return self._number("SELECT count FROM dropped")

    def add(self, device_id: DeviceId, body: bytes) -> None:
        """Keep a pack until the broker has it.

        Raises:
            StoreError: The disk is full or broken; the pack is lost.
        """
        size = len(body) + _ROW_BYTES
        with self._translated(), self._transaction() as database:
            self._bytes -= self._make_room(database, size)
            database.execute("INSERT INTO pack (device, body) VALUES (?, ?)", (device_id, body))
            self._bytes += size

    def after(self, number: int) -> KeptPack | None:
        """The next one after a number; None when there is none."""
        with self._translated(), self._lock:
            row = self._connection.execute(
                "SELECT number, device, body FROM pack WHERE number > ? ORDER BY number LIMIT 1", (number,)
            ).fetchone()
        return KeptPack(number=row[0], device_id=DeviceId(row[1]), body=row[2]) if row else None

    def taken(self, pack: KeptPack) -> None:
        """The broker has this one; it may have given way meanwhile.

        Raises:
            StoreError: The disk is broken; the pack is said again after a restart, which is harmless.
        """
        with self._translated(), self._transaction() as database:
            went = database.execute("DELETE FROM pack WHERE number = ?", (pack.number,)).rowcount
            self._bytes -= went * (len(pack.body) + _ROW_BYTES)
            self._is_full = self._is_full and self._bytes > 0

    def close(self) -> None:
        """Give the file free."""
        with self._lock:
            self._connection.close()

    def _make_room(self, database: sqlite3.Connection, size: int) -> int:
        """Delete the oldest until ``size`` more fits; returns how much they took."""
        gone = gone_bytes = 0
        oldest = database.execute("SELECT number, LENGTH(body) FROM pack ORDER BY number")
        while self._bytes - gone_bytes + size > self._max_bytes and (row := oldest.fetchone()):
            gone += 1
            gone_bytes += row[1] + _ROW_BYTES
            database.execute("DELETE FROM pack WHERE number <= ?", (row[0],))
        if gone:
            database.execute("UPDATE dropped SET count = count + ?", (gone,))
            if not self._is_full:
                _log.warning("oldest_readings_dropped", bytes_waiting=self._bytes)
            self._is_full = True
        return gone_bytes

    def _number(self, query: str) -> int:
        with self._translated(), self._lock:
            (number,) = self._connection.execute(query).fetchone()
        return int(number)

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with self._lock, self._connection as database:  # which commits or undoes
            database.execute("BEGIN IMMEDIATE")
            yield database

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise StoreError(self._path, error.strerror or str(error), what="readings") from error
        except sqlite3.Error as error:
            raise StoreError(self._path, str(error), what="readings") from error


def open_packs(settings: AgentSettings) -> Packs:
    """The packs in their file; in memory when it cannot be used, since alarms must go out all the same."""
    try:
        return Packs(settings.packs_file, max_bytes=settings.packs_max_bytes)
    except StoreError as error:
        _log.error("readings_kept_in_memory_only", problem=str(error))
        return Packs(None, max_bytes=settings.memory_max_bytes)


def _open(path: Path | None) -> sqlite3.Connection:
    connection = sqlite3.connect(
        path or ":memory:", timeout=0.5, isolation_level=None, check_same_thread=False
    )
    try:
        connection.executescript(
            "PRAGMA locking_mode = EXCLUSIVE;"
            "PRAGMA journal_mode = WAL;"
            "PRAGMA synchronous = NORMAL;" + _SCHEMA  # spares the memory card
        )
    except BaseException:
        connection.close()
        raise
    return connection
