"""What the common reads cost over HTTP in a city of 200,000 homes and a million alarms; see ``city``.

The web process as the product starts it, asked by one client over one connection, by three: the city's
administrator, who sees the whole, a provider with 100,000 homes, and one with ten. Nothing else runs.
"""

import http.client
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from tests.benchmarks import city
from tests.benchmarks.city import AUDITOR, CITY, LARGE, SMALL, City
from tests.benchmarks.figures import Figure, percentile

PREFIX: Final = "/api/v1"
LOOKS: Final = 60
PAGES: Final = 30
"""How far in page N is, gone there at 200 a page; then read like the others, at 100."""

PAUSE_SECONDS: Final = 0.02
"""Between two looks: what is logged leaves the store's one lock to others as long as it held it, and who asks
again at once waits for that."""

LIMIT_MS: Final = 20.0
PATIENCE_SECONDS: Final = 30.0


class Client:
    """One connection that stays open."""

    def __init__(self, port: int, tokens: dict[str, str]) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE_SECONDS)
        self._connection.connect()
        self._connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._tokens = tokens

    def get(self, path: str, by: str | None = None) -> bytes:
        headers = {"Authorization": f"Bearer {self._tokens[by]}"} if by else {}
        self._connection.request("GET", path, headers=headers)
        answer = self._connection.getresponse()
        body = answer.read()
        assert answer.status == 200, (path, answer.status, body)
        return body

    def json(self, path: str, by: str) -> Any:
        return json.loads(self.get(PREFIX + path, by))

    def timed_ms(self, path: str, by: str | None = None) -> float:
        started = time.perf_counter()
        self.get(path, by)
        return (time.perf_counter() - started) * 1000


def measure(folder: Path) -> Iterator[Figure]:
    started = time.perf_counter()
    found = city.found(folder / "data")
    yield Figure(what="a city built", value=time.perf_counter() - started, unit="s")
    with served(found) as client:
        bare = percentile(_timed(client, "/healthz", None), 0.95)
        yield Figure(what="/healthz, p95", value=bare, unit="ms")
        for by in (CITY, LARGE, SMALL):
            for what, path in looks(client, by):
                taken = _timed(client, PREFIX + path, by)
                yield Figure(what=f"{what}, {by}, p50", value=percentile(taken, 0.5), unit="ms")
                worst = percentile(taken, 0.95)
                yield Figure(what=f"{what}, {by}, p95", value=worst, unit="ms", at_most=LIMIT_MS)
                yield Figure(what=f"{what}, {by}, p95 by /healthz", value=worst / bare, unit="x")
        path = f"{PREFIX}/audit?home={city.home(0)}"
        worst = percentile(_timed(client, path, AUDITOR), 0.95)
        yield Figure(what="log of a home, the auditor, p95", value=worst, unit="ms", at_most=LIMIT_MS)


def looks(client: Client, by: str) -> Iterator[tuple[str, str]]:
    """What is asked for, with ids that whoever asks may know."""
    home = client.json("/homes?limit=1", by)["items"][0]["id"]
    alarm = client.json(f"/alarms?limit=1&home={home}", by)["items"][0]["id"]
    yield "alarms", "/alarms"
    yield "alarms, open", "/alarms?state=open"
    yield "alarms of a home", f"/alarms?home={home}"
    yield f"alarms, page {PAGES}", page("/alarms", client, by)
    yield "an alarm", f"/alarms/{alarm}"
    yield "homes", "/homes"
    yield f"homes, page {PAGES}", page("/homes", client, by)
    yield "a home", f"/homes/{home}"
    yield "devices of a home", f"/devices?home={home}"
    yield "grants", "/grants"
    yield "grants of a home", f"/grants?home={home}"
    yield "deliveries", "/deliveries"
    yield f"deliveries, page {PAGES}", page("/deliveries", client, by)
    yield "deliveries of an alarm", f"/deliveries?alarm={alarm}"
    yield "events", "/events"
    yield "events of a home", f"/events?home={home}"


def page(path: str, client: Client, by: str) -> str:
    """The address of page N, or of the last one."""
    further = ""
    for _ in range(PAGES - 1):
        following = client.json(f"{path}?limit=200{further}", by)["next"]
        if following is None:
            break
        further = f"&cursor={quote(following)}"
    return f"{path}?limit=100{further}"


def _timed(client: Client, path: str, by: str | None) -> list[float]:
    client.timed_ms(path, by)
    taken = []
    for _ in range(LOOKS):
        time.sleep(PAUSE_SECONDS)
        taken.append(client.timed_ms(path, by))
    return taken


@contextmanager
def served(found: City) -> Iterator[Client]:
    """The web process on a free port of the loopback, until the end of the block."""
    ours, theirs = os.pipe()
    with socket.create_server(("127.0.0.1", 0)) as bound:
        process = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "gateway.web_process",
                str(found.folder.path),
                str(bound.fileno()),
                str(theirs),
            ],
            pass_fds=(bound.fileno(), theirs),
            stdin=subprocess.DEVNULL,
        )
        os.close(theirs)
        try:
            assert os.read(ours, 1), "the web process did not start"
            yield Client(bound.getsockname()[1], found.tokens)
        finally:
            process.terminate()
            process.wait(PATIENCE_SECONDS)
            os.close(ours)
