"""Signing in with a name and a password, and where there is one a code.

    begin (transaction: is it too soon? counted)  ->  password checked (a tenth of a second, in a thread)
    ->  finish (transaction: code used up, session opened; or refused and logged)

Whatever is wrong, the answer and the work are the same: an unknown name is checked against a password that
nobody has. What was typed as the name is never logged, it may be the password.
"""

from dataclasses import dataclass
from datetime import datetime

from services import audit
from services.domain.accounts import Account, AccountState, SignedInBy
from services.domain.errors import RefusedError
from services.identity import codes, passwords, sessions, tries
from services.identity.codes import Sealer
from services.identity.sessions import Opened, SessionLimits
from services.identity.tries import Try
from services.store import accounts as rows
from services.store.connection import Connection


class SignInRefusedError(RefusedError):
    """Somebody has not shown who they are; what exactly is wrong is nobody's business."""

    code = "sign_in_refused"

    def __init__(self) -> None:
        super().__init__("Name, password and code do not belong together; check all three")


@dataclass(frozen=True, slots=True, kw_only=True)
class Begun:
    """A sign-in whose password is still to be checked."""

    tried: Try
    account: Account | None
    kept_hash: str | None

    def is_right(self, password: str) -> bool:
        """Whether the password is; takes a tenth of a second whoever it is."""
        return passwords.is_right(self.kept_hash, password)


def begin(connection: Connection, tried: Try, *, now: datetime) -> Begun:
    """Count a try, and find what is to be checked.

    Raises:
        TooManyTriesError: It comes too soon.
    """
    tries.count(connection, tried, now=now)
    account = rows.with_login(connection, tried.login)
    kept = rows.password_hash(connection, account.id) if account is not None else None
    return Begun(tried=tried, account=account, kept_hash=kept)


def finish(
    connection: Connection,
    begun: Begun,
    *,
    is_password_right: bool,
    code: str,
    sealer: Sealer,
    limits: SessionLimits,
    is_break_glass: bool,
    now: datetime,
) -> Opened | None:
    """Open a session, or log that there is none.

    Args:
        connection: An open transaction.
        begun: What ``begin`` found.
        is_password_right: What came of checking it.
        code: A time-based code or a recovery code; empty: none was given.
        sealer: Opens the secrets of codes.
        limits: How long the session lasts.
        is_break_glass: Whether people are meant to come by the identity provider.
        now: The time.

    Returns:
        The session; None: refused.
    """
    method = _shown(connection, begun, is_password_right, code, sealer, now=now)
    if begun.account is None or method is None:
        note_refusal(connection, begun.account, "password", now=now)
        return None
    tries.succeeded(connection, begun.tried, now=now)
    words = f"{method}, break-glass" if is_break_glass else method
    return opened(connection, begun.account, method, limits, words=words, now=now)


def opened(
    connection: Connection,
    account: Account,
    method: SignedInBy,
    limits: SessionLimits,
    *,
    words: str,
    now: datetime,
) -> Opened:
    """Open a session for somebody who has shown who they are, and log it."""
    found = sessions.open_(connection, account, method, limits, now=now)
    rows.note_sign_in(connection, account.id, at=now)
    entry = audit.Entry(
        actor=f"account:{account.id}",
        action="signed_in",
        organisation_id=account.organisation_id,
        subject=account.id,
        details=f"{words}; session {found.session.id}",
    )
    audit.note(connection, entry, at=now)
    return found


def note_refusal(connection: Connection, account: Account | None, how: str, *, now: datetime) -> None:
    """Log a sign-in that was refused, unless there have been very many just now."""
    if not tries.is_refusal_to_log(connection, now=now):
        return
    entry = audit.Entry(
        actor="nobody",
        action="sign_in_refused",
        organisation_id=None if account is None else account.organisation_id,
        subject="" if account is None else account.id,
        details=how if account is not None else f"{how}, unknown name",
    )
    audit.note(connection, entry, at=now)


def _shown(
    connection: Connection,
    begun: Begun,
    is_password_right: bool,  # noqa: FBT001 - a fact, said by its only caller
    code: str,
    sealer: Sealer,
    *,
    now: datetime,
) -> SignedInBy | None:
    """By what somebody has shown who they are; None: they have not. A code without its password stays."""
    account = rows.get(connection, begun.account.id) if begun.account is not None else None
    if account is None or not is_password_right or account.state is not AccountState.ACTIVE:
        return None
    if rows.password_hash(connection, account.id) != begun.kept_hash:  # changed while it was being checked
        return None
    sealed = rows.totp_secret(connection, account.id)
    if sealed is None:
        return SignedInBy.PASSWORD
    secret = sealer.unseal(sealed, about=f"account:{account.id}").decode()
    if codes.use(connection, account.id, secret, code, now=now):
        return SignedInBy.PASSWORD_AND_CODE
    return SignedInBy.PASSWORD_AND_RECOVERY if codes.use_recovery(connection, account.id, code) else None
