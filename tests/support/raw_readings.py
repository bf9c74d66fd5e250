"""Everything that readings.db holds, as it stands there: a reading that is there twice is seen twice."""

from pathlib import Path

from services.store import events, registry
from services.store.readings import journal, segments
from services.store.readings.columns import Columns, joined
from services.store.sqlite import SqliteConnection


def raw(file: Path) -> Columns:
    """Every reading of the ready segments and of the journal's rows that are in none of them."""
    store = SqliteConnection(file)
    try:
        pages = [page for item in segments.ready(store) for page in segments.pages(store, item.id)]
        stored = [segments.read(store, page) for page in pages]
        return joined([*stored, journal.unflushed(store)])
    finally:
        store.close()


def counters(file: Path) -> dict[str, int]:
    """The counters of the reading lane; none before the file is there."""
    if not file.exists():
        return {}
    store = SqliteConnection(file)
    try:
        return events.counters(store)
    finally:
        store.close()


def series_of_devices(folder: Path, name: str) -> dict[str, int]:
    """Series ids of one name by the device that holds the position now."""
    registered, store = SqliteConnection(folder / "stadsnav.db"), SqliteConnection(folder / "readings.db")
    try:
        of_position = dict(store.rows("SELECT position_id, id FROM series WHERE name = ?", name))
        devices = registry.devices(registered, home_id=None, limit=1_000_000)
        return {
            device.id: of_position[device.position_id]
            for device in devices
            if device.position_id in of_position
        }
    finally:
        registered.close()
        store.close()
