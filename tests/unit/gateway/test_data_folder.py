"""The data folder: made private, refused when others can get at it, held by one process at a time."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from gateway.data_folder import (
    AlreadyRunningError,
    Lock,
    UnsafeFolderError,
    holder,
    open_folder,
    write_ports,
)

HOLD = """
import sys
from pathlib import Path
from gateway.data_folder import Lock, open_folder
lock = Lock(open_folder(Path(sys.argv[1])), "up")
print("held", flush=True)
sys.stdin.read()
"""


def mode_of(path: Path) -> int:
    return path.stat().st_mode & 0o777


def test_a_folder_that_is_missing_is_made_for_its_owner_alone(tmp_path: Path) -> None:
    folder = open_folder(tmp_path / "a" / "b")

    assert [mode_of(path) for path in (folder.path, folder.broker, folder.run)] == [0o700] * 3


def test_opening_again_finds_the_same_folder(tmp_path: Path) -> None:
    assert open_folder(tmp_path / "d") == open_folder(tmp_path / "d")


def test_a_relative_path_is_made_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)

    assert open_folder(Path("d")).path == tmp_path / "d"


@pytest.mark.parametrize("mode", [0o701, 0o710, 0o704, 0o750, 0o755, 0o777])
def test_a_folder_that_others_can_read_or_enter_is_refused_with_the_mend(tmp_path: Path, mode: int) -> None:
    (tmp_path / "d").mkdir()
    (tmp_path / "d").chmod(mode)

    with pytest.raises(UnsafeFolderError) as caught:
        open_folder(tmp_path / "d")

    assert str(caught.value) == (
        f"The data folder {tmp_path}/d can be read by other users; mend it with: chmod 700 {tmp_path}/d"
    )


@pytest.mark.parametrize("path", ["file", "file/below"])
def test_what_is_not_a_folder_is_refused(tmp_path: Path, path: str) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(UnsafeFolderError, match="is not a folder; name another with --data"):
        open_folder(tmp_path / path)


def test_somebody_elses_folder_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "d").mkdir(mode=0o700)
    me = os.geteuid()
    monkeypatch.setattr(os, "geteuid", lambda: me + 1)

    with pytest.raises(UnsafeFolderError, match=f"belongs to another user.*chown {me + 1}"):
        open_folder(tmp_path / "d")


def test_a_lock_is_held_once_and_passed_on(tmp_path: Path) -> None:
    folder = open_folder(tmp_path / "d")
    first = Lock(folder, "up")

    with pytest.raises(AlreadyRunningError) as caught:
        Lock(folder, "up")
    held_by = holder(folder, "up")
    first.release()
    second = Lock(folder, "up")

    assert f"(up) is already running on {folder.path}; stop it first" in str(caught.value)
    assert held_by == os.getpid()
    second.release()


def test_locks_of_different_things_do_not_hinder_each_other(tmp_path: Path) -> None:
    folder = open_folder(tmp_path / "d")

    locks = [Lock(folder, what) for what in ("up", "alarm")]

    for lock in locks:
        lock.release()


def test_nobody_holds_a_lock_that_was_never_taken_or_was_let_go_of(tmp_path: Path) -> None:
    folder = open_folder(tmp_path / "d")
    before = holder(folder, "up")

    Lock(folder, "up").release()

    assert (before, holder(folder, "up")) == (None, None)


def test_the_kernel_lets_go_of_the_lock_of_a_process_that_is_killed(tmp_path: Path) -> None:
    folder = open_folder(tmp_path / "d")
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(folder.path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    with process:
        assert process.stdout is not None
        process.stdout.readline()
        with pytest.raises(AlreadyRunningError):
            Lock(folder, "up")
        held_by = holder(folder, "up")
        process.kill()

    Lock(folder, "up").release()
    assert held_by == process.pid


def test_the_ports_are_written_all_at_once(tmp_path: Path) -> None:
    folder = open_folder(tmp_path / "d")

    write_ports(folder, {"mqtt": 1, "partner": 2, "http": 3})

    assert json.loads(folder.ports_file.read_text()) == {"mqtt": 1, "partner": 2, "http": 3}
    assert [path.name for path in folder.run.iterdir()] == ["ports.json"]
