"""Brings a database to this version's schema, one numbered file at a time, each in one transaction."""

from importlib.resources import files
from typing import Final

from services.store.connection import StoreUnavailableError
from services.store.sqlite import SqliteConnection

_SCRIPTS: Final = sorted(
    (path for path in files(__name__).iterdir() if path.name.endswith(".sql")), key=lambda path: path.name
)

NEWEST: Final = len(_SCRIPTS)


class NewerSchemaError(StoreUnavailableError):
    """The data were written by a newer version; going on could lose what this one does not know."""

    def __init__(self, found: int) -> None:
        self.found = found
        super().__init__(
            f"its schema is version {found}, this program knows {NEWEST}: install the newer program"
        )


def schema_version(connection: SqliteConnection) -> int:
    """How many migrations have been applied."""
    row = connection.row("PRAGMA user_version")
    return int(row[0]) if row else 0


def migrate(connection: SqliteConnection) -> None:
    """Apply what is missing. Interrupted anywhere, it goes on at the same file next time.

    Raises:
        NewerSchemaError: The database is newer than this program.
    """
    found = schema_version(connection)
    if found > NEWEST:
        raise NewerSchemaError(found)
    for number, script in enumerate(_SCRIPTS, start=1):
        if number > found:
            with connection.transaction():
                if schema_version(connection) < number:  # another process may have been first
                    connection.run_script(script.read_text("utf-8"))
                    connection.run_script(f"PRAGMA user_version={number}")
