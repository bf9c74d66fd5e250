"""The live stream in this process: what is on it, for whom, and how it ends."""

import asyncio
from datetime import timedelta
from functools import partial

import pytest
from fastapi import FastAPI

from gateway.api.live import hub, response
from gateway.api.live import stream as streams
from services import tokens
from services.domain.actors import Role
from services.domain.subscriptions import ChannelName, SubscriptionState
from services.store import audit
from services.store import subscriptions as subscription_rows
from tests.integration.api.conftest import issued, looks
from tests.support.live import listening
from tests.support.office import Office
from tests.support.town import TESTER, Town

START = "start"


async def test_it_begins_with_the_number_by_now_and_goes_on_with_what_is_told(
    app: FastAPI, town: Town, acme: str
) -> None:
    town.grant("acme")
    town.press()

    async with listening(app, acme) as listener:
        await listener.heard(1)
        town.press()
        heard = await listener.heard(2)

    assert heard == [(1, START), (2, "repeated.v1")]
    assert listener.headers["content-type"] == "text/event-stream"
    assert listener.headers["x-accel-buffering"] == "no"
    assert listener.headers["cache-control"] == "no-store"
    assert listener.body.startswith(b"retry: 1000\n\nid: 00000000000000000001\nevent: start\n")


async def test_it_resumes_behind_the_number_that_was_seen_and_logs_the_look(
    app: FastAPI, town: Town, acme: str
) -> None:
    town.grant("acme")
    for _ in range(3):
        town.press()

    async with listening(app, acme, last="1") as listener:
        heard = await listener.heard(2)

    assert heard == [(2, "repeated.v1"), (3, "repeated.v1")]
    assert [(look.home_id, look.purpose, look.details) for look in looks(town)] == [
        ("h-1", "answers alarms", "api events stream 2 to 3")
    ]
    assert "stream_opened" in [row.action for row in audit.entries(town.connection)]


async def test_what_may_not_be_known_any_more_is_its_number_and_nothing_else(
    app: FastAPI, town: Town, acme: str
) -> None:
    grant = town.grant("acme", "h-1")
    town.grant("acme", "h-2")
    town.press("p-1")
    town.press("p-2")
    town.revoke(grant)

    async with listening(app, acme, last="0") as listener:
        heard = await listener.heard(2)

    assert heard == [(1, "withheld"), (2, "raised.v1")]
    assert listener.frames[0]["data"] == '{"sequence":"00000000000000000001"}'
    assert b"h-1" not in listener.body


async def test_a_number_whose_row_was_erased_is_withheld_too(app: FastAPI, town: Town, acme: str) -> None:
    town.grant("acme")
    for _ in range(3):
        town.press()
    town.write(lambda connection: connection.run("DELETE FROM deliveries WHERE sequence = 2"))

    async with listening(app, acme, last="1") as listener:
        heard = await listener.heard(2)

    assert heard == [(2, "withheld"), (3, "repeated.v1")]


@pytest.mark.parametrize(("last", "reason"), [("9", "future"), ("x", "malformed")])
async def test_what_cannot_be_resumed_is_reset_and_goes_on_from_now(
    app: FastAPI, town: Town, acme: str, last: str, reason: str
) -> None:
    town.grant("acme")
    town.press()

    async with listening(app, acme, last=last) as listener:
        await listener.heard(1)
        town.press()
        heard = await listener.heard(2)

    assert heard == [(1, "reset"), (2, "repeated.v1")]
    assert f'"reason":"{reason}"' in listener.frames[0]["data"]


async def test_nobody_hears_what_another_organisation_is_told(
    app: FastAPI, town: Town, acme: str, beta: str
) -> None:
    town.grant("acme", "h-1")
    town.grant("beta", "h-2")

    async with listening(app, acme) as one, listening(app, beta) as other:
        await one.heard(1)
        await other.heard(1)
        town.press("p-1")
        town.press("p-2")
        await one.heard(2)
        await other.heard(2)

    assert b"h-2" not in one.body
    assert b"h-1" not in other.body


async def test_network_operators_hear_of_technical_alarms_only(
    app: FastAPI, office: Office, town: Town
) -> None:
    token = office.token(Role.NETWORK_OPERATOR)

    async with listening(app, token) as listener:
        await listener.heard(1)
        town.press("p-1")  # nobody has a grant: the city is told
        town.say("p-2", "technical.tamper")
        heard = await listener.heard(3)

    assert [kind for _, kind in heard] == [START, "withheld", "escalated.v1"]
    assert b"safety.manual" not in listener.body


async def test_whoever_opens_it_is_told_while_the_broker_is_away(app: FastAPI, town: Town, acme: str) -> None:
    town.grant("acme")

    async with listening(app, acme) as listener:
        await listener.heard(1)
        found = subscription_rows.of(town.connection, "acme", ChannelName.STREAM)

    assert found is not None
    assert found.state is SubscriptionState.LIVE


async def test_it_ends_when_the_token_has_ended(
    app: FastAPI, town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(response, "ASK_EVERY", timedelta(milliseconds=20))
    monkeypatch.setattr("gateway.api.live.rights.KNOWN_FOR", timedelta(0))
    token = issued(town, "acme")

    async with listening(app, token.text) as listener:
        await listener.heard(1)
        town.write(partial(tokens.revoke, token_id=token.token.id, actor=TESTER, now=town.now))
        await listener.ended()

    assert listener.is_whole


async def test_a_receiver_that_takes_nothing_is_cut_off(
    app: FastAPI, town: Town, acme: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(response, "TAKEN_WITHIN", timedelta(milliseconds=50))
    town.grant("acme")

    async with listening(app, acme) as listener:
        await listener.heard(1)
        listener.reads.clear()
        town.press()
        await listener.ended()

    assert not listener.is_whole


async def test_one_that_stood_still_is_told_by_the_rights_of_then(
    app: FastAPI, town: Town, acme: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(streams, "JUDGED_FOR_SECONDS", 0.0)
    grant = town.grant("acme", "h-1")
    town.grant("acme", "h-2")

    async with listening(app, acme) as listener:
        await listener.heard(1)
        listener.reads.clear()
        town.press("p-1")
        town.revoke(grant)
        await asyncio.sleep(0.05)
        listener.reads.set()
        town.press("p-2")
        heard = await listener.heard(3)

    assert [number for number, _ in heard] == [0, 1, 2]
    assert heard[1][1] == "withheld"
    assert b"h-1" not in listener.body


async def test_there_is_a_bound_to_the_streams_of_one_organisation(
    app: FastAPI, acme: str, beta: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hub, "STREAMS_OF_ONE", 1)

    async with listening(app, acme) as first:
        await first.heard(1)
        async with listening(app, acme) as second, listening(app, beta) as other:
            await second.ended()
            await other.heard(1)
    async with listening(app, acme) as third:
        await third.heard(1)

    assert second.status == 429
    assert b"too_many_streams" in second.body


async def test_when_the_process_ends_every_stream_is_ended_properly(app: FastAPI, acme: str) -> None:
    async with listening(app, acme) as listener:
        await listener.heard(1)
        hub.end_streams(app)
        await listener.ended()

    assert listener.is_whole
