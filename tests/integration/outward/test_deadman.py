"""The call to the outside leaves only while all is well, and a failure is told once."""

import json
import threading
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import aclosing, closing
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from pydantic import SecretStr
from structlog.testing import capture_logs

from broker.mosquitto import free_port
from gateway.outward.deadman import NOT_REACHED, Call, CallFailedError, Deadman, HttpCall
from gateway.setting_tables.deadman import DeadmanSettings
from services.store import status
from services.store.migrations import migrate
from services.store.sqlite import SqliteConnection
from services.store.writer import Writer
from tests.support.clock import FrozenClock

HIDDEN = "a-path-that-nobody-else-knows"


class Outside:
    """A monitor that counts the calls."""

    def __init__(self) -> None:
        self.paths: list[str] = []
        self.status = 200
        self.location = ""
        self.port = 0

    def url(self, path: str = HIDDEN) -> SecretStr:
        return SecretStr(f"http://127.0.0.1:{self.port}/{path}")


@pytest.fixture
def outside() -> Iterator[Outside]:
    found = Outside()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            found.paths.append(self.path)
            self.send_response(found.status)
            if found.location:
                self.send_header("Location", found.location)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002 - the library's name
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    found.port = server.server_port
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), name="outside")
    thread.start()
    yield found
    server.shutdown()
    thread.join()
    server.server_close()


async def test_a_call_is_taken_by_any_success(outside: Outside) -> None:
    outside.status = 204

    await HttpCall(outside.url())()

    assert outside.paths == [f"/{HIDDEN}"]


async def test_a_redirect_is_not_followed_and_is_a_failure(outside: Outside) -> None:
    outside.status, outside.location = 302, f"http://127.0.0.1:{outside.port}/elsewhere"

    with pytest.raises(CallFailedError, match="answered 302"):
        await HttpCall(outside.url())()

    assert outside.paths == [f"/{HIDDEN}"]


async def test_what_cannot_be_reached_is_said_without_the_address() -> None:
    with pytest.raises(CallFailedError) as caught:
        await HttpCall(SecretStr(f"http://127.0.0.1:{free_port()}/{HIDDEN}"))()

    assert HIDDEN not in str(caught.value)
    assert "127.0.0.1" not in str(caught.value)


def test_the_address_is_shown_nowhere() -> None:
    chosen = DeadmanSettings(url=SecretStr(f"https://example.org/{HIDDEN}"))

    assert HIDDEN not in repr(chosen) + json.dumps(chosen.model_dump(mode="json"))
    with pytest.raises(ValueError, match="expected http") as caught:
        DeadmanSettings(url=SecretStr(f"ftp://example.org/{HIDDEN}"))
    assert HIDDEN not in str(caught.value)


class Hub:
    def __init__(self, writer: Writer, store: SqliteConnection) -> None:
        self.reasons: Sequence[str] = ()
        self.store = store
        self.writer = writer

    def deadman(self, call: Call) -> Deadman:
        return Deadman(
            call=call,
            every=timedelta(seconds=60),
            not_ready_because=lambda: self.reasons,
            writer=self.writer,
            clock=FrozenClock(),
        )

    def faults(self) -> list[str]:
        return [fault.code for fault in status.open_faults(self.store)]


@pytest.fixture
async def hub(tmp_path: Path) -> AsyncIterator[Hub]:
    path = tmp_path / "stadsnav.db"
    with closing(SqliteConnection(path)) as written, closing(SqliteConnection(path)) as reader:
        migrate(written)
        writer = Writer(written)
        writer.start()
        async with aclosing(writer):
            yield Hub(writer, reader)


async def test_while_something_is_amiss_there_is_silence(hub: Hub, outside: Outside) -> None:
    deadman = hub.deadman(HttpCall(outside.url()))
    await deadman.turn()
    hub.reasons = ["the alarm process is not running"]

    with capture_logs() as logs:
        await deadman.turn()
        await deadman.turn()
    assert [line["event"] for line in logs] == ["deadman_call_held_back"]
    assert len(outside.paths) == 1

    hub.reasons = ()
    await deadman.turn()
    assert len(outside.paths) == 2


async def test_a_failure_is_told_once_is_a_fault_and_ends(hub: Hub, outside: Outside) -> None:
    outside.status = 500
    deadman = hub.deadman(HttpCall(outside.url()))

    with capture_logs() as logs:
        await deadman.turn()
        await deadman.turn()
        assert hub.faults() == [NOT_REACHED]
        outside.status = 200
        await deadman.turn()

    assert [line["event"] for line in logs] == ["deadman_call_failed", "deadman_call_answered"]
    assert hub.faults() == []
    assert HIDDEN not in json.dumps(logs)


async def test_a_fault_that_an_earlier_run_left_ends_with_the_first_answer(
    hub: Hub, outside: Outside
) -> None:
    outside.status = 500
    await hub.deadman(HttpCall(outside.url())).turn()
    outside.status = 200

    await hub.deadman(HttpCall(outside.url())).turn()

    assert hub.faults() == []
