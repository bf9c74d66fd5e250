"""Integrations and the devices behind them, by the real command."""

from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.x509.oid import NameOID

from gateway.data_folder import open_folder
from services.domain.clock import SystemClock
from services.store import audit, certificates
from services.store.migrations import READINGS, migrate
from services.store.readings import unknown
from services.store.sqlite import SqliteConnection
from tests.support.product import CommandRefusedError, Product
from tests.support.town import Town

LORA = ("integration", "add", "lora", "--dialect", "chirpstack", "--name", "LoRaWAN")
ZIGBEE = ("integration", "add", "zigbee", "--dialect", "zigbee2mqtt", "--home", "h-1")
NEW = ("--id", "m-1", "--home", "h-1", "--profile", "humidity-meter")


def refusal(product: Product, *arguments: str) -> str:
    """What a refused command says, in one line."""
    with pytest.raises(CommandRefusedError) as refused:
        product.ask(*arguments)
    assert refused.value.code == 1
    assert "\n" not in refused.value.said
    return refused.value.said


@pytest.fixture
def connected(stadsnav: Product, folk: Town) -> Town:
    """The town, with a city-wide integration and one of home h-1."""
    stadsnav.ask(*LORA)
    stadsnav.ask(*ZIGBEE)
    return folk


def hear(product: Product, *names: tuple[str, str]) -> None:
    """The reading process notes devices that nobody has adopted, the first one last."""
    with closing(SqliteConnection(open_folder(product.folder).readings)) as readings:
        migrate(readings, READINGS)
        for seconds, (integration_id, external_id) in enumerate(reversed(names)):
            with readings.transaction():
                unknown.seen(
                    readings,
                    integration_id=integration_id,
                    external_id=external_id,
                    model="EM300-TH",
                    example='{"temperature": 21.5}',
                    messages=3,
                    at=SystemClock().now() + timedelta(seconds=seconds),
                )


def names(found: list[dict[str, str]]) -> list[tuple[str, str]]:
    return [(row["integration"], row["external"]) for row in found]


