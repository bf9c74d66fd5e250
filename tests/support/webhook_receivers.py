"""Receivers of webhooks as a provider would write them: a server each, a ledger each, and bad days.

with Receivers() as receivers:
    acme = receivers.open()                          answers 204
    bad = receivers.open(first_time(status=500))     …each event's first attempt with 500
    acme.url, acme.heard                             where it is, what came, in this order
    receivers.close(acme); receivers.reopen(acme)    nobody listens; somebody does again

The servers run in a thread of their own, so tests may be of either kind.
"""

import asyncio
import json
import threading
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Self, TypeVar

from aiohttp import web

HOST: Final = "127.0.0.1"
PATIENCE_SECONDS: Final = 15.0

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """One request."""

    at_s: float
    """Since 1970."""
    headers: Mapping[str, str]
    """By lower-case names."""
    body: bytes

    @property
    def event(self) -> dict[str, Any]:
        """The CloudEvents document."""
        document: dict[str, Any] = json.loads(self.body)
        return document

    @property
    def number(self) -> int:
        """Its ``sequence``; 0: a ping has none."""
        return int(self.event.get("sequence", 0))


Reaction = Callable[["Receiver", Heard, web.Request], Awaitable[web.Response]]


@dataclass(slots=True, kw_only=True)
class Receiver:
    """One server of one receiver."""

    reaction: Reaction
    port: int = 0
    heard: list[Heard] = field(default_factory=list)
    times: Counter[str] = field(default_factory=Counter)
    """How often each event came."""
    runner: web.AppRunner | None = None

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self.port}/hook"

    def events(self) -> list[Heard]:
        """What came, without pings."""
        return [one for one in list(self.heard) if one.number]

    def first_numbers(self) -> list[int]:
        """The numbers in the order of their first appearance."""
        return list(dict.fromkeys(one.number for one in self.events()))

    async def take(self, request: web.Request) -> web.Response:
        headers = {name.lower(): value for name, value in request.headers.items()}
        heard = Heard(at_s=time.time(), headers=headers, body=await request.read())
        self.heard.append(heard)
        self.times[headers["webhook-id"]] += 1
        return await self.reaction(self, heard, request)


async def takes(_receiver: Receiver, _heard: Heard, _request: web.Request) -> web.Response:
    """A good day."""
    return web.Response(status=204)


def after(seconds: float) -> Reaction:
    """Slow, always."""

    async def react(_receiver: Receiver, _heard: Heard, _request: web.Request) -> web.Response:
        await asyncio.sleep(seconds)
        return web.Response(status=204)

    return react


async def hangs(_receiver: Receiver, _heard: Heard, _request: web.Request) -> web.Response:
    """Never an answer; the other side gives up, or the server ends."""
    await asyncio.Event().wait()
    return web.Response(status=204)


async def cuts(_receiver: Receiver, _heard: Heard, request: web.Request) -> web.Response:
    """Hang up in the middle."""
    assert request.transport is not None
    request.transport.abort()
    return web.Response(status=204)


def answers(status: int) -> Reaction:
    """Always the same."""

    async def react(_receiver: Receiver, _heard: Heard, _request: web.Request) -> web.Response:
        return web.Response(status=status)

    return react


def first_time(bad: Reaction, *, every: int = 1) -> Reaction:
    """Badly at the first attempt of every so many events, well then. Pings are answered well."""

    async def react(receiver: Receiver, heard: Heard, request: web.Request) -> web.Response:
        is_first = receiver.times[heard.headers["webhook-id"]] == 1
        is_bad = heard.number > 0 and heard.number % every == 0 and is_first
        return await (bad if is_bad else takes)(receiver, heard, request)

    return react


class Receivers:
    """Opens servers, and ends them all."""

    def __enter__(self) -> Self:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="receivers", daemon=True)
        self._thread.start()
        self._open: list[Receiver] = []
        return self

    def __exit__(self, *_: object) -> None:
        for receiver in list(self._open):
            self.close(receiver)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(PATIENCE_SECONDS)
        self._loop.close()

    def open(self, reaction: Reaction = takes) -> Receiver:
        """A server on a free port."""
        receiver = Receiver(reaction=reaction)
        self.reopen(receiver)
        return receiver

    def reopen(self, receiver: Receiver) -> None:
        """Listen where it listened before."""
        self._run(_listen(receiver))
        self._open.append(receiver)

    def close(self, receiver: Receiver) -> None:
        """End its connections; nobody listens."""
        assert receiver.runner is not None
        self._open.remove(receiver)
        self._run(receiver.runner.cleanup())

    def _run(self, work: Coroutine[Any, Any, T]) -> T:
        done = asyncio.run_coroutine_threadsafe(work, self._loop)
        return done.result(PATIENCE_SECONDS)


async def _listen(receiver: Receiver) -> None:
    app = web.Application()
    app.router.add_post("/hook", receiver.take)
    receiver.runner = web.AppRunner(app, shutdown_timeout=0.1, access_log=None, handler_cancellation=True)
    await receiver.runner.setup()
    await web.TCPSite(receiver.runner, HOST, receiver.port).start()
    receiver.port = receiver.runner.addresses[0][1]
