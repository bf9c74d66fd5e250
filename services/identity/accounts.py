"""Accounts: made, changed, suspended, given a password or a second factor; by whoever may, and logged.

``by`` is somebody with rights of their own, who sees the accounts of their own organisation (the city's
administrators: all) and changes none whose roles are beyond them. None: whoever is on the machine.
"""

import re
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from services import audit, roles
from services.domain.accounts import Account, AccountId, AccountState, Identity
from services.domain.actors import Actor, Role
from services.domain.errors import ExistsError, InvalidError, UnknownError
from services.domain.homes import Organisation
from services.domain.ids import new_id
from services.identity import sessions
from services.registry import check_text
from services.store import accounts as rows
from services.store import registry as registry_rows
from services.store.connection import Connection

LOGIN: Final = re.compile(r"[a-z0-9][a-z0-9._@+-]{1,79}", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class NewAccount:
    """What is said about somebody who shall have an account."""

    login: str
    organisation_id: str
    roles: tuple[str, ...]
    name: str = ""
    """What others read; the login when empty."""
    identity: Identity | None = None
    follows_groups: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What shall become different; None stays as it is."""

    name: str | None = None
    roles: tuple[str, ...] | None = None
    state: AccountState | None = None


def add(connection: Connection, new: NewAccount, *, by: Actor | None, actor: str, now: datetime) -> Account:
    """Make an account; nobody can sign in with it before it has a password or an identity.

    Raises:
        UnknownError: There is no such organisation, or it is not the maker's.
        InvalidError: The login, the name or a role cannot be right.
        ExistsError: Somebody has this login.
        RoleNotYoursError: The roles are beyond the maker.
    """
    login = new.login.lower()
    if LOGIN.fullmatch(login) is None:
        expected = "2 to 80 of a-z, 0-9 and . _ @ + -, beginning with a letter or a digit"
        raise InvalidError("login", new.login, expected=expected)
    organisation = _organisation(connection, new.organisation_id, by=by)
    account = Account(
        id=AccountId(new_id()),
        login=login,
        name=new.name or login,
        organisation_id=organisation.id,
        roles=_given(new.roles, organisation, by=by),
        created_at=now,
        identity=new.identity,
        follows_groups=new.follows_groups,
    )
    check_text("name", account.name)
    if rows.with_login(connection, login) is not None:
        raise ExistsError("account", login)
    if new.identity is not None and rows.with_identity(connection, new.identity) is not None:
        raise ExistsError("account of identity", new.identity.subject)
    rows.add(connection, account)
    _log(connection, "account_added", account, _words(account.roles), actor=actor, now=now)
    return account


def change(
    connection: Connection, account_id: str, wanted: Change, *, by: Actor | None, actor: str, now: datetime
) -> Account:
    """Change an account. Other rights, or none, end its sessions.

    Raises:
        UnknownError: There is no such account.
        RefusedError: What is wanted cannot be right, or is beyond the one who wants it.
    """
    account = to_change(connection, account_id, by=by)
    if wanted.name is not None and wanted.name != account.name:
        check_text("name", wanted.name)
        rows.set_name(connection, account.id, wanted.name)
        _log(connection, "account_changed", account, "name", actor=actor, now=now)
        account = replace(account, name=wanted.name)
    if wanted.roles is not None:
        account = _with_roles(connection, account, wanted.roles, by=by, actor=actor, now=now)
    if wanted.state is not None and wanted.state is not account.state:
        account = replace(account, state=wanted.state)
        rows.set_state(connection, account.id, wanted.state)
        action = "account_suspended" if wanted.state is AccountState.SUSPENDED else "account_resumed"
        _log(connection, action, account, actor=actor, now=now)
        sessions.end_all(connection, account, actor=actor, now=now)
    return account


def set_password(
    connection: Connection, account_id: str, hashed: str, *, by: Actor | None, actor: str, now: datetime
) -> Account:
    """Give an account another password, hashed before: that is too slow for a transaction. Ends its sessions.

    Raises:
        UnknownError: There is no such account.
        RoleNotYoursError: Its roles are beyond the one who wants it.
    """
    account = to_change(connection, account_id, by=by)
    rows.set_password_hash(connection, account.id, hashed)
    _log(connection, "account_password_set", account, actor=actor, now=now)
    sessions.end_all(connection, account, actor=actor, now=now)
    return replace(account, has_password=True)


def set_totp(
    connection: Connection,
    account_id: str,
    sealed: bytes | None,
    recovery: tuple[bytes, ...] = (),
    *,
    by: Actor | None,
    actor: str,
    now: datetime,
) -> Account:
    """Give an account another second factor (sealed), or take it away (None). Ends its sessions.

    Raises:
        UnknownError: There is no such account.
        RoleNotYoursError: Its roles are beyond the one who wants it.
    """
    account = to_change(connection, account_id, by=by)
    rows.set_totp(connection, account.id, sealed, recovery)
    action = "account_totp_removed" if sealed is None else "account_totp_set"
    _log(connection, action, account, actor=actor, now=now)
    sessions.end_all(connection, account, actor=actor, now=now)
    return replace(account, has_totp=sealed is not None)


def seen(connection: Connection, account_id: str, *, by: Actor | None) -> Account:
    """An account as somebody may see it; named by its id or its login.

    Raises:
        UnknownError: There is no such account, or it is not theirs to see.
    """
    account = rows.get(connection, account_id) or rows.with_login(connection, account_id.lower())
    if account is None or not sees(by, account.organisation_id):
        raise UnknownError("account", account_id)
    return account


def to_change(connection: Connection, account_id: str, *, by: Actor | None) -> Account:
    """An account that somebody may change.

    Raises:
        UnknownError: There is no such account, or it is not theirs to see.
        RoleNotYoursError: Its roles are beyond them.
    """
    account = seen(connection, account_id, by=by)
    if by is not None:
        roles.check_may_give(by, account.roles, organisation_id=account.organisation_id)
    return account


def sees(by: Actor | None, organisation_id: str) -> bool:
    """Whether somebody keeps the accounts, tokens and clients of an organisation."""
    return by is None or by.organisation_id == organisation_id or keeps_all(by)


def keeps_all(by: Actor) -> bool:
    """Whether somebody keeps those of every organisation."""
    return by.is_city and Role.CITY_ADMIN in by.roles


def _with_roles(
    connection: Connection,
    account: Account,
    names: tuple[str, ...],
    *,
    by: Actor | None,
    actor: str,
    now: datetime,
) -> Account:
    organisation = _organisation(connection, account.organisation_id, by=by)
    given = _given(names, organisation, by=by)
    if given == account.roles:
        return account
    rows.set_rights(connection, account.id, organisation_id=organisation.id, roles=given)
    details = f"{_words(account.roles)} -> {_words(given)}"
    _log(connection, "account_changed", account, details, actor=actor, now=now)
    sessions.end_all(connection, account, actor=actor, now=now)
    return replace(account, roles=given)


def _given(names: tuple[str, ...], organisation: Organisation, *, by: Actor | None) -> frozenset[Role]:
    given = roles.fitting(names, organisation)
    if not given:
        raise InvalidError("roles", "", expected="at least one")
    if by is not None:
        roles.check_may_give(by, given, organisation_id=organisation.id)
    return given


def _organisation(connection: Connection, organisation_id: str, *, by: Actor | None) -> Organisation:
    organisation = registry_rows.organisation(connection, organisation_id)
    if organisation is None or not sees(by, organisation_id):
        raise UnknownError("organisation", organisation_id, mend="register it with `stadsnav org add`")
    return organisation


def _words(held: frozenset[Role]) -> str:
    return ", ".join(sorted(held))


def _log(
    connection: Connection, action: str, account: Account, details: str = "", *, actor: str, now: datetime
) -> None:
    entry = audit.Entry(
        actor=actor,
        action=action,
        organisation_id=account.organisation_id,
        subject=account.id,
        details=details,
    )
    audit.note(connection, entry, at=now)
