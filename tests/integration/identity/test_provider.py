"""People and machines that the city's identity provider vouches for; it is a real one."""

import base64
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, closing
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import httpx2
import pytest

from gateway.data_folder import DataFolder, open_folder
from gateway.web import create
from services.domain.accounts import Account, AccountState, Identity
from services.domain.clock import SystemClock
from services.identity import accounts, clients
from services.identity.accounts import Change, NewAccount
from services.identity.clients import NewClient
from services.store import accounts as account_rows
from services.store import audit
from services.store.migrations import migrate
from services.store.sqlite import SqliteConnection
from tests.support.clock import FrozenClock
from tests.support.identity_provider import Provider, running_provider
from tests.support.people import HERE, SESSION, add_person, sign_in
from tests.support.town import TESTER, Town

START = "/auth/oidc/start"
CALLBACK = f"{HERE}/auth/oidc/callback"


@pytest.fixture(scope="module")
def provider() -> Iterator[Provider]:
    with running_provider(CALLBACK) as running:
        yield running


@pytest.fixture
def folder(tmp_path: Path) -> DataFolder:
    return open_folder(tmp_path / "data")


@pytest.fixture
def town(folder: DataFolder) -> Iterator[Town]:
    """A town at the machine's own time: the provider's clock is no other."""
    with closing(SqliteConnection(folder.database)) as connection:
        migrate(connection)
        town = Town(connection, FrozenClock(SystemClock().now()))
        town.settle()
        yield town


@asynccontextmanager
async def hub(folder: DataFolder, town: Town, provider: Provider) -> AsyncIterator[httpx2.AsyncClient]:
    """A hub that trusts the provider, as a browser of its own sees it."""
    (folder.path / "stadsnav.toml").write_text(provider.settings)
    app = create(folder, town.clock)
    async with app.router.lifespan_context(app):
        transport = httpx2.ASGITransport(app)
        async with httpx2.AsyncClient(transport=transport, base_url=HERE) as browser:
            yield browser


async def there_and_back(
    browser: httpx2.AsyncClient, provider: Provider, login: str, next_: str = "/"
) -> str:
    """Go to the provider and sign in; returns the address that leads back, not yet gone to."""
    sent = await browser.get(START, params={"next": next_})
    assert sent.status_code == 303, sent.text
    return await provider.visit(sent.headers["location"], login)


def linked(town: Town, provider: Provider, subject: str, login: str) -> Account:
    """An account for somebody at the provider, as ``stadsnav account add --subject`` makes it."""
    new = NewAccount(
        login=login,
        organisation_id="acme",
        roles=("care-operator",),
        identity=Identity(issuer=provider.issuer, subject=subject),
    )
    return town.write(partial(accounts.add, new=new, by=None, actor=TESTER, now=town.now))


def changed(url: str, **members: str | None) -> str:
    """An address with other parameters; None takes one away."""
    parts = urlsplit(url)
    query = {**dict(parse_qsl(parts.query)), **members}
    left = {name: value for name, value in query.items() if value is not None}
    return parts._replace(query=urlencode(left)).geturl()


async def test_who_has_an_account_signs_in_and_goes_on_where_they_wanted(
    folder: DataFolder, town: Town, provider: Provider
) -> None:
    account = linked(town, provider, "anna", "anna.a")

    async with hub(folder, town, provider) as browser:
        back = await browser.get(await there_and_back(browser, provider, "anna", "/alarms?open=1"))
        me = (await browser.get(SESSION)).json()

    assert (back.status_code, back.headers["location"]) == (303, "/alarms?open=1")
    assert (me["id"], me["organisation"], me["roles"]) == (f"account:{account.id}", "acme", ["care-operator"])
    (entry,) = [row for row in audit.entries(town.connection) if row.action == "signed_in"]
    assert (entry.subject, entry.details.partition(";")[0]) == (account.id, "provider")


async def test_the_browser_is_sent_with_state_nonce_and_a_challenge_and_no_secret(
    folder: DataFolder, town: Town, provider: Provider
) -> None:
    async with hub(folder, town, provider) as browser:
        first, second = [await browser.get(START) for _ in range(2)]

    queries = [dict(parse_qsl(urlsplit(one.headers["location"]).query)) for one in (first, second)]
    assert all(queries[0][name] != queries[1][name] for name in ("state", "nonce", "code_challenge"))
    assert (queries[0]["code_challenge_method"], queries[0]["response_type"]) == ("S256", "code")
    assert "hub-secret" not in first.headers["location"]
    assert queries[0]["state"] not in first.headers["set-cookie"]


