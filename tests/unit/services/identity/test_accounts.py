"""Accounts: who makes and changes whose, what ends with a change, and what the log says of it."""

from datetime import timedelta
from functools import partial
from typing import Any

import pytest

from services.domain.accounts import Account, AccountState, SignedInBy
from services.domain.actors import Actor, Role
from services.domain.errors import ExistsError, InvalidError, UnknownError
from services.domain.homes import OrganisationKind
from services.identity import accounts, sessions
from services.identity.accounts import Change, NewAccount
from services.identity.sessions import Opened, SessionLimits
from services.roles import RoleNotYoursError
from services.store import audit
from services.store import sessions as session_rows
from tests.support.town import TESTER, Town

LIMITS = SessionLimits()


@pytest.fixture(autouse=True)
def _city(town: Town) -> None:
    town.add_organisation("city", OrganisationKind.CITY)


def add(
    town: Town, login: str, organisation_id: str, *roles: str, by: Actor | None = None, **more: Any
) -> Account:
    new = NewAccount(login=login, organisation_id=organisation_id, roles=roles, **more)
    return town.write(partial(accounts.add, new=new, by=by, actor=TESTER, now=town.now))


def change(town: Town, account: Account, by: Actor | None = None, **wanted: Any) -> Account:
    return town.write(
        partial(
            accounts.change,
            account_id=account.id,
            wanted=Change(**wanted),
            by=by,
            actor=TESTER,
            now=town.now,
        )
    )


def opened(town: Town, account: Account) -> Opened:
    return town.write(
        partial(sessions.open_, account=account, method=SignedInBy.PASSWORD, limits=LIMITS, now=town.now)
    )


def acting(town: Town, account: Account) -> Actor:
    who = sessions.actor_of(town.connection, opened(town, account).session.id, at=town.now)
    assert who is not None
    return who


def test_a_care_administrator_keeps_the_accounts_of_their_own_organisation_only(town: Town) -> None:
    admin = acting(town, add(town, "anna", "acme", "care-admin"))
    foreign = add(town, "bo", "beta", "care-operator")

    made = add(town, "eva", "acme", "care-operator", by=admin)

    assert accounts.seen(town.connection, made.id, by=admin) == made
    for id_ in (foreign.id, foreign.login, "nobody"):
        with pytest.raises(UnknownError):
            accounts.seen(town.connection, id_, by=admin)
    for organisation_id in ("beta", "city", "nowhere"):
        with pytest.raises(UnknownError):
            add(town, "nils", organisation_id, "care-operator", by=admin)


def test_a_city_administrator_lets_a_providers_first_administrator_in(town: Town) -> None:
    admin = acting(town, add(town, "root.city", "city", "city-admin"))

    made = add(town, "anna", "acme", "care-admin", by=admin)

    assert made.roles == {Role.CARE_ADMIN}
    with pytest.raises(RoleNotYoursError):
        add(town, "rita", "city", "auditor", by=admin)


def test_nobody_changes_whose_roles_are_beyond_them(town: Town) -> None:
    admin = acting(town, add(town, "root.city", "city", "city-admin"))
    auditor = add(town, "rita", "city", "auditor")

    with pytest.raises(RoleNotYoursError):
        change(town, auditor, by=admin, state=AccountState.SUSPENDED)
    with pytest.raises(RoleNotYoursError):
        town.write(
            partial(
                accounts.set_password, account_id=auditor.id, hashed="x", by=admin, actor=TESTER, now=town.now
            )
        )
    with pytest.raises(RoleNotYoursError):
        town.write(
            partial(
                accounts.set_totp, account_id=auditor.id, sealed=None, by=admin, actor=TESTER, now=town.now
            )
        )


