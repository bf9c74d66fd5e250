"""The live stream as curl and a browser hear it, across kill -9 of the web process: no gap, nothing twice."""

import asyncio
import json
import shutil
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.town import Town
from tests.support import chromium
from tests.support.event_sources import KINDS, LISTEN, Curl
from tests.support.product import HOST, Product, wait_until

pytestmark = pytest.mark.skipif(shutil.which("curl") is None, reason="NOT TESTED WITH CURL: apt install curl")

BEFORE, MEANWHILE, AFTER = 5, 5, 5


def address(product: Product, path: str) -> str:
    return f"http://{HOST}:{product.ports['http']}{path}"


@pytest.fixture
def token(town: Town, product: Product) -> str:
    """Of ``acme``, which is told of the alarms of ``p-1``."""
    town.home("h-1", "p-1")
    town.organisation("acme")
    town.grant("acme", "h-1", "safety")
    issued: str = product.ask("org", "token", "add", "acme")["token"]
    return issued


def raising(town: Town) -> tuple[Callable[[int], None], Any]:
    """Raises so many further alarms; and the home that does it."""
    home = town.opened_home("p-1")
    numbers = count(1)

    def raise_one() -> None:
        name = f"e-{next(numbers)}"
        home.raise_alarm("p-1", name)
        wait_until(lambda: home.has("stored", name), "the home has its receipt")

    def raise_alarms(many: int) -> None:
        for _ in range(many):
            raise_one()

    return raise_alarms, home


def test_curl_resumes_without_a_gap_when_the_web_process_is_killed(
    town: Town, product: Product, token: str
) -> None:
    raise_alarms, home = raising(town)
    total = BEFORE + MEANWHILE + AFTER

    with home, Curl(address(product, "/api/v1/events/stream"), token) as curl:
        wait_until(lambda: curl.frames, "the stream has begun")
        raise_alarms(BEFORE)
        wait_until(lambda: len(curl.numbers()) == BEFORE, "curl hears what is told")
        product.kill("web")
        raise_alarms(MEANWHILE)
        wait_until(lambda: len(curl.numbers()) >= BEFORE + MEANWHILE, "curl has caught up")
        raise_alarms(AFTER)
        wait_until(lambda: len(curl.numbers()) >= total, "curl hears what is told")

    assert curl.numbers() == list(range(1, total + 1))
    assert curl.frames[0]["event"] == "start"
    assert curl.times_opened > 1
    documents = [json.loads(frame["data"]) for frame in curl.frames[1:]]
    assert [int(document["sequence"]) for document in documents] == curl.numbers()
    assert {document["data"]["alarm"]["home"] for document in documents} == {"h-1"}
    assert product.ask("audit", "verify")["first_bad"] is None


@pytest.mark.skipif(
    chromium.find_chromium() is None, reason="NOT TESTED WITH A BROWSER: apt install chromium"
)
async def test_a_browsers_event_source_resumes_without_a_gap_when_the_web_process_is_killed(
    town: Town, product: Product, token: str, tmp_path: Path
) -> None:
    raise_alarms, home = raising(town)
    total = BEFORE + MEANWHILE + AFTER

    async with chromium.opened(tmp_path / "chromium") as page:
        await page.tell("Network.enable")
        await page.tell("Network.setExtraHTTPHeaders", headers={"Authorization": f"Bearer {token}"})
        await page.tell("Page.enable")
        await page.tell("Page.setBypassCSP", enabled=True)
        await page.go(address(product, "/healthz"))
        await page.run(LISTEN % (json.dumps("/api/v1/events/stream"), json.dumps(KINDS)))

        async def heard(many: int) -> list[dict[str, str]]:
            """At least so many events beside the first; waits for them."""
            return list(await page.until("window.heard", lambda found: len(found) > many))

        with home:
            await heard(0)
            await asyncio.to_thread(raise_alarms, BEFORE)
            await heard(BEFORE)
            product.kill("web")
            await asyncio.to_thread(raise_alarms, MEANWHILE)
            await heard(BEFORE + MEANWHILE)
            await asyncio.to_thread(raise_alarms, AFTER)
            first, *events = await heard(total)
        opened = await page.run("window.opened")

    assert first["event"] == "start"
    assert [int(event["id"]) for event in events] == list(range(1, total + 1))
    assert opened > 1
