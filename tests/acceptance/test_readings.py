"""Readings from outside: by mosquitto_pub as homes and integrations, to mosquitto_sub as partners.

mosquitto_pub ──SenML──> stored            ──rule──> alarm ──> mosquitto_sub (care/{organisation}/event)
              └─zigbee2mqtt─> stored       ──grant─> readings ──> mosquitto_sub (care/{organisation}/reading)
"""

import json
import subprocess
import time
from collections.abc import Callable, Iterator
from itertools import product
from typing import Any

import cbor2
import pytest

from devices.codecs.senml import decode
from tests.acceptance.programs import MQTT_5, MQTT_311, Document, Door, Listener
from tests.acceptance.town import Town
from tests.support.product import PATIENCE_SECONDS, Product, eventually, wait_until

pytestmark = pytest.mark.usefixtures("_needs_the_clients")

AT_MOST_SECONDS = 1.0
"""The promise: withdrawal works within a second."""

LABELS = {"bn": -2, "n": 0, "u": 1, "v": 2, "t": 6}

Record = dict[str, Any]


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    """One product for the tests of this file; each has its own homes and organisations."""
    with Product(tmp_path_factory.mktemp("readings") / "data") as running:
        yield Town(running)


def as_json(*records: Record) -> bytes:
    return json.dumps(records).encode()


def as_cbor(*records: Record) -> bytes:
    return cbor2.dumps([{LABELS[label]: value for label, value in record.items()} for record in records])


def send(door: Door, topic: str, payload: bytes, *more: str) -> None:
    """Publish any bytes."""
    command = ["mosquitto_pub", *door.options(), "-t", topic, "-s", *more]
    subprocess.run(command, input=payload, check=True, capture_output=True, timeout=PATIENCE_SECONDS)


def measure(door: Door, *records: Record, device: str | None = None) -> None:
    """A device, or a hub for one of its devices, sends one pack."""
    client = door.credentials.name
    send(door, f"up/{client}/{device or client}/reading", as_json(*records))


def values(town: Town, home: str, name: str) -> list[float]:
    """What is stored of a home, oldest first."""
    span = ["--since", "7d", "--until", "2100-01-01"]
    rows = town.product.ask("reading", "list", "--home", home, "--name", name, *span)
    return [row["value"] for row in rows][::-1]


def reasons(town: Town, home: str) -> set[str]:
    return {row["reason"] for row in town.product.ask("quarantine", "list", "--home", home)}


def of_kind(kind: str, change: str) -> Callable[[Document], bool]:
    wanted = f"se.stadsnav.alarm.{change}.v1"
    return lambda said: said["type"] == wanted and said["data"]["alarm"]["kind"] == kind


def integration(town: Town, id_: str, **options: str) -> Door:
    """A registered integration of zigbee2mqtt, and its door."""
    more = [word for name, value in options.items() for word in (f"--{name}", value)]
    town.product.ask_all(
        ["integration", "add", id_, "--dialect", "zigbee2mqtt", *more],
        ["integration", "credentials", id_, "--out", str(town.credentials(id_))],
    )
    return Door(port=town.product.ports["mqtt"], credentials=town.credentials(id_))


def test_a_pack_is_stored_whatever_its_form_its_protocol_and_its_qos(town: Town) -> None:
    town.home("h-forms", "m-forms", profile="humidity-meter")
    combinations = list(product((MQTT_311, MQTT_5), ("0", "1"), (as_json, as_cbor)))
    now = round(time.time()) - 100

    for number, (version, qos, form) in enumerate(combinations):
        payload = form(
            {"bn": "urn:dev:mac:0024befffe804ff1:", "n": "humidity", "u": "%RH", "v": 40.5, "t": now + number}
        )
        send(town.home_door("m-forms", version), "up/m-forms/m-forms/reading", payload, "-q", qos)
    wait_until(
        lambda: len(values(town, "h-forms", "humidity")) == len(combinations), "every one of them is stored"
    )

    assert values(town, "h-forms", "humidity") == [40.5] * 8
    assert reasons(town, "h-forms") == set()


