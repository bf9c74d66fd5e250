"""The public contract, played by programs that we did not write: mosquitto_pub and mosquitto_sub.

mosquitto_pub (home) ──alarm──> product ──event──> mosquitto_sub (partner)
mosquitto_sub (home) <─receipt─ product <─action── mosquitto_pub (partner)
"""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from subprocess import CalledProcessError

import pytest

from tests.acceptance.programs import MQTT_5, MQTT_311, Document, Door, Listener, publish
from tests.acceptance.town import Town
from tests.support.product import Product, wait_until

Fits = Callable[[Document], bool]

pytestmark = pytest.mark.usefixtures("_needs_the_clients")


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    """One product for the tests of this file; each has its own homes and organisations."""
    with Product(tmp_path_factory.mktemp("foreign") / "data") as product:
        yield Town(product)


def type_is(kind: str, *, alarm: str | None = None) -> Fits:
    """An event of a type, about any alarm or one."""
    wanted = f"se.stadsnav.alarm.{kind}.v1"
    return lambda document: document.get("type") == wanted and alarm in {None, document["subject"]}


def receipt(alarm_id: str, status: str) -> Fits:
    """The receipt of an alarm with a status."""
    return lambda document: (document["id"], document["status"]) == (alarm_id, status)


def reply(request: str) -> Fits:
    """The outcome of a request."""
    return lambda document: document.get("request") == request


def listens(door: Door) -> Listener:
    """Everything that is said to a partner."""
    name = door.credentials.name
    return Listener(door, f"care/{name}/event", f"care/{name}/reply")


def hears(door: Door) -> Listener:
    """Every receipt of a home."""
    return Listener(door, f"down/{door.credentials.name}/+/receipt")


def press(door: Door, alarm_id: str, *more: str, kind: str = "safety.manual", **members: object) -> None:
    name = door.credentials.name
    publish(door, f"up/{name}/{name}/alarm", {"id": alarm_id, "kind": kind, **members}, *more)


def act(door: Door, request: str, action: str, **members: object) -> None:
    publish(door, f"care/{door.credentials.name}/action", {"request": request, "action": action, **members})


@pytest.mark.parametrize("version", [MQTT_311, MQTT_5])
def test_from_a_fresh_folder_a_press_is_carried_answered_and_receipted_with_commands_and_mosquitto_only(
    tmp_path: Path, version: str
) -> None:
    with Product(tmp_path / "data") as product:
        grant = registered_by_hand(product, tmp_path)
        home = Door(port=product.ports["mqtt"], credentials=tmp_path / "p-1", version=version)
        partner = Door(port=product.ports["partner"], credentials=tmp_path / "acme", version=version)
        said = one_alarm_to_its_end(home, partner)
        states = [row["state"] for row in product.ask("alarm", "list", "--home", "h-1")]
        is_whole = product.ask("audit", "verify")["ok"]

    raised, alarm = said["raised"], said["raised"]["data"]["alarm"]
    receipts = [said[f"receipt {status}"] for status in ("stored", "acknowledged", "closed")]
    assert {receipt["alarm"] for receipt in receipts} == {raised["subject"]} == {alarm["id"]}
    assert (alarm["home"], alarm["address"]) == ("h-1", "Storgatan 1, 1101")
    assert (alarm["position"], alarm["device"], alarm["room"]) == ("pendant", "p-1", "bathroom")
    assert (alarm["class"], alarm["kind"], alarm["test"]) == ("safety", "safety.manual", False)
    assert raised["data"]["event"]["id"] == "a-1"
    assert (raised["data"]["grant"], raised["data"]["purpose"]) == (grant, "to help")
    sequence = [said[kind]["sequence"] for kind in ("raised", "acknowledged", "closed")]
    assert sequence == [f"{number:020d}" for number in (1, 2, 3)]
    assert said["receipt acknowledged"]["by"] == "Acme Care"
    assert all(said[f"reply {request}"]["ok"] for request in ("r1", "r2", "r3"))
    assert (states, is_whole) == (["closed"], True)


