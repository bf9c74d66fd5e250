"""What doctor says of databases elsewhere: never worse than a warning."""

from collections.abc import Iterator
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from gateway.data_folder import DataFolder, Lock, open_folder
from gateway.doctor.check import Check, Status
from gateway.doctor.exports import targets
from gateway.export import cursors
from gateway.export.cursors import Cursor, Lost, Mended
from gateway.settings import ExportSettings
from services.store.connection import to_micros
from services.store.migrations import READINGS, migrate
from services.store.readings import journal
from services.store.readings.columns import columns_of
from services.store.sqlite import SqliteConnection
from tests.support.clock import START

NAME = "main"
CHOSEN = {NAME: ExportSettings(url="http://127.0.0.1:1", bucket="b")}
LATER = START + timedelta(minutes=5)


@pytest.fixture
def folder(tmp_path: Path) -> DataFolder:
    return open_folder(tmp_path / "data")


@pytest.fixture
def newest(folder: DataFolder) -> Iterator[int]:
    """The journal's one row, of two readings received at ``START``; the export process runs."""
    at = to_micros(START)
    no_packets = journal.Packets(ids=np.zeros(0, np.uint16), sums=np.zeros(0, np.uint32))
    with closing(SqliteConnection(folder.readings)) as readings:
        migrate(readings, READINGS)
        number = journal.append(readings, columns_of([1, 1], [at, at + 1], [at, at], [1, 2]), no_packets)
    lock = Lock(folder, "export")
    yield number
    lock.release()


def check(folder: DataFolder, cursor: Cursor | None = None, *, now: datetime = LATER) -> Check:
    if cursor is not None:
        cursors.write(folder, NAME, cursor)
    (found,) = targets(folder, CHOSEN, now=now)
    return found


def test_without_a_target_there_is_nothing_to_say(folder: DataFolder) -> None:
    assert targets(folder, {}, now=LATER) == []


def test_a_target_that_has_all_is_well(folder: DataFolder, newest: int) -> None:
    found = check(folder, Cursor(settled_to=0, sent_to=newest))

    assert (found.check, found.status, found.found) == ("export main", Status.OK, "has every reading")


def test_a_target_that_is_behind_is_told_with_how_much_and_how_long(folder: DataFolder, newest: int) -> None:
    found = check(folder, Cursor(settled_to=0, sent_to=newest - 1))

    assert found.status is Status.WARN
    assert found.found == "2 readings behind, the oldest for 5 min"


def test_a_moment_behind_is_the_usual(folder: DataFolder, newest: int) -> None:
    found = check(folder, Cursor(settled_to=0, sent_to=newest - 1), now=START + timedelta(milliseconds=400))

    assert found.status is Status.OK


def test_a_target_that_is_away_is_told_with_the_reason(folder: DataFolder, newest: int) -> None:
    found = check(folder, Cursor(settled_to=0, sent_to=newest, problem="no answer"))

    assert (found.status, found.found) == (Status.WARN, "has every reading; no answer")


def test_what_a_target_lost_is_told_until_all_of_it_was_sent_again(folder: DataFolder, newest: int) -> None:
    cursor = Cursor(settled_to=0, sent_to=newest, lost=Lost(rows=7, since_us=100, until_us=200))

    lost = check(folder, cursor)
    cursors.write_mended(folder, NAME, Mended(since_us=150, until_us=300))
    half = check(folder)
    cursors.write_mended(folder, NAME, Mended(since_us=100, until_us=300))
    mended = check(folder)

    assert "7 commits" in lost.found
    assert "export again main" in lost.mend
    assert [each.status for each in (lost, half, mended)] == [Status.WARN, Status.WARN, Status.OK]


def test_a_cursor_that_cannot_be_read_is_a_warning_that_says_what_to_do(
    folder: DataFolder, newest: int
) -> None:
    check(folder, Cursor(settled_to=0, sent_to=newest))
    cursors.path_of(folder, NAME).write_bytes(b"{")

    found = check(folder)

    assert found.status is Status.WARN
    assert "remove it" in found.found


@pytest.mark.usefixtures("newest")
def test_a_target_that_was_never_looked_after_waits_for_the_process(folder: DataFolder) -> None:
    assert check(folder).status is Status.OK  # the process runs and is about to begin


def test_a_target_without_an_export_process_is_told(folder: DataFolder) -> None:
    with closing(SqliteConnection(folder.readings)) as readings:
        migrate(readings, READINGS)

    assert "no export process" in check(folder).mend
