"""A server with InfluxDB's write API that answers as a test wants, and keeps what it takes.

with InfluxLike() as server:
    server.judge = lambda lines: Answer(400) if … else OK
"""

import gzip
import json
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Final, Self
from urllib.parse import parse_qs, urlsplit

from tests.support.product import HOST


@dataclass(frozen=True)
class Answer:
    status: int
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    keeps: bool = False
    """Whether what was sent is taken, whatever the answer says."""


Judge = Callable[[list[str]], Answer]

OK: Final = Answer(204, keeps=True)


def said(status: int, code: str, message: str = "", *, keeps: bool = False, **headers: str) -> Answer:
    """An answer with InfluxDB's JSON."""
    body = json.dumps({"code": code, "message": message}).encode()
    return Answer(status, body, {name.replace("_", "-"): value for name, value in headers.items()}, keeps)


class InfluxLike:
    def __init__(self) -> None:
        self.judge: Judge = lambda _lines: OK
        self.kept: list[str] = []
        self.queries: list[dict[str, list[str]]] = []
        self.tokens: list[str | None] = []
        self.hangs = threading.Event()
        """When set, a request is read and its answer never ends."""
        self.released = threading.Event()
        self._server = _Server((HOST, 0), _Handler)
        self._server.told = self
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self._server.server_address[1]}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.released.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def take(self, lines: list[str]) -> Answer:
        answer = self.judge(lines)
        if answer.keeps:
            self.kept += lines
        return answer


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    told: InfluxLike


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def do_POST(self) -> None:
        told = self.server.told
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.headers.get("Content-Encoding") == "gzip":
            body = gzip.decompress(body)
        told.queries.append(parse_qs(urlsplit(self.path).query, keep_blank_values=True))
        told.tokens.append(self.headers.get("Authorization"))
        if told.hangs.is_set():
            self._drip(told.released)
        else:
            self._answer(told.take(body.decode().splitlines()))

    def _answer(self, answer: Answer) -> None:
        self.send_response(answer.status)
        for name, value in {**answer.headers, "Content-Length": str(len(answer.body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(answer.body)

    def _drip(self, released: threading.Event) -> None:
        """One byte of a header now and then: no single read ever takes long."""
        self.wfile.write(b"HTTP/1.1 204 No Content\r\nX-Slow: ")
        while not released.wait(0.05):
            self.wfile.write(b"x")

    def log_message(self, *_: object) -> None:
        pass
