"""``/api/v1/accounts``: the people of one's own organisation, or, for the city's administrators, all."""

from datetime import datetime
from functools import partial
from http import HTTPStatus
from typing import Annotated, Final

import anyio
from fastapi import APIRouter, Depends, Query, Response
from pydantic import BaseModel, Field, StringConstraints

from gateway.api.bodies import Choice, StrictBody
from gateway.api.callers import Caller, Needs
from gateway.api.door import DoorHere
from gateway.api.once import OnceHere
from gateway.api.openapi import problems
from gateway.api.pages import PageOf, cut
from gateway.api.parts import Here
from gateway.api.queries import PageQuery, Text, each_once
from services import audit
from services.domain.accounts import Account, AccountState
from services.domain.actors import Permission, Role
from services.identity import accounts as use_cases
from services.identity import codes, passwords
from services.identity.accounts import Change, NewAccount
from services.store import accounts as rows
from services.store.connection import Connection
from services.store.scoping import BEHIND_ALL

LISTING: Final = "accounts"
ISSUER_NAME: Final = "Stadsnav"

router = APIRouter(prefix="/accounts", tags=["accounts"], dependencies=[Depends(each_once)])

Reading = Annotated[Caller, Depends(Needs(Permission.ACCOUNTS_READ))]
Writing = Annotated[Caller, Depends(Needs(Permission.ACCOUNTS_WRITE))]
Name = Annotated[str, StringConstraints(max_length=200)]
Roles = Annotated[list[Choice[Role]], Field(min_length=1, max_length=10)]


class AccountQuery(PageQuery):
    """Which accounts."""

    organisation: Text | None = Field(default=None, description="Only of this one; your own is meant else.")


class AccountBody(StrictBody):
    """Somebody new."""

    login: Name = Field(description="What they type; small letters.")
    name: Name = Field(default="", description="What others read; the login when empty.")
    organisation: Name = Field(default="", description="Your own when empty.")
    roles: Roles


class ChangeBody(StrictBody):
    """What shall become different. Other rights end open sessions."""

    name: Name | None = None
    roles: Roles | None = None
    state: Choice[AccountState] | None = None


class PasswordBody(StrictBody):
    """A password that somebody shall have."""

    password: Annotated[str, StringConstraints(max_length=passwords.LONGEST)]


class AccountItem(BaseModel):
    """A person who may sign in."""

    id: str
    login: str
    name: str
    organisation: str
    roles: list[Role]
    state: AccountState
    has_password: bool
    has_totp: bool = Field(description="Whether codes of an authenticator app are asked for.")
    subject: str | None = Field(description="Who they are at the city's identity provider.")
    created_at: datetime
    last_sign_in_at: datetime | None


class Enrolled(BaseModel):
    """A new second factor, shown this once."""

    secret: str = Field(description="Base32, for an authenticator app.")
    uri: str = Field(description="The same, for a QR code.")
    recovery_codes: list[str] = Field(description="Each good once, for a lost phone.")


@router.get("", summary="Who may sign in")
async def list_accounts(
    parts: Here, caller: Reading, query: Annotated[AccountQuery, Query()]
) -> PageOf[AccountItem]:
    """Accounts, the newest first."""
    (before,) = parts.cursors.after(LISTING, query.cursor, (BEHIND_ALL,))
    whose = query.organisation or (None if use_cases.keeps_all(caller.who) else caller.organisation_id)
    if whose is not None and not use_cases.sees(caller.who, whose):
        return PageOf(items=[], next=None)

    def look(connection: Connection) -> list[Account]:
        return rows.accounts(connection, organisation_id=whose, before=before, limit=query.limit + 1)

    found, is_more = cut(await parts.read(look), query.limit)
    await parts.ledger.looked([_look(caller, "list")], at=parts.clock.now())
    following = parts.cursors.of(LISTING, (found[-1].id,)) if is_more else None
    return PageOf(items=[account_item(account) for account in found], next=following)


@router.get("/{account_id}", summary="One account", responses=problems(404))
async def get_account(parts: Here, caller: Reading, account_id: str) -> AccountItem:
    """One account, by its id or its login."""
    account = await parts.read(partial(use_cases.seen, account_id=account_id, by=caller.who))
    await parts.ledger.looked([_look(caller, account.id)], at=parts.clock.now())
    return account_item(account)


