"""People and the clients of an identity provider, as they are known here."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import NewType

from services.domain.actors import Permission, Role
from services.domain.ids import OrganisationId

AccountId = NewType("AccountId", str)
SessionId = NewType("SessionId", str)


class AccountState(StrEnum):
    """Whether somebody is let in."""

    ACTIVE = "active"
    SUSPENDED = "suspended"


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """Who somebody is at an identity provider."""

    issuer: str
    subject: str
    """Never given to anybody else there (OpenID Connect Core 1.0, section 8)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """A person who may sign in."""

    id: AccountId
    login: str
    """What they type; lower case."""
    name: str
    """What colleagues at other organisations may read."""
    organisation_id: OrganisationId
    roles: frozenset[Role]
    created_at: datetime
    state: AccountState = AccountState.ACTIVE
    identity: Identity | None = None
    """None: signs in here only."""
    follows_groups: bool = False
    """Whether organisation and roles come from the identity provider's groups, at each sign-in."""
    has_password: bool = False
    has_totp: bool = False
    last_sign_in_at: datetime | None = None


class SignedInBy(StrEnum):
    """What somebody has shown to get a session."""

    PASSWORD = "password"  # noqa: S105 - the name of a way
    PASSWORD_AND_CODE = "password+code"  # noqa: S105
    PASSWORD_AND_RECOVERY = "password+recovery"  # noqa: S105
    PROVIDER = "provider"


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """A sign-in that lasts, without its text: that only the browser has."""

    id: SessionId
    account_id: AccountId
    digest: bytes
    method: SignedInBy
    opened_at: datetime
    seen_at: datetime
    """To the minute."""
    expires_at: datetime
    """The first moment at which it no longer holds, however busy."""
    ended_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MachineClient:
    """A machine that the city's identity provider knows, and what it may do here."""

    id: str
    """As the provider calls it."""
    organisation_id: OrganisationId
    name: str
    roles: frozenset[Role]
    """None: those that machines of such an organisation have."""
    narrowed_to: frozenset[Permission] | None
    created_by: str
    created_at: datetime
