"""Homes, devices, organisations and grants, by the real command."""

import ssl
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.x509.oid import NameOID

from services.domain.clock import SystemClock
from services.store import certificates
from services.store.sqlite import SqliteConnection
from tests.support.product import CommandRefusedError, Product
from tests.support.town import Town


def refusal(product: Product, *arguments: str) -> str:
    """What a refused command says; it must be one line and change nothing that is asked for here."""
    with pytest.raises(CommandRefusedError) as refused:
        product.ask(*arguments)
    assert refused.value.code == 1
    assert "\n" not in refused.value.said
    return refused.value.said


def test_a_home_that_was_added_is_listed_and_adding_it_again_changes_nothing(stadsnav: Product) -> None:
    add = ("home", "add", "h-0001", "--address", "Storgatan 1", "--line", "co7/47/11", "--node", "n-12")

    first = stadsnav.ask(*add)
    again = stadsnav.ask(*add)

    assert first == again
    assert first == {
        "id": "h-0001",
        "address": "Storgatan 1",
        "line": "co7/47/11",
        "co_id": "co7",
        "access_id": "47/11",
        "node": "n-12",
    }
    assert stadsnav.ask("home", "list") == [first]


def test_a_home_is_corrected_and_what_is_not_given_stays(stadsnav: Product) -> None:
    stadsnav.ask("home", "add", "h-0001", "--address", "Storgatan 1", "--line", "co7/47", "--node", "n-12")

    changed = stadsnav.ask("home", "change", "h-0001", "--address", "Storgatan 2", "--line", "")

    assert (changed["address"], changed["line"], changed["node"]) == ("Storgatan 2", None, "n-12")
    assert "no home 'h-0002'" in refusal(stadsnav, "home", "change", "h-0002", "--node", "n")


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (["home", "add", "h-1", "--address", "Annangatan 2"], "exists already"),
        (["home", "add", "H1", "--address", "x"], "as home id"),
        (["home", "add", "h9", "--address", " "], "as address"),
        (["home", "add", "h9", "--address", "x", "--line", "4711"], "CO/ACCESS"),
        (["home", "import", "missing.csv"], "No such file"),
        (["device", "add", "x1", "--home", "h9", "--profile", "home-hub"], "no home 'h9'"),
        (["device", "add", "x1", "--home", "h-1", "--profile", "toaster"], "safety-alarm"),
        (["device", "add", "x1", "--home", "h-1", "--profile", "safety-alarm"], "is held by device 'p-1'"),
        (["device", "show", "x1"], "no device 'x1'"),
        (["device", "retire", "x1"], "no device 'x1'"),
        (["profile", "show", "toaster"], "profile list"),
        (["org", "add", "acme", "--kind", "city"], "exists already"),
        (["grant", "revoke", "nothing"], "no grant 'nothing'"),
        (["alarm", "show", "nothing"], "no alarm 'nothing'"),
        (["alarm", "close", "nothing"], "no alarm 'nothing'"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_what_cannot_be_is_refused_in_one_line_that_says_what_would_be_right(
    stadsnav: Product, folk: Town, arguments: list[str], part: str
) -> None:
    before = folk.connection.data_version()

    said = refusal(stadsnav, *arguments)

    assert part in said
    assert folk.connection.data_version() == before


def test_a_device_is_suspended_resumed_and_retired_for_good(stadsnav: Product, folk: Town) -> None:
    states = [stadsnav.ask("device", verb, "p-1")["state"] for verb in ("suspend", "resume", "retire")]

    assert states == ["suspended", "in_service", "retired"]
    assert "successor" in refusal(stadsnav, "device", "resume", "p-1")
    successor = ("device", "add", "p-9", "--home", "h-1", "--profile", "safety-alarm")
    assert stadsnav.ask(*successor)["position"] == folk.device("p-1").position


def test_device_show_has_the_last_that_it_said(stadsnav: Product, folk: Town) -> None:
    never_heard = stadsnav.ask("device", "show", "p-1")
    folk.report("p-1", battery_percent=80.0, has_mains=True, link="fibre")

    heard = stadsnav.ask("device", "show", "p-1")

    assert never_heard["last_seen_at"] is None
    assert heard["last_seen_at"] is not None
    assert (heard["battery_percent"], heard["mains"], heard["link"]) == (80.0, True, "fibre")


def test_enrolling_writes_a_key_and_a_certificate_that_fit_and_are_private(
    stadsnav: Product, folk: Town, tmp_path: Path
) -> None:
    out = tmp_path / "p-1"

    said = stadsnav.ask("device", "enrol", folk.device("p-1").id, "--out", str(out))

    assert (out / "key.pem").stat().st_mode & 0o777 == 0o600
    context = ssl.create_default_context(cafile=out / "ca.pem")
    context.load_cert_chain(out / "cert.pem", out / "key.pem")
    certificate = x509.load_pem_x509_certificate((out / "cert.pem").read_bytes())
    names = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    assert [name.value for name in names] == ["p-1"]
    assert said["serial"] == f"{certificate.serial_number:x}"
    assert stadsnav.ask("device", "show", "p-1")["certificate_expires_at"] == said["expires_at"]


def revoked(store: SqliteConnection, issuer: str) -> list[str]:
    return [serial for serial, _ in certificates.revoked(store, issuer, now=SystemClock().now())]


def test_a_second_enrolment_ends_the_first_certificate(stadsnav: Product, folk: Town, tmp_path: Path) -> None:
    enrol = ("device", "enrol", "p-1", "--out", str(tmp_path / "out"))
    first = stadsnav.ask(*enrol)

    second = stadsnav.ask(*enrol)

    assert (first["revoked"], second["revoked"]) == (0, 1)
    assert revoked(folk.connection, "homes") == [first["serial"]]


def test_retiring_ends_the_certificate_and_a_retired_device_gets_no_other(
    stadsnav: Product, folk: Town, tmp_path: Path
) -> None:
    enrol = ("device", "enrol", "p-1", "--out", str(tmp_path / "out"))
    first = stadsnav.ask(*enrol)

    stadsnav.ask("device", "retire", "p-1")

    assert revoked(folk.connection, "homes") == [first["serial"]]
    assert "retired for good" in refusal(stadsnav, *enrol)


def test_credentials_that_cannot_be_written_are_not_issued(
    stadsnav: Product, folk: Town, tmp_path: Path
) -> None:
    first = stadsnav.ask("device", "enrol", "p-1", "--out", str(tmp_path / "out"))
    (tmp_path / "taken").write_text("a file, not a folder")

    said = refusal(stadsnav, "device", "enrol", "p-1", "--out", str(tmp_path / "taken"))

    assert "--out" in said
    assert revoked(folk.connection, "homes") == []
    assert stadsnav.ask("device", "show", "p-1")["certificate_expires_at"] == first["expires_at"]


def test_an_organisation_is_known_by_its_id_until_it_has_a_name_and_gets_one_certificate(
    stadsnav: Product, store: SqliteConnection, tmp_path: Path
) -> None:
    added = stadsnav.ask("org", "add", "acme", "--kind", "alarm-centre")
    credentials = ("org", "credentials", "acme", "--out", str(tmp_path / "acme"))
    first = stadsnav.ask(*credentials)
    stadsnav.ask(*credentials)

    assert added == {"id": "acme", "name": "acme", "kind": "alarm-centre"}
    assert sorted(file.name for file in (tmp_path / "acme").iterdir()) == ["ca.pem", "cert.pem", "key.pem"]
    assert revoked(store, "partners") == [first["serial"]]
    assert revoked(store, "homes") == []


def grant(*more: str) -> tuple[str, ...]:
    words = ("--org", "acme", "--home", "h-1", "--class", "safety", "--purpose", "care", "--basis", "SoL")
    return ("grant", "add", *words, *more)


def test_a_grant_has_what_was_asked_for_and_can_be_revoked(stadsnav: Product, folk: Town) -> None:
    position = folk.device("p-1").position
    added = stadsnav.ask(
        *grant("--position", position, "--from", "2026-01-01", "--until", "2199-01-01T00:00:00+01:00"),
        *("--step", "2", "--within", "30"),
    )
    whole = stadsnav.ask(*grant())
    listed = stadsnav.ask("grant", "list", "--home", "h-1")
    ended = stadsnav.ask("grant", "revoke", added["id"])

    assert added == {
        "id": added["id"],
        "org": "acme",
        "home": "h-1",
        "position": position,
        "class": "safety",
        "purpose": "care",
        "basis": "SoL",
        "from": "2025-12-31T23:00:00.000Z",
        "until": "2198-12-31T23:00:00.000Z",
        "step": 2,
        "within": 30.0,
        "revoked_at": None,
        "in_force": True,
    }
    assert (whole["position"], whole["step"], whole["within"], whole["until"]) == (None, 1, 60.0, None)
    assert [row["id"] for row in listed] == [whole["id"], added["id"]]
    assert ended["revoked_at"] is not None
    assert not ended["in_force"]
    assert stadsnav.ask("grant", "list", "--org", "beta") == []


@pytest.mark.parametrize(
    ("more", "part"),
    [
        (["--from", "tomorrow"], "RFC 3339 with an offset"),
        (["--until", "2026-11-23T08:00:00"], "RFC 3339 with an offset"),
        (["--until", "2020-01-01"], "a time after"),
        (["--step", "0"], "1 to 99"),
        (["--within", "0"], "86400"),
        (["--within", "nan"], "86400"),
        (["--within", "1e30"], "86400"),
        (["--position", "attic"], "device list"),
        (["--class", "gossip"], "safety, care, fire"),
        (["--org", "nobody"], "org add"),
        (["--home", "nowhere"], "home add"),
        (["--basis", " "], "as basis"),
    ],
    ids=" ".join,
)
@pytest.mark.usefixtures("folk")
def test_a_grant_that_cannot_be_is_refused_and_not_added(
    stadsnav: Product, more: list[str], part: str
) -> None:
    assert part in refusal(stadsnav, *grant(*more))
    assert stadsnav.ask("grant", "list") == []


def test_lists_hold_to_their_limit(stadsnav: Product, folk: Town) -> None:
    for hours in (1, 2, 3):
        folk.grant("acme", valid_until=folk.now + timedelta(hours=hours))

    assert len(stadsnav.ask("grant", "list", "--limit", "2")) == 2
    assert [home["id"] for home in stadsnav.ask("home", "list", "--limit", "1")] == ["h-1"]


def test_every_change_names_the_user_of_the_machine(stadsnav: Product) -> None:
    stadsnav.ask("home", "add", "h-1", "--address", "Storgatan 1")

    (entry,) = stadsnav.ask("audit", "list", "--home", "h-1")

    assert entry["actor"].startswith("cli:")
    assert (entry["number"], entry["action"], entry["subject"]) == (1, "home_added", "h-1")
