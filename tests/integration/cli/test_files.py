"""A result in a file is there whole or not at all."""

import os
import stat
from collections.abc import Iterator
from pathlib import Path
from threading import Thread

import pytest

from gateway.cli.files import write_pieces


class BrokenOffError(Exception):
    """Half way."""


def broken_off() -> Iterator[bytes]:
    yield b"half"
    raise BrokenOffError


def test_pieces_are_one_file_for_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "out.csv"

    length = write_pieces(path, [b"one,", b"", b"two"])

    assert path.read_bytes() == b"one,two"
    assert length == 7
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_what_was_there_stays_when_writing_breaks_off_and_nothing_else_is_left(tmp_path: Path) -> None:
    path = tmp_path / "out.csv"
    path.write_bytes(b"before")

    with pytest.raises(BrokenOffError):
        write_pieces(path, broken_off())

    assert path.read_bytes() == b"before"
    assert list(tmp_path.iterdir()) == [path]


def test_a_pipe_is_written_to_and_stays_a_pipe(tmp_path: Path) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    heard: list[bytes] = []
    reader = Thread(target=lambda: heard.append(path.read_bytes()))
    reader.start()

    write_pieces(path, [b"one,", b"two"])

    reader.join(10)
    assert heard == [b"one,two"]
    assert path.is_fifo()
