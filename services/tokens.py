"""API tokens of organisations: made, ended, and recognised.

    issue ──> text, shown once        kept: its SHA-256
    recognise(text) ──> the token that holds now, or None

The text is 256 random bits. A slow hash (argon2, scrypt) protects what people think up against guessing;
nobody guesses these, so one round of SHA-256 is enough and costs a request nothing. What the store
searches for is the digest of what was shown: without a token nobody can come near another's digest on
purpose, so the time of the search tells nothing about those that exist.
"""

import hashlib
import secrets
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from services import audit, roles
from services.domain.actors import Actor
from services.domain.errors import InvalidError, UnknownError
from services.domain.homes import OrganisationKind
from services.domain.ids import new_id
from services.domain.tokens import ApiToken, TokenId
from services.registry import check_text
from services.store import registry as registry_rows
from services.store import tokens as rows
from services.store.connection import Connection

PREFIX: Final = "stadsnav_"
"""Lets a scanner of source code tell that somebody has published one."""

RANDOM_BYTES: Final = 32
LIFETIME: Final = timedelta(days=90)
LONGEST_LIFETIME: Final = timedelta(days=731)

USE_NOTED_EVERY: Final = timedelta(hours=1)
"""A use is a write beside the alarm lane's; so it is noted rarely."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Issued:
    """A new token and its text, which can be read here and never again."""

    token: ApiToken
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What a new token is good for."""

    roles: tuple[str, ...] = ()
    """None: those that machines of such an organisation have."""
    permissions: tuple[str, ...] = ()
    """Only these of what the roles permit; none: all."""


def issue(
    connection: Connection,
    organisation_id: str,
    *,
    name: str = "",
    lifetime: timedelta = LIFETIME,
    limits: Limits = Limits(),
    by: Actor | None = None,
    actor: str,
    now: datetime,
) -> Issued:
    """Make a token for an organisation; it may have several, so that one can replace another.

    Args:
        connection: An open transaction.
        organisation_id: Whose machine gets it.
        name: Which machine that is.
        lifetime: How long it holds.
        limits: What it is good for.
        by: Who makes it, when somebody does who has rights of their own; None: whoever is on the machine.
        actor: Who makes it, for the log.
        now: The time.

    Raises:
        UnknownError: There is no such organisation.
        InvalidError: The name, the lifetime, a role or a permission cannot be right.
        RoleNotYoursError: The roles are beyond whoever makes it.
    """
    organisation = registry_rows.organisation(connection, organisation_id)
    if organisation is None:
        raise UnknownError("organisation", organisation_id, mend="register it with `stadsnav org add`")
    if name:
        check_text("name", name)
    if not timedelta(0) < lifetime <= LONGEST_LIFETIME:
        raise InvalidError("lifetime", lifetime, expected=f"more than 0 and at most {LONGEST_LIFETIME.days}d")
    given = roles.fitting(limits.roles, organisation)
    if by is not None:
        roles.check_may_give(
            by, given or roles.of_machines(organisation.kind), organisation_id=organisation.id
        )
    text = PREFIX + secrets.token_urlsafe(RANDOM_BYTES)
    token = ApiToken(
        id=TokenId(new_id()),
        organisation_id=organisation.id,
        name=name,
        digest=digest_of(text),
        created_at=now,
        expires_at=now + lifetime,
        roles=given,
        narrowed_to=roles.narrowed(limits.permissions),
        created_by="" if by is None else by.principal,
    )
    rows.add(connection, token)
    _log(connection, "token_issued", token, actor=actor, now=now)
    return Issued(token=token, text=text)


def revoke(connection: Connection, token_id: str, *, actor: str, now: datetime) -> ApiToken:
    """End a token now; whoever shows it from here on is nobody.

    Raises:
        UnknownError: There is no such token.
    """
    token = rows.get(connection, token_id)
    if token is None:
        raise UnknownError("token", token_id, mend="see `stadsnav org token list`")
    if token.revoked_at is not None:
        return token
    rows.revoke(connection, token_id, at=now)
    _log(connection, "token_revoked", token, actor=actor, now=now)
    return replace(token, revoked_at=now)


def recognise(connection: Connection, text: str, *, now: datetime) -> ApiToken | None:
    """The token that somebody shows, if it holds; None for one that ended as for one that never was."""
    token = rows.with_digest(connection, digest_of(text))
    return token if token is not None and token.holds(now) else None


def actor_of(connection: Connection, token_id: str, *, at: datetime) -> Actor | None:
    """Who acts with a token, if it holds at a moment."""
    token = rows.get(connection, token_id)
    if token is None or not token.holds(at):
        return None
    organisation = registry_rows.organisation(connection, token.organisation_id)
    assert organisation is not None  # noqa: S101 - a foreign key holds it
    id_ = f"token:{token.id}"
    return Actor(
        id=id_,
        principal=token.created_by or id_,
        name=organisation.name,
        organisation_id=organisation.id,
        is_city=organisation.kind is OrganisationKind.CITY,
        roles=token.roles or roles.of_machines(organisation.kind),
        narrowed_to=token.narrowed_to,
    )


def is_use_to_note(token: ApiToken, *, now: datetime) -> bool:
    """Whether the last use that is noted lies an hour back."""
    return token.last_used_at is None or now - token.last_used_at >= USE_NOTED_EVERY


def digest_of(text: str) -> bytes:
    """What is kept of a token's text."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()


def _log(connection: Connection, action: str, token: ApiToken, *, actor: str, now: datetime) -> None:
    entry = audit.Entry(
        actor=actor,
        action=action,
        organisation_id=token.organisation_id,
        subject=token.id,
        details=token.name,
    )
    audit.note(connection, entry, at=now)
