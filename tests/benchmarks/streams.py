"""200 open live streams on one web process: from the commit of an alarm to the last byte at each of them.

Homes raise alarms at a steady rate; four organisations may know of them, with fifty streams each. What is
measured begins before the commit (``time`` in the event, by the same machine's clock), so the commit's own
milliseconds are in it. Then: how long after its answer over HTTP an acknowledgement is told over MQTT.
"""

import asyncio
import json
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Final

import httpx2
from paho.mqtt.client import MQTTMessage

from gateway.data_folder import open_folder
from services import registry, tokens
from services.domain.clock import SystemClock
from services.domain.homes import Organisation, OrganisationKind
from services.domain.ids import OrganisationId
from services.registry import NewGrant
from services.store.sqlite import SqliteConnection
from tests.benchmarks.clients import connect, leave
from tests.benchmarks.figures import Figure, percentile
from tests.benchmarks.latency import alarm
from tests.benchmarks.town import ACTOR, PARTNER, Town, found
from tests.support.product import HOST, Product

STREAMS: Final = 200
FURTHER: Final = ("care-2", "care-3", "care-4")
HUBS: Final = 20
RATE: Final = 20
SECONDS: Final = 15
ACKNOWLEDGEMENTS: Final = 50
PATIENCE_SECONDS: Final = 10.0

P99_LIMIT_MS: Final = 200.0


def measure(folder: Path) -> Iterator[Figure]:
    town = found(folder, homes=400, hubs=HUBS)
    shown = _admit(town)
    with Product(town.data) as product:
        took_ms, expected = asyncio.run(_listen(product, town, shown))
        acknowledged_ms = _acknowledge(product, town, shown[PARTNER])
    yield Figure(
        what=f"{STREAMS} streams, {RATE} alarms/s: commit → receipt, p50",
        value=percentile(took_ms, 0.5),
        unit="ms",
    )
    yield Figure(what="the same, p99", value=percentile(took_ms, 0.99), unit="ms", at_most=P99_LIMIT_MS)
    yield Figure(what="the same, worst", value=max(took_ms), unit="ms")
    yield Figure(
        what="events heard of those told",
        value=100 * len(took_ms) / expected,
        unit="%",
        at_least=100,
        at_most=100,
    )
    for share, name in ((0.5, "p50"), (0.99, "p99")):
        yield Figure(
            what=f"acknowledged over HTTP → told over MQTT, {name}",
            value=percentile(acknowledged_ms, share),
            unit="ms",
        )


def _admit(town: Town) -> dict[str, str]:
    """Organisations that may all know of every home, and a token of each."""
    folder, now = open_folder(town.data), SystemClock().now()
    store = SqliteConnection(folder.database)
    with store.transaction():
        for id_ in FURTHER:
            organisation = Organisation(id=OrganisationId(id_), name=id_, kind=OrganisationKind.CARE)
            registry.add_organisation(store, organisation, actor=ACTOR, now=now)
            for hub in range(HUBS):
                new = NewGrant(
                    organisation_id=id_,
                    home_id=f"h-{hub}",
                    data_class="safety",
                    purpose="home care",
                    legal_basis="consent",
                )
                registry.add_grant(store, new, actor=ACTOR, now=now)
        shown = {
            id_: tokens.issue(store, organisation_id=id_, actor=ACTOR, now=now).text
            for id_ in (PARTNER, *FURTHER)
        }
    store.close()
    return shown


async def _listen(product: Product, town: Town, shown: dict[str, str]) -> tuple[list[float], int]:
    """Milliseconds of every event at every stream; and how many there should be."""
    took_ms: list[float] = []
    async with asyncio.TaskGroup() as group:
        ready = asyncio.Semaphore(0)
        texts = list(shown.values())
        streams = [
            group.create_task(
                _stream(product, texts[number % len(texts)], took_ms, ready), name=f"stream {number}"
            )
            for number in range(STREAMS)
        ]
        for _ in streams:
            await ready.acquire()
        await asyncio.to_thread(_raise, product, town)
        expected, gives_up_at_s = RATE * SECONDS * STREAMS, time.monotonic() + PATIENCE_SECONDS
        while len(took_ms) < expected and time.monotonic() < gives_up_at_s:  # noqa: ASYNC110 - counted by 200
            await asyncio.sleep(0.05)
        for stream in streams:
            stream.cancel()
    return took_ms, expected


async def _stream(product: Product, token: str, took_ms: list[float], ready: asyncio.Semaphore) -> None:
    reader, writer = await asyncio.open_connection(HOST, product.ports["http"])
    writer.write(
        b"GET /api/v1/events/stream HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer %s\r\n\r\n"
        % token.encode()
    )
    try:
        while True:
            line = await reader.readuntil(b"\n")
            if line.startswith(b"event: start"):
                ready.release()
            elif line.startswith(b'data: {"specversion"'):
                at = line.index(b'"time":"') + len(b'"time":"')
                told_at = datetime.fromisoformat(line[at : line.index(b'"', at)].decode())
                took_ms.append((time.time() - told_at.timestamp()) * 1000)
    finally:
        writer.close()


def _raise(product: Product, town: Town) -> None:
    hubs = [
        connect(f"hub-{hub}-x", product.ports["mqtt"], credentials=town.credentials / f"hub-{hub}")
        for hub in range(HUBS)
    ]
    started = time.perf_counter()
    for number in range(RATE * SECONDS):
        hub = number % HUBS
        device = town.devices[number % len(town.devices)]
        hubs[hub].publish(f"up/hub-{hub}/{device}/alarm", alarm(f"s-{number}"), 1)
        time.sleep(max(0.0, started + (number + 1) / RATE - time.perf_counter()))
    leave(*hubs)


def _acknowledge(product: Product, town: Town, token: str) -> list[float]:
    """Milliseconds from the answer over HTTP to the news of it over MQTT."""
    heard: SimpleQueue[tuple[str, float]] = SimpleQueue()

    def hear(message: MQTTMessage) -> None:
        event = json.loads(message.payload)
        if event["type"].endswith(".acknowledged.v1"):
            heard.put((event["subject"], time.perf_counter()))

    partner = connect(
        "care-hear",
        product.ports["partner"],
        credentials=town.credentials / PARTNER,
        topic=f"care/{PARTNER}/event",
        on_message=hear,
    )
    took_ms = []
    with httpx2.Client(
        base_url=f"http://{HOST}:{product.ports['http']}/api/v1", headers={"Authorization": f"Bearer {token}"}
    ) as client:
        page = client.get("/alarms", params={"state": "raised", "limit": ACKNOWLEDGEMENTS}).json()
        for item in page["items"]:
            client.post(f"/alarms/{item['id']}/acknowledge", json={}).raise_for_status()
            answered = time.perf_counter()
            took_ms += [1000 * (at - answered) for at in _told(heard, item["id"])]
    leave(partner)
    return took_ms


def _told(heard: SimpleQueue[tuple[str, float]], alarm_id: str) -> list[float]:
    """When one alarm's acknowledgement was told first; nothing: never."""
    try:
        while True:
            subject, at = heard.get(timeout=PATIENCE_SECONDS)
            if subject == alarm_id:
                return [at]
    except Empty:
        return []
