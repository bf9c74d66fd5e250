"""500 alarms at once, each from a device of its own: a building loses its power."""

import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from paho.mqtt.client import MQTTMessage

from tests.benchmarks.clients import connect, leave
from tests.benchmarks.figures import Figure
from tests.benchmarks.latency import alarm
from tests.benchmarks.town import PARTNER, found
from tests.support.product import Product

ALARMS: Final = 500
HUBS: Final = 25
ROUNDS: Final = 3
LIMIT_SECONDS: Final = 1.0


def measure(folder: Path) -> Iterator[Figure]:
    town = found(folder, homes=ALARMS, hubs=HUBS)
    receipted: set[str] = set()
    told: set[str] = set()
    all_receipted, all_told = threading.Event(), threading.Event()

    def hear_receipt(message: MQTTMessage) -> None:
        receipted.add(json.loads(message.payload)["id"])
        if len(receipted) == ALARMS:
            all_receipted.set()

    def hear_event(message: MQTTMessage) -> None:
        event = json.loads(message.payload)["data"]["event"]
        told.add(event["id"])
        if len(told) == ALARMS:
            all_told.set()

    with Product(town.data) as product:
        partner = connect(
            "care-hear",
            product.ports["partner"],
            credentials=town.credentials / PARTNER,
            topic=f"care/{PARTNER}/event",
            on_message=hear_event,
        )
        hubs = [
            connect(
                f"hub-{hub}-x",
                product.ports["mqtt"],
                credentials=town.credentials / f"hub-{hub}",
                topic=f"down/hub-{hub}/+/receipt",
                on_message=hear_receipt,
            )
            for hub in range(HUBS)
        ]
        seconds, delivered = [], []
        for turn in range(ROUNDS):
            receipted.clear(), told.clear(), all_receipted.clear(), all_told.clear()
            started = time.perf_counter()
            for number, device in enumerate(town.devices):
                hub = number % HUBS
                hubs[hub].publish(f"up/hub-{hub}/{device}/alarm", alarm(f"storm-{turn}-{number}"), 1)
            assert all_receipted.wait(30), f"{len(receipted)} of {ALARMS} receipted"
            seconds.append(time.perf_counter() - started)
            assert all_told.wait(30), f"{len(told)} of {ALARMS} delivered"
            delivered.append(time.perf_counter() - started)
        leave(*hubs, partner)
    middle = sorted(seconds)[ROUNDS // 2]
    yield Figure(
        what=f"{ALARMS} alarms at once, all receipted", value=middle, unit="s", at_most=LIMIT_SECONDS
    )
    yield Figure(what="the same, all delivered", value=sorted(delivered)[ROUNDS // 2], unit="s")
