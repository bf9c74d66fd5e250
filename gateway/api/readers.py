"""Connections for looking into the alarm path's store, kept open from one request to the next.

Opening one takes longer than most of what is asked of it. There are as many as were ever needed at once, and
no more than threads that read.
"""

from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from services.store.sqlite import SqliteConnection


class Readers:
    """Lends connections, each to one thread at a time."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._idle: list[SqliteConnection] = []

    @contextmanager
    def lent(self) -> Generator[SqliteConnection]:
        """A connection for the block; one during whose use something failed is not lent again."""
        try:
            connection = self._idle.pop()
        except IndexError:
            connection = SqliteConnection(self._path)
        try:
            yield connection
        except BaseException:
            connection.close()
            raise
        self._idle.append(connection)

    def close(self) -> None:
        """Close those that are not lent."""
        while self._idle:
            self._idle.pop().close()
