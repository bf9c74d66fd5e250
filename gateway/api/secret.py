"""The interface's own secret: made once, and kept with the data that it protects."""

import secrets
from typing import Final

from broker.files import locked, make_private_directory, read_private_file, write_file
from gateway.data_folder import DataFolder

SECRET_BYTES: Final = 32


def api_secret(folder: DataFolder) -> bytes:
    """The secret of a data folder, made the first time.

    It seals cursors and kept answers. Lost, lists begin anew and kept answers are lost, nothing else.

    Raises:
        ExposedFileError: Others than the owner can reach the file.
    """
    directory = folder.path / "secrets"
    make_private_directory(directory)
    path = directory / "api.key"
    with locked(directory / ".api.lock"):
        if not path.exists():
            write_file(path, secrets.token_bytes(SECRET_BYTES))
        return read_private_file(path)
