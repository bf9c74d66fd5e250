"""A home's readings are erased while it measures on: what was there is gone, what comes then is kept."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from devices.agent import Agent, AgentSettings, Credentials, Measured
from tests.acceptance.conftest import ProductFactory
from tests.support.meters import credentials_of, meters
from tests.support.product import Product, wait_until

BEFORE, AFTER = 71.5, 52.25
METER, OTHER = "m-000-00000", "m-001-00000"


@pytest.fixture
def product(make_product: ProductFactory) -> Product:
    product = make_product()
    meters(product.folder, hubs=2, per_hub=1)
    product.start()
    return product


@pytest.fixture
def homes(product: Product, tmp_path: Path) -> Iterator[list[Agent]]:
    agents = [
        Agent(
            AgentSettings(
                host="localhost",
                port=product.ports["mqtt"],
                credentials=Credentials.in_folder(credentials_of(product.folder) / hub),
                store_file=tmp_path / f"{hub}.db",
            )
        )
        for hub in ("hub-000", "hub-001")
    ]
    for agent in agents:
        agent.start()
    yield agents
    for agent in agents:
        agent.stop()


def say(agent: Agent, device_id: str, percent: float) -> None:
    agent.send_readings(device_id, [Measured("humidity", "%RH", time.time_ns() // 1_000, percent)])


def values(product: Product, home: str) -> list[float]:
    return [row["value"] for row in product.ask("reading", "list", "--home", home)]


def test_a_home_s_readings_are_erased_while_it_measures_on(product: Product, homes: list[Agent]) -> None:
    for agent, meter in zip(homes, (METER, OTHER), strict=True):
        for _ in range(3):
            say(agent, meter, BEFORE)
    homes[0].send_readings(METER, [Measured("humidity", "%RH", time.time_ns() // 1_000, 9_999.0)])
    wait_until(lambda: len(values(product, "h-000") + values(product, "h-001")) == 6, "six readings")
    wait_until(lambda: product.ask("quarantine", "list"), "what cannot be")

    erased = product.ask("reading", "erase", "--home", "h-000", "--yes")
    gone = values(product, "h-000")
    say(homes[0], METER, AFTER)
    wait_until(lambda: values(product, "h-000"), "what comes then")

    assert erased["readings_erased"] == 3
    assert gone == []
    assert values(product, "h-000") == [AFTER]
    assert values(product, "h-001") == [BEFORE] * 3
    assert product.ask("quarantine", "list") == []
    checks = {check["check"]: check["status"] for check in product.checks()}
    assert checks["erasures"] == checks["reading process"] == checks["counters reading"] == "ok"
