"""A disk that can fail, below SQLite: real statements, real files, and faults at the system calls.

with FaultyDisk() as disk:       # every connection that is opened inside stands on it
    connection = SqliteConnection(path)
    disk.fault = Fault.FULL      # from now on
"""

from enum import StrEnum
from types import TracebackType
from typing import Self

import apsw


class Fault(StrEnum):
    """What is wrong with the disk."""

    NONE = "none"
    FULL = "full"
    """No write finds room."""
    READ_ONLY = "read_only"
    """No write is allowed, as after ``remount,ro``."""
    SYNC_FAILS = "sync_fails"
    """Writes go through; the sync that would make them last does not."""


class FaultyDisk(apsw.VFS):
    """The file system that connections are opened on while this is entered."""

    def __init__(self) -> None:
        self.fault = Fault.NONE
        self.syncs = 0
        self.below = apsw.vfs_names()[0]
        super().__init__("faulty-disk", self.below, makedefault=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.unregister()

    def xOpen(self, name: str | apsw.URIFilename | None, flags: list[int]) -> "FaultyFile":  # noqa: N802
        return FaultyFile(self, name, flags)


class FaultyFile(apsw.VFSFile):
    """A file on the faulty disk."""

    def __init__(self, disk: FaultyDisk, name: str | apsw.URIFilename | None, flags: list[int]) -> None:
        self._disk = disk
        super().__init__(disk.below, name, flags)

    def xWrite(self, data: bytes, offset: int) -> None:  # noqa: N802
        match self._disk.fault:
            case Fault.FULL:
                raise apsw.FullError("the disk is full")
            case Fault.READ_ONLY:
                raise apsw.ReadOnlyError("the disk is read-only")
        super().xWrite(data, offset)

    def xSync(self, flags: int) -> None:  # noqa: N802
        if self._disk.fault is Fault.SYNC_FAILS:
            raise apsw.IOError("the disk does not sync")
        self._disk.syncs += 1
        super().xSync(flags)