async def test_groups_make_an_account_follow_them_and_none_is_left_without(
    folder: DataFolder, town: Town, provider: Provider
) -> None:
    async with hub(folder, town, provider) as browser:
        await browser.get(await there_and_back(browser, provider, "eva+nurses"))
        made = (await browser.get(SESSION)).json()
        await browser.get(await there_and_back(browser, provider, "eva+nurses+leaders"))
        risen = (await browser.get(SESSION)).json()
        refused = await browser.get(await there_and_back(browser, provider, "eva+gardeners"))
        after = await browser.get(SESSION)

    assert made["id"] == risen["id"]
    assert (made["name"], made["roles"], risen["roles"]) == (
        "Eva",
        ["care-operator"],
        ["care-admin", "care-operator"],
    )
    assert (refused.status_code, after.status_code) == (401, 401)


async def test_a_stranger_and_a_suspended_person_are_refused_and_logged(
    folder: DataFolder, town: Town, provider: Provider
) -> None:
    account = linked(town, provider, "anna", "anna.a")
    town.write(
        partial(
            accounts.change,
            account_id=account.id,
            wanted=Change(state=AccountState.SUSPENDED),
            by=None,
            actor=TESTER,
            now=town.now,
        )
    )

    async with hub(folder, town, provider) as browser:
        answers = [
            await browser.get(await there_and_back(browser, provider, login)) for login in ("mallory", "anna")
        ]

    assert {(answer.status_code, answer.text) for answer in answers} == {(401, answers[0].text)}
    refusals = [row for row in audit.entries(town.connection) if row.action == "sign_in_refused"]
    assert [row.subject for row in refusals] == ["", account.id]


async def test_a_local_name_like_theirs_is_not_taken_over(
    folder: DataFolder, town: Town, provider: Provider
) -> None:
    local = add_person(town, "eva", "beta", "care-admin")

    async with hub(folder, town, provider) as browser:
        await browser.get(await there_and_back(browser, provider, "eva+nurses"))
        me = (await browser.get(SESSION)).json()

    assert me["id"] != f"account:{local.id}"
    assert (me["organisation"], me["roles"]) == ("acme", ["care-operator"])
    assert account_rows.get(town.connection, local.id) == local


async def test_who_comes_back_must_be_who_went(folder: DataFolder, town: Town, provider: Provider) -> None:
    linked(town, provider, "anna", "anna.a")

    async with hub(folder, town, provider) as browser, hub(folder, town, provider) as other:
        url = await there_and_back(browser, provider, "anna")
        their_cookie = dict(browser.cookies)
        refused = {
            "no cookie": await other.get(url),
            "no state": await browser.get(changed(url, state=None)),
            "another state": await browser.get(changed(url, state="guessed")),
            "no code": await browser.get(changed(url, code=None)),
            "another code": await browser.get(changed(url, code="guessed")),
            "another issuer": await browser.get(changed(url, iss="https://evil.example.org")),
        }
        good = await browser.get(url)
        browser.cookies.clear()
        browser.cookies.update(their_cookie)
        refused["the same code again"] = await browser.get(url)

    assert good.status_code == 303
    assert {what: answer.status_code for what, answer in refused.items()} == dict.fromkeys(refused, 401)
    assert not any("stadsnav=" in answer.headers.get("set-cookie", "") for answer in refused.values())


async def test_a_code_of_another_sign_in_is_refused_by_its_verifier_and_nonce(
    folder: DataFolder, town: Town, provider: Provider
) -> None:
    linked(town, provider, "anna", "anna.a")

    async with hub(folder, town, provider) as browser:
        stolen = dict(parse_qsl(urlsplit(await there_and_back(browser, provider, "anna")).query))["code"]
        url = await there_and_back(browser, provider, "mallory")
        answer = await browser.get(changed(url, code=stolen))

    assert answer.status_code == 401


async def test_whoever_comes_back_after_ten_minutes_begins_again(
    folder: DataFolder, town: Town, provider: Provider
) -> None:
    linked(town, provider, "anna", "anna.a")

    async with hub(folder, town, provider) as browser:
        url = await there_and_back(browser, provider, "anna")
        town.clock.advance(timedelta(minutes=10, seconds=1))
        answer = await browser.get(url)

    assert answer.status_code == 401


