"""One request to a receiver: bounded in time, size and place, whatever the receiver does."""

import asyncio
import gzip
import socket
import ssl
import threading
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from ipaddress import ip_network
from pathlib import Path
from typing import Final

import pytest

from broker.mosquitto import free_port
from gateway.outward import sending
from gateway.outward.addresses import Destinations
from gateway.outward.sending import ANSWER_BYTES, Failure, NotTakenError, Sender, WithheldError
from tests.support.raw_receivers import (
    HOST,
    Behaviour,
    Receiver,
    answer,
    certificate,
    cut,
    dribble,
    hang,
    read_request,
    receiver,
)

LOOPBACK: Final = Destinations(networks=(ip_network("127.0.0.0/8"),), ports=frozenset({443}))
BODY: Final = b'{"n":1}'
SYSTEM_BUFFERS_BYTES: Final = 16_000_000
"""What Linux may hold of a connection on the loopback that nobody reads."""

DISGUISED: Final = (
    "127.0.0.1",
    "127.1",
    "0",
    "0.0.0.0",  # noqa: S104 - nobody is bound to it here
    "2130706433",
    "017700000001",
    "0x7f000001",
    "0177.0.0.1",
    "127.0.0.1.",
    "%31%32%37.0.0.1",
    "127。0。0。1",
    "①②⑦.0.0.1",
    "localhost",
    "ⓛocalhost",
    "localhost.",
    "user@127.0.0.1",
    "example.org@127.0.0.1",
    "127.0.0.1\\@example.org",
    "[::1]",
    "[::]",
    "[::ffff:127.0.0.1]",
    "[::127.0.0.1]",
    "[::1%25lo]",
    "[64:ff9b::7f00:1]",
    "[2002:7f00:1::]",
)
"""This machine, as somebody might write it who wants to be let in."""


@pytest.fixture(autouse=True)
def soon_over(monkeypatch: pytest.MonkeyPatch) -> None:
    """A second instead of ten."""
    monkeypatch.setattr(sending, "ANSWERED_WITHIN", timedelta(seconds=1))


@asynccontextmanager
async def sender(
    destinations: Destinations = LOOPBACK, *, trust: ssl.SSLContext | None = None, **more: object
) -> AsyncIterator[Sender]:
    context = trust or ssl.create_default_context()
    async with Sender(destinations, trust=context, **more) as opened:  # type: ignore[arg-type]
        yield opened


async def failure_at(url: str, destinations: Destinations = LOOPBACK, **more: object) -> NotTakenError:
    async with sender(destinations, **more) as opened:  # type: ignore[arg-type]
        with pytest.raises(NotTakenError) as caught:
            await opened.post(url, BODY, {})
        return caught.value


@pytest.mark.parametrize("status", [200, 201, 202, 204])
async def test_any_success_is_a_confirmation(status: int) -> None:
    async with receiver(answer(status)) as hook, sender() as opened:
        await opened.post(hook.url, BODY, {"webhook-id": "1"})

    [request] = hook.requests
    assert (request.body, request.headers["webhook-id"]) == (BODY, "1")
    assert request.headers["accept-encoding"] == "identity"
    assert "transfer-encoding" not in request.headers


@pytest.mark.parametrize(
    ("behave", "failure"),
    [
        (answer(500), Failure.REFUSED),
        (answer(404), Failure.REFUSED),
        (answer(410), Failure.GONE),
        (cut, Failure.CUT),
        (hang, Failure.LATE),
        (dribble, Failure.LATE),
    ],
)
async def test_everything_else_is_a_failure_with_its_reason(behave: Behaviour, failure: Failure) -> None:
    async with receiver(behave) as hook:
        error = await failure_at(hook.url)

    assert error.failure is failure
    assert len(hook.requests) == 1


async def test_where_nobody_listens_is_a_failure() -> None:
    assert (await failure_at(f"http://{HOST}:{free_port()}/")).failure is Failure.UNREACHABLE


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_is_a_failure_and_nobody_follows_it(status: int) -> None:
    async with (
        receiver(answer(204)) as elsewhere,
        receiver(answer(status, f"Location: {elsewhere.url}")) as hook,
    ):
        error = await failure_at(hook.url)

    assert error.failure is Failure.REFUSED
    assert elsewhere.connections == 0


