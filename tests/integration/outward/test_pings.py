"""A webhook goes live by a ping that its receiver has answered, and by nothing else."""

import asyncio
import json
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager, closing
from functools import partial
from ipaddress import ip_network
from pathlib import Path
from typing import Final, TypeVar

import pytest
from standardwebhooks import Webhook

from gateway.data_folder import open_folder
from gateway.outward.addresses import Destinations
from gateway.outward.pings import Pings
from gateway.outward.sending import Sender
from gateway.sealing import ResidentSealer
from services import registry, subscriptions
from services.domain.clock import SystemClock
from services.domain.homes import Organisation, OrganisationKind
from services.domain.ids import OrganisationId
from services.domain.subscriptions import Ping, SubscriptionState
from services.store import subscriptions as rows
from services.store.connection import Connection
from services.store.migrations import migrate
from services.store.sqlite import SqliteConnection
from services.store.writer import Writer
from services.subscriptions import Change, Issued, NewSubscription
from tests.support.outward import OPERATOR
from tests.support.raw_receivers import Behaviour, answer, hang, receiver

T = TypeVar("T")

LOOPBACK: Final = Destinations(networks=(ip_network("127.0.0.0/8"),), ports=frozenset({443}))


class Hub:
    """A store with the organisations ``acme`` and ``beta``, and the task that makes trials."""

    def __init__(self, folder: Path, writer: Writer, reader: SqliteConnection) -> None:
        self.clock = SystemClock()
        self.sealer = ResidentSealer(open_folder(folder))
        self.writer = writer
        self.reader = reader

    async def do(self, use_case: Callable[..., T], *arguments: object, **more: object) -> T:
        """A use case, by the city's administrator, now."""
        work = partial(use_case, actor=OPERATOR, now=self.clock.now(), **more)
        return await self.writer.write(lambda connection: work(connection, *arguments))

    async def add(self, url: str, *, organisation_id: str = "acme") -> Issued:
        new = NewSubscription(organisation_id=organisation_id, channel="webhook", url=url)
        return await self.do(subscriptions.add, new, sealer=self.sealer)

    async def ping(self, issued: Issued) -> Ping:
        """Ask for a trial, and wait until it is over."""
        asked = await self.do(subscriptions.request_ping, issued.subscription.id)
        return await self.answered(asked)

    async def answered(self, asked: Ping) -> Ping:
        async with asyncio.timeout(5):
            while (found := rows.ping(self.reader, asked.id)) and found.answered_at is None:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        assert found is not None
        return found

    def state(self, issued: Issued) -> SubscriptionState:
        found = rows.get(self.reader, issued.subscription.id)
        assert found is not None
        return found.state

    @asynccontextmanager
    async def pinging(self) -> AsyncIterator[None]:
        """While the process that may go outside runs."""
        async with (
            Sender(LOOPBACK, trust=ssl.create_default_context()) as sender,
            asyncio.TaskGroup() as group,
        ):
            pings = Pings(
                sender=sender,
                sealer=self.sealer,
                reader=self.reader,
                writer=self.writer,
                source="urn:stadsnav:test",
                clock=self.clock,
            )
            running = group.create_task(pings.run(), name="pings")
            yield
            running.cancel()


@pytest.fixture
async def hub(tmp_path: Path) -> AsyncIterator[Hub]:
    path = tmp_path / "stadsnav.db"
    with closing(SqliteConnection(path)) as written, closing(SqliteConnection(path)) as reader:
        migrate(written)
        writer = Writer(written)
        writer.start()
        async with aclosing(writer):
            found = Hub(tmp_path / "data", writer, reader)
            await writer.write(_register)
            yield found


