"""The schema is brought up to date whole or not at all, and never backwards."""

import threading
from collections.abc import Iterator
from pathlib import Path

import apsw
import pytest

from services.store import migrations
from services.store.connection import StoreUnavailableError
from services.store.migrations import NEWEST, NewerSchemaError, migrate, schema_version
from services.store.sqlite import SqliteConnection
from tests.support.faulty_disk import Fault, FaultyDisk


@pytest.fixture
def connection(tmp_path: Path) -> Iterator[SqliteConnection]:
    """An empty file."""
    connection = SqliteConnection(tmp_path / "store.db")
    yield connection
    connection.close()


def tables(connection: SqliteConnection) -> set[str]:
    return {row[0] for row in connection.rows("SELECT name FROM sqlite_schema WHERE type = 'table'")}


def test_an_empty_file_gets_this_versions_schema(connection: SqliteConnection) -> None:
    migrate(connection)

    assert schema_version(connection) == NEWEST > 0
    assert {"events", "alarms", "deliveries", "audit"} <= tables(connection)


def test_migrating_again_changes_nothing(connection: SqliteConnection) -> None:
    migrate(connection)
    before = connection.rows("SELECT sql FROM sqlite_schema")

    migrate(connection)

    assert connection.rows("SELECT sql FROM sqlite_schema") == before


def test_data_of_a_newer_program_are_refused_and_left_alone(connection: SqliteConnection) -> None:
    newer = NEWEST + 1
    connection.run_script(f"CREATE TABLE of_the_future (id TEXT); PRAGMA user_version={newer}")

    with pytest.raises(NewerSchemaError, match=f"version {newer}.*knows {NEWEST}.*newer program") as caught:
        migrate(connection)

    assert caught.value.found == newer
    assert (schema_version(connection), tables(connection)) == (newer, {"of_the_future"})


def test_a_migration_that_a_full_disk_interrupts_leaves_nothing_and_goes_on_later(tmp_path: Path) -> None:
    with FaultyDisk() as disk:
        connection = SqliteConnection(tmp_path / "store.db")
        disk.fault = Fault.FULL
        with pytest.raises(StoreUnavailableError):
            migrate(connection)
        after_the_fault = (schema_version(connection), tables(connection))
        disk.fault = Fault.NONE
        migrate(connection)

        assert after_the_fault == (0, set())
        assert schema_version(connection) == NEWEST
        connection.close()


def test_an_interrupted_row_of_migrations_goes_on_at_the_one_that_failed(
    connection: SqliteConnection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scripts = [tmp_path / f"000{number}.sql" for number in (1, 2, 3)]
    scripts[0].write_text("CREATE TABLE a (id TEXT)")
    scripts[1].write_text("CREATE TABLE b (id TEXT); INSERT INTO b VALUES ('half'); SELECT * FROM missing")
    scripts[2].write_text("CREATE TABLE c (id TEXT)")
    monkeypatch.setattr(migrations, "_SCRIPTS", scripts)
    monkeypatch.setattr(migrations, "NEWEST", 3)

    with pytest.raises(apsw.SQLError):
        migrate(connection)
    interrupted = (schema_version(connection), tables(connection))
    scripts[1].write_text("CREATE TABLE b (id TEXT)")
    migrate(connection)

    assert interrupted == (1, {"a"})
    assert (schema_version(connection), tables(connection)) == (3, {"a", "b", "c"})
    assert connection.rows("SELECT * FROM b") == []


def test_two_processes_that_migrate_at_once_do_it_once(tmp_path: Path) -> None:
    connections = [SqliteConnection(tmp_path / "store.db") for _ in range(3)]
    together, faults = threading.Barrier(len(connections)), []

    def run(connection: SqliteConnection) -> None:
        together.wait()
        try:
            migrate(connection)
        except Exception as error:  # noqa: BLE001 - whatever it is, the test must see it
            faults.append(error)

    threads = [threading.Thread(target=run, args=(connection,)) for connection in connections]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert faults == []
    assert [schema_version(connection) for connection in connections] == [NEWEST] * 3
    for connection in connections:
        connection.close()
