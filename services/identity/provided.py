"""People whom the city's identity provider vouches for: found by issuer and subject, or by their groups.

account with this identity ──> session        none, but a group of theirs is known ──> account made
neither ──> refused           groups changed ──> rights changed; no known group left ──> refused
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from services import audit, roles
from services.domain.accounts import Account, AccountState, Identity, SignedInBy
from services.domain.actors import Role
from services.identity import accounts, sessions, signing_in
from services.identity.accounts import NewAccount
from services.identity.sessions import Opened, SessionLimits
from services.store import accounts as rows
from services.store import registry as registry_rows
from services.store.connection import Connection

_NO_LOGIN: Final = re.compile(r"[^a-z0-9._@+-]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Vouched:
    """Whom the provider vouches for, as its ID token says."""

    identity: Identity
    name: str
    login: str
    """What they are called there; empty: it does not say."""
    groups: frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupRights:
    """What the members of a group are here."""

    organisation_id: str
    roles: tuple[str, ...]


def sign_in(
    connection: Connection,
    vouched: Vouched,
    rights: Mapping[str, GroupRights],
    limits: SessionLimits,
    *,
    now: datetime,
) -> Opened | None:
    """Open a session, or log that there is none; None: refused."""
    account = _account(connection, vouched, rights, now=now)
    if account is None or account.state is not AccountState.ACTIVE:
        signing_in.note_refusal(connection, account, "provider", now=now)
        return None
    return signing_in.opened(connection, account, SignedInBy.PROVIDER, limits, words="provider", now=now)


def _account(
    connection: Connection, vouched: Vouched, rights: Mapping[str, GroupRights], *, now: datetime
) -> Account | None:
    known = rows.with_identity(connection, vouched.identity)
    if known is not None and not known.follows_groups:
        return known
    given = _rights(vouched, rights)
    if known is None:
        return None if given is None else _made(connection, vouched, given, now=now)
    return _followed(connection, known, given, now=now)


def _rights(vouched: Vouched, rights: Mapping[str, GroupRights]) -> GroupRights | None:
    """What somebody's groups make of them: the first known one's organisation, and all roles in that."""
    found = [rights[group] for group in rights if group in vouched.groups]
    if not found:
        return None
    same = [one for one in found if one.organisation_id == found[0].organisation_id]
    return replace(found[0], roles=tuple(sorted({role for one in same for role in one.roles})))


def _made(connection: Connection, vouched: Vouched, given: GroupRights, *, now: datetime) -> Account:
    new = NewAccount(
        login=_free_login(connection, vouched),
        name=vouched.name[:200],
        organisation_id=given.organisation_id,
        roles=given.roles,
        identity=vouched.identity,
        follows_groups=True,
    )
    return accounts.add(connection, new, by=None, actor="provider", now=now)


def _followed(
    connection: Connection, known: Account, given: GroupRights | None, *, now: datetime
) -> Account | None:
    """An account with the rights that its groups have now."""
    if given is None:
        sessions.end_all(connection, known, actor="provider", now=now)
        return None
    organisation = registry_rows.organisation(connection, given.organisation_id)
    if organisation is None:
        return None
    held = roles.fitting(given.roles, organisation)
    if (organisation.id, held) == (known.organisation_id, known.roles):
        return known
    rows.set_rights(connection, known.id, organisation_id=organisation.id, roles=held)
    sessions.end_all(connection, known, actor="provider", now=now)
    changed = replace(known, organisation_id=organisation.id, roles=held)
    _log_change(connection, known, changed, now=now)
    return changed


def _log_change(connection: Connection, before: Account, after: Account, *, now: datetime) -> None:
    entry = audit.Entry(
        actor="provider",
        action="account_changed",
        organisation_id=after.organisation_id,
        subject=after.id,
        details=f"groups: {before.organisation_id} {_words(before.roles)} -> {_words(after.roles)}",
    )
    audit.note(connection, entry, at=now)


def _free_login(connection: Connection, vouched: Vouched) -> str:
    """A login that nobody has: theirs at the provider when it is free, never somebody else's."""
    wanted = _NO_LOGIN.sub("-", vouched.login.lower()).strip("-._@+")[:60] or "account"
    login, number = wanted.ljust(2, "-"), 1
    while rows.with_login(connection, login) is not None:
        number += 1
        login = f"{wanted}-{number}"
    return login


def _words(held: frozenset[Role]) -> str:
    return ", ".join(sorted(held))