async def test_an_endless_answer_is_cut_off_and_counts_by_its_status() -> None:
    sent = 0

    async def endless(hook: Receiver, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        hook.requests.append(await read_request(reader))
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        while True:
            writer.write(b"10000\r\n" + b"x" * 65_536 + b"\r\n")
            await writer.drain()
            sent += 65_536

    async with receiver(endless) as hook, sender() as opened:
        await opened.post(hook.url, BODY, {})
        await asyncio.sleep(0.2)  # it would go on meanwhile

    assert sent < ANSWER_BYTES + SYSTEM_BUFFERS_BYTES


async def test_a_success_counts_although_its_rest_never_comes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sending, "READ_WITHIN", timedelta(seconds=0.1))

    async def halting(hook: Receiver, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        hook.requests.append(await read_request(reader))
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n.")
        await reader.read(-1)

    async with receiver(halting) as hook, sender() as opened:
        await opened.post(hook.url, BODY, {})
        await opened.post(hook.url, BODY, {})

    assert hook.connections == 2  # the first one is not used again


async def test_a_compressed_answer_is_not_unpacked() -> None:
    bomb = gzip.compress(b"\0" * 20_000_000)

    async with receiver(answer(200, "Content-Encoding: gzip", body=bomb)) as hook, sender() as opened:
        await opened.post(hook.url, BODY, {})

    assert len(hook.requests) == 1


async def test_cookies_and_proxies_of_anybody_are_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", f"http://{HOST}:{free_port()}")
    monkeypatch.setenv("http_proxy", f"http://{HOST}:{free_port()}")

    async def at_home(_host: str, _port: int) -> Sequence[str]:
        return [HOST]

    async with receiver(answer(204, "Set-Cookie: a=b")) as hook, sender(ask=at_home) as opened:
        for _ in range(2):
            await opened.post(f"http://hook.example.org:{hook.port}/", BODY, {})

    assert [request.headers.get("cookie") for request in hook.requests] == [None, None]
    assert hook.connections == 1  # kept alive: the second alarm spares the handshake


async def test_a_certificate_that_nobody_vouches_for_gets_nothing(tmp_path: Path) -> None:
    known = certificate(tmp_path)

    async with receiver(answer(204), tls=known.server) as hook:
        error = await failure_at(hook.url)
        async with sender(trust=known.trusted()) as opened:
            await opened.post(hook.url, BODY, {})

    assert error.failure is Failure.TLS
    assert len(hook.requests) == 1


async def test_a_certificate_of_another_name_gets_nothing(tmp_path: Path) -> None:
    other = certificate(tmp_path, name="hook.example.org")

    async with receiver(answer(204), tls=other.server) as hook:
        error = await failure_at(hook.url, trust=other.trusted())

    assert error.failure is Failure.TLS
    assert hook.requests == []


@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize("host", DISGUISED)
async def test_however_it_is_written_nobody_connects_to_this_machine(host: str, scheme: str) -> None:
    """Attack A14; the receiver that an attacker is after listens on IPv4 and IPv6, on a port that is open."""
    async with receiver(answer(204)) as four, receiver(answer(204), host="::1", port=four.port) as six:
        open_port = Destinations(networks=(), ports=frozenset({four.port}))
        error = await failure_at(f"{scheme}://{host}:{four.port}/", open_port)

    assert error.failure in {Failure.FORBIDDEN, Failure.UNREACHABLE}
    assert (four.connections, six.connections) == (0, 0)


async def test_a_name_server_that_changes_its_answer_leads_nowhere_else() -> None:
    answers = [["127.0.0.2"], ["127.0.0.1"], ["127.0.0.2", "127.0.0.1"]]

    async def rebinding(_host: str, _port: int) -> Sequence[str]:
        return answers.pop(0)

    only_one = Destinations(networks=(ip_network("127.0.0.2/32"),), ports=frozenset({443}))
    close = answer(204, "Connection: close")
    async with (
        receiver(close, host="127.0.0.2") as good,
        receiver(close, port=good.port) as inner,
        sender(only_one, ask=rebinding) as opened,
    ):
        url = f"http://hook.example.org:{good.port}/"
        await opened.post(url, BODY, {})
        for _ in range(2):
            with pytest.raises(NotTakenError) as caught:
                await opened.post(url, BODY, {})
            assert caught.value.failure is Failure.FORBIDDEN

    assert (len(good.requests), inner.connections) == (1, 0)


async def test_nothing_leaves_for_one_whose_right_has_ended_while_it_delayed_the_connection(
    tmp_path: Path,
) -> None:
    """A receiver that is slow with TLS would else be told what was withdrawn seconds ago."""
    known, may_know = certificate(tmp_path), True
    delayed, asked = _slow_with_tls(known.server), []

    def may_leave() -> bool:
        asked.append(may_know)
        return may_know

    async def is_withheld(opened: Sender) -> None:
        with pytest.raises(WithheldError):
            await opened.post(f"https://{HOST}:{delayed.port}/", BODY, {}, may_leave=may_leave)

    async with sender(trust=known.trusted()) as opened, asyncio.TaskGroup() as group:
        group.create_task(is_withheld(opened), name="sent")
        await asyncio.to_thread(delayed.connected.wait, 5)
        may_know = False
        delayed.go_on.set()

    await asyncio.to_thread(delayed.thread.join, 5)
    assert asked == [False]  # not before the connection stood
    assert BODY not in delayed.received


async def test_who_does_not_finish_the_handshake_is_not_reached(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is another failure than a late answer: nothing has left, so order is not lost."""
    monkeypatch.setattr(sending, "CONNECTED_WITHIN", timedelta(seconds=0.2))

    async def silent(_hook: Receiver, reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
        await reader.read(-1)

    async with receiver(silent) as hook:
        error = await failure_at(hook.url.replace("http:", "https:"))

    assert error.failure is Failure.UNREACHABLE


class _Delayed:
    def __init__(self, run: Callable[["_Delayed"], None]) -> None:
        self.port = 0
        self.received = b""
        self.connected = threading.Event()
        self.go_on = threading.Event()
        self.thread = threading.Thread(target=run, args=(self,), name="slow receiver")


def _slow_with_tls(context: ssl.SSLContext) -> _Delayed:
    listener = socket.create_server((HOST, 0))
    listener.settimeout(5)

    def run(delayed: _Delayed) -> None:
        with listener, listener.accept()[0] as plain:
            delayed.connected.set()
            delayed.go_on.wait(5)
            with context.wrap_socket(plain, server_side=True) as private:
                while piece := private.recv(65_536):
                    delayed.received += piece

    delayed = _Delayed(run)
    delayed.port = listener.getsockname()[1]
    delayed.thread.start()
    return delayed
