"""Which rows of the journal may be dropped, as far as export targets are concerned."""

from pathlib import Path

import pytest

from gateway.data_folder import DataFolder, open_folder
from gateway.export import cursors
from gateway.export.cursors import EVERYTHING, Cursor, Lost, Mended, UnreadableCursorError, exported_to
from gateway.settings import FILE_NAME

TARGET = '[export.{name}]\nurl = "http://127.0.0.1:1"\nbucket = "b"\n'


def folder_with(path: Path, *targets: str) -> DataFolder:
    folder = open_folder(path / "data")
    (folder.path / FILE_NAME).write_text("".join(TARGET.format(name=name) for name in targets))
    return folder


def at(number: int) -> Cursor:
    return Cursor(settled_to=number, sent_to=number + 5)


def test_without_a_target_everything_may_go(tmp_path: Path) -> None:
    assert exported_to(folder_with(tmp_path)) == EVERYTHING


def test_the_slowest_target_decides_by_what_is_settled_there(tmp_path: Path) -> None:
    folder = folder_with(tmp_path, "fast", "slow")
    cursors.write(folder, "fast", at(900))
    cursors.write(folder, "slow", at(100))

    assert exported_to(folder) == 100


def test_a_target_that_is_no_longer_configured_does_not_count(tmp_path: Path) -> None:
    folder = folder_with(tmp_path, "kept")
    cursors.write(folder, "kept", at(900))
    cursors.write(folder, "gone", at(1))

    assert exported_to(folder) == 900


def test_a_target_that_has_not_begun_needs_nothing_of_what_is_there(tmp_path: Path) -> None:
    folder = folder_with(tmp_path, "old", "new")
    cursors.write(folder, "old", at(900))

    assert exported_to(folder) == 900


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"settled_to": "x", "sent_to": 1}', b"\xff"])
def test_a_cursor_that_cannot_be_read_keeps_everything_and_says_what_to_do(
    tmp_path: Path, content: bytes
) -> None:
    folder = folder_with(tmp_path, "main")
    cursors.write(folder, "main", at(900))
    cursors.path_of(folder, "main").write_bytes(content)

    assert exported_to(folder) == 0
    with pytest.raises(UnreadableCursorError, match="export again"):
        cursors.read(folder, "main")


def test_settings_that_cannot_be_read_keep_everything(tmp_path: Path) -> None:
    folder = folder_with(tmp_path, "main")
    (folder.path / FILE_NAME).write_text("[export")

    assert exported_to(folder) == 0


def test_a_cursor_is_read_as_it_was_written(tmp_path: Path) -> None:
    folder = folder_with(tmp_path, "main")
    cursor = Cursor(
        settled_to=1,
        sent_to=2,
        received_to_us=3,
        sent=4,
        set_aside=5,
        lost=Lost(rows=6, since_us=7, until_us=8),
        problem="it is away",
        problem_since_us=9,
    )

    cursors.write(folder, "main", cursor)

    assert cursors.read(folder, "main") == cursor


@pytest.mark.parametrize(("since", "until", "is_mended"), [(5, 20, True), (10, 20, True), (11, 20, False)])
def test_what_was_lost_is_mended_when_all_of_its_time_was_sent_again(
    since: int, until: int, *, is_mended: bool
) -> None:
    lost = Lost(rows=1, since_us=10, until_us=20)

    assert Mended(since_us=since, until_us=until).covers(lost) is is_mended
