"""Letters and the dead-man call are tasks where the settings ask for them, and else nothing runs."""

from contextlib import closing
from pathlib import Path

import pytest

from gateway.data_folder import open_folder
from gateway.outward.tasks import tasks
from gateway.settings import Settings
from services.store.sqlite import SqliteConnection
from services.store.writer import Writer
from tests.support.clock import FrozenClock

MAIL = {"server": "localhost", "security": "none", "from": "a@example.org", "to": ["b@example.org"]}


@pytest.mark.parametrize(
    ("chosen", "names"),
    [
        ({}, set()),
        ({"mail": MAIL}, {"mail"}),
        ({"deadman": {"url": "https://example.org/ping"}}, {"deadman"}),
        ({"mail": MAIL, "deadman": {"url": "https://example.org/ping"}}, {"mail", "deadman"}),
    ],
)
def test_what_is_configured_runs(tmp_path: Path, chosen: dict[str, object], names: set[str]) -> None:
    folder = open_folder(tmp_path / "data")
    with closing(SqliteConnection(folder.database)) as store:
        found = tasks(
            folder, Settings.model_validate(chosen), reader=store, writer=Writer(store), clock=FrozenClock()
        )

    assert found.keys() == names
