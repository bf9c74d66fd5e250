"""Accounts, sessions and tokens over HTTP: one's own organisation's, and no roles but one's own to give."""

from functools import partial
from typing import Any

import httpx2
import pytest_asyncio

from services import tokens
from services.domain.homes import OrganisationKind
from services.tokens import Limits
from tests.integration.api.conftest import Api, issued
from tests.support.people import PASSWORD, SESSION, add_person, from_our_page, sign_in
from tests.support.town import TESTER, Town


@pytest_asyncio.fixture
async def anna(api: Api, town: Town) -> dict[str, str]:
    """What Anna's page sends with a change; she is signed in, a care administrator of ``acme``."""
    add_person(town, "anna", "acme", "care-admin")
    return from_our_page((await sign_in(api.client, "anna")).json())


def city_token(town: Town, role: str = "city-admin", *only: str) -> dict[str, str]:
    """A machine of the city."""
    town.add_organisation("city", OrganisationKind.CITY)
    limits = Limits(roles=(role,), permissions=only)
    return bearer(issued(town, "city", limits=limits).text)


def bearer(text: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {text}"}


async def posted(api: Api, path: str, headers: dict[str, str], **body: Any) -> httpx2.Response:
    return await api.client.post(f"/api/v1/{path}", json=body, headers=headers)


async def test_an_administrator_lets_a_colleague_in_who_then_signs_in(api: Api, anna: dict[str, str]) -> None:
    made = await posted(api, "accounts", anna, login="bo", name="Bo B", roles=["care-operator"])
    account = made.json()
    weak = await api.client.put(
        f"/api/v1/accounts/{account['id']}/password", json={"password": "short"}, headers=anna
    )
    done = await api.client.put(
        f"/api/v1/accounts/{account['id']}/password", json={"password": PASSWORD}, headers=anna
    )
    enrolled = await posted(api, f"accounts/{account['id']}/totp", anna)
    off = await api.client.delete(f"/api/v1/accounts/{account['id']}/totp", headers=anna)

    assert (made.status_code, account["organisation"], account["has_password"]) == (201, "acme", False)
    assert (weak.status_code, weak.json()["code"], done.status_code) == (422, "weak_password", 204)
    assert (enrolled.status_code, off.status_code) == (201, 204)
    assert enrolled.json()["uri"].startswith("otpauth://totp/")
    assert (await sign_in(api.client, "bo")).status_code == 201


async def test_what_is_foreign_is_answered_like_what_is_not_there(
    api: Api, town: Town, anna: dict[str, str]
) -> None:
    foreign = add_person(town, "carl", "beta", "care-operator")
    token = issued(town, "beta").token

    async def said(foreign_id: str, path: str, method: str = "GET", **more: Any) -> None:
        answers = [
            await api.client.request(method, f"/api/v1/{path.format(one)}", headers=anna, **more)
            for one in (foreign_id, "nothing")
        ]
        texts = [answer.text.replace(foreign_id, "nothing") for answer in answers]
        assert (answers[0].status_code, texts[0]) == (404, texts[1])

    await said(foreign.id, "accounts/{}")
    await said("carl", "accounts/{}")
    await said(foreign.id, "accounts/{}", "PATCH", json={"state": "suspended"})
    await said(foreign.id, "accounts/{}/password", "PUT", json={"password": PASSWORD})
    await said(foreign.id, "accounts/{}/totp", "POST")
    await said(foreign.id, "sessions?account={}")
    await said(foreign.id, "sessions?account={}", "DELETE")
    await said(token.id, "tokens/{}", "DELETE")
    assert (await api.client.get("/api/v1/accounts", params={"organisation": "beta"})).json()["items"] == []
    assert (await posted(api, "tokens", anna, organisation="beta")).status_code == 404
    assert (
        await posted(api, "accounts", anna, login="x1", organisation="beta", roles=["care-admin"])
    ).status_code == 404


async def test_nobody_gives_a_role_that_is_not_theirs(api: Api, anna: dict[str, str]) -> None:
    for role in ("city-admin", "auditor", "network-operator", "installer"):
        account = await posted(api, "accounts", anna, login="bo", roles=[role])
        token = await posted(api, "tokens", anna, roles=[role])

        expected = 403 if role == "installer" else 422
        assert (account.status_code, token.status_code) == (expected, expected)


async def test_the_citys_administrators_make_no_auditor_and_see_everybody(api: Api, town: Town) -> None:
    add_person(town, "anna", "acme", "care-admin")
    city = city_token(town)

    auditor = await posted(api, "accounts", city, login="rita", roles=["auditor"])
    carer = await posted(api, "tokens", city, organisation="acme", roles=["care-operator"])
    listed = await api.client.get("/api/v1/accounts", headers=city)

    assert (auditor.status_code, auditor.json()["code"], carer.status_code) == (403, "not_permitted", 201)
    assert [item["login"] for item in listed.json()["items"]] == ["anna"]


async def test_a_narrowed_token_does_what_it_is_narrowed_to_and_makes_nothing_wider(
    api: Api, town: Town
) -> None:
    narrow = city_token(town, "city-admin", "accounts:read", "accounts:write")

    assert (await api.client.get("/api/v1/accounts", headers=narrow)).status_code == 200
    assert (await api.client.get("/api/v1/alarms", headers=narrow)).status_code == 403
    assert (await posted(api, "tokens", narrow, roles=["city-admin"])).status_code == 403


async def test_a_token_is_made_by_somebody_shown_once_and_ended(
    api: Api, town: Town, anna: dict[str, str]
) -> None:
    made = (await posted(api, "tokens", anna, name="archive", only=["homes:read"], days=7)).json()
    me = (await api.client.get(SESSION, headers=bearer(made["token"]))).json()
    listed = (await api.client.get("/api/v1/tokens")).json()["items"]
    ended = await api.client.delete(f"/api/v1/tokens/{made['id']}", headers=anna)
    after = await api.client.get(SESSION, headers=bearer(made["token"]))

    assert made["created_by"].startswith("account:")
    assert (me["permissions"], me["means"], me["csrf_token"]) == (["homes:read"], "token", None)
    assert [item["id"] for item in listed] == [made["id"]]
    assert "token" not in listed[0]
    assert (ended.status_code, after.status_code) == (204, 401)
    actor = tokens.actor_of(town.connection, made["id"], at=town.now)
    assert actor is None


async def test_the_same_request_again_makes_one_token_and_shows_it_again(
    api: Api, anna: dict[str, str]
) -> None:
    once = anna | {"Idempotency-Key": "8e03978e-40d5"}

    first, second = [await posted(api, "tokens", once, name="archive") for _ in range(2)]

    assert first.json() == second.json()
    assert len((await api.client.get("/api/v1/tokens")).json()["items"]) == 1


async def test_signing_somebody_out_works_at_once_and_for_one_session_or_all(
    api: Api, town: Town, anna: dict[str, str]
) -> None:
    add_person(town, "bo", "acme", "care-operator")
    admin = dict(api.client.cookies)

    async def bos_cookie() -> dict[str, str]:
        api.client.cookies.clear()
        await sign_in(api.client, "bo")
        theirs = dict(api.client.cookies)
        api.client.cookies.clear()
        api.client.cookies.update(admin)
        return {"Cookie": "; ".join(f"{name}={text}" for name, text in theirs.items())}

    first, second = await bos_cookie(), await bos_cookie()
    listed = (await api.client.get("/api/v1/sessions", params={"account": "bo"})).json()["items"]
    one = await api.client.delete(f"/api/v1/sessions/{listed[-1]['id']}", headers=anna)
    rest = await api.client.delete("/api/v1/sessions", params={"account": "bo"}, headers=anna)
    api.client.cookies.clear()
    left = [await api.client.get(SESSION, headers=cookie) for cookie in (first, second)]

    assert (len(listed), one.status_code, rest.status_code) == (2, 204, 204)
    assert [answer.status_code for answer in left] == [401, 401]


async def test_suspending_somebody_ends_what_they_do(api: Api, town: Town, anna: dict[str, str]) -> None:
    bo = add_person(town, "bo", "acme", "care-operator")

    changed = await api.client.patch(
        f"/api/v1/accounts/{bo.id}", json={"state": "suspended", "name": "Bo"}, headers=anna
    )

    assert (changed.json()["state"], changed.json()["name"]) == ("suspended", "Bo")
    api.client.cookies.clear()
    assert (await sign_in(api.client, "bo")).status_code == 401


async def test_nobody_sets_what_is_ours_by_naming_it(api: Api, anna: dict[str, str]) -> None:
    for member in ("id", "state", "organisation_id", "created_by", "is_admin"):
        answer = await posted(api, "accounts", anna, login="bo", roles=["care-operator"], **{member: "x"})
        assert answer.status_code == 422, member


async def test_an_old_token_keeps_the_rights_that_it_had(api: Api, town: Town) -> None:
    old = issued(town, "acme")
    town.write(lambda connection: connection.run("UPDATE api_tokens SET created_by = '', roles = ''"))

    me = (await api.client.get(SESSION, headers=bearer(old.text))).json()

    assert me["roles"] == ["care-admin"]
    assert me["id"] == f"token:{old.token.id}"
    town.write(partial(tokens.revoke, token_id=old.token.id, actor=TESTER, now=town.now))
    assert (await api.client.get(SESSION, headers=bearer(old.text))).status_code == 401
