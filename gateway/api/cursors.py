"""Where the next page begins, as a text that callers hand back and do not read.

It is a place, not a right: what the page holds is judged again.
"""

import base64
import binascii
import json

from services.domain.errors import InvalidError
from services.readings.granted import Key


def cursor_of(key: Key) -> str:
    """A key as a cursor."""
    document = json.dumps(key, ensure_ascii=False, separators=(",", ":")).encode()
    return base64.urlsafe_b64encode(document).decode().rstrip("=")


def key_of(cursor: str) -> Key:
    """The key that a cursor stands for.

    Raises:
        InvalidError: It is none of ours.
    """
    try:
        document = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        parts = json.loads(document)
    except (binascii.Error, ValueError, RecursionError):
        parts = None
    match parts:
        case [str(home_id), str(position_id), str(name)]:
            return (home_id, position_id, name)
        case _:
            raise InvalidError("cursor", cursor, expected="`next` of an answer before, as it was")
