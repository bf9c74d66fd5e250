"""The real command, in a data folder of its own."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from gateway.data_folder import open_folder
from services.domain.clock import SystemClock
from services.store.migrations import migrate
from services.store.sqlite import SqliteConnection
from tests.support.clock import FrozenClock
from tests.support.product import Product
from tests.support.town import Town


@pytest.fixture
def stadsnav(tmp_path: Path) -> Product:
    """The command on a data folder that is not there yet; nothing of the product runs."""
    return Product(tmp_path / "data")


@pytest.fixture
def store(stadsnav: Product) -> Iterator[SqliteConnection]:
    """The command's own store, as another process has it open."""
    with closing(SqliteConnection(open_folder(stadsnav.folder).database)) as connection:
        migrate(connection)
        yield connection


@pytest.fixture
def folk(store: SqliteConnection) -> Town:
    """A town in the command's store, at the machine's own time: see ``tests.support.town``."""
    town = Town(store, FrozenClock(SystemClock().now()))
    town.settle()
    return town
