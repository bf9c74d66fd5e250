"""Accounts and what they are known by, as rows. Secrets leave only through the functions that name them."""

from collections.abc import Iterable
from datetime import datetime
from typing import Final

from services.domain.accounts import Account, AccountId, AccountState, Identity
from services.domain.actors import Role
from services.domain.ids import OrganisationId
from services.store import lists
from services.store.connection import Connection, Row, from_micros, matching, optional_time, to_micros

_SELECT: Final = """
    SELECT id, login, name, organisation_id, roles, created_at, state, issuer, subject, follows_groups,
           password_hash IS NOT NULL, totp_secret IS NOT NULL, last_sign_in_at
    FROM accounts"""


def add(connection: Connection, account: Account) -> None:
    """Insert an account that has no password and no codes yet."""
    connection.run(
        """INSERT INTO accounts (id, login, name, organisation_id, roles, state, created_at, issuer, subject,
                                 follows_groups) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)""",
        account.id,
        account.login,
        account.name,
        account.organisation_id,
        lists.written(account.roles),
        account.state,
        to_micros(account.created_at),
        account.identity and account.identity.issuer,
        account.identity and account.identity.subject,
        int(account.follows_groups),
    )


def get(connection: Connection, account_id: str) -> Account | None:
    """The account with this id."""
    return _one(connection.row(f"{_SELECT} WHERE id = ?", account_id))


def with_login(connection: Connection, login: str) -> Account | None:
    """The account of whoever types this name."""
    return _one(connection.row(f"{_SELECT} WHERE login = ?", login))


def with_identity(connection: Connection, identity: Identity) -> Account | None:
    """The account of somebody at an identity provider."""
    return _one(
        connection.row(f"{_SELECT} WHERE issuer = ? AND subject = ?", identity.issuer, identity.subject)
    )


def accounts(
    connection: Connection, *, organisation_id: str | None = None, before: str | None = None, limit: int
) -> list[Account]:
    """Accounts, the newest first: an organisation's, or all; only those made before a given one."""
    where, parameters = matching(organisation_id=organisation_id)
    if before is not None:
        where, parameters = f"{where or 'WHERE TRUE'} AND id < ?", [*parameters, before]
    rows = connection.rows(f"{_SELECT} {where} ORDER BY id DESC LIMIT ?", *parameters, limit)
    return [_account(row) for row in rows]


def set_rights(
    connection: Connection, account_id: str, *, organisation_id: str, roles: Iterable[Role]
) -> None:
    """Change for whom and in which roles somebody acts."""
    connection.run(
        "UPDATE accounts SET organisation_id = ?, roles = ? WHERE id = ?",
        organisation_id,
        lists.written(roles),
        account_id,
    )


def set_name(connection: Connection, account_id: str, name: str) -> None:
    """Change what others read."""
    connection.run("UPDATE accounts SET name = ? WHERE id = ?", name, account_id)


def set_state(connection: Connection, account_id: str, state: AccountState) -> None:
    """Let somebody in or not."""
    connection.run("UPDATE accounts SET state = ? WHERE id = ?", state, account_id)


def note_sign_in(connection: Connection, account_id: str, *, at: datetime) -> None:
    """Set when somebody last signed in."""
    connection.run("UPDATE accounts SET last_sign_in_at = ? WHERE id = ?", to_micros(at), account_id)


def password_hash(connection: Connection, account_id: str) -> str | None:
    """The argon2id hash of a password; None: there is none."""
    row = connection.row("SELECT password_hash FROM accounts WHERE id = ?", account_id)
    return row[0] if row else None


def set_password_hash(connection: Connection, account_id: str, hashed: str | None) -> None:
    """Change a password, or take it away."""
    connection.run("UPDATE accounts SET password_hash = ? WHERE id = ?", hashed, account_id)


def totp_secret(connection: Connection, account_id: str) -> bytes | None:
    """The sealed secret of time-based codes; None: there is none."""
    row = connection.row("SELECT totp_secret FROM accounts WHERE id = ?", account_id)
    return bytes(row[0]) if row and row[0] is not None else None


def set_totp(connection: Connection, account_id: str, secret: bytes | None, codes: Iterable[bytes]) -> None:
    """Change the secret (sealed) and the recovery codes (digests), or take both away."""
    connection.run("UPDATE accounts SET totp_secret = ?, totp_step = 0 WHERE id = ?", secret, account_id)
    connection.run("DELETE FROM recovery_codes WHERE account_id = ?", account_id)
    connection.run_many(
        "INSERT INTO recovery_codes (account_id, digest) VALUES (?, ?)",
        [(account_id, digest) for digest in codes],
    )


def use_totp_step(connection: Connection, account_id: str, step: int) -> bool:
    """Mark the code of a time step as used; false: it, or a later one, was used before."""
    changed = connection.run(
        "UPDATE accounts SET totp_step = ? WHERE id = ? AND totp_step < ?", step, account_id, step
    )
    return changed == 1


def use_recovery_code(connection: Connection, account_id: str, digest: bytes) -> bool:
    """Use a recovery code up; false: there is none like it."""
    changed = connection.run(
        "DELETE FROM recovery_codes WHERE account_id = ? AND digest = ?", account_id, digest
    )
    return changed == 1


def count_recovery_codes(connection: Connection, account_id: str) -> int:
    """How many are left."""
    row = connection.row("SELECT COUNT(*) FROM recovery_codes WHERE account_id = ?", account_id)
    return int(row[0]) if row else 0


def _one(row: Row | None) -> Account | None:
    return _account(row) if row else None


def _account(row: Row) -> Account:
    return Account(
        id=AccountId(row[0]),
        login=row[1],
        name=row[2],
        organisation_id=OrganisationId(row[3]),
        roles=lists.roles(row[4]),
        created_at=from_micros(row[5]),
        state=AccountState(row[6]),
        identity=None if row[7] is None else Identity(issuer=row[7], subject=row[8]),
        follows_groups=bool(row[9]),
        has_password=bool(row[10]),
        has_totp=bool(row[11]),
        last_sign_in_at=optional_time(row[12]),
    )
