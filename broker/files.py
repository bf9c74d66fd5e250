"""Files that hold secrets or that another program reads while we write them.

    bytes -> .name.tmp (mode set, synced) -> rename -> directory synced

A reader sees the old file or the new one, never half of either, also after a power cut.
"""

import fcntl
import os
import secrets
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

PRIVATE_FILE_MODE: Final = 0o600
PRIVATE_DIRECTORY_MODE: Final = 0o700
PUBLIC_FILE_MODE: Final = 0o644
OTHERS_MASK: Final = 0o077


class ExposedFileError(PermissionError):
    """Others than the owner can reach a secret."""

    def __init__(self, path: Path, *, mode: int, right_mode: int) -> None:
        self.path = path
        self.mode = mode
        self.right_mode = right_mode
        super().__init__(
            f"{path} holds secrets and can be reached by others (mode {mode:o}): find out who could read it, "
            f"then run chmod {right_mode:o} {path}"
        )


def write_file(path: Path, content: bytes, *, mode: int = PRIVATE_FILE_MODE) -> None:
    """Replace ``path`` by ``content`` as one step; on disk when this returns."""
    unfinished = path.with_name(f".{path.name}.{secrets.token_hex(6)}.tmp")
    try:
        _write_synced(unfinished, content, mode)
        unfinished.rename(path)
    except BaseException:
        unfinished.unlink(missing_ok=True)
        raise
    _sync_directory(path.parent)


def read_private_file(path: Path) -> bytes:
    """The content of a file that only its owner may reach.

    Raises:
        ExposedFileError: Its mode lets others in.
    """
    require_private(path, right_mode=PRIVATE_FILE_MODE)
    return path.read_bytes()


def make_private_directory(path: Path) -> None:
    """Create ``path`` for its owner alone, or check that it is so.

    Raises:
        ExposedFileError: It exists and its mode lets others in.
    """
    path.mkdir(mode=PRIVATE_DIRECTORY_MODE, parents=True, exist_ok=True)
    require_private(path, right_mode=PRIVATE_DIRECTORY_MODE)


def require_private(path: Path, *, right_mode: int) -> None:
    """Refuse a file or directory that others than its owner can reach."""
    mode = path.stat().st_mode & 0o777
    if mode & OTHERS_MASK:
        raise ExposedFileError(path, mode=mode, right_mode=right_mode)


@contextmanager
def locked(path: Path) -> Generator[None]:
    """Let one process at a time through; the lock ends with the process that holds it."""
    descriptor = os.open(path, os.O_CREAT | os.O_WRONLY, PRIVATE_FILE_MODE)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _write_synced(path: Path, content: bytes, mode: int) -> None:
    descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, mode)
    with open(descriptor, "wb") as file:  # noqa: PTH123 - a descriptor, so that the mode holds from the start
        os.fchmod(descriptor, mode)  # whatever the umask says
        file.write(content)
        file.flush()
        os.fsync(descriptor)


def _sync_directory(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
