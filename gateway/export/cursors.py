"""How far each export target has come: DIR/export/NAME.json, replaced as one step.

Written by the export process alone; the reading process asks it which rows of the journal may be dropped,
the command line and the doctor ask it how far behind a target is. Lost or old, it only makes readings be
sent once more.
"""

from functools import cache
from pathlib import Path
from typing import Final, TypeVar

import msgspec

from broker.files import make_private_directory, write_file
from gateway import settings
from gateway.data_folder import DataFolder
from gateway.settings import SettingsError
from services.domain.errors import RefusedError

EVERYTHING: Final = 2**62
NOTHING: Final = 0

T = TypeVar("T", bound=msgspec.Struct)


class UnreadableCursorError(RefusedError):
    """Nobody knows how far a target is."""

    def __init__(self, path: Path) -> None:
        super().__init__(
            f"Cannot read {path}: expected JSON as the export process writes it; remove it, and the target "
            "goes on with what comes in from then, then `stadsnav export again` for what it missed"
        )


class Lost(msgspec.Struct, frozen=True, kw_only=True):
    """What left the journal before the target had it. Still in the history: ``stadsnav export again``."""

    rows: int
    since_us: int
    """Received at this time or later; microseconds since 1970."""
    until_us: int


class Cursor(msgspec.Struct, frozen=True, kw_only=True):
    """How far a target is, in rows of the journal."""

    settled_to: int
    """Up to here nothing will be sent again; where it goes on after a restart."""
    sent_to: int
    """Up to here the target has said that it has it."""
    received_to_us: int = 0
    """When the newest of these was received; microseconds since 1970."""
    sent: int = 0
    """Points that were accepted, those that were sent again included."""
    set_aside: int = 0
    """Points that the target refused one by one, or that no line can carry."""
    lost: Lost | None = None
    problem: str = ""
    """Why nothing can be sent at the moment; empty: all is well."""
    problem_since_us: int = 0


class Mended(msgspec.Struct, frozen=True, kw_only=True):
    """A span of device times that was sent from the history."""

    since_us: int
    until_us: int

    def covers(self, lost: Lost) -> bool:
        """Whether what was lost has been sent."""
        return self.since_us <= lost.since_us and lost.until_us <= self.until_us


def exported_to(folder: DataFolder) -> int:
    """The newest row of the journal that every target has; ``EVERYTHING`` when there is no target.

    A target without a cursor begins with what comes in from then on, so it needs nothing. A cursor that
    cannot be read keeps everything, and so do settings: whoever asks has readings to take in, not to fail.
    """
    try:
        cursors = [read(folder, name) for name in _targets(folder.path)]
    except (UnreadableCursorError, SettingsError, OSError):
        return NOTHING
    return min((cursor.settled_to for cursor in cursors if cursor is not None), default=EVERYTHING)


def read(folder: DataFolder, name: str) -> Cursor | None:
    """How far a target is; None: it has never been looked after.

    Raises:
        UnreadableCursorError: The file is not one of ours.
    """
    return _read(path_of(folder, name), Cursor)


def write(folder: DataFolder, name: str, cursor: Cursor) -> None:
    """Note how far a target is; on disk when this returns."""
    _write(path_of(folder, name), cursor)


def read_mended(folder: DataFolder, name: str) -> Mended | None:
    """What was last sent to a target from the history."""
    return _read(_mended_path(folder, name), Mended)


def write_mended(folder: DataFolder, name: str, mended: Mended) -> None:
    """Note what was sent from the history."""
    _write(_mended_path(folder, name), mended)


def path_of(folder: DataFolder, name: str) -> Path:
    """Where a target's cursor is."""
    return folder.export / f"{name}.json"


def _mended_path(folder: DataFolder, name: str) -> Path:
    return folder.export / f"{name}.again"


def _read(path: Path, kind: type[T]) -> T | None:
    try:
        return msgspec.json.decode(path.read_bytes(), type=kind)
    except FileNotFoundError:
        return None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise UnreadableCursorError(path) from error


def _write(path: Path, content: msgspec.Struct) -> None:
    make_private_directory(path.parent)
    write_file(path, msgspec.json.encode(content))


@cache
def _targets(path: Path) -> tuple[str, ...]:
    """The targets that are configured, as of this process's start like every other setting."""
    return tuple(settings.load(path).export)
