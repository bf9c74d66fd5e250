"""``stadsnav audit`` and ``usage``: verified on a copy, extracted, exported, sampled; each look is logged."""

import csv
import io
import json
import shutil
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from services.store.sqlite import SqliteConnection
from tests.support.log import unlock
from tests.support.product import Product
from tests.support.town import Town


def actions(folk: Town) -> list[str]:
    return [row[0] for row in folk.connection.rows("SELECT action FROM audit ORDER BY number")]


@pytest.fixture
def copy(stadsnav: Product, folk: Town, tmp_path: Path) -> Path:  # noqa: ARG001 - there is something to copy
    """The store, the heads and the public key, as somebody keeps them elsewhere."""
    stadsnav.ask("audit", "sign")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    with closing(SqliteConnection(stadsnav.folder / "stadsnav.db")) as store:
        store.run("VACUUM INTO ?", str(elsewhere / "copy.db"))
    shutil.copy(stadsnav.folder / "log" / "heads.jsonl", elsewhere)
    (elsewhere / "public.pem").write_text(stadsnav.cli("audit", "key").stdout)
    return elsewhere


def verified(stadsnav: Product, copy: Path, *, returncode: int = 0) -> dict[str, Any]:
    done = stadsnav.cli(
        *("audit", "verify", "--database", str(copy / "copy.db"), "--heads", str(copy / "heads.jsonl")),
        *("--public-key", str(copy / "public.pem"), "--json"),
    )
    assert done.returncode == returncode, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_a_copy_is_verified_against_what_was_kept_elsewhere(stadsnav: Product, copy: Path) -> None:
    found = verified(stadsnav, copy)

    assert (found["ok"], found["problems"]) == (True, [])
    assert found["signed_to"] == found["entries"] - 1
    assert found["since"] <= found["until"]


def test_what_was_cut_off_a_copy_is_missed(stadsnav: Product, copy: Path) -> None:
    with closing(SqliteConnection(copy / "copy.db")) as store:
        unlock(store)
        store.run("DELETE FROM audit WHERE number > 3")
        store.run("DELETE FROM audit_heads")

    assert verified(stadsnav, copy, returncode=1)["first_bad"] == 4


def test_a_changed_head_is_told_by_table_and_row(stadsnav: Product, copy: Path) -> None:
    with closing(SqliteConnection(copy / "copy.db")) as store:
        unlock(store)
        store.run("UPDATE audit_heads SET day = '2020-01-01'")

    found = verified(stadsnav, copy, returncode=1)

    assert found["first_bad"] is None
    assert {problem["table"] for problem in found["problems"]} == {"audit_heads"}


def test_without_a_key_it_is_said_that_signatures_were_not_checked(stadsnav: Product, copy: Path) -> None:
    done = stadsnav.cli("audit", "verify", "--database", str(copy / "copy.db"))

    assert done.returncode == 0
    assert "--public-key" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "mend"),
    [
        (["--database", "missing.db"], "a file"),
        (["--public-key", __file__], "PEM"),
        (["--heads", __file__], "Line 1"),
    ],
    ids=str,
)
@pytest.mark.usefixtures("folk")
def test_what_cannot_be_verified_is_refused(stadsnav: Product, arguments: list[str], mend: str) -> None:
    done = stadsnav.cli("audit", "verify", *arguments)

    assert (done.returncode, mend in done.stderr) == (1, True), done.stderr


def test_an_extract_is_text_or_json_in_two_languages_and_logged(stadsnav: Product, folk: Town) -> None:
    folk.grant("acme")
    swedish = stadsnav.cli("audit", "extract", "--home", "h-1").stdout
    english = stadsnav.cli("audit", "extract", "--home", "h-1", "--language", "en", "--json").stdout

    assert "gav Acme AB behörighet till hemmet. Ändamål: answers alarms." in swedish
    sentences = [line["sentence"] for day in json.loads(english) for line in day["lines"]]
    assert sentences[0].endswith("registered the home.")
    assert actions(folk)[-2:] == ["log_extracted"] * 2


def test_an_export_can_be_opened_in_a_spreadsheet(stadsnav: Product, folk: Town, tmp_path: Path) -> None:
    stadsnav.cli("home", "add", "h-9", "--address", "=1+1", "--json")
    file = tmp_path / "log.csv"

    assert stadsnav.cli("audit", "export", "--format", "csv", "--out", str(file)).returncode == 0
    lines = stadsnav.cli("audit", "export", "--home", "h-9").stdout.splitlines()

    found = list(csv.DictReader(io.StringIO(file.read_text("utf-8"), newline="")))
    assert [row["number"] for row in found][:2] == ["1", "2"]
    assert [json.loads(line)["action"] for line in lines] == ["home_added"]
    assert actions(folk)[-2:] == ["log_exported"] * 2


def test_a_list_of_the_log_is_in_the_log(stadsnav: Product, folk: Town) -> None:
    stadsnav.ask("audit", "list", "--home", "h-1", "--since", "2020-01-01")

    [entry] = stadsnav.ask("audit", "list", "--limit", "1")
    assert (entry["action"], entry["home"]) == ("log_read", "h-1")
    assert "home=h-1" in entry["details"]
    assert actions(folk)[-1] == "log_read"


def test_a_sample_is_drawn_again_by_its_seed_shown_and_reviewed(stadsnav: Product, folk: Town) -> None:
    until = (folk.now + timedelta(seconds=1)).isoformat()
    arguments = ["--kind", "person", "--actor", "tester", "--size", "3", "--until", until, "--seed", "x"]

    first, again = (stadsnav.ask("audit", "sample", *arguments) for _ in range(2))
    stadsnav.ask("audit", "review", str(first["number"]), "--outcome", "breach", "--note", "asked")
    shown = stadsnav.ask("audit", "sampled", str(first["number"]))

    assert len(first["entries"]) == 3
    assert first["entries"] == again["entries"] == shown["entries"]
    assert [one["outcome"] for one in shown["reviews"]] == ["breach"]
    assert [row["number"] for row in stadsnav.ask("audit", "samples")] == [again["number"], first["number"]]
    assert stadsnav.ask("audit", "verify")["ok"]


def test_usage_is_shown_as_a_table_json_or_a_spreadsheet(stadsnav: Product, folk: Town) -> None:
    folk.grant("acme")
    month = f"{folk.now:%Y-%m}"

    found = stadsnav.ask("usage", "show", "--month", month)
    table = stadsnav.cli("usage", "show", "--org", "acme", "--csv").stdout

    [own] = found["organisations"]
    assert (own["org"], own["homes"], own["homes_by_class"]) == ("acme", 1, {"safety": 1})
    assert f"{month},acme,Acme AB,homes,safety,1" in table
    assert "Acme AB" in stadsnav.cli("usage", "show").stdout
    assert "org list" in stadsnav.cli("usage", "show", "--org", "nobody").stderr
    assert actions(folk)[-1] == "usage_read"
