"""``/subscriptions``: an organisation keeps the ways in which it is told, and sees nobody else's."""

import asyncio
from datetime import timedelta

import pytest

from gateway.api import subscriptions as routes
from services import subscriptions
from services.domain.actors import Role
from services.store import subscriptions as rows
from services.store.connection import Connection
from tests.support.office import Office
from tests.support.town import Town

HOOK = {"channel": "webhook", "url": "https://alarms.example.org/hook"}


async def test_a_key_is_shown_once_and_a_webhook_begins_as_a_trial(office: Office) -> None:
    made = await office.do("POST", "/subscriptions", by="acme", body=HOOK)
    again = await office.get(f"/subscriptions/{made['id']}", by="acme")
    turned = await office.do("POST", f"/subscriptions/{made['id']}/rotate", by="acme")

    assert (made["state"], made["organisation"]) == ("trial", "acme")
    assert made["key"].startswith("whsec_")
    assert "key" not in again
    assert turned["key"] != made["key"]
    assert turned["old_secret_until"] is not None


async def test_each_organisation_sees_and_changes_its_own_only(office: Office) -> None:
    made = await office.do("POST", "/subscriptions", by="acme", body=HOOK)
    path = f"/subscriptions/{made['id']}"

    answers = [
        await office.ask("GET", path, by="beta"),
        await office.ask("PATCH", path, by="beta", body={"after_seconds": 5}),
        await office.ask("DELETE", path, by="beta"),
        *[
            await office.ask("POST", f"{path}/{verb}", by="beta")
            for verb in ("pause", "resume", "rotate", "ping")
        ],
    ]
    listed = await office.get("/subscriptions", by="beta", organisation="acme")
    foreign = await office.ask("POST", "/subscriptions", by="beta", body={**HOOK, "organisation": "acme"})

    assert {(answer.status_code, answer.json()["code"]) for answer in answers} == {(404, "unknown")}
    assert listed["items"] == []
    assert (foreign.status_code, foreign.json()["code"]) == (404, "unknown")


async def test_a_channel_is_paused_resumed_changed_and_closed(office: Office) -> None:
    made = await office.do("POST", "/subscriptions", by="acme", body={"channel": "stream"})
    path = f"/subscriptions/{made['id']}"

    paused = await office.do("POST", f"{path}/pause", by="acme")
    live = await office.do("POST", f"{path}/resume", by="acme")
    later = await office.do("PATCH", path, by="acme", body={"after_seconds": 30})
    await office.do("DELETE", path, by="acme")

    assert (paused["state"], live["state"], later["after_seconds"]) == ("paused", "live", 30)
    assert [one["channel"] for one in (await office.get("/subscriptions", by="acme"))["items"]] == ["mqtt"]


async def test_the_last_way_that_is_open_stays_open(office: Office) -> None:
    [mqtt] = (await office.get("/subscriptions", by="acme"))["items"]

    answer = await office.ask("POST", f"/subscriptions/{mqtt['id']}/pause", by="acme")

    assert (answer.status_code, answer.json()["code"]) == (409, "last_way")


async def test_a_ping_waits_for_its_outcome_and_makes_a_webhook_live(office: Office, town: Town) -> None:
    made = await office.do("POST", "/subscriptions", by="acme", body=HOOK)

    def take(connection: Connection) -> bool:
        for ping in rows.pings_to_send(connection, limit=9):
            subscriptions.ping_answered(connection, ping, problem="", url=HOOK["url"], now=town.now)
            return True
        return False

    async def outside() -> None:
        while not town.write(take):  # noqa: ASYNC110 - as the outward process looks
            await asyncio.sleep(0.01)

    async with asyncio.timeout(10), asyncio.TaskGroup() as group:
        group.create_task(outside(), name="outside")
        pinged = group.create_task(
            office.do("POST", f"/subscriptions/{made['id']}/ping", by="acme"), name="ping"
        )

    assert pinged.result()["ok"] is True
    assert (await office.get(f"/subscriptions/{made['id']}", by="acme"))["state"] == "live"


async def test_a_ping_that_nobody_makes_is_said_to_be_so(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(routes, "PING_WITHIN", timedelta(milliseconds=200))
    made = await office.do("POST", "/subscriptions", by="acme", body=HOOK)

    answer = await office.ask("POST", f"/subscriptions/{made['id']}/ping", by="acme")

    assert (answer.status_code, answer.json()["code"]) == (503, "nobody_pings")


async def test_network_operators_look_and_change_nothing(office: Office) -> None:
    found = await office.get("/subscriptions", by=Role.NETWORK_OPERATOR)
    answer = await office.ask("POST", "/subscriptions", by=Role.NETWORK_OPERATOR, body=HOOK)

    assert {one["organisation"] for one in found["items"]} >= {"acme", "beta"}
    assert (answer.status_code, answer.json()["code"]) == (403, "not_permitted")
