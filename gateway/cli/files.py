"""Results in a file: for its owner alone, and there only once it is whole.

pieces ──> .name.tmp ──> rename          a pipe or a device is simply written to
"""

import os
import secrets
from collections.abc import Iterable
from pathlib import Path
from typing import Final

_PRIVATE: Final = 0o600


def write_pieces(path: Path, pieces: Iterable[bytes]) -> int:
    """Write the pieces one after the other; returns how many bytes they were.

    When it fails half way, what was at ``path`` before is still there.
    """
    if path.exists() and not path.is_file():
        return _write(os.open(path, os.O_WRONLY), pieces)
    unfinished = path.with_name(f".{path.name}.{secrets.token_hex(6)}.tmp")
    try:
        length = _write(os.open(unfinished, os.O_CREAT | os.O_EXCL | os.O_WRONLY, _PRIVATE), pieces)
        unfinished.rename(path)
    except BaseException:
        unfinished.unlink(missing_ok=True)
        raise
    return length


def _write(descriptor: int, pieces: Iterable[bytes]) -> int:
    with open(descriptor, "wb") as file:
        return sum(file.write(piece) for piece in pieces)
