"""The second factor: time-based codes (TOTP, RFC 6238) and recovery codes for a lost phone.

A code is good once, and for half a minute to either side; a recovery code is good once. The secret is kept
sealed, of recovery codes their digests: each has 80 random bits, so that one round of SHA-256 is enough.
"""

import base64
import hashlib
import hmac
import secrets
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Protocol

import pyotp

from services.store import accounts as rows
from services.store.connection import Connection

STEP_SECONDS: Final = 30
RECOVERY_CODES: Final = 8
_RECOVERY_BYTES: Final = 10
_CODE_LENGTH: Final = 6
_TOLERATED_STEPS: Final = (0, -1, 1)


class Sealer(Protocol):
    """Keeps secrets at rest from whoever gets at the file."""

    def seal(self, secret: bytes, *, about: str) -> bytes:
        """A secret as it may be stored; ``about`` binds it to its owner."""

    def unseal(self, sealed: bytes, *, about: str) -> bytes:
        """The secret again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Enrolment:
    """A new second factor, to be shown once."""

    secret: str
    """Base32, as authenticator apps take it."""
    uri: str
    """The same for a QR code (``otpauth:``)."""
    recovery_codes: tuple[str, ...]

    @property
    def digests(self) -> tuple[bytes, ...]:
        """What is kept of the recovery codes."""
        return tuple(digest_of(code) for code in self.recovery_codes)


def enrolment(login: str, *, issuer: str) -> Enrolment:
    """A fresh secret and fresh recovery codes."""
    secret = pyotp.random_base32()
    return Enrolment(
        secret=secret,
        uri=pyotp.TOTP(secret).provisioning_uri(name=login, issuer_name=issuer),
        recovery_codes=tuple(_recovery_code() for _ in range(RECOVERY_CODES)),
    )


def use(connection: Connection, account_id: str, secret: str, code: str, *, now: datetime) -> bool:
    """Use a time-based code up, if it is right and was not used before."""
    current = int(now.timestamp()) // STEP_SECONDS
    totp = pyotp.TOTP(secret, interval=STEP_SECONDS)
    given = code.strip().replace(" ", "")
    if len(given) != _CODE_LENGTH or not given.isascii():
        return False
    steps = [
        current + offset
        for offset in _TOLERATED_STEPS
        if hmac.compare_digest(totp.at((current + offset) * STEP_SECONDS), given)
    ]
    return bool(steps) and rows.use_totp_step(connection, account_id, steps[0])


def use_recovery(connection: Connection, account_id: str, code: str) -> bool:
    """Use a recovery code up, if there is such a one left."""
    return rows.use_recovery_code(connection, account_id, digest_of(code))


def digest_of(code: str) -> bytes:
    """What is kept of a recovery code, however it was typed."""
    plain = "".join(character for character in code.upper() if character.isalnum())
    return hashlib.sha256(plain.encode("utf-8", "surrogatepass")).digest()


def _recovery_code() -> str:
    text = base64.b32encode(secrets.token_bytes(_RECOVERY_BYTES)).decode()
    return "-".join(text[start : start + 4] for start in range(0, len(text), 4))
