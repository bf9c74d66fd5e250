"""Alarm from a home's publish to the partner's receive, beside a bare Mosquitto publish → subscribe.

Both in turns in one run, so that whatever else the machine does falls on both. The bare broker is plain
TCP without persistence; the product has TLS and client certificates on both sides, the store's sync and
the grant check. The partner confirms every event, as a real one does.
"""

import json
import time
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Final

from paho.mqtt.client import Client, MQTTMessage

from tests.benchmarks.bare import BareBroker
from tests.benchmarks.clients import connect, leave
from tests.benchmarks.figures import Figure, percentile
from tests.benchmarks.town import PARTNER, Town, found
from tests.support.product import Product

RATE: Final = 50
"""Alarms per second."""

TURNS: Final = 4
SECONDS_PER_TURN: Final = 5
HUBS: Final = 20
P50_LIMIT: Final = 8.0
P99_LIMIT: Final = 15.0


def measure(folder: Path) -> Iterator[Figure]:
    town = found(folder, homes=400, hubs=HUBS)
    with BareBroker(folder) as bare, Product(town.data) as product:
        bare_line, product_line = BareLine(bare.port), ProductLine(product, town)
        for _ in range(TURNS):
            bare_line.send(RATE * SECONDS_PER_TURN)
            product_line.send(RATE * SECONDS_PER_TURN)
        bare_ms, product_ms = bare_line.close(), product_line.close()
    for share, name, limit in ((0.5, "p50", P50_LIMIT), (0.99, "p99", P99_LIMIT)):
        hop, alarm = percentile(bare_ms, share), percentile(product_ms, share)
        yield Figure(what=f"bare hop, {name}", value=hop, unit="ms")
        yield Figure(what=f"alarm home → partner at {RATE}/s, {name}", value=alarm, unit="ms")
        yield Figure(what=f"the same as a ratio, {name}", value=alarm / hop, unit="x", at_most=limit)


class _Line:
    """Sends at a steady rate and notes how long each message took to arrive."""

    def __init__(self) -> None:
        self._sent: dict[str, float] = {}
        self._took_ms: dict[str, float] = {}

    def send(self, number: int) -> None:
        started = time.perf_counter()
        for index in range(number):
            id_ = f"{id(self):x}-{len(self._sent)}"
            self._sent[id_] = time.perf_counter()
            self._publish(id_)
            time.sleep(max(0.0, started + (index + 1) / RATE - time.perf_counter()))
        deadline = time.monotonic() + 10
        while len(self._took_ms) < len(self._sent) and time.monotonic() < deadline:
            time.sleep(0.02)
        assert len(self._took_ms) == len(self._sent), "a message did not arrive"

    def _arrived(self, id_: str) -> None:
        if id_ in self._sent:
            self._took_ms.setdefault(id_, (time.perf_counter() - self._sent[id_]) * 1000)

    def _publish(self, id_: str) -> None:
        raise NotImplementedError


class BareLine(_Line):
    """Publisher → broker → subscriber, nothing else."""

    def __init__(self, port: int) -> None:
        super().__init__()
        self._subscriber = connect("bare-s", port, topic="t", on_message=self._hear)
        self._publisher = connect("bare-p", port)

    def close(self) -> list[float]:
        leave(self._publisher, self._subscriber)
        return list(self._took_ms.values())

    def _publish(self, id_: str) -> None:
        self._publisher.publish("t", alarm(id_), 1)

    def _hear(self, message: MQTTMessage) -> None:
        self._arrived(json.loads(message.payload)["id"])


class ProductLine(_Line):
    """Homes → the product → a partner that confirms."""

    def __init__(self, product: Product, town: Town) -> None:
        super().__init__()
        self._turn = count()
        self._devices = town.devices
        credentials = town.credentials / PARTNER
        self._speaker = connect("care-act", product.ports["partner"], credentials=credentials)
        self._partner = connect(
            "care-hear",
            product.ports["partner"],
            credentials=credentials,
            topic=f"care/{PARTNER}/event",
            on_message=self._hear,
        )
        self._hubs: list[Client] = [
            connect(f"hub-{hub}-x", product.ports["mqtt"], credentials=town.credentials / f"hub-{hub}")
            for hub in range(HUBS)
        ]

    def close(self) -> list[float]:
        leave(*self._hubs, self._partner, self._speaker)
        return list(self._took_ms.values())

    def _publish(self, id_: str) -> None:
        number = next(self._turn) % len(self._devices)
        hub = number % HUBS
        self._hubs[hub].publish(f"up/hub-{hub}/{self._devices[number]}/alarm", alarm(id_), 1)

    def _hear(self, message: MQTTMessage) -> None:
        event = json.loads(message.payload)
        if event["data"]["event"] is not None:
            self._arrived(event["data"]["event"]["id"])
        confirmation = {"action": "received", "event": event["id"]}
        self._speaker.publish(f"care/{PARTNER}/action", json.dumps(confirmation), 1)


def alarm(id_: str) -> bytes:
    return json.dumps({"id": id_, "kind": "safety.manual", "room": "bathroom"}).encode()
