"""Ed25519 (RFC 8032) over heads of the log; keys as PEM (RFC 7468), several public ones in one text."""

import base64
import binascii
import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Self

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)

from services.domain.errors import RefusedError

KEY_ID_LENGTH: Final = 16

_PUBLIC_PEM: Final = re.compile(rb"-----BEGIN PUBLIC KEY-----.*?-----END PUBLIC KEY-----", re.DOTALL)

PublicKeys = Mapping[str, Ed25519PublicKey]
"""By their ids."""


class KeyUnusableError(RefusedError):
    """There is no Ed25519 key in what should hold one."""

    code = "key_unusable"

    def __init__(self, where: str) -> None:
        super().__init__(f"There is no Ed25519 key in PEM in {where}; put the right file in its place")


@dataclass(frozen=True, slots=True)
class SigningKey:
    """The key that signs heads."""

    private: Ed25519PrivateKey

    @classmethod
    def new(cls) -> Self:
        """A key that nobody has."""
        return cls(Ed25519PrivateKey.generate())

    @classmethod
    def from_pem(cls, pem: bytes, *, where: str) -> Self:
        """Read a private key (PKCS #8, not encrypted).

        Raises:
            KeyUnusableError: It is none; names ``where`` it was read.
        """
        try:
            key = load_pem_private_key(pem, password=None)
        except (ValueError, TypeError) as error:
            raise KeyUnusableError(where) from error
        if not isinstance(key, Ed25519PrivateKey):
            raise KeyUnusableError(where)
        return cls(key)

    @property
    def id(self) -> str:
        """Tells keys apart: the beginning of the public key's SHA-256."""
        return key_id(self.private.public_key())

    def sign(self, message: bytes) -> str:
        """The signature, base64."""
        return base64.b64encode(self.private.sign(message)).decode()

    def pem(self) -> bytes:
        """The private key, to be kept where nobody else can read it."""
        return self.private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())

    def public_pem(self) -> bytes:
        """The public key, to be kept where nobody else can change it."""
        return self.private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def key_id(key: Ed25519PublicKey) -> str:
    """Tells keys apart: the beginning of the SHA-256 of the 32 bytes."""
    raw = key.public_bytes(Encoding.Raw, PublicFormat.Raw)
    return hashlib.sha256(raw).hexdigest()[:KEY_ID_LENGTH]


def public_keys(pem: bytes, *, where: str) -> PublicKeys:
    """Every public key of a text.

    Raises:
        KeyUnusableError: There is none, or one is not Ed25519; names ``where`` it was read.
    """
    found: dict[str, Ed25519PublicKey] = {}
    for block in _PUBLIC_PEM.findall(pem):
        try:
            key = load_pem_public_key(block)
        except ValueError as error:
            raise KeyUnusableError(where) from error
        if not isinstance(key, Ed25519PublicKey):
            raise KeyUnusableError(where)
        found[key_id(key)] = key
    if not found:
        raise KeyUnusableError(where)
    return found


def is_signed(key: Ed25519PublicKey, message: bytes, signature: str) -> bool:
    """Whether a signature (base64) is this key's over this message."""
    try:
        key.verify(base64.b64decode(signature, validate=True), message)
    except (InvalidSignature, binascii.Error, ValueError):
        return False
    return True
