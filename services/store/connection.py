"""What a use case needs of a database: rows in, rows out, inside somebody else's transaction.

    use case  ->  store.alarms.open_alarm(connection, …)  ->  SQL with ``?`` marks

The SQL is the part that SQLite and PostgreSQL share: ``ON CONFLICT``, ``RETURNING``, partial
indexes; times are whole microseconds since 1970 in UTC, JSON is text, raw input is bytes. An
adapter for another database translates the parameter marks and nothing else.
"""

from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Protocol

Row = Sequence[Any]

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)


class Connection(Protocol):
    """One open transaction."""

    def rows(self, sql: str, *parameters: Any) -> list[Row]:
        """Every row of the answer."""

    def row(self, sql: str, *parameters: Any) -> Row | None:
        """The first row of the answer, or None."""

    def run(self, sql: str, *parameters: Any) -> int:
        """Change something; returns how many rows were changed."""

    def run_many(self, sql: str, rows: Iterable[Sequence[Any]]) -> None:
        """Change something once for each row of parameters."""

    def savepoint(self) -> AbstractContextManager[None]:
        """Undo what was done inside, and only that, when the block raises."""


class StoreUnavailableError(Exception):
    """The database could not commit: nothing of the work is kept, and nobody may be told otherwise."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(f"The store cannot be written ({reason}); free the disk or mend it, then it goes on")


def matching(**columns: object) -> tuple[str, list[object]]:
    """A WHERE clause over the columns that are asked for (not None), with its parameters.

    Column names are ours, never input; ``.`` in a name is written ``__``.
    """
    asked = {name.replace("__", "."): value for name, value in columns.items() if value is not None}
    clause = " AND ".join(f"{name} = ?" for name in asked)
    return (f"WHERE {clause}" if clause else ""), list(asked.values())


def to_micros(moment: datetime) -> int:
    """Aware time to whole microseconds since 1970, exact."""
    return (moment - _EPOCH) // _MICROSECOND


def from_micros(micros: int) -> datetime:
    """Whole microseconds since 1970 to an aware UTC time, exact."""
    return _EPOCH + timedelta(microseconds=micros)


def optional_micros(moment: datetime | None) -> int | None:
    """``to_micros`` for a column that may be empty."""
    return None if moment is None else to_micros(moment)


def optional_time(micros: int | None) -> datetime | None:
    """``from_micros`` for a column that may be empty."""
    return None if micros is None else from_micros(micros)
