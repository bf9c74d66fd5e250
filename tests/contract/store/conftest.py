"""One body per store module, over every database. PostgreSQL is one more parameter here."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import rows
from tests.support.stores import Database, SqliteUnderTest, StoreUnderTest


@pytest.fixture(params=[SqliteUnderTest], ids=["sqlite"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[StoreUnderTest]:
    """An empty store of each kind, on disk."""
    made: StoreUnderTest = request.param(tmp_path / "store.db")
    yield made
    made.close()


@pytest.fixture
def db(store: StoreUnderTest) -> Database:
    """The connection to it."""
    return store.database


@pytest.fixture
def settled(db: Database) -> Database:
    """The same, with a home, its device and the organisations ``acme`` and ``beta``."""
    with db.transaction():
        rows.settle(db)
    return db