@pytest.mark.parametrize("wanted", [{"roles": ("care-operator",)}, {"state": AccountState.SUSPENDED}])
def test_other_rights_end_every_session_at_once(town: Town, wanted: dict[str, Any]) -> None:
    account = add(town, "anna", "acme", "care-admin")
    before = [opened(town, account) for _ in range(3)]

    change(town, account, **wanted)

    for one in before:
        assert sessions.recognise(town.connection, one.text, LIMITS, now=town.now) is None
        assert sessions.actor_of(town.connection, one.session.id, at=town.now) is None


def test_another_name_ends_nothing(town: Town) -> None:
    account = add(town, "anna", "acme", "care-admin")
    session = opened(town, account)

    change(town, account, name="Anna A", roles=("care-admin",))

    assert sessions.recognise(town.connection, session.text, LIMITS, now=town.now) == session.session


@pytest.mark.parametrize("login", ["", "a", "-anna", "anna andersson", "ånna", "a" * 81, "anna\n"])
def test_a_login_that_cannot_be_typed_is_refused(town: Town, login: str) -> None:
    with pytest.raises(InvalidError, match="login"):
        add(town, login, "acme", "care-operator")


def test_two_people_cannot_have_one_login(town: Town) -> None:
    add(town, "anna", "acme", "care-operator")

    with pytest.raises(ExistsError):
        add(town, "ANNA", "beta", "care-operator")
    with pytest.raises(InvalidError, match="at least one"):
        add(town, "bo", "acme")


def test_the_log_says_what_was_done_to_whom_and_no_secret(town: Town) -> None:
    account = add(town, "anna", "acme", "care-operator")
    set_password = partial(accounts.set_password, by=None, actor=TESTER, now=town.now)
    town.write(partial(set_password, account_id=account.id, hashed="$argon2id$secret"))
    change(town, account, roles=("care-admin",))
    change(town, account, state=AccountState.SUSPENDED)
    change(town, account, state=AccountState.ACTIVE)

    found = [row for row in audit.entries(town.connection) if row.action.startswith("account_")]

    assert [(row.action, row.details) for row in found] == [
        ("account_added", "care-operator"),
        ("account_password_set", ""),
        ("account_changed", "care-operator -> care-admin"),
        ("account_suspended", ""),
        ("account_resumed", ""),
    ]
    assert {(row.organisation_id, row.subject) for row in found} == {("acme", account.id)}


def test_a_session_is_recognised_by_its_text_and_by_nothing_that_is_kept(town: Town) -> None:
    session = opened(town, add(town, "anna", "acme", "care-operator"))
    kept = town.connection.row("SELECT * FROM sessions")

    assert kept is not None
    for column in kept:
        shown = column.hex() if isinstance(column, bytes) else str(column)
        assert session.text not in shown
        assert sessions.recognise(town.connection, shown, LIMITS, now=town.now) is None
    assert sessions.csrf_token_of(session.text) != session.text
    assert sessions.is_csrf_token(session.text, sessions.csrf_token_of(session.text))


def test_a_renewed_session_has_another_text_and_lasts_no_longer(town: Town) -> None:
    first = opened(town, add(town, "anna", "acme", "care-operator"))
    town.clock.advance(timedelta(minutes=5))

    second = town.write(partial(sessions.renew, session=first.session, now=town.now))

    assert second.session.expires_at == first.session.expires_at
    assert sessions.recognise(town.connection, first.text, LIMITS, now=town.now) is None
    assert sessions.recognise(town.connection, second.text, LIMITS, now=town.now) == second.session


def test_an_open_session_shows_up_until_it_ends_and_is_forgotten_a_month_later(town: Town) -> None:
    account = add(town, "anna", "acme", "care-operator")
    first, second = opened(town, account), opened(town, account)
    end = partial(sessions.end, session=first.session, action="session_ended", actor=TESTER, now=town.now)
    town.write(end)

    assert session_rows.open_of(town.connection, account.id, now=town.now) == [second.session]
    town.clock.advance(timedelta(days=31))
    opened(town, account)
    assert session_rows.get(town.connection, first.session.id) is None
