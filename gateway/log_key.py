"""The key that signs the log's heads, in the data folder, and where its public half and the heads are.

DIR/log/key.pem       Ed25519, for the product alone; made when it is first asked for
DIR/log/public.pem    every public key that has signed here: keep a copy where nobody of here can write
DIR/log/heads.jsonl   every head, one a line; keep a copy in the same way
"""

from contextlib import suppress
from pathlib import Path

from broker.files import PUBLIC_FILE_MODE, locked, make_private_directory, read_private_file, write_file
from gateway.data_folder import DataFolder
from services.inspection.heads import heads_in
from services.inspection.signing import PublicKeys, SigningKey, public_keys
from services.store.audit_heads import HeadRow


def signing_key(folder: DataFolder) -> SigningKey:
    """The key of this data folder.

    Raises:
        KeyUnusableError: Something else is in its place.
        ExposedFileError: Others can read it.
    """
    make_private_directory(folder.log)
    with locked(folder.run / "log-key.lock"):
        path = folder.log / "key.pem"
        with suppress(FileNotFoundError):
            return SigningKey.from_pem(read_private_file(path), where=str(path))
        key = SigningKey.new()
        public = public_file(folder)
        before = public.read_bytes() if public.exists() else b""
        write_file(public, before + key.public_pem(), mode=PUBLIC_FILE_MODE)
        write_file(path, key.pem())
        return key


def known_keys(folder: DataFolder) -> PublicKeys:
    """The public keys that have signed here; none before the first head.

    Raises:
        KeyUnusableError: Something else is in their place.
    """
    path = public_file(folder)
    return public_keys(path.read_bytes(), where=str(path)) if path.exists() else {}


def known_heads(folder: DataFolder) -> list[HeadRow]:
    """The heads that have been published here.

    Raises:
        HeadsUnreadableError: Something else is in their place.
    """
    path = heads_file(folder)
    return heads_in(path.read_text("utf-8")) if path.exists() else []


def public_file(folder: DataFolder) -> Path:
    """Where the public keys are."""
    return folder.log / "public.pem"


def heads_file(folder: DataFolder) -> Path:
    """Where the heads are."""
    return folder.log / "heads.jsonl"