ELSEWHERE = [
    "https://evil.example.org",
    "//evil.example.org",
    "/\\evil.example.org",
    "\\\\evil.example.org",
    "javascript:alert(1)",
    "/a\r\nSet-Cookie: x=1",
    "/\t/evil.example.org",
    "evil",
    "",
]


async def test_nobody_is_sent_on_to_another_server(
    folder: DataFolder, town: Town, provider: Provider
) -> None:
    async with hub(folder, town, provider) as browser:
        answers = [await browser.get(START, params={"next": next_}) for next_ in ELSEWHERE]

    assert [answer.status_code for answer in answers] == [422] * len(ELSEWHERE)


async def test_a_registered_machine_acts_by_its_token_until_it_is_removed(
    folder: DataFolder, town: Town, provider: Provider
) -> None:
    token = {"Authorization": f"Bearer {provider.machine_token()}"}
    new = NewClient(id="acme-backend", organisation_id="acme", permissions=("alarms:read", "homes:read"))

    async with hub(folder, town, provider) as machine:
        before = await machine.get(SESSION, headers=token)
        town.write(partial(clients.add, new=new, actor=TESTER, now=town.now))
        me = (await machine.get(SESSION, headers=token)).json()
        series = await machine.get("/api/v1/readings/series", headers=token)
        town.write(partial(clients.remove, client_id="acme-backend", actor=TESTER, now=town.now))
        after = await machine.get(SESSION, headers=token)

    assert (before.status_code, after.status_code, series.status_code) == (401, 401, 403)
    assert (me["id"], me["organisation"], me["means"]) == ("client:acme-backend", "acme", "client")
    assert me["permissions"] == ["alarms:read", "homes:read"]


async def test_a_machines_token_that_was_tampered_with_or_has_ended_is_nobodys(
    folder: DataFolder, town: Town, provider: Provider
) -> None:
    new = NewClient(id="acme-backend", organisation_id="acme")
    town.write(partial(clients.add, new=new, actor=TESTER, now=town.now))
    token = provider.machine_token()
    header, claims, signature = token.split(".")
    document: dict[str, Any] = json.loads(base64.urlsafe_b64decode(claims + "=="))
    other = base64.urlsafe_b64encode(json.dumps(document | {"client_id": "beta"}).encode()).decode()

    async with hub(folder, town, provider) as machine:

        async def status(text: str) -> int:
            return (await machine.get(SESSION, headers={"Authorization": f"Bearer {text}"})).status_code

        assert await status(token) == 200
        assert await status(f"{header}.{other.rstrip('=')}.{signature}") == 401
        assert await status(f"{header}.{claims}.") == 401
        town.clock.advance(timedelta(seconds=631))
        assert await status(token) == 401


async def test_without_the_provider_local_accounts_and_known_machines_go_on(
    folder: DataFolder, town: Town
) -> None:
    add_person(town, "anna", "acme", "care-operator")
    town.write(
        partial(
            clients.add,
            new=NewClient(id="acme-backend", organisation_id="acme"),
            actor=TESTER,
            now=town.now,
        )
    )

    with running_provider(CALLBACK) as provider:
        token = {"Authorization": f"Bearer {provider.machine_token()}"}
        async with hub(folder, town, provider) as browser:
            assert (await browser.get(SESSION, headers=token)).status_code == 200
            provider.stop()
            start = await browser.get(START)
            machine = await browser.get(SESSION, headers=token)
            local = await sign_in(browser, "anna")

    assert (machine.status_code, local.status_code) == (200, 201)
    assert start.status_code in {303, 503}
    (entry,) = [row for row in audit.entries(town.connection) if row.action == "signed_in"]
    assert entry.details.startswith("password, break-glass")


async def test_a_provider_that_was_never_there_is_said_to_be_away(folder: DataFolder, town: Town) -> None:
    with running_provider(CALLBACK) as provider:
        token = {"Authorization": f"Bearer {provider.machine_token()}"}
        provider.stop()
        async with hub(folder, town, provider) as browser:
            answers = [await browser.get(START), await browser.get(SESSION, headers=token)]

    assert [(answer.status_code, answer.json()["code"]) for answer in answers] == [
        (503, "identity_provider_away")
    ] * 2