def registered_by_hand(product: Product, folder: Path) -> str:
    """One home and one organisation, by the commands of the contract; returns the grant's id."""
    device = ["--home", "h-1", "--profile", "safety-alarm", "--position", "pendant"]
    right = ["--org", "acme", "--home", "h-1", "--class", "safety"]
    product.ask("home", "add", "h-1", "--address", "Storgatan 1, 1101")
    product.ask("device", "add", "p-1", *device)
    product.ask("device", "enrol", "p-1", "--out", str(folder / "p-1"))
    product.ask("org", "add", "acme", "--kind", "care", "--name", "Acme Care")
    product.ask("org", "credentials", "acme", "--out", str(folder / "acme"))
    grant = product.ask("grant", "add", *right, "--purpose", "to help", "--basis", "contract")
    return str(grant["id"])


def one_alarm_to_its_end(home: Door, partner: Door) -> dict[str, Document]:
    """Press, confirm, acknowledge and close; returns what was heard on the way."""
    said: dict[str, Document] = {}
    with hears(home) as receipts, listens(partner) as heard:
        press(home, "a-1", room="bathroom")
        said["receipt stored"] = receipts.next(receipt("a-1", "stored"))
        said["raised"] = event = heard.next(type_is("raised"))
        act(partner, "r1", "received", event=event["id"])
        said["reply r1"] = heard.next(reply("r1"))
        act(partner, "r2", "acknowledge", alarm=event["subject"], by="operator-17")
        said["reply r2"] = heard.next(reply("r2"))
        said["receipt acknowledged"] = receipts.next(receipt("a-1", "acknowledged"))
        said["acknowledged"] = heard.next(type_is("acknowledged"))
        act(partner, "r3", "close", alarm=event["subject"], by="operator-17", note="all well")
        said["reply r3"] = heard.next(reply("r3"))
        said["receipt closed"] = receipts.next(receipt("a-1", "closed"))
        said["closed"] = heard.next(type_is("closed"))
    return said


def test_the_second_operator_is_told_that_somebody_was_first_who_and_when(shared: Town) -> None:
    shared.home("h-second", "p-second")
    shared.organisation("first", name="First Care")
    shared.organisation("second")
    shared.grants(("first", "h-second", "safety"), ("second", "h-second", "safety"))
    first, second = shared.partner_door("first"), shared.partner_door("second")

    with listens(first) as to_first, listens(second) as to_second:
        press(shared.home_door("p-second"), "s-1")
        alarm = to_second.next(type_is("raised"))["subject"]
        to_first.next(type_is("raised", alarm=alarm))
        act(first, "r1", "acknowledge", alarm=alarm, by="Ann")
        won = to_first.next(reply("r1"))
        answered_at = datetime.now(UTC)  # noqa: TID251 - compared with what the product says
        act(second, "r1", "acknowledge", alarm=alarm, by="Bo")
        refused = to_second.next(reply("r1"))

    assert won["ok"]
    assert (refused["ok"], refused["error"]["code"]) == (False, "already_acknowledged")
    assert (refused["error"]["by"], refused["error"]["organisation"]) == ("Ann", "First Care")
    assert abs(datetime.fromisoformat(refused["error"]["at"]) - answered_at) < timedelta(seconds=10)
    assert "Ann" in refused["error"]["message"]


