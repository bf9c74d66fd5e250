"""People sign in: one answer for whatever is wrong, a cookie that only a browser has, and its end."""

import asyncio
import time
from collections.abc import MutableMapping
from datetime import timedelta
from statistics import median
from typing import Any

import httpx2
import pyotp
from fastapi import FastAPI

from gateway.api.routes import every_route
from gateway.data_folder import DataFolder
from services.store import audit
from tests.integration.api.conftest import Api
from tests.support.people import HERE, PASSWORD, SESSION, add_person, add_totp, from_our_page, sign_in
from tests.support.town import Town

COOKIE = "stadsnav"


def other(app: FastAPI, address: str = "192.0.2.7") -> httpx2.AsyncClient:
    """Another browser, elsewhere."""
    transport = httpx2.ASGITransport(app, client=(address, 1))
    return httpx2.AsyncClient(transport=transport, base_url=HERE)


def logged(town: Town, *actions: str) -> list[tuple[str, str, str]]:
    """Action, subject and first word of the details, oldest first."""
    found = [row for row in audit.entries(town.connection) if row.action in actions]
    return [(row.action, row.subject, row.details.partition(";")[0]) for row in found]


async def test_a_person_signs_in_and_is_known_by_the_cookie_until_signing_out(api: Api, town: Town) -> None:
    anna = add_person(town, "anna", "acme", "care-admin", name="Anna A")

    signed_in = await sign_in(api.client, "Anna")
    me = (await api.client.get(SESSION)).json()
    gone = await api.client.delete(SESSION, headers=from_our_page(me))

    assert signed_in.status_code == 201
    assert me == signed_in.json()
    assert (me["id"], me["name"], me["organisation"]) == (f"account:{anna.id}", "Anna A", "acme")
    assert (me["roles"], me["means"]) == (["care-admin"], "session")
    assert "alarms:answer" in me["permissions"]
    assert gone.status_code == 204
    assert (await api.client.get(SESSION)).status_code == 401
    assert logged(town, "signed_in", "signed_out") == [
        ("signed_in", anna.id, "password"),
        ("signed_out", anna.id, f"session {session_in(town, 'signed_out')}"),
    ]


def session_in(town: Town, action: str) -> str:
    (row,) = [row for row in audit.entries(town.connection) if row.action == action]
    return row.details.partition("session ")[2]


async def test_signing_out_ends_the_session_wherever_its_cookie_is(
    api: Api, app: FastAPI, town: Town
) -> None:
    add_person(town, "anna", "acme", "care-operator")
    me = (await sign_in(api.client, "anna")).json()
    copied = api.client.cookies[COOKIE]

    await api.client.delete(SESSION, headers=from_our_page(me))

    async with other(app) as thief:
        answer = await thief.get(SESSION, headers={"Cookie": f"{COOKIE}={copied}"})
    assert answer.status_code == 401


async def test_the_cookie_is_for_no_script_and_no_other_page(api: Api, town: Town) -> None:
    add_person(town, "anna", "acme", "care-operator")

    cookie = (await sign_in(api.client, "anna")).headers["set-cookie"]

    assert {part.strip().lower() for part in cookie.split(";")[1:]} == {"httponly", "path=/", "samesite=lax"}
    assert cookie.startswith(f"{COOKIE}=")  # with https: see test_https_only_cookies


async def test_a_session_that_somebody_brings_along_is_not_the_one_they_get(api: Api, town: Town) -> None:
    add_person(town, "anna", "acme", "care-operator")
    await sign_in(api.client, "anna")
    first = api.client.cookies[COOKIE]

    await sign_in(api.client, "anna")

    assert api.client.cookies[COOKIE] != first
    api.client.cookies.clear()
    assert (await api.client.get(SESSION, headers={"Cookie": f"{COOKIE}={first}"})).status_code == 401


async def test_a_session_that_was_planted_before_is_nobodys_after(api: Api, town: Town) -> None:
    add_person(town, "anna", "acme", "care-operator")

    await api.client.post(
        SESSION, json={"name": "anna", "password": PASSWORD}, headers={"Cookie": f"{COOKIE}=planted"}
    )
    api.client.cookies.clear()

    assert (await api.client.get(SESSION, headers={"Cookie": f"{COOKIE}=planted"})).status_code == 401


