"""What strangers and other organisations have tried, and what became of it."""

import asyncio
import socket
from collections.abc import AsyncIterator, MutableMapping
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import httpx2
import pytest
import uvicorn
from fastapi import FastAPI

from gateway import web_connection
from gateway.api import gate, subscriptions
from gateway.web_connection import Connection
from services.domain.actors import Role
from services.store.connection import StoreUnavailableError
from tests.integration.api.conftest import Api
from tests.support.clock import FrozenClock
from tests.support.office import PREFIX, Office
from tests.support.people import SESSION

HOOK = {"channel": "webhook", "url": "https://alarms.example.org/hook"}
PERSONAL = "19121212-1212"
HEAD_WITHIN_SECONDS = 0.5


async def made_by_the_city(office: Office, organisation: str) -> str:
    """A token for an organisation's machine, made by the same administrator as others' tokens."""
    body = {"organisation": organisation, "roles": ["care-admin"]}
    made = await office.do("POST", "/tokens", by=Role.CITY_ADMIN, body=body)
    return str(made["token"])


async def test_an_idempotency_key_of_one_organisation_says_nothing_to_another(office: Office) -> None:
    answers = {}
    for organisation in ("acme", "beta"):
        token = await made_by_the_city(office, organisation)
        headers = {"Authorization": f"Bearer {token}", "Idempotency-Key": "1"}
        path = f"{PREFIX}/subscriptions"
        answers[organisation] = await office.client.post(path, json=HOOK, headers=headers)

    assert [answer.status_code for answer in answers.values()] == [201, 201]
    assert {name: answer.json()["organisation"] for name, answer in answers.items()} == {
        "acme": "acme",
        "beta": "beta",
    }
    assert answers["acme"].json()["key"] != answers["beta"].json()["key"]


async def test_only_one_waits_for_the_trial_of_a_webhook(
    office: Office, clock: FrozenClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(subscriptions, "PING_WITHIN", timedelta(milliseconds=300))
    made = await office.do("POST", "/subscriptions", by="acme", body=HOOK)
    path = f"/subscriptions/{made['id']}/ping"

    async with asyncio.TaskGroup() as group:
        first = group.create_task(office.ask("POST", path, by="acme"), name="first")
        await asyncio.sleep(0.1)
        clock.advance(timedelta(milliseconds=1))
        answers = [await office.ask("POST", path, by="acme") for _ in range(3)]

    assert first.result().json()["code"] == "nobody_pings"
    assert {(answer.status_code, answer.json()["code"]) for answer in answers} == {(429, "trial_under_way")}


async def test_a_body_whose_length_is_said_twice_is_not_read(api: Api) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        yield b"{}"

    headers = {"Content-Length": "2", "Transfer-Encoding": "chunked"}
    answer = await api.client.post(SESSION, content=pieces(), headers=headers)

    assert (answer.status_code, answer.json()["code"]) == (400, "two_lengths")


@pytest.mark.parametrize("body", [b'{"name": "\xff"}', b"[" * 100_000, b'{"a": ' + b"9" * 10_000 + b"}"])
async def test_a_body_that_nobody_can_read_is_said_to_be_so(api: Api, body: bytes) -> None:
    answer = await api.client.post(SESSION, content=body, headers={"Content-Type": "application/json"})

    assert (answer.status_code, answer.json()["code"]) == (400, "refused")
    assert "body" in answer.json()["detail"]


async def test_large_bodies_have_a_bound_together_and_small_ones_find_room(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gate, "LARGE_BODIES_BYTES", 3 * gate.SMALL_BODY_BYTES)
    large, comes_on = b" " * (2 * gate.SMALL_BODY_BYTES), asyncio.Event()

    async def slowly() -> AsyncIterator[bytes]:
        yield large
        await comes_on.wait()

    async def post(content: bytes | AsyncIterator[bytes]) -> str:
        json = {"Content-Type": "application/json"}
        return str((await api.client.post(SESSION, content=content, headers=json)).json()["code"])

    async with asyncio.TaskGroup() as group:
        first = group.create_task(post(slowly()), name="first")
        await asyncio.sleep(0.1)
        meanwhile = [await post(large), await post(b"{}")]
        comes_on.set()

    assert (meanwhile, first.result()) == (["busy", "invalid"], "invalid")
    assert await post(large) == "invalid"


@pytest.mark.parametrize(
    ("error", "event"),
    [(StoreUnavailableError("away"), "store_unavailable"), (RuntimeError("broken"), "request_failed")],
)
async def test_what_breaks_is_logged_without_what_was_typed_into_the_address(
    api: Api,
    acme: str,
    said: list[MutableMapping[str, Any]],
    monkeypatch: pytest.MonkeyPatch,
    error: Exception,
    event: str,
) -> None:
    def breaks(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr("services.store.registry_pages.home", breaks)

    headers = {"Authorization": f"Bearer {acme}"}
    await api.client.get(f"{PREFIX}/homes/{PERSONAL}", headers=headers)

    [line] = [line for line in said if line["event"] == event]
    assert line["route"].endswith("/homes/{home_id}")
    assert PERSONAL not in str(line)


@asynccontextmanager
async def served(app: FastAPI) -> AsyncIterator[int]:
    """The application as the web process serves it; its port."""
    with socket.create_server(("127.0.0.1", 0)) as bound:
        config = uvicorn.Config(app, http=Connection, log_config=None, access_log=False, lifespan="off")
        server = uvicorn.Server(config)
        async with asyncio.TaskGroup() as group:
            group.create_task(server.serve(sockets=[bound]), name="server")
            yield bound.getsockname()[1]
            server.should_exit = True


@pytest.mark.parametrize("beginning", [b"", b"GET /healthz HTTP/1.1\r\nHost: loc"])
@pytest.mark.parametrize("is_second", [False, True])
async def test_whoever_does_not_finish_a_request_loses_the_connection(
    app: FastAPI, monkeypatch: pytest.MonkeyPatch, beginning: bytes, *, is_second: bool
) -> None:
    monkeypatch.setattr(web_connection, "HEAD_WITHIN_SECONDS", HEAD_WITHIN_SECONDS)
    async with served(app) as port, asyncio.timeout(20):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        if is_second:
            writer.write(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
            await reader.readuntil(b'{"status":"ok"}')
        writer.write(beginning)

        left = await reader.read()

        writer.close()
    assert left == b""


async def test_whoever_is_being_answered_keeps_the_connection(
    app: FastAPI, office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(web_connection, "HEAD_WITHIN_SECONDS", HEAD_WITHIN_SECONDS)
    headers = {"Authorization": f"Bearer {office.token('acme')}"}
    async with served(app) as port, httpx2.AsyncClient(trust_env=False, timeout=20.0) as client:
        address = f"http://127.0.0.1:{port}{PREFIX}/events/stream"
        async with client.stream("GET", address, headers=headers) as answer:
            with pytest.raises(TimeoutError):  # it goes on, and nothing is said
                async with asyncio.timeout(3 * HEAD_WITHIN_SECONDS):
                    [part async for part in answer.aiter_bytes()]
