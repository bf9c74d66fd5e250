"""The load against a real broker, set up as the product's is: what it says was taken over, was."""

import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import msgspec
import pytest

from broker.certificates import Issuer
from broker.credentials import write_credentials
from devices.simulator.load import LoadHub, LoadPlan, LoadProcess, LoadReport, read_ledger
from devices.simulator.load.process import LoadFailedError
from tests.integration.broker.running import RunningBroker, now, wait_until
from tests.integration.conftest import BrokerFactory

HUBS: Final = tuple(
    LoadHub(client_id=f"hub-{number:02d}", devices=(f"meter-{number:02d}-1", f"meter-{number:02d}-2"))
    for number in range(5)
)

Pack = tuple[str, int]
"""Device, and time in microseconds."""


@pytest.fixture
def broker(tmp_path: Path, broker_factory: BrokerFactory) -> Iterator[RunningBroker]:
    with broker_factory(tmp_path) as made:
        made.start()
        for hub in HUBS:
            issued = made.authorities.issue_client(
                Issuer.HOMES, hub.client_id, now=now(), valid_for=timedelta(hours=1)
            )
            write_credentials(tmp_path / "credentials" / hub.client_id, issued, made.authorities.root_pem)
        yield made


def plan(broker: RunningBroker, folder: Path, **changes: Any) -> LoadPlan:
    chosen: dict[str, Any] = {
        "host": "localhost",
        "port": broker.homes_port,
        "hubs": HUBS,
        "packs_per_second": 500.0,
        "seconds": 1.5,
        "credentials": str(folder / "credentials"),
        "ledger_file": str(folder / "ledger.npz"),
    }
    return LoadPlan(**{**chosen, **changes})


@contextmanager
def hearing(broker: RunningBroker) -> Iterator[list[Pack]]:
    """Every pack that the broker hands to the hub, in order."""
    packs: list[Pack] = []
    with broker.hub_client() as hub:
        hub.subscribe("up/+/+/reading")
        yield packs
        hub.unsubscribe("up/+/+/reading")
        for arrival in hub.arrivals:
            at = msgspec.json.decode(arrival.payload)[0]["bt"]
            packs.append((arrival.topic.split("/")[2], round(at * 1_000_000)))


def acknowledged(folder: Path) -> list[Pack]:
    ledger = read_ledger(folder / "ledger.npz")
    return [
        (ledger.devices[device], at)
        for device, at in zip(ledger.device.tolist(), ledger.at.tolist(), strict=True)
    ]


def test_every_pack_is_acknowledged_once_and_the_ledger_names_it(
    broker: RunningBroker, tmp_path: Path
) -> None:
    with hearing(broker) as heard, LoadProcess(plan(broker, tmp_path), tmp_path) as load:
        last = load.run()

    assert last.due == last.sent == last.acknowledged == pytest.approx(750, abs=30)
    assert Counter(acknowledged(tmp_path)) == Counter(heard)
    assert len(set(heard)) == len(heard) == last.acknowledged


def test_a_broker_that_lets_nobody_in_ends_the_load_with_its_reason(
    broker: RunningBroker, tmp_path: Path
) -> None:
    to_internal = plan(broker, tmp_path, port=broker.internal_port, credentials=None, seconds=1)

    with pytest.raises(LoadFailedError, match="return code 5"), LoadProcess(to_internal, tmp_path) as load:
        load.run()


def test_a_hub_without_a_line_sends_its_packs_late_in_order_and_each_once(
    broker: RunningBroker, tmp_path: Path
) -> None:
    dark, *others = HUBS
    hubs = (replace(dark, dark=((0.5, 1.2),)), *others)

    with hearing(broker) as heard, LoadProcess(plan(broker, tmp_path, hubs=hubs), tmp_path) as load:
        last = load.run()

    of_the_dark = [at for device, at in heard if device == dark.devices[0]]
    assert of_the_dark == sorted(of_the_dark)
    assert set(acknowledged(tmp_path)) == set(heard)
    assert last.acknowledged == last.due
    assert last.lost == 0


def test_a_broker_that_was_away_gets_everything_that_it_had_not_acknowledged(
    broker: RunningBroker, tmp_path: Path
) -> None:
    reports: list[LoadReport] = []

    with LoadProcess(plan(broker, tmp_path, seconds=4), tmp_path) as load:
        reader = threading.Thread(target=lambda: reports.extend(load.reports()))
        reader.start()
        wait_until(lambda: len(reports) > 0, "the load runs")
        broker.kill()
        time.sleep(0.3)
        broker.start()
        reader.join()

    assert reports[-1].lost >= len(HUBS)
    assert reports[-1].acknowledged == reports[-1].sent == reports[-1].due


def test_stopping_waits_for_what_was_sent(broker: RunningBroker, tmp_path: Path) -> None:
    with LoadProcess(plan(broker, tmp_path, seconds=60), tmp_path) as load:
        reports = load.reports()
        next(reports)
        load.stop()
        *_, last = reports

    assert last.is_over
    assert last.elapsed_seconds < 10
    assert last.acknowledged == last.sent > 0