def test_an_alarm_that_nobody_answers_goes_to_step_two_and_then_to_the_city(shared: Town) -> None:
    shared.home("h-chain", "p-chain")
    for organisation, kind in {"near": "care", "far": "alarm-centre", "malmo": "city"}.items():
        shared.organisation(organisation, kind=kind)
    shared.grant("near", "h-chain", "safety", step=1, within=1)
    shared.grant("far", "h-chain", "safety", step=2, within=1)
    near, far, city = (listens(shared.partner_door(name)) for name in ("near", "far", "malmo"))

    with near as to_near, far as to_far, city as to_city:
        press(shared.home_door("p-chain"), "c-1")
        first = to_near.next(type_is("raised"))
        second = to_far.next(type_is("raised"))
        last = to_city.next(type_is("escalated"))

    sent = [datetime.fromisoformat(row["first_sent_at"]) for row in deliveries(shared, "h-chain")]
    assert first["subject"] == second["subject"] == last["subject"]
    assert [item["data"]["step"] for item in (first, second)] == [1, 2]
    assert (last["data"]["grant"], last["data"]["alarm"]["address"]) == (None, "h-chain Street 1")
    assert all(later - earlier >= timedelta(seconds=0.9) for earlier, later in pairwise(sent))


def deliveries(town: Town, home: str) -> list[Document]:
    """Deliveries about a home, the oldest first."""
    rows: list[Document] = town.product.ask("delivery", "list", "--home", home)
    return rows[::-1]


def test_a_test_alarm_travels_like_any_other_and_is_marked_everywhere(shared: Town) -> None:
    shared.home("h-test", "p-test")
    shared.organisation("tested")
    shared.grant("tested", "h-test", "safety")
    home = shared.home_door("p-test")

    with hears(home) as receipts, listens(shared.partner_door("tested")) as said:
        press(home, "t-1", test=True)
        receipts.next(receipt("t-1", "stored"))
        event = said.next(type_is("raised"))

    assert event["data"]["alarm"]["test"] is True
    assert [row["test"] for row in shared.product.ask("event", "list", "--home", "h-test")] == [True]


def test_a_kind_that_nobody_knows_opens_a_technical_fault_that_carries_what_was_said(shared: Town) -> None:
    shared.home("h-kind", "p-kind")
    shared.organisation("technicians")
    shared.grant("technicians", "h-kind", "technical")
    home = shared.home_door("p-kind")

    with hears(home) as receipts, listens(shared.partner_door("technicians")) as said:
        press(home, "k-1", kind="alien.landing", text="green", data={"saucers": 3})
        receipts.next(receipt("k-1", "stored"))
        event = said.next(type_is("raised"))

    original = event["data"]["event"]
    assert event["data"]["alarm"]["kind"] == "technical.fault"
    assert (original["id"], original["kind"], original["text"]) == ("k-1", "alien.landing", "green")
    assert original["data"]["saucers"] == 3
    assert "alien.landing" in str(original["data"])


def test_what_cannot_be_read_is_refused_by_its_id_kept_as_it_came_and_told_to_a_person(shared: Town) -> None:
    shared.home("h-bad", "p-bad")
    shared.organisation("fitters")
    shared.grant("fitters", "h-bad", "technical")
    home = shared.home_door("p-bad")
    broken = '{"id": "b-1", "kind": 7}'

    with hears(home) as receipts, listens(shared.partner_door("fitters")) as said:
        publish(home, "up/p-bad/p-bad/alarm", broken)
        refused = receipts.next(receipt("b-1", "refused"))
        fault = said.next(type_is("raised"))

    kept = shared.product.ask("quarantine", "list", "--home", "h-bad")
    assert "kind" in refused["reason"]
    assert [(item["bytes"], item["reason"]) for item in kept] == [(broken, refused["reason"])]
    assert fault["data"]["alarm"]["kind"] == "technical.fault"
    assert refused["reason"] in fault["data"]["event"]["text"]


def test_what_has_no_readable_id_gets_no_receipt_but_is_kept_and_told_all_the_same(shared: Town) -> None:
    shared.home("h-noise", "p-noise")
    shared.organisation("listeners")
    shared.grant("listeners", "h-noise", "technical")
    home = shared.home_door("p-noise")

    with hears(home) as receipts, listens(shared.partner_door("listeners")) as said:
        publish(home, "up/p-noise/p-noise/alarm", "HELP")
        fault = said.next(type_is("raised"))
        press(home, "n-1")
        receipts.next(receipt("n-1", "stored"))

    assert fault["data"]["alarm"]["kind"] == "technical.fault"
    assert [(item["id"], item["status"]) for item in receipts.documents()] == [("n-1", "stored")]
    assert [item["bytes"] for item in shared.product.ask("quarantine", "list", "--home", "h-noise")] == [
        "HELP"
    ]


