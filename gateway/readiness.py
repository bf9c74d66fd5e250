"""Whether alarms are taken and carried: for ``/readyz``, and for the dead-man call to the outside."""

from contextlib import closing
from datetime import timedelta
from typing import Final

from gateway.alarm_process import LOCK
from gateway.data_folder import READING_LOCK, DataFolder, holder
from services.domain.clock import Clock
from services.store import events
from services.store.connection import StoreUnavailableError, from_micros
from services.store.sqlite import SqliteConnection
from services.supervision.auditor import AUDITED_AT
from services.supervision.silence import ALIVE

OUTWARD_LOCK: Final = "outward"
FRESH: Final = timedelta(seconds=30)

READINGS_WAIT: Final = (
    "the reading process is not running: readings wait in the broker, and limits are not watched"
)
NOTHING_LEAVES: Final = (
    "the outward process is not running: webhooks wait, and no mail and no dead-man call leaves"
)


def not_ready_because(folder: DataFolder, clock: Clock) -> list[str]:
    """What keeps alarms from being taken and carried; nothing when all is well."""
    if holder(folder, LOCK) is None:
        return ["the alarm process is not running"]
    try:
        with closing(SqliteConnection(folder.database)) as connection:
            looked_at = from_micros(events.counter(connection, AUDITED_AT))
            listened_at = from_micros(events.counter(connection, ALIVE))
    except StoreUnavailableError as error:
        return [str(error)]
    reasons = []
    for what, at in (("the lanes were last open", listened_at), ("the auditor last looked", looked_at)):
        age = clock.now() - at
        if age > FRESH:
            reasons.append(f"{what} {age.total_seconds():.0f} s ago")
    return reasons


def warnings(folder: DataFolder) -> list[str]:
    """What is amiss while alarms from homes are carried; nothing when all is well."""
    found = []
    if holder(folder, READING_LOCK) is None:
        found.append(READINGS_WAIT)
    if holder(folder, OUTWARD_LOCK) is None:
        found.append(NOTHING_LEAVES)
    return found
