"""Where the next page begins, as a text that callers hand back and do not read.

    key ──JSON──> document ──sealed with the list's name──> cursor

It is a place, not a right: what the page holds is judged again. A place can lie at a row that the caller may
not know of, so nobody reads it. The seal keeps a cursor to the list that gave it, and what nobody was given
is refused before it reaches a query.
"""

import base64
import binascii
import hashlib
import hmac
import json
from typing import Any, Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESSIV

from services.domain.errors import InvalidError

TAG_BYTES: Final = 16
LONGEST: Final = 1_000

Key = tuple[Any, ...]
"""Texts and whole numbers, by which a list is ordered."""


class Cursors:
    """Makes and reads the cursors of all lists."""

    def __init__(self, secret: bytes) -> None:
        key = hmac.digest(secret, b"cursors", hashlib.sha512)
        self._cipher = AESSIV(key)  # RFC 5297: the same place is the same cursor, without a nonce

    def of(self, listing: str, key: Key) -> str:
        """A key as a cursor.

        Args:
            listing: The list's name, such as ``homes``.
            key: The last of the page.
        """
        document = json.dumps(key, ensure_ascii=False, separators=(",", ":")).encode()
        sealed = self._cipher.encrypt(document, [listing.encode()])
        return base64.urlsafe_b64encode(sealed).decode().rstrip("=")

    def after(self, listing: str, cursor: str | None, first: Key) -> Key:
        """The key behind which a page begins.

        Args:
            listing: The list's name.
            cursor: What the caller handed back; None: it begins at the beginning.
            first: The key before all others, of the same types.

        Raises:
            InvalidError: It is none of ours, or another list's.
        """
        if cursor is None:
            return first
        try:
            sealed = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
            document = self._cipher.decrypt(sealed, [listing.encode()]) if len(sealed) > TAG_BYTES else b""
        except (binascii.Error, ValueError, InvalidTag):
            document = b""
        if not document:
            raise InvalidError("cursor", cursor, expected="`next` of an answer before, as it was")
        return tuple(json.loads(document))
