"""The names under which positions are known elsewhere.

    tag = HMAC-SHA-256 (RFC 2104) of the position's id, the first 128 bits in hexadecimal

The key never leaves DIR/export. Whoever has only the points cannot tell whose they are; whoever has the key
finds a position's points (``stadsnav export position``), as an erasure needs.
"""

import hmac
import secrets
from pathlib import Path
from typing import Final

from broker.files import locked, make_private_directory, read_private_file, write_file
from gateway.data_folder import DataFolder
from services.domain.errors import RefusedError

KEY_BYTES: Final = 32
TAG_CHARACTERS: Final = 32


class UnusableKeyError(RefusedError):
    """The key of the pseudonyms is damaged."""

    def __init__(self, path: Path) -> None:
        super().__init__(
            f"Cannot use {path}: expected {KEY_BYTES} bytes; restore it from a backup, or remove it: then "
            "every position gets a new tag, and what is elsewhere under the old ones can no longer be found"
        )


class Pseudonyms:
    """Tags of positions, by one key."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def tag(self, position_id: str) -> str:
        """The tag of a position: always the same, and nobody's without the key."""
        return hmac.digest(self._key, position_id.encode(), "sha256").hex()[:TAG_CHARACTERS]


def pseudonyms(folder: DataFolder) -> Pseudonyms:
    """Those of a data folder; the key is made when it is first needed.

    Raises:
        ExposedFileError: Others than its owner can read the key.
        UnusableKeyError: It is not a key.
    """
    make_private_directory(folder.export)
    path = folder.export / "position.key"
    with locked(folder.export / ".key.lock"):
        if not path.exists():
            write_file(path, secrets.token_bytes(KEY_BYTES))
        key = read_private_file(path)
    if len(key) != KEY_BYTES:
        raise UnusableKeyError(path)
    return Pseudonyms(key)
