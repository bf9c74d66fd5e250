"""A thousand alarms over every channel at once, to receivers on good days and on bad ones: the ledgers.

Whoever may know hears of each at least once, first in the order of ``sequence``, under one id; nobody hears
anything for longer than a second after a withdrawal; and who is well does not wait for who is not.
"""

import json
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import pytest

from services.store.sqlite import SqliteConnection
from tests.acceptance.conftest import ProductFactory
from tests.acceptance.peers import Home, Partner
from tests.acceptance.town import Town
from tests.support.event_sources import Curl
from tests.support.product import HOST, Product, wait_until
from tests.support.webhook_receivers import (
    Reaction,
    Receiver,
    Receivers,
    after,
    answers,
    cuts,
    first_time,
    hangs,
    takes,
)

ALARMS: Final = 1_000
A_SECOND: Final = 40
"""Alarms; every one is told some ten times."""

HOMES: Final = ("h-1", "h-2", "h-3", "h-4")
WITHDRAWN_HOME: Final = "h-3"
WITHDRAWN_AT, DOWN_AT, BACK_AT = 500, 200, 600
"""After so many alarms."""

LAST_WITHIN_SECONDS: Final = 40.0
P99_SECONDS: Final = 5.0
"""Who hangs does so for 10 s: whoever had waited for one of them would show. Usually it is some 30 ms."""

EVERY_CHANNEL: Final = ("healthy", "withdrawn")
"""These listen to MQTT and to the stream too; all have a webhook."""