async def test_a_ping_is_a_signed_event_that_tells_of_nothing(hub: Hub) -> None:
    async with receiver(answer(204)) as hook, hub.pinging():
        issued = await hub.add(hook.url)
        ping = await hub.ping(issued)

    [request] = hook.requests
    assert issued.key is not None
    document = Webhook(issued.key).verify(request.body, request.headers)
    assert (document["type"], document["id"]) == ("se.stadsnav.ping.v1", ping.id)
    assert document["data"] == {"organisation": "acme"}
    assert request.headers["content-type"].startswith("application/cloudevents+json")


@pytest.mark.parametrize(
    ("behave", "is_ok", "problem"),
    [
        (answer(200), True, ""),
        (answer(500), False, "the answer was 500"),
        (answer(302, "Location: /"), False, "the answer was 302"),
    ],
)
async def test_it_goes_live_by_an_answer_that_is_a_success(
    hub: Hub, behave: Behaviour, problem: str, *, is_ok: bool
) -> None:
    async with receiver(behave) as hook, hub.pinging():
        issued = await hub.add(hook.url)
        before = hub.state(issued)
        ping = await hub.ping(issued)

    assert before is SubscriptionState.TRIAL
    assert (ping.is_ok, ping.problem) == (is_ok, problem)
    assert hub.state(issued) is (SubscriptionState.LIVE if is_ok else SubscriptionState.TRIAL)


async def test_where_the_hub_does_not_connect_to_a_ping_says_so(hub: Hub) -> None:
    async with hub.pinging():
        ping = await hub.ping(await hub.add("https://169.254.169.254/latest"))

    assert (ping.is_ok, "not of the public internet" in ping.problem) == (False, True)


async def test_a_ping_that_hangs_keeps_nobody_else_waiting(hub: Hub) -> None:
    async with receiver(hang) as hanging, receiver(answer(204)) as hook, hub.pinging():
        slow = await hub.add(hanging.url)
        await hub.do(subscriptions.request_ping, slow.subscription.id)
        async with asyncio.timeout(5):
            while not hanging.requests:  # noqa: ASYNC110 - the receiver says no more
                await asyncio.sleep(0.01)

        ping = await hub.ping(await hub.add(hook.url, organisation_id="beta"))

    assert ping.is_ok
    assert len(hanging.requests) == 1
    assert hub.state(slow) is SubscriptionState.TRIAL


async def test_a_trial_of_an_address_that_was_changed_meanwhile_proves_nothing(hub: Hub) -> None:
    goes_on = asyncio.Event()

    async def slow(_hook: object, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        asked.set()
        await goes_on.wait()
        writer.write(b"HTTP/1.1 204 No Content\r\n\r\n")
        await writer.drain()

    asked = asyncio.Event()
    async with receiver(slow) as hook, hub.pinging():
        issued = await hub.add(hook.url)
        ping = await hub.do(subscriptions.request_ping, issued.subscription.id)
        await asked.wait()
        await hub.do(
            subscriptions.change, issued.subscription.id, Change(url="https://elsewhere.example.org/")
        )
        goes_on.set()
        await hub.answered(ping)

    assert hub.state(issued) is SubscriptionState.TRIAL


async def test_one_that_cannot_be_sent_ends_no_other(hub: Hub) -> None:
    """Its secret was sealed with keys that are gone, or a request of it meets a fault of ours."""
    async with receiver(answer(204)) as hook, hub.pinging():
        broken = await hub.add(hook.url)
        await hub.writer.write(
            lambda connection: connection.run(
                "UPDATE subscriptions SET secret = ? WHERE id = ?", b"nonsense", broken.subscription.id
            )
        )
        bad = await hub.ping(broken)
        good = await hub.ping(await hub.add(hook.url, organisation_id="beta"))

    assert (bad.is_ok, good.is_ok) == (False, True)
    assert "secret cannot be read" in bad.problem
    assert json.loads(hook.requests[0].body)["data"] == {"organisation": "beta"}


def _register(connection: Connection) -> None:
    for name in ("acme", "beta"):
        one = Organisation(id=OrganisationId(name), name=name, kind=OrganisationKind.CARE)
        registry.add_organisation(connection, one, actor="tester", now=SystemClock().now())
