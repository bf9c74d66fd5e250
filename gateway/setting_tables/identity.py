"""``[identity]``: the city's identity provider, and how long a sign-in lasts."""

from datetime import timedelta
from enum import StrEnum
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr, model_validator
from pydantic_core import PydanticCustomError


class Algorithm(StrEnum):
    """Signatures that are believed; all need the provider's private key."""

    RS256 = "RS256"
    PS256 = "PS256"
    ES256 = "ES256"
    ES384 = "ES384"
    ED25519 = "Ed25519"
    EDDSA = "EdDSA"


def private_url(url: str) -> str:
    """An address that nobody on the way can answer for.

    Raises:
        ValueError: It is not https, and not on this machine.
    """
    parts = urlsplit(url)
    is_plain = parts.scheme == "https" or (parts.scheme == "http" and _is_loopback(parts.hostname or ""))
    if not is_plain or not parts.hostname or parts.username or parts.query or parts.fragment:
        raise PydanticCustomError("url", "expected https:// and a host, without a query")
    return url


class GroupSettings(BaseModel):
    """What the members of a group at the provider are here: ``[identity.groups."name of it"]``."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    org: str
    roles: Annotated[tuple[str, ...], Field(min_length=1)]


class IdentitySettings(BaseModel):
    """Who vouches for people and machines."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    issuer: Annotated[str, AfterValidator(private_url)] | None = None
    """Exactly as its tokens name it; None: there are local accounts and API tokens only."""
    client_id: str = ""
    """The hub's own id there, for people; empty: people do not sign in by it."""
    client_secret: SecretStr | None = None
    scopes: tuple[str, ...] = ("openid", "profile")
    groups_claim: str = "groups"
    groups: dict[str, GroupSettings] = {}
    """Who gets an account by being in a group there; others need ``stadsnav account add --subject``."""
    audience: str = ""
    """What machines' tokens must be made for; empty: machines do not come by it. Not the ``client_id``."""
    algorithms: tuple[Algorithm, ...] = tuple(Algorithm)
    ca_file: Path | None = None
    """Trust for its certificate; None: the machine's own."""
    idle_minutes: Annotated[int, Field(ge=1, le=1_440)] = 60
    """How long a session lasts without a request."""
    longest_hours: Annotated[int, Field(ge=1, le=168)] = 12
    """How long a session lasts at most."""

    @property
    def idle(self) -> timedelta:
        """How long a session lasts without a request."""
        return timedelta(minutes=self.idle_minutes)

    @property
    def longest(self) -> timedelta:
        """How long a session lasts at most."""
        return timedelta(hours=self.longest_hours)

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        if self.issuer is None and (self.client_id or self.audience):
            raise PydanticCustomError("issuer", "client_id and audience are nothing without issuer")
        if self.audience and self.audience == self.client_id:
            raise PydanticCustomError(
                "audience", "the client_id as audience would let people's ID tokens pass as machines'"
            )
        return self


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False
