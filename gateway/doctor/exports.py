"""Whether databases elsewhere get the readings. Never worse than a warning: alarms do not depend on it."""

from collections.abc import Mapping
from contextlib import closing
from datetime import datetime, timedelta
from typing import Final

from gateway.data_folder import EXPORT_LOCK, DataFolder, holder
from gateway.doctor.check import Check, watch, well
from gateway.export.cursors import UnreadableCursorError
from gateway.export.lag import TargetStatus, status_of
from gateway.plots.plot import duration_text
from gateway.settings import ExportSettings
from services.store.sqlite import SqliteConnection

BEHIND: Final = timedelta(minutes=1)


def targets(folder: DataFolder, chosen: Mapping[str, ExportSettings], *, now: datetime) -> list[Check]:
    """How far behind each target is, and what only an operator can mend."""
    if not chosen or not folder.readings.exists():
        return []
    is_running = holder(folder, EXPORT_LOCK) is not None
    with closing(SqliteConnection(folder.readings)) as readings:
        return [_target(folder, name, readings, now=now, is_running=is_running) for name in chosen]


def _target(
    folder: DataFolder, name: str, readings: SqliteConnection, *, now: datetime, is_running: bool
) -> Check:
    check = f"export {name}"
    try:
        status = status_of(folder, name, readings, now=now)
    except UnreadableCursorError as error:
        return watch(check, str(error), "as it says")
    found = _found(status)
    mend = _mend(status, is_running=is_running)
    return watch(check, found, mend) if mend else well(check, found)


def _found(status: TargetStatus) -> str:
    if status.cursor is None:
        return "begins when the export process runs"
    behind = "has every reading"
    if status.readings_behind:
        age = duration_text(timedelta(seconds=status.lag_seconds))
        behind = f"{status.readings_behind} readings behind, the oldest for {age}"
    parts = [behind, status.cursor.problem]
    if status.cursor.set_aside:
        parts.append(f"{status.cursor.set_aside} points set aside so far")
    if status.lost is not None:
        parts.append(f"{status.lost.rows} commits left the journal before it had them")
    return "; ".join(part for part in parts if part)


def _mend(status: TargetStatus, *, is_running: bool) -> str:
    if status.lost is not None:
        return f"`stadsnav export again {status.name} --since …`; `stadsnav export status` has the times"
    if not is_running and (status.cursor is None or status.readings_behind):
        return "no export process runs: `stadsnav up` starts it when a target is configured"
    if status.cursor is not None and status.cursor.problem:
        return "see that the target runs and lets us in; nothing is lost meanwhile, it catches up by itself"
    if status.lag_seconds > BEHIND.total_seconds():
        return "it is catching up, or slower than what comes in: look again, and at the target's own load"
    return ""
