"""What the running product tells the outside of itself: a letter a day, a call as long as all is well."""

import json
import threading
import time
import urllib.request
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from tests.acceptance.conftest import ProductFactory
from tests.support.mail_server import HOST, MailServer, mail_server
from tests.support.product import Product, wait_until


@pytest.fixture
def letter_box() -> Iterator[MailServer]:
    with mail_server() as running:
        yield running


class Monitor:
    """Whoever waits outside to hear from the hub."""

    def __init__(self) -> None:
        self.calls = 0
        self.url = ""


@pytest.fixture
def monitor() -> Iterator[Monitor]:
    found = Monitor()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            found.calls += 1
            self.send_response(204)
            self.end_headers()

        def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002 - the library's name
            pass

    server = HTTPServer((HOST, 0), Handler)
    found.url = f"http://{HOST}:{server.server_port}/a-path-that-nobody-else-knows"
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), name="monitor")
    thread.start()
    yield found
    server.shutdown()
    thread.join()
    server.server_close()


def asked(product: Product, path: str) -> str:
    with urllib.request.urlopen(f"http://{HOST}:{product.ports['http']}{path}", timeout=5) as answer:
        return str(answer.read().decode())


def test_the_days_letter_comes_once_and_the_call_goes_out_while_all_is_well(
    make_product: ProductFactory, letter_box: MailServer, monitor: Monitor
) -> None:
    chosen = {
        "CITY": "malmo",
        "MAIL__SERVER": HOST,
        "MAIL__PORT": str(letter_box.port),
        "MAIL__SECURITY": "none",
        "MAIL__FROM": "hub@example.org",
        "MAIL__TO": '["drift@example.org"]',
        "MAIL__LANGUAGE": "en",
        "MAIL__DIGEST_AT": "00:00",
        "DEADMAN__URL": monitor.url,
        "DEADMAN__EVERY_SECONDS": "5",
    }
    product = make_product(environment={f"STADSNAV_{name}": value for name, value in chosen.items()})
    product.start()

    wait_until(lambda: letter_box.messages, "the day's letter is there")
    wait_until(lambda: monitor.calls, "the monitor hears from the hub")
    assert json.loads(asked(product, "/readyz"))["warnings"] == []
    wait_until(
        lambda: 'heartbeat_timestamp_seconds{process="outward"}' in asked(product, "/metrics"), "it beats"
    )
    product.kill("outward")
    calls = monitor.calls
    wait_until(lambda: monitor.calls > calls, "it calls again")

    time.sleep(1.0)  # it looks for letters at once when it starts
    [letter] = letter_box.messages
    assert letter["Subject"].startswith("Stadsnav malmo: the day until ")
    assert "a-path-that-nobody-else-knows" not in product.log + asked(product, "/metrics")
