"""What all tests share: how property tests run, a clock that stands still, a town on a database."""

from collections.abc import Iterator

import pytest
from hypothesis import settings

from services.store.sqlite import SqliteConnection
from tests.support.clock import FrozenClock
from tests.support.stores import memory_database
from tests.support.town import Town

settings.register_profile("shared-machine", deadline=None)  # a slow neighbour is no failure
settings.load_profile("shared-machine")


@pytest.fixture
def clock() -> FrozenClock:
    """Stands at one moment of a November morning."""
    return FrozenClock()


@pytest.fixture
def database() -> Iterator[SqliteConnection]:
    """An empty store in memory."""
    connection = memory_database()
    yield connection
    connection.close()


@pytest.fixture
def town(database: SqliteConnection, clock: FrozenClock) -> Town:
    """Two homes, their devices, and two organisations without grants; see ``tests.support.town``."""
    town = Town(database, clock)
    town.settle()
    return town
