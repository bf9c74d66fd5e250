"""Sessions: opened at a sign-in, recognised by a text that only the browser has, ended by anybody who may.

open ──> text (cookie)     kept: its SHA-256, as for tokens
used ──idle limit──> ended      opened ──absolute limit──> ended
new rights, new password ──> every session of the account ends; the one that asked gets another text
"""

import base64
import hashlib
import hmac
import secrets
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from services import audit
from services.domain.accounts import Account, AccountState, Session, SessionId, SignedInBy
from services.domain.actors import Actor
from services.domain.homes import OrganisationKind
from services.domain.ids import new_id
from services.store import accounts as account_rows
from services.store import registry as registry_rows
from services.store import sessions as rows
from services.store.connection import Connection

RANDOM_BYTES: Final = 32
SEEN_EVERY: Final = timedelta(minutes=1)
"""A use is a write beside the alarm lane's; so it is noted rarely."""
KEPT_FOR: Final = timedelta(days=30)
"""After its end; the log keeps that it was."""
_FORGOTTEN_AT_ONCE: Final = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionLimits:
    """How long a session lasts."""

    idle: timedelta = timedelta(hours=1)
    """Without a request."""
    longest: timedelta = timedelta(hours=12)
    """However busy; a shift."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """A new session and its text, which can be read here and never again."""

    session: Session
    text: str


def open_(
    connection: Connection, account: Account, method: SignedInBy, limits: SessionLimits, *, now: datetime
) -> Opened:
    """Open a session for somebody who has shown who they are; always a new one."""
    rows.forget_before(connection, now - KEPT_FOR, limit=_FORGOTTEN_AT_ONCE)
    text = secrets.token_urlsafe(RANDOM_BYTES)
    session = Session(
        id=SessionId(new_id()),
        account_id=account.id,
        digest=_digest_of(text),
        method=method,
        opened_at=now,
        seen_at=now,
        expires_at=now + limits.longest,
    )
    rows.add(connection, session)
    return Opened(session=session, text=text)


def renew(connection: Connection, session: Session, *, now: datetime) -> Opened:
    """Another text for a session whose rights have changed; it lasts no longer by that."""
    rows.end(connection, session.id, at=now)
    text = secrets.token_urlsafe(RANDOM_BYTES)
    renewed = replace(session, id=SessionId(new_id()), digest=_digest_of(text), seen_at=now, ended_at=None)
    rows.add(connection, renewed)
    return Opened(session=renewed, text=text)


def recognise(connection: Connection, text: str, limits: SessionLimits, *, now: datetime) -> Session | None:
    """The session that somebody shows, if it holds and was used lately."""
    session = rows.with_digest(connection, _digest_of(text))
    if session is None or not _holds(session, now) or now - session.seen_at >= limits.idle:
        return None
    return session


def actor_of(connection: Connection, session_id: str, *, at: datetime) -> Actor | None:
    """Who acts in a session, if it holds at a moment; idle or not, for what is being watched is in use."""
    session = rows.get(connection, session_id)
    account = account_rows.get(connection, session.account_id) if session is not None else None
    if session is None or account is None or not _holds(session, at):
        return None
    if account.state is not AccountState.ACTIVE:
        return None
    organisation = registry_rows.organisation(connection, account.organisation_id)
    assert organisation is not None  # noqa: S101 - a foreign key holds it
    id_ = f"account:{account.id}"
    return Actor(
        id=id_,
        principal=id_,
        name=account.name,
        organisation_id=organisation.id,
        is_city=organisation.kind is OrganisationKind.CITY,
        roles=account.roles,
    )


def is_use_to_note(session: Session, *, now: datetime) -> bool:
    """Whether the last use that is noted lies a minute back."""
    return now - session.seen_at >= SEEN_EVERY


def end(connection: Connection, session: Session, *, action: str, actor: str, now: datetime) -> None:
    """End a session now; once more changes nothing."""
    account = account_rows.get(connection, session.account_id)
    if rows.end(connection, session.id, at=now):
        entry = audit.Entry(
            actor=actor,
            action=action,
            organisation_id=None if account is None else account.organisation_id,
            subject=session.account_id,
            details=f"session {session.id}",
        )
        audit.note(connection, entry, at=now)


def end_all(connection: Connection, account: Account, *, actor: str, now: datetime) -> int:
    """End every session of an account now; returns how many there were."""
    ended = rows.end_all(connection, account.id, at=now)
    if ended:
        entry = audit.Entry(
            actor=actor,
            action="session_ended",
            organisation_id=account.organisation_id,
            subject=account.id,
            details=f"all {ended}",
        )
        audit.note(connection, entry, at=now)
    return ended


def csrf_token_of(text: str) -> str:
    """What a page of ours must show beside the cookie, which no page of others can know."""
    digest = hashlib.sha256(b"csrf\0" + text.encode("utf-8", "surrogatepass")).digest()
    return base64.urlsafe_b64encode(digest).decode().rstrip("=")


def is_csrf_token(text: str, shown: str) -> bool:
    """Whether that was shown."""
    return hmac.compare_digest(csrf_token_of(text).encode(), shown.encode("utf-8", "surrogatepass"))


def _holds(session: Session, at: datetime) -> bool:
    return session.ended_at is None and at < session.expires_at


def _digest_of(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()
