"""The schema is brought up to date whole or not at all, and never backwards."""

import threading
from collections.abc import Iterator
from pathlib import Path

import apsw
import pytest

from services.store import migrations
from services.store.connection import StoreUnavailableError
from services.store.migrations import (
    ALARM_PATH,
    READINGS,
    NewerSchemaError,
    migrate,
    schema_version,
    scripts,
)
from services.store.sqlite import SqliteConnection
from tests.support.faulty_disk import Fault, FaultyDisk


@pytest.fixture(params=[ALARM_PATH, READINGS], ids=["alarm path", "readings"])
def package(request: pytest.FixtureRequest) -> str:
    """Each database of the product."""
    found: str = request.param
    return found


@pytest.fixture
def newest(package: str) -> int:
    """This version's schema of it."""
    return len(scripts(package))


@pytest.fixture
def connection(tmp_path: Path) -> Iterator[SqliteConnection]:
    """An empty file."""
    connection = SqliteConnection(tmp_path / "store.db")
    yield connection
    connection.close()


def tables(connection: SqliteConnection) -> set[str]:
    return {row[0] for row in connection.rows("SELECT name FROM sqlite_schema WHERE type = 'table'")}


@pytest.mark.parametrize(
    ("package", "expected"),
    [
        (ALARM_PATH, {"events", "alarms", "deliveries", "audit"}),
        (READINGS, {"series", "journal", "segments", "pages", "handovers"}),
    ],
    ids=["alarm path", "readings"],
)
def test_an_empty_file_gets_this_versions_schema(
    connection: SqliteConnection, package: str, expected: set[str]
) -> None:
    migrate(connection, package)

    assert schema_version(connection) == len(scripts(package)) > 0
    assert expected <= tables(connection)


def test_the_alarm_paths_schema_is_the_one_meant_when_nothing_is_said(connection: SqliteConnection) -> None:
    migrate(connection)

    assert "alarms" in tables(connection)
    assert len(scripts(ALARM_PATH)) == migrations.NEWEST


def test_migrating_again_changes_nothing(connection: SqliteConnection, package: str) -> None:
    migrate(connection, package)
    before = connection.rows("SELECT sql FROM sqlite_schema")

    migrate(connection, package)

    assert connection.rows("SELECT sql FROM sqlite_schema") == before


def test_data_of_a_newer_program_are_refused_and_left_alone(
    connection: SqliteConnection, package: str, newest: int
) -> None:
    newer = newest + 1
    connection.run_script(f"CREATE TABLE of_the_future (id TEXT); PRAGMA user_version={newer}")

    with pytest.raises(NewerSchemaError, match=f"version {newer}.*knows {newest}.*newer program") as caught:
        migrate(connection, package)

    assert caught.value.found == newer
    assert (schema_version(connection), tables(connection)) == (newer, {"of_the_future"})


def test_a_migration_that_a_full_disk_interrupts_leaves_nothing_and_goes_on_later(
    tmp_path: Path, package: str, newest: int
) -> None:
    with FaultyDisk() as disk:
        connection = SqliteConnection(tmp_path / "store.db")
        disk.fault = Fault.FULL
        with pytest.raises(StoreUnavailableError):
            migrate(connection, package)
        after_the_fault = (schema_version(connection), tables(connection))
        disk.fault = Fault.NONE
        migrate(connection, package)

        assert after_the_fault == (0, set())
        assert schema_version(connection) == newest
        connection.close()


def test_an_interrupted_row_of_migrations_goes_on_at_the_one_that_failed(
    connection: SqliteConnection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "rows_of_three"
    package.mkdir()
    (package / "0001_a.sql").write_text("CREATE TABLE a (id TEXT)")
    second = package / "0002_b.sql"
    second.write_text("CREATE TABLE b (id TEXT); INSERT INTO b VALUES ('half'); SELECT * FROM missing")
    (package / "0003_c.sql").write_text("CREATE TABLE c (id TEXT)")
    monkeypatch.syspath_prepend(tmp_path)

    with pytest.raises(apsw.SQLError):
        migrate(connection, package.name)
    interrupted = (schema_version(connection), tables(connection))
    second.write_text("CREATE TABLE b (id TEXT)")
    migrate(connection, package.name)

    assert interrupted == (1, {"a"})
    assert (schema_version(connection), tables(connection)) == (3, {"a", "b", "c"})
    assert connection.rows("SELECT * FROM b") == []


def test_two_processes_that_migrate_at_once_do_it_once(tmp_path: Path, package: str, newest: int) -> None:
    connections = [SqliteConnection(tmp_path / "store.db") for _ in range(3)]
    together, faults = threading.Barrier(len(connections)), []

    def run(connection: SqliteConnection) -> None:
        together.wait()
        try:
            migrate(connection, package)
        except Exception as error:  # noqa: BLE001 - whatever it is, the test must see it
            faults.append(error)

    threads = [threading.Thread(target=run, args=(connection,)) for connection in connections]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert faults == []
    assert [schema_version(connection) for connection in connections] == [newest] * 3
    for connection in connections:
        connection.close()