async def test_whatever_is_wrong_the_answer_is_the_same(
    api: Api, folder: DataFolder, town: Town, said: list[MutableMapping[str, Any]]
) -> None:
    add_person(town, "anna", "acme", "care-operator")
    add_totp(town, folder, add_person(town, "bo", "acme", "care-operator"))

    answers = [
        await sign_in(api.client, "anna", "wrong password"),
        await sign_in(api.client, "nobody-of-that-name"),
        await sign_in(api.client, PASSWORD, "typed into the wrong field"),
        await sign_in(api.client, "bo"),
        await sign_in(api.client, "bo", code="000000"),
        await sign_in(api.client, ""),
    ]

    assert {(answer.status_code, answer.text) for answer in answers} == {(401, answers[0].text)}
    assert answers[0].json()["code"] == "sign_in_refused"
    assert not any("set-cookie" in answer.headers for answer in answers)
    everything = f"{said} {list(audit.entries(town.connection))}"
    assert PASSWORD not in everything
    assert "nobody-of-that-name" not in everything


async def test_an_unknown_name_takes_as_long_as_a_wrong_password(app: FastAPI, town: Town) -> None:
    add_person(town, "anna", "acme", "care-operator")
    taken: dict[str, list[float]] = {"anna": [], "nobody": []}

    for number in range(3):
        for name, times in taken.items():
            async with other(app, f"192.0.2.{number}") as browser:
                began_s = time.perf_counter()
                await sign_in(browser, name, "wrong password")
                times.append(time.perf_counter() - began_s)

    known, unknown = median(taken["anna"]), median(taken["nobody"])
    assert 0.4 < known / unknown < 2.5, (known, unknown)


async def test_a_code_is_asked_for_and_good_once(api: Api, folder: DataFolder, town: Town) -> None:
    made = add_totp(town, folder, add_person(town, "anna", "acme", "care-operator"))
    code = pyotp.TOTP(made.secret).at(town.now)

    first = await sign_in(api.client, "anna", code=code)
    again = await sign_in(api.client, "anna", code=code)
    recovered = await sign_in(api.client, "anna", code=made.recovery_codes[0].lower())
    recovered_again = await sign_in(api.client, "anna", code=made.recovery_codes[0])

    assert [one.status_code for one in (first, again, recovered, recovered_again)] == [201, 401, 201, 401]
    assert [words for _, _, words in logged(town, "signed_in")] == ["password+code", "password+recovery"]


async def test_tries_in_vain_must_wait_longer_each_time_whatever_is_right_then(api: Api, town: Town) -> None:
    add_person(town, "anna", "acme", "care-operator")
    for _ in range(4):
        await sign_in(api.client, "anna", "wrong password")
        town.clock.advance(timedelta(seconds=1))

    await sign_in(api.client, "anna", "wrong password")
    too_soon = await sign_in(api.client, "anna")
    town.clock.advance(timedelta(seconds=int(too_soon.headers["retry-after"])))
    in_time = await sign_in(api.client, "anna")

    assert (too_soon.status_code, too_soon.json()["code"]) == (429, "too_many_tries")
    assert in_time.status_code == 201


async def test_a_hundred_tries_at_once_are_a_hundred_tries(api: Api, town: Town) -> None:
    add_person(town, "anna", "acme", "care-operator")

    answers = await asyncio.gather(*(sign_in(api.client, "anna", f"guess number {n}") for n in range(12)))

    assert sorted(answer.status_code for answer in answers) == [401] * 3 + [429] * 9


async def test_who_guesses_at_a_name_elsewhere_does_not_keep_its_owner_out(
    api: Api, app: FastAPI, town: Town
) -> None:
    add_person(town, "anna", "acme", "care-operator")
    me = (await sign_in(api.client, "anna")).json()

    for number in range(30):
        async with other(app, f"198.51.100.{number}") as guesser:
            if (await sign_in(guesser, "anna", "wrong password")).status_code == 429:
                break

    assert number < 29
    assert (await api.client.get(SESSION)).json() == me
    assert (await sign_in(api.client, "anna")).status_code == 201


async def test_a_session_ends_when_it_is_not_used_and_at_the_latest_after_a_shift(
    api: Api, town: Town
) -> None:
    add_person(town, "anna", "acme", "care-operator")

    async def used_for(steps: int, step: timedelta) -> list[int]:
        await sign_in(api.client, "anna")
        codes = []
        for _ in range(steps):
            town.clock.advance(step)
            codes.append((await api.client.get(SESSION)).status_code)
        return codes

    assert await used_for(1, timedelta(minutes=60)) == [401]
    assert await used_for(13, timedelta(minutes=59)) == [200] * 12 + [401]


