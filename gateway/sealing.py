"""Seals who residents are, with keys that are not in the store.

DIR/secrets/residents.keys     {"newest": "k2", "keys": {"k1": …, "k2": …}}, base64; made when first needed
sealed                         version · length of the key's id · id · nonce · AES-256-GCM(text; about)

What is sealed names its key, so a new key can be made while the product runs: whoever meets a key that it
does not know reads the file again. Old keys stay in the file for what is not sealed anew, and for backups.
"""

import base64
import json
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from broker.files import locked, make_private_directory, read_private_file, write_file
from gateway.data_folder import DataFolder
from services.domain.errors import RefusedError
from services.residents import UnreadableSealError

VERSION: Final = 1
KEY_BYTES: Final = 32
NONCE_BYTES: Final = 12
"""NIST SP 800-38D, 8.2.2: random, 96 bits; a key is good for 2³² of them."""


class UnusableKeysError(RefusedError):
    """The file of keys is damaged."""

    def __init__(self, path: Path) -> None:
        super().__init__(f"Cannot use {path}: it holds no keys; restore it from a backup")


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class _Keys:
    newest: str
    all: dict[str, bytes]

    def text(self) -> bytes:
        keys = {id_: base64.b64encode(key).decode() for id_, key in self.all.items()}
        return json.dumps({"newest": self.newest, "keys": keys}).encode() + b"\n"


class ResidentSealer:
    """A ``services.residents.Sealer`` on a data folder; may be used by several threads."""

    def __init__(self, folder: DataFolder) -> None:
        self._folder = folder.path / "secrets"
        self._path = self._folder / "residents.keys"
        self._keys: _Keys | None = None

    def seal(self, text: bytes, *, about: str) -> bytes:
        """Encrypt with the newest key that this process knows.

        Raises:
            ExposedFileError: Others than its owner can read the keys.
            UnusableKeysError: The file is damaged.
        """
        keys = self._keys or self._read()
        nonce = secrets.token_bytes(NONCE_BYTES)
        id_ = keys.newest.encode()
        sealed = AESGCM(keys.all[keys.newest]).encrypt(nonce, text, about.encode())
        return bytes([VERSION, len(id_)]) + id_ + nonce + sealed

    def unseal(self, sealed: bytes, *, about: str) -> bytes:
        """Decrypt.

        Raises:
            UnreadableSealError: Its key is not there, or it was changed, or it is about somebody else.
        """
        id_, rest = _parted(sealed)
        key = (self._keys or self._read()).all.get(id_) or self._read().all.get(id_)
        if key is None:
            raise UnreadableSealError(about, key=id_)
        try:
            return AESGCM(key).decrypt(rest[:NONCE_BYTES], rest[NONCE_BYTES:], about.encode())
        except (InvalidTag, ValueError):
            raise UnreadableSealError(about, key=id_) from None

    def renew(self) -> str:
        """Make a new key, which seals from here on; returns its id."""
        self._read()
        with locked(self._folder / ".residents.lock"):
            keys = _read_keys(self._path)
            id_ = f"k{len(keys.all) + 1}"
            self._keys = _Keys(newest=id_, all=keys.all | {id_: secrets.token_bytes(KEY_BYTES)})
            write_file(self._path, self._keys.text())
        return id_

    def _read(self) -> _Keys:
        """The keys as they are on disk now; the first is made when there are none."""
        make_private_directory(self._folder)
        with locked(self._folder / ".residents.lock"):
            if not self._path.exists():
                first = _Keys(newest="k1", all={"k1": secrets.token_bytes(KEY_BYTES)})
                write_file(self._path, first.text())
            self._keys = _read_keys(self._path)
        return self._keys


def _parted(sealed: bytes) -> tuple[str, bytes]:
    """The key's id, and nonce and ciphertext."""
    if len(sealed) < 2 or sealed[0] != VERSION:  # noqa: PLR2004 - two bytes before the id
        return "?", b""
    end = 2 + sealed[1]
    return sealed[2:end].decode("ascii", "replace"), sealed[end:]


def _read_keys(path: Path) -> _Keys:
    try:
        document = json.loads(read_private_file(path))
        keys = {id_: base64.b64decode(key, validate=True) for id_, key in document["keys"].items()}
        found = _Keys(newest=document["newest"], all=keys)
    except (ValueError, KeyError, TypeError, AttributeError):
        raise UnusableKeysError(path) from None
    if found.newest not in keys or any(len(key) != KEY_BYTES for key in keys.values()):
        raise UnusableKeysError(path)
    return found
