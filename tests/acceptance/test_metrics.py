"""``/metrics`` of the running product: every message is accounted for, and nobody's name is on the page."""

import json
import re
import urllib.request
from collections import defaultdict
from collections.abc import Iterator
from typing import Any

import pytest

from tests.acceptance.peers import Home, Partner
from tests.acceptance.town import Town
from tests.support.product import HOST, Product, wait_until

SAMPLE = re.compile(r"^(\w+)(?:\{(.*)\})? (\S+)$")
LABEL = re.compile(r'(\w+)="([^"]*)"')
LANES = {"alarm", "status", "action", "reading", "reading_values"}
HIDDEN_NAME = "Ann-Marie"

Labels = tuple[tuple[str, str], ...]


class Page:
    """What one scrape found."""

    def __init__(self, product: Product) -> None:
        address = f"http://{HOST}:{product.ports['http']}/metrics"
        with urllib.request.urlopen(address, timeout=5) as answer:
            self.text = answer.read().decode()
        self.samples: dict[str, dict[Labels, float]] = defaultdict(dict)
        for line in self.text.splitlines():
            if found := SAMPLE.match(line):
                labels = tuple(sorted(LABEL.findall(found[2] or "")))
                assert labels not in self.samples[found[1]], f"{line} stands twice"
                self.samples[found[1]][labels] = float(found[3])

    def sum(self, name: str, **labels: str) -> float:
        """Of all samples with these labels, and whatever others."""
        wanted = set(labels.items())
        return sum(value for found, value in self.samples[name].items() if wanted <= set(found))

    def of_lane(self, lane: str) -> dict[str, float]:
        """received, and what became of it."""
        found = {"received": self.sum("stadsnav_messages_received_total", lane=lane)}
        for outcome in ("stored", "duplicate", "quarantined"):
            found[outcome] = self.sum("stadsnav_messages_total", lane=lane, outcome=outcome)
        return found


@pytest.fixture(scope="module")
def product(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Product]:
    """One for both tests."""
    with Product(tmp_path_factory.mktemp("metrics") / "data") as running:
        yield running


@pytest.fixture
def town(product: Product) -> Town:
    town = Town(product)
    town.home("h-1", "p-1")
    town.home("h-2", "m-1", profile="humidity-meter")
    town.organisation("acme", name=HIDDEN_NAME)
    town.grant("acme", "h-1", "safety")
    return town


def counted(product: Product, lane: str, number: int) -> Page:
    """The page, once so many messages of a lane came in."""
    pages: list[Page] = []

    def look() -> bool:
        pages.append(Page(product))
        return pages[-1].of_lane(lane)["received"] >= number

    wait_until(look, f"{number} messages of the lane {lane} are counted")
    return pages[-1]


def publish_all(home: Home, lane: str, *payloads: bytes) -> None:
    for payload in payloads:
        home.publish(f"up/{home.client_id}/{home.client_id}/{lane}", payload)


def alarm(id_: str, **more: Any) -> bytes:
    return json.dumps({"id": id_, "kind": "safety.manual", **more}).encode()


