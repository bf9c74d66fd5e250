"""The same over HTTP as it is spoken: a client of another make sees that an answer broke off."""

import socket
import threading
from collections.abc import Iterator
from datetime import timedelta

import httpx2
import pytest
import uvicorn

from gateway.data_folder import DataFolder
from gateway.web import create
from tests.integration.api.conftest import API, Meters
from tests.support.town import Town

WITHIN_SECONDS = 10.0


@pytest.fixture
def address(folder: DataFolder, town: Town) -> Iterator[str]:
    """Where the application is served, as the web process serves it."""
    with socket.create_server(("127.0.0.1", 0)) as bound:
        server = uvicorn.Server(uvicorn.Config(create(folder, town.clock), log_config=None, access_log=False))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [bound]})
        thread.start()
        yield f"http://127.0.0.1:{bound.getsockname()[1]}"
        server.should_exit = True
        thread.join(WITHIN_SECONDS)


@pytest.mark.parametrize("is_revoked", [False, True])
def test_an_answer_that_broke_off_cannot_be_taken_for_a_whole_one(
    address: str, acme: str, meters: Meters, town: Town, *, is_revoked: bool
) -> None:
    series = meters.series("m-1", "humidity")
    seconds = range(80_000, 0, -1)
    meters.say(series, {town.now - timedelta(seconds=age): float(age) for age in seconds})
    grant = town.grant("acme", "h-1", "climate", valid_from=town.now - timedelta(days=1))
    lines = 0

    def read() -> None:
        nonlocal lines
        with httpx2.stream(
            "GET",
            address + API,
            params={"series": series.id, "format": "csv"},
            headers={"Authorization": f"Bearer {acme}"},
            timeout=WITHIN_SECONDS,
            trust_env=False,
        ) as answer:
            for number, part in enumerate(answer.iter_raw()):
                lines += part.count(b"\n")
                if is_revoked and number == 0:
                    town.revoke(grant)

    if is_revoked:
        with pytest.raises(httpx2.RemoteProtocolError, match="incomplete"):
            read()
        assert 0 < lines < len(seconds)
    else:
        read()
        assert lines == len(seconds) + 1
