"""What SQLite alone has to prove: how it syncs, and that a bad disk never costs more than the commit."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from services.store import events, sqlite
from services.store.connection import Row, StoreUnavailableError
from services.store.migrations import migrate
from services.store.sqlite import SqliteConnection
from tests.support.faulty_disk import Fault, FaultyDisk


@pytest.fixture
def disk() -> Iterator[FaultyDisk]:
    """Under every connection of the test."""
    with FaultyDisk() as made:
        yield made


@pytest.fixture
def connection(disk: FaultyDisk, tmp_path: Path) -> Iterator[SqliteConnection]:
    """A store on that disk."""
    connection = SqliteConnection(tmp_path / "store.db")
    migrate(connection)
    yield connection
    disk.fault = Fault.NONE
    connection.close()


def count(connection: SqliteConnection, name: str) -> None:
    with connection.transaction():
        events.count(connection, name)


def pragma(connection: SqliteConnection, name: str) -> object:
    row = connection.row(f"PRAGMA {name}")
    assert row is not None
    return row[0]


def test_the_connection_is_set_up_so_that_a_commit_is_a_promise(connection: SqliteConnection) -> None:
    expected = {
        "journal_mode": "wal",
        "synchronous": 2,  # FULL
        "foreign_keys": 1,
        "wal_autocheckpoint": 0,
        "mmap_size": 0,
    }

    assert {name: pragma(connection, name) for name in expected} == expected


def test_a_commit_returns_after_its_sync(connection: SqliteConnection, disk: FaultyDisk) -> None:
    before = disk.syncs

    count(connection, "a")
    after_one = disk.syncs
    count(connection, "b")

    assert before < after_one < disk.syncs


def test_one_sync_carries_a_whole_transaction(connection: SqliteConnection, disk: FaultyDisk) -> None:
    count(connection, "first")  # the first commit of a log syncs its head too
    before = disk.syncs

    with connection.transaction():
        for number in range(50):
            events.count(connection, f"c-{number}")

    assert disk.syncs - before == 1


@pytest.mark.parametrize("fault", [Fault.FULL, Fault.READ_ONLY, Fault.SYNC_FAILS])
def test_a_commit_that_the_disk_refuses_keeps_nothing_and_leaves_the_connection_usable(
    connection: SqliteConnection, disk: FaultyDisk, fault: Fault
) -> None:
    count(connection, "before")

    disk.fault = fault
    with pytest.raises(StoreUnavailableError, match="free the disk or mend it"):
        count(connection, "during")
    readable_meanwhile = events.counters(connection)
    disk.fault = Fault.NONE
    count(connection, "after")

    assert readable_meanwhile == {"before": 1}
    assert events.counters(connection) == {"after": 1, "before": 1}


def test_what_a_bad_disk_refused_is_not_there_after_opening_again(disk: FaultyDisk, tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    connection = SqliteConnection(path)
    migrate(connection)
    disk.fault = Fault.FULL
    with pytest.raises(StoreUnavailableError):
        count(connection, "during")
    disk.fault = Fault.NONE

    connection.close()
    reopened = SqliteConnection(path)

    assert events.counters(reopened) == {}
    reopened.close()


def test_a_checkpoint_on_a_full_disk_says_that_the_store_is_unavailable(
    connection: SqliteConnection, disk: FaultyDisk
) -> None:
    count(connection, "a")
    disk.fault = Fault.FULL

    with pytest.raises(StoreUnavailableError):
        connection.checkpoint()

    assert events.counters(connection) == {"a": 1}


def test_a_checkpoint_moves_the_log_into_the_file(connection: SqliteConnection, tmp_path: Path) -> None:
    count(connection, "a")
    size_before = (tmp_path / "store.db").stat().st_size

    connection.checkpoint()

    assert (tmp_path / "store.db").stat().st_size > size_before
    assert events.counters(connection) == {"a": 1}


def test_a_long_log_begins_anew_though_not_all_of_it_could_be_moved_at_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite, "LONG_WAL_FRAMES", 100)
    path = tmp_path / "busy.db"

    class Moving(SqliteConnection):
        def row(self, sql: str, *parameters: object) -> Row | None:
            if "PASSIVE" not in sql:
                return super().row(sql, *parameters)
            with closing(SqliteConnection(path)) as reading, reading.snapshot():
                reading.row("SELECT COUNT(*) FROM blobs")
                write()
                return super().row(sql, *parameters)

    with closing(SqliteConnection(path)) as writing, closing(Moving(path)) as moving:
        writing.run("CREATE TABLE blobs (content BLOB)")

        def write(size: int = 1) -> None:
            writing.run("INSERT INTO blobs VALUES (zeroblob(?))", size)

        write(1_000_000)
        moving.checkpoint()
        write()

        frames = writing.row("PRAGMA wal_checkpoint(PASSIVE)")
        assert frames is not None
        assert frames[1] < 100


def test_the_log_does_not_begin_anew_in_a_readers_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite, "LONG_WAL_FRAMES", 0)
    path = tmp_path / "read.db"
    with closing(SqliteConnection(path)) as writing, closing(SqliteConnection(path)) as moving:
        writing.run("CREATE TABLE numbers (number INTEGER)")
        with closing(SqliteConnection(path)) as reading, reading.snapshot():
            before = reading.row("SELECT COUNT(*) FROM numbers")
            writing.run("INSERT INTO numbers VALUES (1)")

            moving.checkpoint()

            assert before == reading.row("SELECT COUNT(*) FROM numbers") == (0,)
        writing.run("INSERT INTO numbers VALUES (2)")
        assert writing.row("SELECT COUNT(*) FROM numbers") == (2,)


def test_a_writer_that_another_process_keeps_waiting_too_long_is_told(
    connection: SqliteConnection, tmp_path: Path
) -> None:
    other = SqliteConnection(tmp_path / "store.db")
    other.run_script("PRAGMA busy_timeout=1")

    with connection.transaction(), pytest.raises(StoreUnavailableError, match="locked"):
        count(other, "a")
    count(other, "b")

    assert events.counters(connection) == {"b": 1}
    other.close()


def test_the_data_version_changes_when_another_connection_has_committed(
    connection: SqliteConnection, tmp_path: Path
) -> None:
    other = SqliteConnection(tmp_path / "store.db")
    before = connection.data_version()

    count(connection, "own")
    after_own = connection.data_version()
    count(other, "others")

    assert after_own == before != connection.data_version()
    other.close()


@pytest.mark.parametrize("content", [b"this is no database, and long enough to say so" * 100])
def test_a_file_that_is_no_database_is_refused_with_its_name(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "letters.txt"
    path.write_bytes(content)

    with pytest.raises(StoreUnavailableError, match=r"letters\.txt"):
        SqliteConnection(path)


def test_a_file_that_cannot_be_opened_is_refused_with_its_name(tmp_path: Path) -> None:
    with pytest.raises(StoreUnavailableError, match="nowhere"):
        SqliteConnection(tmp_path / "nowhere" / "store.db")
