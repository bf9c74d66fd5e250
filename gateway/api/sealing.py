"""Keeps the answer to a request so that nobody reads it who does not have the request's key.

    key, principal, secret ──HKDF──> digest (found by)   code (fingerprint)   cipher key (AES-GCM)

Answers hold what is encrypted or hashed elsewhere: names of residents, texts of tokens. In the store there is
nothing of them to be read, and of the key no more than a digest.
"""

import hashlib
import hmac
import secrets
from dataclasses import dataclass
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

PART_BYTES: Final = 32
NONCE_BYTES: Final = 12


class LostAnswerError(Exception):
    """An answer was kept, and cannot be read any more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Seal:
    """What one key of one principal seals with."""

    digest: bytes
    code_key: bytes
    cipher_key: bytes

    def fingerprint(self, request: bytes) -> bytes:
        """What is kept of a request, to tell it from another."""
        return hmac.new(self.code_key, request, hashlib.sha256).digest()

    def close(self, body: bytes) -> bytes:
        """An answer, sealed."""
        nonce = secrets.token_bytes(NONCE_BYTES)
        return nonce + AESGCM(self.cipher_key).encrypt(nonce, body, None)

    def open(self, sealed: bytes) -> bytes:
        """The answer that was sealed.

        Raises:
            LostAnswerError: It was sealed with something else.
        """
        try:
            return AESGCM(self.cipher_key).decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], None)
        except InvalidTag as error:
            raise LostAnswerError from error


def seal_of(secret: bytes, *, principal: str, key: str) -> Seal:
    """The seal of a key.

    Args:
        secret: The hub's own.
        principal: Who sends the key; the same key of another is another.
        key: The header ``Idempotency-Key``.
    """
    derived = HKDF(
        algorithm=hashes.SHA256(), length=3 * PART_BYTES, salt=secret, info=f"answer\0{principal}".encode()
    ).derive(key.encode())
    parts = [derived[start : start + PART_BYTES] for start in range(0, len(derived), PART_BYTES)]
    return Seal(digest=parts[0], code_key=parts[1], cipher_key=parts[2])