def test_an_integration_that_was_added_is_listed_and_adding_it_again_changes_nothing(
    stadsnav: Product, folk: Town
) -> None:
    first, again = stadsnav.ask(*LORA), stadsnav.ask(*LORA)
    zigbee = stadsnav.ask(*ZIGBEE)

    assert first == again
    assert first == {
        "id": "lora",
        "name": "LoRaWAN",
        "dialect": "chirpstack",
        "home": None,
        "state": "in_service",
    }
    assert (zigbee["name"], zigbee["home"]) == ("zigbee", folk.device("p-1").home_id)
    assert stadsnav.ask("integration", "list") == [first, zigbee]
    assert stadsnav.ask("integration", "list", "--home", "h-1") == [zigbee]


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (["integration", "add", "Lora", "--dialect", "chirpstack"], "as integration id"),
        (["integration", "add", "lora", "--dialect", "wmbusmeters"], "exists already"),
        (["integration", "add", "p-1", "--dialect", "chirpstack"], "device 'p-1' exists already"),
        (["integration", "add", "x", "--dialect", "chirpstack", "--home", "h-9"], "home add"),
        (
            ["device", "add", "lora", "--home", "h-1", "--profile", "fall-detector"],
            "integration 'lora' exists",
        ),
        (["integration", "retire", "x"], "integration list"),
        (["integration", "adopt", "e", "--integration", "x", "--device", "p-1"], "integration list"),
        (["integration", "adopt", "e", "--integration", "lora", "--device", "p-9"], "device list"),
        (["integration", "adopt", "e", "--integration", "zigbee", "--device", "p-2"], "home 'h-1' only"),
        (
            ["integration", "adopt", "e", "--integration", "zigbee", *NEW[:2], "--home", "h-2", *NEW[4:]],
            "only",
        ),
        (["integration", "forget", "e", "--integration", "lora"], "integration adopted"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_what_cannot_be_is_refused_in_one_line_that_says_what_would_be_right(
    stadsnav: Product, connected: Town, arguments: list[str], part: str
) -> None:
    before = connected.connection.data_version()

    assert part in refusal(stadsnav, *arguments)
    assert connected.connection.data_version() == before


@pytest.mark.parametrize(
    "which",
    [
        [],
        ["--device", "p-1", *NEW],
        ["--device", "p-1", "--position", "hall"],
        ["--id", "m-1", "--home", "h-1"],
        ["--home", "h-1", "--profile", "humidity-meter"],
    ],
    ids=" ".join,
)
def test_adopting_needs_either_a_device_or_all_of_a_new_one(stadsnav: Product, which: list[str]) -> None:
    done = stadsnav.cli("integration", "adopt", "e", "--integration", "lora", *which)

    assert done.returncode == 2
    assert "--id, --home and --profile" in done.stderr
    assert not stadsnav.folder.exists()


def test_an_integration_is_suspended_resumed_and_retired_for_good(stadsnav: Product, connected: Town) -> None:
    verbs = ("suspend", "resume", "retire")
    states = [stadsnav.ask("integration", verb, "lora")["state"] for verb in verbs]

    assert states == ["suspended", "in_service", "retired"]
    assert "for good" in refusal(stadsnav, "integration", "resume", "lora")
    assert [row.action for row in audit.entries(connected.connection)][-3:] == [
        "integration_suspended",
        "integration_in_service",
        "integration_retired",
    ]


def revoked(store: SqliteConnection) -> list[str]:
    return [serial for serial, _ in certificates.revoked(store, "homes", now=SystemClock().now())]


def test_an_integration_has_one_certificate_of_the_homes_authority_until_it_is_retired(
    stadsnav: Product, connected: Town, tmp_path: Path
) -> None:
    credentials = ("integration", "credentials", "lora", "--out", str(tmp_path / "out"))
    first = stadsnav.ask(*credentials)
    second = stadsnav.ask(*credentials)
    after_the_second = revoked(connected.connection)
    stadsnav.ask("integration", "retire", "lora")

    certificate = x509.load_pem_x509_certificate((tmp_path / "out" / "cert.pem").read_bytes())
    subject = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    assert [name.value for name in subject] == ["lora"]
    assert second["serial"] == f"{certificate.serial_number:x}"
    assert (first["revoked"], second["revoked"]) == (0, 1)
    assert after_the_second == [first["serial"]]
    assert sorted(revoked(connected.connection)) == sorted([first["serial"], second["serial"]])
    assert "retired for good" in refusal(stadsnav, *credentials)
    assert "integration add" in refusal(stadsnav, *credentials[:2], "x", *credentials[3:])


def test_what_was_heard_and_is_unknown_is_listed_until_it_is_adopted_and_again_once_it_is_forgotten(
    stadsnav: Product, connected: Town
) -> None:
    nothing_yet = stadsnav.ask("integration", "unknown")
    hear(stadsnav, ("zigbee", "0x00158d00"), ("lora", "0004a30b"), ("lora", "0004a30c"))
    whose = ("--integration", "lora")

    heard = stadsnav.ask("integration", "unknown")
    of_lora = stadsnav.ask("integration", "unknown", *whose)
    adopted = stadsnav.ask("integration", "adopt", "0004a30b", *whose, *NEW)
    known_device = stadsnav.ask("integration", "adopt", "0004a30c", *whose, "--device", "p-2")
    left = stadsnav.ask("integration", "unknown")
    listed = stadsnav.ask("integration", "adopted")
    forgotten = stadsnav.ask("integration", "forget", "0004a30b", *whose)

    assert nothing_yet == []
    assert names(heard) == [("zigbee", "0x00158d00"), ("lora", "0004a30b"), ("lora", "0004a30c")]
    assert (heard[0]["model"], heard[0]["messages"]) == ("EM300-TH", 3)
    assert heard[0]["example"] == '{"temperature": 21.5}'
    assert of_lora == heard[1:]
    assert adopted == {
        "integration": "lora",
        "external": "0004a30b",
        "device": "m-1",
        "home": "h-1",
        "position": connected.device("m-1").position,
        "profile": "humidity-meter",
        "state": "in_service",
    }
    assert left == heard[:1]
    assert listed == [adopted, known_device]
    assert forgotten == adopted
    assert stadsnav.ask("integration", "adopted", *whose) == [known_device]
    assert names(stadsnav.ask("integration", "unknown", *whose)) == [("lora", "0004a30b")]


def test_what_may_be_about_a_home_is_not_shown_without_an_entry_in_its_log(
    stadsnav: Product, connected: Town
) -> None:
    def looks() -> list[str | None]:
        return [row.home_id for row in audit.entries(connected.connection) if row.action == "looked"]

    stadsnav.ask("integration", "unknown", "--integration", "zigbee")
    found_nothing = looks()
    hear(stadsnav, ("lora", "0004a30b"), ("zigbee", "0x00158d00"))
    stadsnav.ask("integration", "unknown")

    assert found_nothing == ["h-1"]
    assert looks() == ["h-1", None, "h-1"]


def test_people_get_a_table(stadsnav: Product, connected: Town) -> None:
    hear(stadsnav, ("lora", "0004a30b"))
    stadsnav.ask("integration", "adopt", "e", "--integration", "lora", "--device", connected.device("p-1").id)

    tables = [stadsnav.cli("integration", what).stdout for what in ("list", "unknown", "adopted")]

    assert all(table.count("\n") > 1 for table in tables)