def test_what_cannot_be_taken_is_in_the_quarantine_with_the_reason(town: Town) -> None:
    town.home("h-refused", "m-refused", profile="humidity-meter")
    door = town.home_door("m-refused")

    send(door, "up/m-refused/m-refused/reading", b"21.5")
    measure(door, {"n": "humidity", "v": 140})
    measure(door, {"n": "smell", "v": 1})
    measure(door, {"n": "temperature", "u": "K", "v": 290}, {"n": "humidity", "v": 41})
    wait_until(lambda: len(reasons(town, "h-refused")) == 4, "four are set aside")

    assert reasons(town, "h-refused") == {
        "not a SenML pack (Expected `array`, got `float`); right would be an array of records",
        "humidity: 140 %RH; right would be 0 to 100",
        "'smell': a humidity-meter measures humidity, temperature, pressure, co2",
        "temperature: unit 'K'; right would be Cel",
    }
    by_device = town.product.ask("quarantine", "list", "--device", "m-refused")
    assert len(by_device) == 4
    assert values(town, "h-refused", "humidity") == [41.0]


def test_damp_opens_an_alarm_that_reaches_the_landlord_and_ends_when_it_is_dry(town: Town) -> None:
    town.home("h-damp", "m-damp", profile="humidity-meter")
    town.organisation("landlord", kind="landlord")
    town.grant("landlord", "h-damp", "property")
    limits = ["--reading", "humidity", "--above", "60", "--hysteresis", "5", "--for", "1s"]
    town.product.ask("rule", "set", "damp", "--home", "h-damp", *limits)
    door = town.home_door("m-damp")

    with Listener(town.partner_door("landlord"), "care/landlord/event") as landlord:
        measure(door, {"n": "humidity", "v": 70})
        time.sleep(1.1)
        measure(door, {"n": "humidity", "v": 71})
        raised = landlord.next(of_kind("property.damp", "raised"))
        measure(door, {"n": "humidity", "v": 58})
        measure(door, {"n": "humidity", "v": 54})
        cleared = landlord.next(of_kind("property.damp", "cleared"))

    alarm, event = raised["data"]["alarm"], raised["data"]["event"]
    assert (alarm["home"], alarm["device"], alarm["class"]) == ("h-damp", "m-damp", "property")
    assert event["text"].startswith("Damp: humidity 71 %RH, over 60 %RH for 1 s")
    assert event["data"]["value"] == 71
    assert cleared["subject"] == raised["subject"]
    assert cleared["data"]["event"]["data"]["value"] == 54


def test_readings_reach_whom_they_are_granted_to_and_end_within_a_second_of_the_withdrawal(
    town: Town,
) -> None:
    town.homes({"h-gone": ("m-gone",), "h-kept": ("m-kept",)}, profile="humidity-meter")
    town.organisation("climate")
    gone, _kept = town.grants(("climate", "h-gone", "climate"), ("climate", "h-kept", "climate"))
    homes = {name: town.home_door(f"m-{name}") for name in ("gone", "kept")}

    def of(home: str, value: float) -> Callable[[Document], bool]:
        return lambda said: said["home"] == home and said["data"][0]["v"] == value

    with Listener(town.partner_door("climate"), "care/climate/reading") as heard:
        for door in homes.values():
            measure(door, {"n": "humidity", "u": "%RH", "v": 41})
        event = heard.next(of("h-gone", 41))
        heard.next(of("h-kept", 41))
        town.product.ask("grant", "revoke", gone)
        time.sleep(AT_MOST_SECONDS)
        for door in homes.values():
            measure(door, {"n": "humidity", "u": "%RH", "v": 42})
        heard.next(of("h-kept", 42))
        time.sleep(2 * AT_MOST_SECONDS)
        of_gone = [said for said in heard.documents() if said["home"] == "h-gone"]

    assert of_gone == [event]
    assert (event["type"], event["dataclass"], event["grant"]) == ("se.stadsnav.reading.v1", "climate", gone)
    [record] = decode(json.dumps(event["data"]).encode(), received_us=0)
    assert (record.name.rpartition(":")[2], record.unit, record.value) == ("humidity", "%RH", 41.0)
    assert values(town, "h-gone", "humidity") == [41.0, 42.0], "stored all the same"


