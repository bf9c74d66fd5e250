"""What is turned away before anything looks at it, and what browsers are told with every answer."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx2

from gateway.api.gate import LARGEST_BODY_BYTES
from gateway.data_folder import DataFolder
from gateway.web import create
from services.store import audit
from tests.integration.api.conftest import Api
from tests.support.people import PASSWORD, SESSION, add_person, sign_in
from tests.support.town import Town


@asynccontextmanager
async def hub(folder: DataFolder, town: Town, settings: str, base: str) -> AsyncIterator[httpx2.AsyncClient]:
    """The application with these settings, reached under this address."""
    (folder.path / "stadsnav.toml").write_text(settings)
    app = create(folder, town.clock)
    async with app.router.lifespan_context(app):
        transport = httpx2.ASGITransport(app)
        async with httpx2.AsyncClient(transport=transport, base_url=base) as client:
            yield client


NAMES = {
    "localhost": 401,
    "localhost:8080": 401,
    "LOCALHOST": 401,
    "127.0.0.1:1": 401,
    "[::1]:8080": 401,
    "evil.example.org": 421,
    "localhost.evil.example.org": 421,
    "localhost@evil.example.org": 421,
    "": 421,
    "[::2]": 421,
}


async def test_a_name_that_is_not_ours_is_answered_by_nobody(api: Api) -> None:
    answered = {}

    for host in NAMES:
        answer = await api.client.get(SESSION, headers={"Host": host})
        answered[host] = answer.status_code
        assert answer.json()["code"] in {"unauthorized", "wrong_host"}
        assert (await api.client.get("/healthz", headers={"Host": host})).status_code == 200

    assert answered == NAMES


async def test_a_request_with_two_names_is_answered_by_nobody(api: Api) -> None:
    headers = [("Host", "localhost"), ("Host", "localhost")]

    assert (await api.client.get(SESSION, headers=headers)).status_code == 421


async def test_a_large_body_is_refused_whatever_it_says_of_its_length(api: Api, town: Town) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(LARGEST_BODY_BYTES // 65_536 + 1):
            yield b" " * 65_536

    json = {"Content-Type": "application/json"}
    answers = [
        await api.client.post(SESSION, content=b" " * (LARGEST_BODY_BYTES + 1), headers=json),
        await api.client.post(SESSION, content=pieces(), headers=json),
        await api.client.post(SESSION, content=b"{}", headers=json | {"Content-Length": "9999999"}),
    ]

    assert [(answer.status_code, answer.json()["code"]) for answer in answers] == [(413, "too_large")] * 3
    assert not [row for row in audit.entries(town.connection) if row.action == "sign_in_refused"]


async def test_a_compressed_body_is_not_unpacked(api: Api) -> None:
    answer = await api.client.post(SESSION, content=b"\x1f\x8b", headers={"Content-Encoding": "gzip"})

    assert (answer.status_code, answer.json()["code"]) == (415, "compressed_body")


async def test_a_body_nested_deeply_is_refused(api: Api) -> None:
    json = {"Content-Type": "application/json"}

    for depth in (100, 100_000):
        answer = await api.client.post(SESSION, content=b'{"name":' * depth, headers=json)
        assert answer.status_code in {400, 422}


async def test_behind_https_cookies_are_bound_to_the_host_and_browsers_told_to_stay(
    folder: DataFolder, town: Town
) -> None:
    add_person(town, "anna", "acme", "care-operator")
    settings = '[web]\npublic_url = "https://hub.example.org"\n'

    async with hub(folder, town, settings, "https://hub.example.org") as client:
        answer = await sign_in(client, "anna")
        me = await client.get(SESSION)

    cookie = {part.strip().lower() for part in answer.headers["set-cookie"].split(";")[1:]}
    assert answer.headers["set-cookie"].startswith("__Host-stadsnav=")
    assert cookie == {"secure", "httponly", "path=/", "samesite=lax"}
    assert (me.status_code, me.headers["strict-transport-security"]) == (200, "max-age=31536000")


async def test_who_asks_too_often_waits_but_never_for_answering_an_alarm(
    folder: DataFolder, town: Town
) -> None:
    add_person(town, "anna", "acme", "care-operator")
    town.grant("acme")
    alarm = town.press()

    async with hub(folder, town, "[web]\nrequests_per_second = 1\nburst = 3\n", "http://localhost") as client:
        me = (await sign_in(client, "anna")).json()
        asked = [(await client.get(SESSION)) for _ in range(4)]
        answered = await client.post(
            f"/api/v1/alarms/{alarm.id}/acknowledge",
            json={"note": "on the way"},
            headers={"X-CSRF-Token": me["csrf_token"], "Origin": "http://localhost"},
        )

    assert [answer.status_code for answer in asked] == [200, 200, 200, 429]
    assert int(asked[-1].headers["retry-after"]) >= 1
    assert answered.status_code == 200, answered.text


async def test_a_stranger_who_asks_too_often_waits(api: Api) -> None:
    codes = [(await api.client.get(SESSION)).status_code for _ in range(110)]

    assert codes.count(401) >= 100
    assert codes[-1] == 429


async def test_a_weakness_can_be_reported(api: Api, folder: DataFolder, town: Town) -> None:
    settings = '[web]\nsecurity_contact = ["mailto:security@example.org"]\n'

    missing = await api.client.get("/.well-known/security.txt")
    async with hub(folder, town, settings, "http://localhost") as client:
        found = await client.get("/.well-known/security.txt")

    assert missing.status_code == 404
    assert found.headers["content-type"].startswith("text/plain")
    assert found.text.splitlines() == [
        "Contact: mailto:security@example.org",
        "Expires: 2027-05-22T08:15:02.000Z",
        "Canonical: http://localhost/.well-known/security.txt",
        "Preferred-Languages: sv, en",
    ]


async def test_over_plain_http_with_another_name_nobody_signs_in(folder: DataFolder, town: Town) -> None:
    add_person(town, "anna", "acme", "care-operator")

    async with hub(folder, town, '[web]\nhosts = ["hub.lan"]\n', "http://hub.lan") as client:
        answer = await client.post(SESSION, json={"name": "anna", "password": PASSWORD})

    assert (answer.status_code, answer.json()["code"]) == (403, "needs_https")
