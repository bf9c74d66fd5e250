"""The agent's memory: one SQLite file that holds an alarm before it is ever sent.

    add ──commit, synced──> alarm row ──(sent, sent again …)──> settle: receipt row, alarm done

What is in the file after a power cut is exactly what ``add`` and ``settle`` returned from. One
connection, locked for other processes: two agents on one file would share a session. Bounded: when
the file has reached its size, ``add`` raises, and nothing that was kept is ever dropped.
"""

import os
import secrets
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Any, Final

from devices.codecs.own_json import decode_receipt, encode_receipt
from devices.kinds import DeviceId
from devices.messages import EVENT_ID_MAX_LENGTH, Receipt

HISTORY_LENGTH: Final = 1000
"""Answered alarms whose receipts are still known; older ones are forgotten."""

_SCHEMA_VERSION: Final = 1
_SCHEMA: Final = (
    "CREATE TABLE agent (session TEXT NOT NULL, last_number INTEGER NOT NULL)",
    """CREATE TABLE alarm (
        number INTEGER PRIMARY KEY,
        device TEXT NOT NULL,
        id TEXT NOT NULL,
        body BLOB NOT NULL,
        is_answered INTEGER NOT NULL DEFAULT 0,
        UNIQUE (device, id)
    )""",
    "CREATE INDEX alarm_waiting ON alarm (number) WHERE NOT is_answered",
    """CREATE TABLE receipt (
        number INTEGER NOT NULL REFERENCES alarm ON DELETE CASCADE,
        status TEXT NOT NULL,
        body BLOB NOT NULL,
        PRIMARY KEY (number, status)
    )""",
    f"PRAGMA user_version = {_SCHEMA_VERSION}",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptAlarm:
    """An alarm on disk that has no receipt yet."""

    device_id: DeviceId
    id: str
    body: bytes
    """Exactly what is sent, every time."""

    @property
    def key(self) -> str:
        """What tells it from every other alarm of this agent."""
        return alarm_key(self.device_id, self.id)


def alarm_key(device_id: DeviceId, event_id: str) -> str:
    """Event ids are unique within a device only; no device id holds a slash."""
    return f"{device_id}/{event_id}"


class StoreError(Exception):
    """The store cannot be used, or cannot take more."""

    def __init__(self, path: Path | None, problem: str, *, what: str = "alarms") -> None:
        self.path = path
        self.problem = problem
        super().__init__(f"Cannot keep {what} in {path or 'memory'}: {problem}")


class Store:
    """Alarms and their receipts; safe to use from several threads.

    Args:
        path: The file, made if it is missing; None keeps everything in memory.
        max_bytes: How large it may grow.

    Raises:
        StoreError: The file cannot be made or read, belongs to a newer version, or is in use.
    """

    def __init__(self, path: Path | None, *, max_bytes: int) -> None:
        self._path = path
        self._lock = Lock()
        # An id holds chance drawn at each start, so that none comes back with an old copy of the file.
        self._start_mark = secrets.token_hex(4)
        with self._translated():
            if path is not None:
                make_private(path)
            self._connection = _open(path)
        try:
            self._prepare(max_bytes)
        except BaseException:
            self._connection.close()
            raise

    def session(self) -> str:
        """128 random bits, the same for as long as the file lives."""
        ((session,),) = self._rows("SELECT session FROM agent")
        return str(session)

    def add(self, device_id: DeviceId, body_with: Callable[[str], bytes]) -> KeptAlarm:
        """Keep an alarm; it is on disk when this returns.

        Args:
            device_id: Who raised it.
            body_with: Writes the message, given the new id, which no alarm has had before.

        Raises:
            StoreError: The disk or the file is full, or broken; nothing was kept.
        """
        with self._translated(), self._transaction() as database:
            row = database.execute("UPDATE agent SET last_number = last_number + 1 RETURNING last_number")
            (number,) = row.fetchone()
            ending = f"-{self._start_mark}-{number:06d}"
            event_id = device_id[: EVENT_ID_MAX_LENGTH - len(ending)] + ending
            alarm = KeptAlarm(device_id=device_id, id=event_id, body=body_with(event_id))
            database.execute(
                "INSERT INTO alarm (number, device, id, body) VALUES (?, ?, ?, ?)",
                (number, alarm.device_id, alarm.id, alarm.body),
            )
        return alarm

    def waiting(self) -> list[KeptAlarm]:
        """Alarms without a receipt, oldest first."""
        rows = self._rows("SELECT device, id, body FROM alarm WHERE NOT is_answered ORDER BY number")
        return [KeptAlarm(device_id=device, id=event_id, body=body) for device, event_id, body in rows]

    def settle(self, device_id: DeviceId, receipt: Receipt) -> bool:
        """Keep a receipt; its alarm no longer waits.

        Any status settles: what was acknowledged or closed has been stored, too.

        Returns:
            Whether it was news: an alarm of ours, and a status that it had not had.

        Raises:
            StoreError: It could not be kept; the alarm waits still.
        """
        with self._translated(), self._transaction() as database:
            found = database.execute(
                "SELECT number FROM alarm WHERE device = ? AND id = ?", (device_id, receipt.id)
            ).fetchone()
            if found is None:
                return False
            kept = database.execute(
                "INSERT OR IGNORE INTO receipt VALUES (?, ?, ?)",
                (found[0], receipt.status.value, encode_receipt(receipt)),
            )
            if kept.rowcount == 0:
                return False
            database.execute("UPDATE alarm SET is_answered = 1 WHERE number = ?", found)
            database.execute(
                "DELETE FROM alarm WHERE is_answered AND number <= (SELECT last_number FROM agent) - ?",
                (HISTORY_LENGTH,),
            )
        return True

    def receipts(self, event_id: str) -> list[Receipt]:
        """What has been heard about an alarm, in the order it came."""
        rows = self._rows(
            "SELECT receipt.body FROM receipt JOIN alarm USING (number) WHERE id = ? ORDER BY receipt.rowid",
            event_id,
        )
        return [decode_receipt(body) for (body,) in rows]

    def close(self) -> None:
        """Give the file free; closing again does nothing."""
        with self._lock:
            self._connection.close()

    def _prepare(self, max_bytes: int) -> None:
        with self._translated():
            (page_bytes,) = self._connection.execute("PRAGMA page_size").fetchone()
            self._connection.execute(f"PRAGMA max_page_count = {max(16, max_bytes // page_bytes)}")
            (version,) = self._connection.execute("PRAGMA user_version").fetchone()
            if version == 0:
                self._make_tables()
        if version > _SCHEMA_VERSION:
            problem = f"a newer agent wrote it (version {version}; this one knows {_SCHEMA_VERSION})"
            raise StoreError(self._path, problem)

    def _make_tables(self) -> None:
        with self._transaction() as database:
            for statement in _SCHEMA:
                database.execute(statement)
            database.execute("INSERT INTO agent VALUES (?, 0)", (secrets.token_hex(16),))

    def _rows(self, query: str, *values: str) -> list[tuple[Any, ...]]:
        with self._translated(), self._lock:  # never between another thread's write and its commit
            return self._connection.execute(query, values).fetchall()

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with self._lock:
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield self._connection
                self._connection.execute("COMMIT")
            except BaseException:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise StoreError(self._path, error.strerror or str(error)) from error
        except sqlite3.Error as error:
            raise StoreError(self._path, _mend(str(error))) from error


def make_private(path: Path) -> None:
    """Make the file, for its owner alone, so that it is there after a power cut."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        os.fchmod(descriptor, 0o600)
    finally:
        os.close(descriptor)
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _open(path: Path | None) -> sqlite3.Connection:
    connection = sqlite3.connect(
        path or ":memory:", timeout=0.5, isolation_level=None, check_same_thread=False
    )
    try:
        connection.executescript(
            "PRAGMA locking_mode = EXCLUSIVE;"  # a second agent on this file is refused
            "PRAGMA journal_mode = WAL;"
            "PRAGMA synchronous = FULL;"  # a commit returns after the sync, not before
            "PRAGMA foreign_keys = ON;"
        )
        connection.execute("BEGIN IMMEDIATE")
        connection.execute("COMMIT")
    except BaseException:
        connection.close()
        raise
    return connection


def _mend(problem: str) -> str:
    match problem:
        case "database is locked":
            return "another agent uses it; give each agent a file of its own"
        case "file is not a database" | "database disk image is malformed":
            return f"{problem}; move it away and start again, alarms in it are lost"
    return problem
