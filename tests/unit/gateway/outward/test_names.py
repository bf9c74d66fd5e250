"""A name server that hangs keeps those waiting who asked for its names, and nobody else."""

import asyncio
import socket
import threading
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from gateway.outward import names
from gateway.outward.names import Names

ADDRESS = "192.0.2.7"


class NameServer:
    """The machine's resolver, as the test wants it."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.goes_on = threading.Event()

    def __call__(self, host: str, port: int, **_: Any) -> list[Any]:
        self.asked.append(host)
        if host.startswith("silent"):
            self.goes_on.wait(5)
        if host.startswith("none"):
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        host.encode("idna")  # as the real one does
        return [(socket.AF_INET, kind, 0, "", (ADDRESS, port)) for kind in (1, 2)]


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[NameServer]:
    found = NameServer()
    monkeypatch.setattr(socket, "getaddrinfo", found)
    yield found
    found.goes_on.set()


async def test_an_answer_is_every_address_once(server: NameServer) -> None:
    assert await Names().look_up("hook.example.org", 443) == [ADDRESS]
    assert server.asked == ["hook.example.org"]


async def test_a_hundred_names_that_nobody_answers_for_delay_no_other(server: NameServer) -> None:
    """More than the threads of the event loop's own executor."""
    looked_up = Names()
    async with asyncio.timeout(5), asyncio.TaskGroup() as group:
        hanging = [
            group.create_task(looked_up.look_up(f"silent-{n}.example.org", 443), name=f"silent {n}")
            for n in range(100)
        ]
        while len(server.asked) < len(hanging):  # noqa: ASYNC110 - threads say no more
            await asyncio.sleep(0)

        assert await looked_up.look_up("hook.example.org", 443) == [ADDRESS]
        assert not any(task.done() for task in hanging)
        server.goes_on.set()


async def test_who_asks_for_the_same_name_meanwhile_shares_the_answer(server: NameServer) -> None:
    looked_up = Names()
    async with asyncio.timeout(5), asyncio.TaskGroup() as group:
        for n in range(10):
            group.create_task(looked_up.look_up("silent.example.org", 443), name=f"asks {n}")
        while not server.asked:  # noqa: ASYNC110 - threads say no more
            await asyncio.sleep(0)
        server.goes_on.set()

    assert server.asked == ["silent.example.org"]
    await looked_up.look_up("silent.example.org", 443)
    assert len(server.asked) == 2  # an answer is never kept


async def test_nobody_waits_for_ever(server: NameServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(names, "LOOK_UP_WITHIN", timedelta(milliseconds=20))

    with pytest.raises(OSError, match=r"nobody answers for silent\.example\.org"):
        await Names().look_up("silent.example.org", 443)

    server.goes_on.set()


@pytest.mark.parametrize("host", ["none.example.org", "a" * 64 + ".example.org", "a..b"])
async def test_what_has_no_address_is_an_error_of_the_system(server: NameServer, host: str) -> None:
    with pytest.raises(OSError, match=r".") as caught:
        await Names().look_up(host, 443)

    assert not isinstance(caught.value, TimeoutError)
    assert server.asked == [host]


async def test_look_ups_under_way_are_bounded(server: NameServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(names, "NAMES_AT_ONCE", 1)
    looked_up = Names()
    async with asyncio.timeout(5), asyncio.TaskGroup() as group:
        group.create_task(looked_up.look_up("silent.example.org", 443), name="hangs")
        await asyncio.sleep(0)

        with pytest.raises(OSError, match="being looked up already"):
            await looked_up.look_up("hook.example.org", 443)
        server.goes_on.set()

    assert await looked_up.look_up("hook.example.org", 443) == [ADDRESS]
