"""How far behind a target is: what any process can see from its cursor and the journal."""

from dataclasses import dataclass
from datetime import datetime

from gateway.data_folder import DataFolder
from gateway.export import cursors
from gateway.export.cursors import Cursor, Lost
from services.store.connection import Connection, to_micros
from services.store.readings import journal


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetStatus:
    """One target, now."""

    name: str
    cursor: Cursor | None
    """None: it has not been looked after yet."""
    lag_seconds: float
    """How long the oldest reading that it has not got has been here; 0: it has all."""
    readings_behind: int
    lost: Lost | None
    """What it will only get by ``stadsnav export again``."""


def status_of(folder: DataFolder, name: str, readings: Connection, *, now: datetime) -> TargetStatus:
    """How far behind a target is.

    Args:
        folder: Where its cursor is.
        name: The target.
        readings: The readings' database, only read.
        now: The time.

    Raises:
        UnreadableCursorError: Nobody knows.
    """
    cursor = cursors.read(folder, name)
    if cursor is None:
        return TargetStatus(name=name, cursor=None, lag_seconds=0.0, readings_behind=0, lost=None)
    behind, oldest_us = journal.waiting(readings, after=cursor.sent_to)
    lag_us = 0 if oldest_us is None else max(0, to_micros(now) - oldest_us)
    mended = cursors.read_mended(folder, name)
    is_mended = cursor.lost is None or (mended is not None and mended.covers(cursor.lost))
    return TargetStatus(
        name=name,
        cursor=cursor,
        lag_seconds=lag_us / 1_000_000,
        readings_behind=behind,
        lost=None if is_mended else cursor.lost,
    )