RIGHTS: Final[dict[str, tuple[str, ...]]] = {
    "healthy": HOMES,
    "withdrawn": (WITHDRAWN_HOME, "h-4"),
    "errs": ("h-1",),
    "cuts": ("h-1",),
    "slow": ("h-2",),
    "hangs": ("h-2",),
    "down": ("h-4",),
}
REACTIONS: Final[dict[str, Reaction]] = {
    "errs": first_time(answers(500)),
    "cuts": first_time(cuts),
    "slow": after(0.05),
    "hangs": first_time(hangs, every=60),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """One attempt, as its receiver saw it."""

    number: int
    event: str
    home: str
    said_at_s: float
    """When the hub had it to tell."""
    at_s: float


@dataclass(kw_only=True)
class Ledger:
    """What one receiver was told over one channel, in the order it came."""

    organisation: str
    channel: str
    told: list[Told] = field(default_factory=list)
    skipped: set[int] = field(default_factory=set)
    """Numbers of which it was only told that they may not be known any more."""

    def note(self, event: dict[str, Any], at_s: float) -> None:
        said_at_s = datetime.fromisoformat(event["time"]).timestamp()
        home = event["data"]["alarm"]["home"]
        number = int(event["sequence"])
        self.told.append(Told(number=number, event=event["id"], home=home, said_at_s=said_at_s, at_s=at_s))

    @property
    def numbers(self) -> list[int]:
        """In the order of their first appearance."""
        return list(dict.fromkeys(one.number for one in self.told))

    def events(self) -> dict[int, str]:
        return {one.number: one.event for one in self.told}

    def quantile_s(self, share: float) -> float:
        """How long after it was said an event was first here."""
        first = {one.number: one for one in reversed(self.told)}
        times = sorted(one.at_s - one.said_at_s for one in first.values())
        return times[int(len(times) * share)]

    def p99_s(self) -> float:
        return self.quantile_s(0.99)


@pytest.fixture
def receivers() -> Iterator[Receivers]:
    with Receivers() as opened:
        yield opened


class Listening(Partner):
    """A partner that confirms, and notes when it heard what."""

    def __init__(self, ledger: Ledger, port: int, credentials: Path) -> None:
        super().__init__(port, credentials)
        self.ledger = ledger

    def hear(self, topic: str, document: dict[str, Any]) -> None:
        if topic.endswith("/event"):
            self.ledger.note(document, time.time())
        super().hear(topic, document)


class Timed(list[dict[str, str]]):
    """Frames of a stream, each with the time when it came."""

    def append(self, frame: dict[str, str]) -> None:
        super().append({**frame, "at": str(time.time())})


def test_a_thousand_alarms_over_every_channel(make_product: ProductFactory, receivers: Receivers) -> None:
    product = make_product(environment={"STADSNAV_OUTWARD": '{"networks": ["127.0.0.0/8"]}'})
    product.start()
    town = Town(product)
    hooks, grant = settled(town, receivers)
    over_mqtt = {name: Ledger(organisation=name, channel="mqtt") for name in EVERY_CHANNEL}
    streams = {name: stream(product, name) for name in EVERY_CHANNEL}

    with ExitStack() as stack:
        for name, ledger in over_mqtt.items():
            stack.enter_context(Listening(ledger, product.ports["partner"], town.credentials(name)))
            stack.enter_context(streams[name])
        wait_until(lambda: all(one.frames for one in streams.values()), "the streams have begun")
        homes = [stack.enter_context(town.opened_home(f"p-{home}")) for home in HOMES]
        withdrawn_at_s = raise_all(homes, product, receivers, hooks["down"], grant)
        wait_until(
            lambda: is_all_settled(product),
            lambda: f"all is confirmed: {fates(product)}",
            within_seconds=LAST_WITHIN_SECONDS,
        )

    over_stream = {name: ledger_of_stream(name, one) for name, one in streams.items()}
    over_webhook = {name: ledger_of_hook(name, one) for name, one in hooks.items()}
    ledgers = [*over_mqtt.values(), *over_stream.values(), *over_webhook.values()]
    show(ledgers)
    for ledger in ledgers:
        check(ledger, product, withdrawn_at_s)
    check_ids(ledgers)
    for ledgers_of_channel in (over_mqtt, over_stream, over_webhook):
        assert ledgers_of_channel["healthy"].p99_s() < P99_SECONDS
    assert product.ask("audit", "verify")["first_bad"] is None


def settled(town: Town, receivers: Receivers) -> tuple[dict[str, Receiver], str]:
    """Everybody registered and subscribed; the receivers, and the grant that is withdrawn."""
    town.homes({home: (f"p-{home}",) for home in HOMES})
    hooks = {name: receivers.open(REACTIONS.get(name, takes)) for name in RIGHTS}
    for name in RIGHTS:
        town.organisation(name)
    rights = [(name, home, "safety") for name, homes in RIGHTS.items() for home in homes]
    grants = dict(zip(rights, town.grants(*rights), strict=True))
    ask_all = town.product.ask_all
    added = ask_all(
        *(
            ["subscription", "add", "--org", name, "--channel", "webhook", "--url", hook.url]
            for name, hook in hooks.items()
        )
    )
    assert all(one["ok"] for one in ask_all(*(["subscription", "ping", one["id"]] for one in added)))
    listed = ask_all(
        *(["subscription", "list", "--org", name] for name in RIGHTS if name not in EVERY_CHANNEL)
    )
    mqtt = [one["id"] for rows in listed for one in rows if one["channel"] == "mqtt"]
    ask_all(*(["subscription", "remove", one] for one in mqtt))
    return hooks, grants["withdrawn", WITHDRAWN_HOME, "safety"]


def stream(product: Product, organisation: str) -> Curl:
    token = product.ask("org", "token", "add", organisation)["token"]
    curl = Curl(f"http://{HOST}:{product.ports['http']}/api/v1/events/stream", token)
    curl.frames = Timed()
    return curl


def raise_all(
    homes: Sequence[Home], product: Product, receivers: Receivers, down: Receiver, grant: str
) -> float:
    """A thousand alarms, and what happens meanwhile; returns when the withdrawal was done."""
    began_s = time.monotonic()
    with ThreadPoolExecutor(1) as beside:
        withdrawal = None
        for number in range(ALARMS):
            home = homes[number % len(homes)]
            home.raise_alarm(home.client_id, f"e-{number}")
            if number == DOWN_AT:
                receivers.close(down)
            if number == WITHDRAWN_AT:
                withdrawal = beside.submit(withdraw, product, grant)
            if number == BACK_AT:
                receivers.reopen(down)
            time.sleep(max(0.0, began_s + number / A_SECOND - time.monotonic()))
        assert withdrawal is not None
        return withdrawal.result()


def withdraw(product: Product, grant: str) -> float:
    product.ask("grant", "revoke", grant)
    return time.time()


def of_store(product: Product, query: str, *parameters: str) -> list[Any]:
    """The hub's own ledger."""
    with closing(SqliteConnection(product.folder / "stadsnav.db")) as store:
        return store.rows(query, *parameters)


def fates(product: Product) -> list[Any]:
    return of_store(
        product,
        "SELECT organisation_id, channel, state, COUNT(*) FROM deliveries GROUP BY 1, 2, 3 ORDER BY 1, 2",
    )


def is_all_settled(product: Product) -> bool:
    """The stream apart: nobody confirms what he reads there before he comes again."""
    return not of_store(
        product,
        "SELECT 1 FROM deliveries WHERE state = 'pending' OR state = 'sent' AND channel <> 'stream' LIMIT 1",
    )


def ledger_of_stream(organisation: str, curl: Curl) -> Ledger:
    ledger = Ledger(organisation=organisation, channel="stream")
    for frame in curl.frames:
        if frame["event"] == "withheld":
            ledger.skipped.add(int(frame["id"]))
        elif frame["event"] != "start":
            ledger.note(json.loads(frame["data"]), float(frame["at"]))
    return ledger


def ledger_of_hook(organisation: str, receiver: Receiver) -> Ledger:
    ledger = Ledger(organisation=organisation, channel="webhook")
    for heard in receiver.events():
        ledger.note(heard.event, heard.at_s)
    return ledger


def check(ledger: Ledger, product: Product, withdrawn_at_s: float) -> None:
    rows = of_store(
        product,
        """SELECT (SELECT MAX(each.sequence) FROM deliveries AS each WHERE each.notice_id = one.notice_id
                       AND each.organisation_id = one.organisation_id), notice_id, state
           FROM deliveries AS one WHERE organisation_id = ? AND channel = ?""",
        ledger.organisation,
        ledger.channel,
    )
    told = "sent" if ledger.channel == "stream" else "confirmed"
    confirmed = {number: event for number, event, state in rows if state == told}
    who = f"{ledger.organisation} over {ledger.channel}"

    assert {state for _, _, state in rows} <= {told, "withheld"}, who
    assert len(confirmed) >= ALARMS // len(HOMES), who
    assert confirmed.items() <= ledger.events().items(), who
    assert ledger.numbers == sorted(ledger.numbers), who
    withheld = {number for number, _, state in rows if number and state == "withheld"} | ledger.skipped
    assert set(ledger.numbers) | withheld == set(range(1, max(ledger.numbers) + 1)), who
    if ledger.organisation == "withdrawn":
        late = [one for one in ledger.told if one.home == WITHDRAWN_HOME and one.at_s > withdrawn_at_s + 1]
        assert late == [], who


def check_ids(ledgers: Sequence[Ledger]) -> None:
    """A number stands for one event, and an event for one number, over all channels."""
    for organisation in RIGHTS:
        pairs = {
            (one.number, one.event)
            for ledger in ledgers
            if ledger.organisation == organisation
            for one in ledger.told
        }
        assert len({number for number, _ in pairs}) == len({event for _, event in pairs}) == len(pairs)


def show(ledgers: Sequence[Ledger]) -> None:
    for ledger in ledgers:
        print(
            f"{ledger.organisation:10} {ledger.channel:8} {len(ledger.numbers):5} events "
            f"{len(ledger.told):5} attempts   p50 {ledger.quantile_s(0.5) * 1000:7.1f} ms "
            f"p99 {ledger.p99_s() * 1000:8.1f} ms"
        )