def test_a_leak_behind_zigbee2mqtt_reaches_a_partner_and_ends(town: Town) -> None:
    town.home("h-leak")
    town.organisation("plumber")
    town.grant("plumber", "h-leak", "property")
    door = integration(town, "z2m-leak", home="h-leak")
    place = ["--id", "l-leak", "--home", "h-leak", "--profile", "leak-sensor"]
    town.product.ask("integration", "adopt", "kitchen/leak", "--integration", "z2m-leak", *place)

    with Listener(town.partner_door("plumber"), "care/plumber/event") as plumber:
        for is_wet in (True, True, False):
            send(door, "in/z2m-leak/kitchen/leak", json.dumps({"water_leak": is_wet, "battery": 90}).encode())
        raised = plumber.next(of_kind("property.leak", "raised"))
        cleared = plumber.next(of_kind("property.leak", "cleared"))

    assert (raised["data"]["alarm"]["home"], raised["data"]["alarm"]["device"]) == ("h-leak", "l-leak")
    assert cleared["subject"] == raised["subject"]
    assert values(town, "h-leak", "leak") == [1.0, 1.0, 0.0]


def test_an_unknown_device_is_listed_then_adopted_then_stored(town: Town) -> None:
    town.home("h-new")
    door = integration(town, "z2m-new")

    def say(celsius: float) -> None:
        send(door, "in/z2m-new/0xfeed", json.dumps({"temperature": celsius, "linkquality": 80}).encode())

    def unknown() -> list[Document]:
        found: list[Document] = town.product.ask("integration", "unknown", "--integration", "z2m-new")
        return found

    def said_and_listed() -> list[Document]:
        say(20.5)  # until the broker has let the integration in, which takes it a moment
        return unknown()

    [listed] = eventually(said_and_listed, "it is listed")
    place = ["--id", "t-new", "--home", "h-new", "--profile", "temperature-sensor"]
    town.product.ask("integration", "adopt", "0xfeed", "--integration", "z2m-new", *place)
    time.sleep(AT_MOST_SECONDS)
    say(21.5)
    wait_until(lambda: values(town, "h-new", "temperature") == [21.5], "it is stored")

    assert "20.5" in listed["example"]
    assert unknown() == []


def test_a_clock_that_is_ahead_is_a_fault_of_the_device_until_it_is_right(town: Town) -> None:
    town.home("h-clock", "m-clock", profile="humidity-meter")
    door = town.home_door("m-clock")

    def faults() -> list[tuple[str, str]]:
        found = town.product.ask("alarm", "list", "--home", "h-clock")
        return [(alarm["kind"], alarm["state"]) for alarm in found]

    measure(door, {"n": "humidity", "v": 40, "t": time.time() + 600})
    wait_until(lambda: faults() == [("technical.fault", "raised")], "the fault is open")
    measure(door, {"n": "humidity", "v": 41, "t": time.time()})

    wait_until(lambda: faults() == [("technical.fault", "cleared")], "the fault is over")
    assert sorted(values(town, "h-clock", "humidity")) == [40.0, 41.0]


def test_a_home_hub_sends_for_its_devices_and_for_nobody_elses(town: Town) -> None:
    town.hub_homes({"h-hub": ("m-hub",), "h-other": ("m-other",)})
    door = town.home_door("hub-h-hub")
    add = ["device", "add", "t-hub", "--home", "h-hub", "--profile", "temperature-sensor"]
    town.product.ask(*add)
    time.sleep(AT_MOST_SECONDS)

    measure(door, {"n": "temperature", "v": 19.5}, device="t-hub")
    measure(door, {"n": "temperature", "v": 18.5}, device="m-other")
    wait_until(lambda: reasons(town, "h-hub"), "the other one is refused")

    assert values(town, "h-hub", "temperature") == [19.5]
    assert reasons(town, "h-hub") == {"device m-other is not registered in this home"}