def test_a_suspended_device_is_refused_and_told_why_and_heard_again_when_it_is_resumed(shared: Town) -> None:
    shared.home("h-rest", "p-rest")
    home = shared.home_door("p-rest")

    with hears(home) as receipts:
        shared.product.ask("device", "suspend", "p-rest")
        press(home, "x-1")
        refused = receipts.next(receipt("x-1", "refused"))
        shared.product.ask("device", "resume", "p-rest")
        press(home, "x-1")
        receipts.next(receipt("x-1", "stored"))

    assert "suspended" in refused["reason"]
    assert [row["id"] for row in shared.product.ask("event", "list", "--home", "h-rest")] == ["x-1"]


def test_a_retired_device_is_refused_where_it_is_connected_and_does_not_get_in_again(shared: Town) -> None:
    shared.home("h-old", "p-old")
    home = shared.home_door("p-old")

    with hears(home) as receipts, shared.opened_home("p-old") as connected:
        shared.product.ask("device", "retire", "p-old")
        connected.raise_alarm("p-old", "o-1")
        refused = receipts.next(receipt("o-1", "refused"))
        wait_until(lambda: not gets_in(home), "the retired device's certificate is refused")

    assert "retired" in refused["reason"]
    assert shared.product.ask("event", "list", "--home", "h-old") == []
    assert shared.product.ask("alarm", "list", "--home", "h-old") == []


def gets_in(door: Door) -> bool:
    try:
        press(door, "o-2")
    except CalledProcessError:
        return False
    return True


@pytest.mark.parametrize("version", [MQTT_311, MQTT_5])
def test_a_device_cannot_speak_for_one_of_another_home(shared: Town, version: str) -> None:
    mine, other = f"p-mine-{version}", f"p-other-{version}"
    shared.homes({f"h-mine-{version}": (mine,), f"h-other-{version}": (other,)})
    home = shared.home_door(mine, version)

    with hears(home) as receipts:
        publish(home, f"up/{mine}/{other}/alarm", {"id": "f-1", "kind": "safety.manual"})
        refused = receipts.next(receipt("f-1", "refused"))
        try_to_publish(home, f"up/{other}/{other}/alarm", {"id": "f-2", "kind": "safety.manual"})
        press(home, "f-3")
        receipts.next(receipt("f-3", "stored"))

    assert "hub" in refused["reason"]
    assert shared.product.ask("event", "list", "--device", other) == []
    assert [row["id"] for row in shared.product.ask("event", "list", "--device", mine)] == ["f-3"]


def try_to_publish(door: Door, topic: str, message: Document) -> None:
    """MQTT 5 tells that it was refused, 3.1.1 does not; what counts is what arrives."""
    try:
        publish(door, topic, message)
    except CalledProcessError as error:
        if b"Not authorized" not in error.stderr:
            raise


def test_a_retained_alarm_is_refused_with_the_reason_and_is_not_handed_over_again(shared: Town) -> None:
    shared.home("h-kept", "p-kept")
    home = shared.home_door("p-kept")

    with hears(home) as receipts:
        press(home, "y-1", "-r")
        refused = receipts.next(receipt("y-1", "refused"))
        press(home, "y-2")
        receipts.next(receipt("y-2", "stored"))

    assert "retain" in refused["reason"]
    assert [row["id"] for row in shared.product.ask("event", "list", "--home", "h-kept")] == ["y-2"]
    assert len(shared.product.ask("quarantine", "list", "--home", "h-kept")) == 1
