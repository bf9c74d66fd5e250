"""A store from before there were channels: everybody is told over MQTT, as before."""

from pathlib import Path
from typing import Final

import pytest

from services.store import migrations, subscriptions
from services.store.migrations import migrate, scripts
from services.store.sqlite import SqliteConnection

BEFORE: Final = 4
"""The last schema without channels."""

DATA: Final = "INSERT INTO organisations (id, name, kind, last_sequence) VALUES ('acme', 'Acme', 'care', 7)"


@pytest.fixture
def old(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SqliteConnection:
    """With an organisation in it."""
    connection = SqliteConnection(tmp_path / "old.db")
    with monkeypatch.context() as patched:
        patched.setattr(migrations, "scripts", lambda package: scripts(package)[:BEFORE])
        migrate(connection)
    with connection.transaction():
        connection.run_script(DATA)
    return connection


def test_an_organisation_from_before_is_told_over_mqtt(old: SqliteConnection) -> None:
    migrate(old)

    [(channel, after)] = subscriptions.live_channels(old, "acme")
    assert (channel, after.total_seconds()) == ("mqtt", 0)
    [found] = subscriptions.subscriptions(old, limit=10)
    assert len(found.id) == 36
    old.close()
