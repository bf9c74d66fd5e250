"""Which machine a JWT of the identity provider stands for: client credentials, and nothing that a person has.

client_id, azp or sub (RFC 9068, 2.2) ──> a client that is registered here
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from gateway.identity import jwts
from gateway.identity.issuer import Issuer
from gateway.identity.jwts import BadTokenError, Claims, Expected

LONGEST_ID: Final = 200
_OF_PEOPLE: Final = frozenset({"nonce", "auth_time", "sid", "at_hash", "c_hash"})
"""What only tokens have that somebody got by signing in (OpenID Connect Core 1.0, section 2)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MachineToken:
    """A token that is believed."""

    client_id: str
    ends_at: datetime


async def recognise(text: str, issuer: Issuer, expected: Expected, *, now: datetime) -> MachineToken:
    """Which client shows a token.

    Raises:
        BadTokenError: It is not believed.
        ProviderAwayError: Nobody can say.
    """
    header = jwts.header_of(text, expected)
    claims = jwts.verified(text, await issuer.keys(header.key_id), expected, now=now)
    return MachineToken(client_id=_client(claims), ends_at=jwts.ends_at(claims))


def _client(claims: Claims) -> str:
    if not _OF_PEOPLE.isdisjoint(claims):
        raise BadTokenError("a person's")
    for name in ("client_id", "azp", "sub"):
        value = claims.get(name)
        if value is None:
            continue
        if isinstance(value, str) and 0 < len(value) <= LONGEST_ID:
            return value
        break
    raise BadTokenError("client")
