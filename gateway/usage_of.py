"""What usage cannot see in the alarm path's store: readings that the reading lane has yet to hand over."""

from contextlib import closing

from gateway.data_folder import DataFolder
from services.store.migrations import READINGS, schema_version, scripts
from services.store.readings import releases
from services.store.sqlite import SqliteConnection
from services.usage import Month, first_day


def unfiled_readings(folder: DataFolder, month: Month) -> list[tuple[str, str, int]]:
    """Organisation, class and count of what was released in a month, most of it today, and is not filed."""
    if not folder.readings.exists():
        return []
    with closing(SqliteConnection(folder.readings)) as readings:
        if schema_version(readings) < len(scripts(READINGS)):  # the reading process is about to make it
            return []
        return releases.totals(readings, first_day=first_day(month), end_day=first_day(month.following))