@router.post(
    "",
    summary="Let somebody in",
    status_code=HTTPStatus.CREATED,
    response_model=AccountItem,
    responses=problems(403, 404, 409),
)
async def add_account(parts: Here, caller: Writing, once: OnceHere, body: AccountBody) -> Response:
    """Make an account; it needs a password before anybody can sign in with it."""
    new = NewAccount(
        login=body.login,
        name=body.name,
        organisation_id=body.organisation or caller.organisation_id,
        roles=tuple(body.roles),
    )

    def add(connection: Connection) -> AccountItem:
        return account_item(
            use_cases.add(connection, new, by=caller.who, actor=caller.actor, now=parts.clock.now())
        )

    return await parts.desk.carry_out_once(once, add)


@router.patch("/{account_id}", summary="Change an account", responses=problems(403, 404))
async def change_account(parts: Here, caller: Writing, account_id: str, body: ChangeBody) -> AccountItem:
    """Change name, roles or state. With other rights, or none, its sessions end at once."""
    wanted = Change(name=body.name, roles=None if body.roles is None else tuple(body.roles), state=body.state)

    def change(connection: Connection) -> AccountItem:
        known = use_cases.seen(connection, account_id, by=caller.who)
        return account_item(
            use_cases.change(
                connection, known.id, wanted, by=caller.who, actor=caller.actor, now=parts.clock.now()
            )
        )

    return await parts.desk.carry_out(change)


@router.put(
    "/{account_id}/password",
    summary="Give somebody another password",
    status_code=HTTPStatus.NO_CONTENT,
    responses=problems(403, 404),
)
async def set_password(
    parts: Here, door: DoorHere, caller: Writing, account_id: str, body: PasswordBody
) -> None:
    """Set a password; their sessions end. They change it themselves with POST /session/password."""
    account = await parts.read(partial(use_cases.to_change, account_id=account_id, by=caller.who))
    passwords.check(body.password, names=(account.login, account.name))
    hashed = await anyio.to_thread.run_sync(passwords.hashed, body.password, limiter=door.passwords)
    await parts.desk.carry_out(
        partial(
            use_cases.set_password,
            account_id=account.id,
            hashed=hashed,
            by=caller.who,
            actor=caller.actor,
            now=parts.clock.now(),
        )
    )


@router.post(
    "/{account_id}/totp",
    summary="Give somebody a second factor",
    status_code=HTTPStatus.CREATED,
    responses=problems(403, 404),
)
async def set_totp(parts: Here, door: DoorHere, caller: Writing, account_id: str) -> Enrolled:
    """Make a secret and recovery codes, shown this once; their sessions end."""
    account = await parts.read(partial(use_cases.to_change, account_id=account_id, by=caller.who))
    made = codes.enrolment(account.login, issuer=f"{ISSUER_NAME} {door.city}")
    await parts.desk.carry_out(
        partial(
            use_cases.set_totp,
            account_id=account.id,
            sealed=door.sealer.seal(made.secret.encode(), about=f"account:{account.id}"),
            recovery=made.digests,
            by=caller.who,
            actor=caller.actor,
            now=parts.clock.now(),
        )
    )
    return Enrolled(secret=made.secret, uri=made.uri, recovery_codes=list(made.recovery_codes))


@router.delete(
    "/{account_id}/totp",
    summary="Take a second factor away",
    status_code=HTTPStatus.NO_CONTENT,
    responses=problems(403, 404),
)
async def remove_totp(parts: Here, caller: Writing, account_id: str) -> None:
    """Codes are asked for no more; their sessions end."""

    def remove(connection: Connection) -> None:
        account = use_cases.to_change(connection, account_id, by=caller.who)
        use_cases.set_totp(
            connection, account.id, None, by=caller.who, actor=caller.actor, now=parts.clock.now()
        )

    await parts.desk.carry_out(remove)


def account_item(account: Account) -> AccountItem:
    """An account as it is answered."""
    return AccountItem(
        id=account.id,
        login=account.login,
        name=account.name,
        organisation=account.organisation_id,
        roles=sorted(account.roles),
        state=account.state,
        has_password=account.has_password,
        has_totp=account.has_totp,
        subject=None if account.identity is None else account.identity.subject,
        created_at=account.created_at,
        last_sign_in_at=account.last_sign_in_at,
    )


def _look(caller: Caller, what: str) -> audit.Entry:
    return audit.Entry(
        actor=caller.actor,
        action="looked",
        organisation_id=caller.organisation_id,
        details=f"api accounts {what}",
    )
