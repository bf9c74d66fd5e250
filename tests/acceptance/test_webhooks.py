"""Webhooks of the built product, as a provider sees them; also when our process is ended or killed."""

import base64
import json
import time
from collections.abc import Callable, Iterator
from itertools import count

import pytest
from standardwebhooks import Webhook

from tests.acceptance.conftest import ProductFactory
from tests.acceptance.peers import Home
from tests.acceptance.town import Town
from tests.support.product import Product, wait_until
from tests.support.webhook_receivers import Receiver, Receivers, after

IN_MY_NETWORK = {"STADSNAV_OUTWARD": '{"networks": ["127.0.0.0/8"]}'}


@pytest.fixture
def receivers() -> Iterator[Receivers]:
    with Receivers() as opened:
        yield opened


@pytest.fixture
def product(make_product: ProductFactory) -> Product:
    made = make_product(environment=IN_MY_NETWORK)
    made.start()
    return made


@pytest.fixture
def hook(town: Town, receivers: Receivers) -> Receiver:
    """Of acme, which is told of ``h-1``; not subscribed yet."""
    town.home("h-1", "p-1")
    town.organisation("acme")
    return receivers.open()


@pytest.fixture
def home(town: Town, hook: Receiver) -> Iterator[Home]:  # noqa: ARG001 - the device is registered by it
    with town.opened_home("p-1") as opened:
        yield opened


def subscribe(product: Product, hook: Receiver, *options: str) -> dict[str, str]:
    """A webhook that is live; with its key."""
    added: dict[str, str] = product.ask(
        "subscription", "add", "--org", "acme", "--channel", "webhook", "--url", hook.url, *options
    )
    assert product.ask("subscription", "ping", added["id"])["ok"]
    return added


def raising(home: Home) -> Callable[[int], None]:
    numbers = count(1)

    def raise_alarms(many: int) -> None:
        for _ in range(many):
            home.raise_alarm("p-1", f"e-{next(numbers)}")

    return raise_alarms


def test_a_receiver_built_on_the_published_library_alone_verifies_ours(
    product: Product, town: Town, hook: Receiver, home: Home
) -> None:
    town.grant("acme", "h-1", "safety")
    added = subscribe(product, hook)
    home.raise_alarm("p-1", "e-1")
    wait_until(lambda: len(hook.events()) == 1, "the alarm is posted")

    rotated = product.ask("subscription", "rotate", added["id"])
    home.raise_alarm("p-1", "e-2")
    wait_until(lambda: len(hook.events()) == 2, "the next one is posted")

    old, new = Webhook(added["key"]), Webhook(rotated["key"])
    first, second = hook.events()
    for heard in hook.heard[:2]:  # the ping too
        old.verify(heard.body, dict(heard.headers))
    old.verify(second.body, dict(second.headers))
    new.verify(second.body, dict(second.headers))
    assert first.event["data"]["alarm"]["home"] == "h-1"
    assert first.headers["webhook-id"] == first.event["id"]
    assert base64.b64decode(added["key"].removeprefix("whsec_")) not in product.log.encode()


def test_whether_the_outward_process_is_ended_or_killed_nothing_is_lost(
    product: Product, town: Town, hook: Receiver, home: Home
) -> None:
    town.grant("acme", "h-1", "safety")
    hook.reaction = after(0.02)
    subscribe(product, hook)
    raise_alarms = raising(home)

    for end in ("kill", "terminate", "kill"):
        raise_alarms(20)
        wait_until(lambda: len(hook.events()) % 20 > 5, "it is in the middle of it")
        getattr(product.child("outward"), end)()
        wait_until(lambda: len(hook.first_numbers()) % 20 == 0, "all are told")

    assert hook.first_numbers() == list(range(1, 61))
    ids = {(heard.number, heard.headers["webhook-id"]) for heard in hook.events()}
    assert len(ids) == 60
    assert len(hook.events()) <= 60 + 3 * 4  # at most what was under way at each end


def test_while_the_outward_process_hangs_alarms_are_carried(
    product: Product, town: Town, hook: Receiver, home: Home
) -> None:
    town.grant("acme", "h-1", "safety")
    subscribe(product, hook)
    outward = product.child("outward")
    outward.suspend()
    with town.opened_partner("acme") as partner:
        home.raise_alarm("p-1", "e-1")
        wait_until(lambda: partner.has("raised", home_event="e-1"), "mqtt tells it all the same")
    outward.resume()
    wait_until(lambda: len(hook.events()) == 1, "the webhook follows")

    assert webhooks(product)["status"] == "ok"


def test_after_a_withdrawal_nothing_is_posted_of_that_home(
    product: Product, town: Town, hook: Receiver, home: Home, receivers: Receivers
) -> None:
    grant = town.grant("acme", "h-1", "safety")
    subscribe(product, hook)
    raise_alarms = raising(home)
    receivers.close(hook)
    raise_alarms(10)
    wait_until(lambda: home.has("stored", "e-10"), "all are stored")

    product.ask("grant", "revoke", grant)
    receivers.reopen(hook)
    time.sleep(3)  # nothing is to happen: two retries

    assert hook.events() == []
    states = {row["state"] for row in product.ask("delivery", "list", "--org", "acme")}
    assert states <= {"withheld"}


def webhooks(product: Product) -> dict[str, str]:
    found: dict[str, str] = next(check for check in product.checks() if check["check"] == "webhooks")
    return found


def test_a_webhook_into_the_machine_itself_is_refused_where_nobody_has_opened_that(
    make_product: ProductFactory, receivers: Receivers
) -> None:
    product = make_product("closed")
    product.start()
    Town(product).organisation("acme")
    hook = receivers.open()
    added = product.ask("subscription", "add", "--org", "acme", "--channel", "webhook", "--url", hook.url)

    answer = json.loads(product.cli("subscription", "ping", added["id"], "--json").stdout)

    assert (answer["ok"], hook.heard) == (False, [])
    assert "outside of the city's networks" in answer["problem"]
