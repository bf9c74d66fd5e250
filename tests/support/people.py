"""People who sign in, in a town: each account made as the command line makes it."""

from functools import partial
from typing import Any, Final

import httpx2

from gateway.data_folder import DataFolder
from gateway.sealing import ResidentSealer
from services.domain.accounts import Account
from services.identity import accounts, codes, passwords
from services.identity.accounts import NewAccount
from services.identity.codes import Enrolment
from tests.support.town import TESTER, Town

PASSWORD: Final = "correct horse battery staple"  # noqa: S105 - a test's
SESSION: Final = "/api/v1/session"
HERE: Final = "http://localhost"

_HASHED: Final = passwords.hashed(PASSWORD)


def add_person(town: Town, login: str, organisation_id: str, *roles: str, **more: Any) -> Account:
    """An account with ``PASSWORD``."""
    new = NewAccount(login=login, organisation_id=organisation_id, roles=roles, **more)
    account = town.write(partial(accounts.add, new=new, by=None, actor=TESTER, now=town.now))
    return town.write(
        partial(
            accounts.set_password,
            account_id=account.id,
            hashed=_HASHED,
            by=None,
            actor=TESTER,
            now=town.now,
        )
    )


def add_totp(town: Town, folder: DataFolder, account: Account) -> Enrolment:
    """A second factor for an account."""
    made = codes.enrolment(account.login, issuer="test")
    sealed = ResidentSealer(folder).seal(made.secret.encode(), about=f"account:{account.id}")
    town.write(
        partial(
            accounts.set_totp,
            account_id=account.id,
            sealed=sealed,
            recovery=made.digests,
            by=None,
            actor=TESTER,
            now=town.now,
        )
    )
    return made


async def sign_in(
    client: httpx2.AsyncClient, name: str, password: str = PASSWORD, **more: Any
) -> httpx2.Response:
    """Try to sign in; the client keeps the cookie if that works."""
    return await client.post(SESSION, json={"name": name, "password": password, **more})


def from_our_page(me: dict[str, Any]) -> dict[str, str]:
    """What a page of ours sends with a change."""
    return {"X-CSRF-Token": me["csrf_token"], "Origin": HERE}
