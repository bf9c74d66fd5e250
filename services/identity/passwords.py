"""Passwords: which will do, how they are kept, and checking one in the same time for everybody.

Kept as argon2id (RFC 9106, 64 MiB, three passes, one lane): about a tenth of a second of one core, never
inside a transaction. There are no rules of composition (NIST SP 800-63B, 3.1.1): length is what counts.
"""

from functools import cache
from typing import Final

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from services.domain.errors import RefusedError

SHORTEST: Final = 12
LONGEST: Final = 256

_HASHER: Final = PasswordHasher(time_cost=3, memory_cost=65_536, parallelism=1)


class WeakPasswordError(RefusedError):
    """A password that would be guessed, or cannot be typed."""

    code = "weak_password"

    def __init__(self, problem: str) -> None:
        super().__init__(
            f"This password {problem}; use one of {SHORTEST} to {LONGEST} characters that is not a name"
        )


def check(password: str, *, names: tuple[str, ...]) -> None:
    """Refuse a password that will not do.

    Args:
        password: What somebody wants to use.
        names: What they are called, which everybody knows.

    Raises:
        WeakPasswordError: Says why, without the password.
    """
    if len(password) < SHORTEST:
        raise WeakPasswordError("is too short")
    if len(password) > LONGEST:
        raise WeakPasswordError("is too long")
    if not password.isprintable():
        raise WeakPasswordError("has characters that cannot be typed everywhere")
    left = _plain(password)
    for name in sorted(map(_plain, names), key=len, reverse=True):
        left = left.replace(name, "") if name else left
    if not left.strip():
        raise WeakPasswordError("is a name")


def hashed(password: str) -> str:
    """A password as it is kept. Takes a tenth of a second."""
    return _HASHER.hash(password)


def is_right(kept: str | None, password: str) -> bool:
    """Whether this is the password. Takes as long when there is none."""
    try:
        _HASHER.verify(kept or _nobodys(), password[:LONGEST])
    except (VerificationError, InvalidHashError, UnicodeEncodeError):
        return False
    return bool(kept)


@cache
def _nobodys() -> str:
    """What is checked for somebody who is not there."""
    return _HASHER.hash("the password of nobody")


def _plain(text: str) -> str:
    return "".join(character for character in text.casefold() if character.isalnum())