FOREIGN = [
    {},
    {"Origin": HERE},
    {"Origin": HERE, "X-CSRF-Token": "guessed"},
    {"X-CSRF-Token": "right"},
    {"Origin": "http://localhost:81", "X-CSRF-Token": "right"},
    {"Origin": "null", "X-CSRF-Token": "right"},
    {"Origin": "https://evil.example.org", "X-CSRF-Token": "right"},
    {"Sec-Fetch-Site": "cross-site", "X-CSRF-Token": "right"},
    {"Sec-Fetch-Site": "same-site", "X-CSRF-Token": "right"},
    {"Sec-Fetch-Site": "none", "X-CSRF-Token": "right"},
    {"Origin": HERE, "Sec-Fetch-Site": "cross-site", "X-CSRF-Token": "right"},
]


async def test_a_change_by_cookie_needs_the_token_and_a_page_of_ours(
    api: Api, app: FastAPI, town: Town
) -> None:
    add_person(town, "anna", "acme", "care-admin")
    me = (await sign_in(api.client, "anna")).json()
    unsafe = [route for route in every_route(app) if route.method != "GET" and route.path != SESSION]
    refused = 0

    for headers in FOREIGN:
        shown = {name: me["csrf_token"] if value == "right" else value for name, value in headers.items()}
        for method, path in [("DELETE", SESSION), *((route.method, route.path) for route in unsafe)]:
            answer = await api.client.request(method, path, json={}, headers=shown)
            assert (answer.status_code, answer.json()["code"]) == (403, "foreign_page"), (method, path, shown)
            refused += 1

    assert refused == len(FOREIGN) * (len(unsafe) + 1)
    assert len(unsafe) > 10
    assert (await api.client.get(SESSION)).status_code == 200


async def test_a_program_with_a_token_needs_no_page(api: Api, acme: str) -> None:
    answer = await api.client.post(
        "/api/v1/tokens", json={"name": "archive"}, headers={"Authorization": f"Bearer {acme}"}
    )

    assert answer.status_code == 201


async def test_another_page_cannot_sign_a_browser_in(api: Api, town: Town) -> None:
    add_person(town, "anna", "acme", "care-operator")
    body = {"name": "anna", "password": PASSWORD}

    for headers in ({"Origin": "https://evil.example.org"}, {"Sec-Fetch-Site": "cross-site"}):
        assert (await api.client.post(SESSION, json=body, headers=headers)).status_code == 403
    assert not api.client.cookies


async def test_a_wrong_token_beside_a_cookie_is_not_made_up_for_by_it(api: Api, town: Town) -> None:
    add_person(town, "anna", "acme", "care-operator")
    await sign_in(api.client, "anna")

    answer = await api.client.get(SESSION, headers={"Authorization": "Bearer stadsnav_wrong"})

    assert answer.status_code == 401


async def test_nobody_signs_in_over_plain_http_from_elsewhere(app: FastAPI, town: Town) -> None:
    add_person(town, "anna", "acme", "care-operator")

    transport = httpx2.ASGITransport(app)
    async with httpx2.AsyncClient(transport=transport, base_url="http://hub.example.org") as browser:
        answer = await sign_in(browser, "anna")

    assert answer.status_code in {403, 421}
    assert "set-cookie" not in answer.headers


async def test_a_new_password_ends_the_other_sessions_and_renews_this_one(
    api: Api, app: FastAPI, town: Town
) -> None:
    add_person(town, "anna", "acme", "care-operator")
    me = (await sign_in(api.client, "anna")).json()
    before = api.client.cookies[COOKIE]
    changed = {"old": PASSWORD, "new": "another horse altogether"}

    async with other(app) as elsewhere:
        await sign_in(elsewhere, "anna")
        wrong = await api.client.post(
            f"{SESSION}/password", json=changed | {"old": "wrong"}, headers=from_our_page(me)
        )
        weak = await api.client.post(
            f"{SESSION}/password", json=changed | {"new": "anna"}, headers=from_our_page(me)
        )
        done = await api.client.post(f"{SESSION}/password", json=changed, headers=from_our_page(me))
        left = await elsewhere.get(SESSION)

    assert [one.status_code for one in (wrong, weak, done, left)] == [401, 422, 200, 401]
    assert api.client.cookies[COOKIE] != before
    assert (await api.client.get(SESSION)).status_code == 200
    assert (await sign_in(api.client, "anna", "another horse altogether")).status_code == 201


async def test_what_is_answered_to_a_person_is_kept_by_no_browser(api: Api, town: Town) -> None:
    add_person(town, "anna", "acme", "care-admin")
    answers = [
        await sign_in(api.client, "anna"),
        await api.client.get(SESSION),
        await api.client.get("/api/v1/accounts"),
        await api.client.get("/api/v1/nowhere"),
    ]

    assert {answer.headers["cache-control"] for answer in answers} == {"no-store"}
    assert all("frame-ancestors 'none'" in answer.headers["content-security-policy"] for answer in answers)
    assert not any("unsafe" in answer.headers["content-security-policy"] for answer in answers)
