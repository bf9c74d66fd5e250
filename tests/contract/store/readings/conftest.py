"""The readings' store of every kind. Another database is one more parameter here."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.readings_store import SqliteReadings, small_sizes


@pytest.fixture(params=[SqliteReadings], ids=["sqlite"])
def readings(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[SqliteReadings]:
    """An empty store of each kind, on disk; pages hold four readings."""
    with small_sizes():
        made: SqliteReadings = request.param(tmp_path)
        yield made
        made.close()