def test_every_message_that_came_in_is_accounted_for_and_every_time_is_noted(
    product: Product, town: Town
) -> None:
    Page(product)  # from here on what ends is followed
    with town.opened_partner("acme") as partner, town.opened_home("p-1") as home:
        publish_all(home, "alarm", *(alarm(f"e-{number}") for number in range(20)))
        publish_all(home, "alarm", *(alarm(f"e-{number}") for number in range(5)))
        publish_all(home, "alarm", b"\xff not JSON", b"{}", alarm("x", state="sideways"))
        publish_all(home, "status", b"", b'{"battery_percent": 80}', b"not JSON")
        wait_until(lambda: partner.times_seen, "the alarm is told")
        _act(partner)
        counted(product, "alarm", 28)
        counted(product, "status", 3)
    with town.opened_home("m-1") as meter:
        pack = json.dumps([{"n": "humidity", "t": 1_795_421_702, "v": 50.0}]).encode()
        publish_all(meter, "reading", pack, pack, b"not SenML", b'[{"n":"humidity","v":"wet"}]')
        counted(product, "reading", 4)

    wait_until(
        lambda: _is_settled(Page(product)), "all is confirmed, and every process has written its figures"
    )
    page = Page(product)

    assert {dict(labels)["lane"] for labels in page.samples["stadsnav_messages_received_total"]} == LANES
    for lane in LANES:
        found = page.of_lane(lane)
        assert found["received"] == found["stored"] + found["duplicate"] + found["quarantined"] > 0, lane
    assert page.of_lane("alarm") == {"received": 28, "stored": 20, "duplicate": 5, "quarantined": 3}
    assert page.of_lane("status") == {"received": 3, "stored": 2, "duplicate": 0, "quarantined": 1}
    assert page.of_lane("reading") == {"received": 4, "stored": 1, "duplicate": 1, "quarantined": 2}
    for lane in ("alarm", "status", "action"):
        assert page.sum("stadsnav_store_seconds_count", lane=lane) == page.of_lane(lane)["received"]
    deliveries = product.ask("delivery", "list")
    assert page.sum("stadsnav_deliveries_settled_total", channel="mqtt") == len(deliveries)
    confirmed = sum(row["state"] == "confirmed" for row in deliveries)
    assert page.sum("stadsnav_confirm_seconds_count", channel="mqtt") == confirmed > 0
    assert page.sum("stadsnav_deliver_seconds_count", channel="mqtt") > 0
    assert page.sum("stadsnav_acknowledge_seconds_count", **{"class": "safety"}) == 1
    _names_nobody(page, town)


def _is_settled(page: Page) -> bool:
    actions = page.of_lane("action")["received"]
    return (
        page.sum("stadsnav_deliveries_waiting") == 0
        and page.sum("stadsnav_store_seconds_count", lane="action") == actions
        and page.sum("stadsnav_store_seconds_count", lane="reading") >= 1
    )


def _act(partner: Partner) -> None:
    """Good, again, refused, and unreadable."""
    subject = partner.events[0]["subject"]
    request = partner.ask("acknowledge", alarm=subject, by="operator-17")
    assert partner.reply_to(request)["ok"]
    topic = f"care/{partner.organisation}/action"
    again = {"request": request, "action": "acknowledge", "alarm": subject, "by": "operator-17"}
    partner.publish(topic, json.dumps(again).encode())
    partner.publish(topic, b"not JSON")
    partner.reply_to("None")


def _names_nobody(page: Page, town: Town) -> None:
    """Ids of organisations are there, and no other id, name or address."""
    for hidden in ("h-1", "h-2", "p-1", "m-1", "Street", HIDDEN_NAME, "operator-17", "humidity"):
        assert hidden not in page.text
    values = {value for samples in page.samples.values() for labels in samples for _, value in labels}
    assert len(values) < 120
    assert str(town.product.folder) not in page.text


def test_a_process_that_is_gone_is_shown_and_the_page_stays(product: Product) -> None:
    wait_until(lambda: Page(product).sum("stadsnav_process_up", process="reading") == 1, "it is up")
    wait_until(
        lambda: Page(product).sum("stadsnav_process_cpu_seconds_total", process="reading"), "it writes"
    )
    reading = product.child("reading")
    reading.suspend()
    before = Page(product).sum("stadsnav_process_heartbeat_timestamp_seconds", process="reading")
    try:
        wait_until(
            lambda: (
                Page(product).sum("stadsnav_process_heartbeat_timestamp_seconds", process="alarm")
                > before + 1
            ),
            "the alarm process goes on",
        )
        page = Page(product)
    finally:
        reading.resume()

    assert page.sum("stadsnav_process_heartbeat_timestamp_seconds", process="reading") == before
    assert page.sum("stadsnav_process_up", process="alarm") == 1
