"""The data folder: where everything is that must be kept, and for nobody else to read.

DIR/stadsnav.toml        settings, when there are any
DIR/stadsnav.db          homes, alarms, deliveries, audit (SQLite)
DIR/readings.db          measured values (SQLite); made by the reading process
DIR/export/              how far each export target is, and the key of their pseudonyms
DIR/pki/                 certificate authorities and their keys
DIR/broker/              Mosquitto's configuration, access rules and its own persistence
DIR/log/                 the key that signs the log, its public half, the signed heads
DIR/secrets/             the hub's account at the broker, its MQTT client ids, the keys of residents' names
DIR/run/                 ports.json, locks: only of the running product
"""

import fcntl
import json
import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from services.domain.errors import RefusedError

READING_LOCK: Final = "reading"
"""Held by the reading process for its whole life: who has it may write to ``readings.db``."""

EXPORT_LOCK: Final = "export"
"""Held by the export process for its whole life."""

_PRIVATE_FOLDER: Final = 0o700
_PRIVATE_FILE: Final = 0o600
_OTHERS: Final = 0o077
_LOCK_TRIES: Final = 3
_LOCK_PAUSE_SECONDS: Final = 0.02


class UnsafeFolderError(RefusedError):
    """Somebody else could read or change what is in the data folder."""

    def __init__(self, folder: Path, problem: str, mend: str) -> None:
        self.folder = folder
        super().__init__(f"The data folder {folder} {problem}; {mend}")


class AlreadyRunningError(RefusedError):
    """Another process holds this data folder."""

    def __init__(self, folder: Path, what: str) -> None:
        super().__init__(
            f"Stadsnav ({what}) is already running on {folder}; stop it first, or use another --data"
        )


@dataclass(frozen=True, slots=True)
class DataFolder:
    """The paths of one data folder."""

    path: Path

    @property
    def database(self) -> Path:
        """The store."""
        return self.path / "stadsnav.db"

    @property
    def readings(self) -> Path:
        """The store of measured values."""
        return self.path / "readings.db"

    @property
    def pki(self) -> Path:
        """Certificate authorities."""
        return self.path / "pki"

    @property
    def broker(self) -> Path:
        """Mosquitto's files."""
        return self.path / "broker"

    @property
    def export(self) -> Path:
        """How far each export target is; made by the export process."""
        return self.path / "export"

    @property
    def log(self) -> Path:
        """The signed heads of the log and the key that signs them."""
        return self.path / "log"

    @property
    def run(self) -> Path:
        """What belongs to the running product only."""
        return self.path / "run"

    @property
    def ports_file(self) -> Path:
        """The ports in use, written once the product is ready."""
        return self.run / "ports.json"


def open_folder(path: Path) -> DataFolder:
    """The folder, made when it is missing, refused when others can get at it.

    Raises:
        UnsafeFolderError: Wrong owner or permissions, or not a folder.
    """
    path = path.absolute()
    try:
        path.mkdir(mode=_PRIVATE_FOLDER, parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError):
        raise UnsafeFolderError(path, "is not a folder", "name another with --data") from None
    except PermissionError:
        raise UnsafeFolderError(path, "cannot be made here", "name another with --data") from None
    status = path.stat()
    if status.st_uid != os.geteuid():
        raise UnsafeFolderError(
            path, "belongs to another user", f"run as its owner, or: chown {os.geteuid()} {path}"
        )
    if status.st_mode & _OTHERS:
        raise UnsafeFolderError(path, "can be read by other users", f"mend it with: chmod 700 {path}")
    folder = DataFolder(path)
    for part in (folder.broker, folder.run):
        part.mkdir(mode=_PRIVATE_FOLDER, exist_ok=True)
    return folder


class Lock:
    """Held by one process at a time; the kernel lets go of it when that process dies."""

    def __init__(self, folder: DataFolder, what: str) -> None:
        self._descriptor = os.open(folder.run / f"{what}.lock", os.O_RDWR | os.O_CREAT, _PRIVATE_FILE)
        if not self._is_taken():
            os.close(self._descriptor)
            raise AlreadyRunningError(folder.path, what) from None
        os.ftruncate(self._descriptor, 0)
        os.write(self._descriptor, f"{os.getpid()}\n".encode())

    def _is_taken(self) -> bool:
        for _ in range(_LOCK_TRIES):  # ``holder`` holds a lock for an instant when it asks
            try:
                fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                time.sleep(_LOCK_PAUSE_SECONDS)
            else:
                return True
        return False

    def release(self) -> None:
        """Let the next one in."""
        os.close(self._descriptor)


def holder(folder: DataFolder, what: str) -> int | None:
    """The process id that holds a lock now, or None."""
    path = folder.run / f"{what}.lock"
    if not path.exists():
        return None
    with path.open("r+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return int(file.read() or 0) or None
    return None


def write_ports(folder: DataFolder, ports: dict[str, int]) -> None:
    """Say where the product listens, all at once."""
    draft = folder.ports_file.with_suffix(".tmp")
    draft.write_text(json.dumps(ports) + "\n")
    draft.replace(folder.ports_file)
