"""One changed byte in the pages of the log's tables is found, if it changes anything that can be read."""

import random
from collections.abc import Iterator
from contextlib import closing
from itertools import chain
from pathlib import Path
from typing import Any

import pytest

from services.inspection.verification import TABLES
from services.store.connection import StoreUnavailableError
from services.store.migrations import migrate
from services.store.sqlite import SqliteConnection
from tests.support.log import WHOLE, content, fill, found

TRIES = 400
PAGE_BYTES = 4096


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A log in a file that nobody has open."""
    path = tmp_path / "stadsnav.db"
    with closing(SqliteConnection(path)) as connection:
        migrate(connection)
        with connection.transaction():
            fill(connection)
        connection.checkpoint()
        connection.empty_log()
    return path


def offsets(path: Path) -> Iterator[int]:
    """Every byte of the pages that hold the log's tables."""
    with closing(SqliteConnection(path)) as connection:
        pages = [connection.rows("SELECT pageno FROM dbstat WHERE name = ?", table) for table in TABLES]
    for (page,) in chain(*pages):
        yield from range((page - 1) * PAGE_BYTES, page * PAGE_BYTES)


def is_found(path: Path, before: list[Any]) -> bool:
    """Whether a verification fails, or all that can be read is as before."""
    try:
        with closing(SqliteConnection(path)) as connection:
            return found(connection) != WHOLE or content(connection) == before
    except StoreUnavailableError:
        return True


def test_a_changed_byte_is_found(file: Path) -> None:
    with closing(SqliteConnection(file)) as connection:
        before = content(connection)
    whole = file.read_bytes()
    chosen = random.Random(4).sample(list(offsets(file)), TRIES)  # noqa: S311 - which bytes, not a secret

    for offset in chosen:
        changed = bytearray(whole)
        changed[offset] ^= 1 << (offset % 8)
        file.write_bytes(changed)
        assert is_found(file, before), offset

    file.write_bytes(whole)
    with closing(SqliteConnection(file)) as connection:
        assert found(connection) == WHOLE
