"""What the readings' database tells: are readings stored, put in order, and their alarms passed on?"""

from datetime import datetime, timedelta
from typing import Final

from gateway.data_folder import DataFolder
from gateway.doctor.check import Check, broken, watch, well
from gateway.doctor.contents import sqlite_version
from gateway.doctor.machine import MEBIBYTE
from gateway.handovers import how_far
from gateway.plots.plot import duration_text
from services.store.connection import Connection, from_micros
from services.store.migrations import READINGS, schema_version, scripts
from services.store.readings import erasures, handovers, journal
from services.store.readings import series as series_rows
from services.store.sqlite import SqliteConnection

QUIET_FOR: Final = timedelta(hours=24)
"""No city is silent for longer, and no home with a meter."""

UNFLUSHED_READINGS: Final = 5_000_000
"""The reading process flushes at a fifth of it; from here on its memory grows and looks become slow."""

HANDED_OVER_WITHIN: Final = timedelta(seconds=30)
ERASED_WITHIN: Final = timedelta(minutes=10)


def store_state(folder: DataFolder, store: SqliteConnection) -> Check:
    """Whether this program can use the file, and how large it is."""
    version, known = schema_version(store), len(scripts(READINGS))
    size = folder.readings.stat().st_size // MEBIBYTE
    found = f"SQLite {sqlite_version()}, schema {version}, {size} MiB"
    if version > known:
        return broken("readings store", f"{found}, this program knows {known}", "install the newer program")
    if version < known:
        return watch("readings store", f"{found}, this program has {known}", "run `stadsnav up`")
    return well("readings store", found)


def last_reading(store: Connection, *, now: datetime, is_running: bool) -> list[Check]:
    """How long ago something was measured and taken."""
    received_at = journal.newest_received_at(store) or series_rows.newest_received_at(store)
    if received_at is None:
        return [well("last reading", "none was ever taken")]
    age = max(now - from_micros(received_at), timedelta(0))
    found = f"taken {duration_text(age)} ago"
    if is_running and age > QUIET_FOR:
        mend = "do homes connect? see `stadsnav quarantine list` and the log of the reading process"
        return [watch("last reading", found, mend)]
    return [well("last reading", found)]


def unflushed(store: Connection) -> list[Check]:
    """Whether what was taken is put in order as fast as it comes."""
    count = journal.unflushed_count(store)
    found = f"{count} readings are not in order yet"
    if count <= UNFLUSHED_READINGS:
        return [well("unflushed", found)]
    mend = "more comes than the machine can sort, or its disk is slow: see the log of the reading process"
    return [watch("unflushed", found, mend)]


def handed_over(store: Connection, alarm_path: Connection, *, now: datetime, is_running: bool) -> list[Check]:
    """Whether the alarm process takes what the reading lane has found, such as a limit that was crossed."""
    waits_since = handovers.oldest_after(store, how_far(alarm_path, store))
    if waits_since is None:
        return [well("handovers", "none waits")]
    found = f"the oldest has waited for {duration_text(max(now - waits_since, timedelta(0)))}"
    if is_running and now - waits_since > HANDED_OVER_WITHIN:
        mend = "alarms from readings are late: see the log of the alarm process"
        return [broken("handovers", found, mend)]
    return [well("handovers", found)]


def erasures_waiting(store: Connection, *, now: datetime) -> list[Check]:
    """Whether what was to be erased is still there."""
    waiting = erasures.waiting(store)
    if not waiting:
        return [well("erasures", "none waits")]
    age = now - waiting[0].asked_at
    homes = ", ".join(sorted({asked.home_id for asked in waiting}))
    found = f"{len(waiting)} not done, the oldest asked for {duration_text(age)} ago; of {homes}"
    if age < ERASED_WITHIN:
        return [well("erasures", found)]
    return [watch("erasures", found, "start `stadsnav up`, or run `stadsnav reading erase` again")]
