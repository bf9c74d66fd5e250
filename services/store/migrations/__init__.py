"""Brings a database to this version's schema, one numbered file at a time, each in one transaction."""

from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Final

from services.store.connection import StoreUnavailableError
from services.store.sqlite import SqliteConnection

ALARM_PATH: Final = __name__
READINGS: Final = "services.store.readings.migrations"


class NewerSchemaError(StoreUnavailableError):
    """The data were written by a newer version; going on could lose what this one does not know."""

    def __init__(self, found: int, newest: int) -> None:
        self.found = found
        super().__init__(
            f"its schema is version {found}, this program knows {newest}: install the newer program"
        )


@cache
def scripts(package: str = ALARM_PATH) -> tuple[Traversable, ...]:
    """The migrations of a database, oldest first; its version is their number."""
    found = (path for path in files(package).iterdir() if path.name.endswith(".sql"))
    return tuple(sorted(found, key=lambda path: path.name))


NEWEST: Final = len(scripts())


def schema_version(connection: SqliteConnection) -> int:
    """How many migrations have been applied."""
    row = connection.row("PRAGMA user_version")
    return int(row[0]) if row else 0


def migrate(connection: SqliteConnection, package: str = ALARM_PATH) -> None:
    """Apply what is missing. Interrupted anywhere, it goes on at the same file next time.

    Args:
        connection: The database.
        package: Whose numbered files are its schema.

    Raises:
        NewerSchemaError: The database is newer than this program.
    """
    found, known = schema_version(connection), scripts(package)
    if found > len(known):
        raise NewerSchemaError(found, len(known))
    for number, script in enumerate(known, start=1):
        if number > found:
            with connection.transaction():
                if schema_version(connection) < number:  # another process may have been first
                    connection.run_script(script.read_text("utf-8"))
                    connection.run_script(f"PRAGMA user_version={number}")
