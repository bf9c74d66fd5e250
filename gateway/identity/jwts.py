"""Whether a signed token (JWT, RFC 7519) is what it says: checked in the order in which it can do harm.

    size ─> header (plain JSON, no name twice) ─> algorithm from our list ─> key from the issuer's own set,
    of the kind that the algorithm needs ─> signature ─> claims (plain JSON) ─> issuer, audience, times

Nothing in a token says where keys come from: ``jku``, ``x5u``, ``jwk`` and ``x5c`` are refused, as is
whatever a reader must understand (``crit``). After RFC 8725.
"""

import base64
import binascii
import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from joserfc import jwk, jws
from joserfc.errors import JoseError

LONGEST: Final = 8_192
LONGEST_KEY_ID: Final = 200
LONGEST_LIFETIME: Final = timedelta(hours=24)
TOLERANCE: Final = timedelta(seconds=30)
"""How far the issuer's clock may be off."""
SMALLEST_RSA_BITS: Final = 2_048

_KINDS: Final = {
    "RS256": ("RSA", None),
    "PS256": ("RSA", None),
    "ES256": ("EC", "P-256"),
    "ES384": ("EC", "P-384"),
    "Ed25519": ("OKP", "Ed25519"),
    "EdDSA": ("OKP", "Ed25519"),
}
"""Kind and curve of the key that an algorithm needs."""

_REFUSED: Final = frozenset({"crit", "b64", "jku", "jwk", "x5u", "x5c", "zip", "enc"})
_TYPES: Final = frozenset({"jwt", "at+jwt", "application/at+jwt"})

Claims = Mapping[str, Any]


class BadTokenError(Exception):
    """A token is not believed. The reason is for our log: whoever showed it learns nothing."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(f"The token is not believed: {reason}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    """What a token says about itself, which proves nothing."""

    algorithm: str
    key_id: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """What a token must say to be for us."""

    issuer: str
    audience: str
    algorithms: Collection[str]


def header_of(text: str, expected: Expected) -> Header:
    """The header of a token, as far as it may be looked at.

    Raises:
        BadTokenError: Nothing that we would go on with.
    """
    if len(text) > LONGEST or not text.isascii() or text.count(".") != 2:  # noqa: PLR2004 - RFC 7515, 3.1
        raise BadTokenError("form")
    header = _document(_decoded(text.partition(".")[0]), "header")
    if not _REFUSED.isdisjoint(header):
        raise BadTokenError("header names something that we do not follow")
    algorithm, key_id, kind = header.get("alg"), header.get("kid"), header.get("typ", "JWT")
    if not isinstance(algorithm, str) or algorithm not in expected.algorithms or algorithm not in _KINDS:
        raise BadTokenError("algorithm")
    if key_id is not None and not (isinstance(key_id, str) and 0 < len(key_id) <= LONGEST_KEY_ID):
        raise BadTokenError("key id")
    if not isinstance(kind, str) or kind.lower() not in _TYPES:
        raise BadTokenError("type")
    return Header(algorithm=algorithm, key_id=key_id)


def verified(text: str, keys: Sequence[Mapping[str, Any]], expected: Expected, *, now: datetime) -> Claims:
    """The claims of a token that is believed.

    Args:
        text: The token.
        keys: The issuer's own keys, as its JWK set has them (RFC 7517).
        expected: What it must say.
        now: The time.

    Raises:
        BadTokenError: It is not believed.
    """
    header = header_of(text, expected)
    key = _key(header, keys)
    try:
        registry = jws.JWSRegistry(algorithms=[header.algorithm], strict_check_header=False)
        signed = jws.deserialize_compact(text, key, algorithms=[header.algorithm], registry=registry)
    except (JoseError, ValueError, TypeError) as error:
        raise BadTokenError("signature") from error
    claims = _document(signed.payload or b"", "claims")
    _check(claims, expected, now=now)
    return claims


def ends_at(claims: Claims) -> datetime:
    """When a token that was believed ends."""
    return datetime.fromtimestamp(claims["exp"], UTC)


def _check(claims: Claims, expected: Expected, *, now: datetime) -> None:
    if claims.get("iss") != expected.issuer:
        raise BadTokenError("issuer")
    audience = claims.get("aud")
    named = audience if isinstance(audience, list) else [audience]
    if not all(isinstance(one, str) for one in named) or expected.audience not in named:
        raise BadTokenError("audience")
    at, tolerance = now.timestamp(), TOLERANCE.total_seconds()
    ends, begins, made = _time(claims, "exp"), _time(claims, "nbf"), _time(claims, "iat")
    if ends is None or made is None:
        raise BadTokenError("says not when it was made and when it ends")
    if ends <= at - tolerance or made > at + tolerance or (begins or made) > at + tolerance:
        raise BadTokenError("time")
    if ends - made > LONGEST_LIFETIME.total_seconds():
        raise BadTokenError("lifetime")


def _time(claims: Claims, name: str) -> float | None:
    """A time in seconds since 1970; None: it is not there."""
    value = claims.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 2**40:
        raise BadTokenError(name)
    return float(value)


def _key(header: Header, keys: Sequence[Mapping[str, Any]]) -> jwk.Key:
    """The one key of the issuer that can have signed."""
    fitting = [key for key in keys if _fits(key, header)]
    if len(fitting) != 1:
        raise BadTokenError("key")
    public = {name: value for name, value in fitting[0].items() if name in {"kty", "crv", "n", "e", "x", "y"}}
    if public["kty"] == "RSA" and len(_decoded(str(public.get("n", "")))) * 8 < SMALLEST_RSA_BITS:
        raise BadTokenError("key")
    try:
        found = jwk.import_key(public)
    except (JoseError, ValueError, TypeError, KeyError) as error:
        raise BadTokenError("key") from error
    return found


def _fits(key: Mapping[str, Any], header: Header) -> bool:
    kind, curve = _KINDS[header.algorithm]
    return (
        key.get("kty") == kind
        and (curve is None or key.get("crv") == curve)
        and key.get("use", "sig") == "sig"
        and key.get("alg", header.algorithm) == header.algorithm
        and (header.key_id is None or key.get("kid") == header.key_id)
    )


def _decoded(part: str) -> bytes:
    try:
        return base64.b64decode(part + "=" * (-len(part) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError) as error:
        raise BadTokenError("encoding") from error


def _document(raw: bytes, what: str) -> dict[str, Any]:
    """A JSON object in which no name stands twice."""
    try:
        document = json.loads(raw.decode(), object_pairs_hook=_without_repeats, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise BadTokenError(what) from error
    if not isinstance(document, dict):
        raise BadTokenError(what)
    return document


def _without_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name stands twice")
    return found


def _no_constant(name: str) -> float:
    raise ValueError(name)
