"""What doctor says of a folder, from outside."""

import json
import shutil
from pathlib import Path
from typing import Any

from services.store.migrations import NEWEST
from services.store.sqlite import SqliteConnection
from tests.support.product import Product
from tests.support.town import Town


def examined(product: Product) -> tuple[int, dict[str, dict[str, Any]], str]:
    done = product.cli("doctor", "--json")
    return done.returncode, {row["check"]: row for row in json.loads(done.stdout)}, done.stderr


def statuses(checks: dict[str, dict[str, Any]], status: str) -> set[str]:
    return {name for name, check in checks.items() if check["status"] == status}


def test_a_folder_that_is_not_there_is_said_to_be_so_and_not_made(stadsnav: Product) -> None:
    code, checks, said = examined(stadsnav)

    assert code == 1
    assert statuses(checks, "fail") == {"data folder"}
    assert said == "Failed: data folder; the last column says what mends each\n"
    assert not stadsnav.folder.exists()


def test_an_unsafe_folder_is_a_failure_with_its_mend(stadsnav: Product) -> None:
    stadsnav.folder.mkdir(mode=0o755)

    code, checks, _ = examined(stadsnav)

    assert code == 1
    assert "chmod 700" in checks["data folder"]["found"]


def test_a_registered_town_that_is_not_running_is_no_failure_but_told(stadsnav: Product, folk: Town) -> None:
    folk.grant("acme")

    code, checks, said = examined(stadsnav)

    assert (code, said) == (0, "")
    assert set(checks["store"]) == {"check", "status", "found", "mend"}
    assert statuses(checks, "warn") == {"running", "city organisation", "safety grants"}
    assert all(check["mend"] for check in checks.values() if check["status"] != "ok")


def test_doctor_changes_nothing(stadsnav: Product, folk: Town) -> None:
    before = folk.connection.data_version(), sorted(map(str, stadsnav.folder.rglob("*")))

    examined(stadsnav)

    assert (folk.connection.data_version(), sorted(map(str, stadsnav.folder.rglob("*")))) == before


def test_broken_parts_are_each_named_and_hide_no_other(
    stadsnav: Product, store: SqliteConnection, tmp_path: Path
) -> None:
    stadsnav.ask("org", "add", "acme", "--kind", "care")
    stadsnav.ask("org", "credentials", "acme", "--out", str(tmp_path / "acme"))
    (stadsnav.folder / "pki" / "homes.pem").unlink()
    (stadsnav.folder / "stadsnav.toml").write_text("mqtt_port = 99999\n")
    stadsnav.environment.pop("STADSNAV_MQTT_PORT")
    store.run_script(f"PRAGMA user_version={NEWEST + 1}")

    code, checks, said = examined(stadsnav)

    assert code == 1
    assert statuses(checks, "fail") == {"settings", "authorities", "store"}
    assert "mqtt_port" in checks["settings"]["found"]
    assert "restore" in checks["authorities"]["found"]
    assert said.startswith("Failed: settings, authorities, store;")


def test_a_store_that_is_no_database_is_a_failure(stadsnav: Product) -> None:
    stadsnav.ask("home", "list")
    (stadsnav.folder / "stadsnav.db").write_bytes(b"not a database, by no means, " * 100)

    code, checks, _ = examined(stadsnav)

    assert code == 1
    assert checks["store"]["status"] == "fail"


def test_a_missing_mosquitto_is_a_failure_with_its_mend(stadsnav: Product) -> None:
    stadsnav.ask("home", "list")
    missing = str(stadsnav.folder / "no-mosquitto")
    shutil.copy("/bin/true", missing)
    stadsnav.environment["STADSNAV_BROKER__EXECUTABLE"] = missing

    code, checks, _ = examined(stadsnav)

    assert code == 1
    assert "apt-get install mosquitto" in checks["mosquitto"]["mend"]
