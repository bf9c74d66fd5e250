"""A city's homes from one file, by the real command."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from services.store import registry
from services.store.sqlite import SqliteConnection
from tests.support.product import PROGRAM, Product, wait_until

MANY = 10_000
ALL = 1_000_000


@pytest.fixture
def city(tmp_path: Path) -> Path:
    """Ten thousand homes."""
    rows = (f"h-{n:05d};Långgatan {n}, lgh 1101;co{n % 7}/{n:06d};n-{n % 40}\r\n" for n in range(MANY))
    file = tmp_path / "city.csv"
    file.write_text("\ufeffID;Address;Line;Node\r\n" + "".join(rows), encoding="utf-8", newline="")
    return file


def import_(product: Product, file: Path, *more: str) -> tuple[int, dict[str, Any], str]:
    done = product.cli("home", "import", str(file), *more, "--json", within_seconds=60)
    return done.returncode, json.loads(done.stdout), done.stderr


def counts(report: dict[str, Any]) -> tuple[int, int, int, int]:
    return report["created"], report["updated"], report["unchanged"], report["refused"]


def test_ten_thousand_homes_are_imported_once_and_the_second_time_unchanged(
    program: Product, city: Path, store: SqliteConnection
) -> None:
    tried = import_(program, city, "--dry-run")
    after_trying = registry.homes(store, limit=ALL)
    first = import_(program, city)
    again = import_(program, city)

    assert [code for code, _, _ in (tried, first, again)] == [0, 0, 0]
    assert (counts(tried[1]), tried[1]["dry_run"], after_trying) == ((MANY, 0, 0, 0), True, [])
    assert (counts(first[1]), first[1]["dry_run"]) == ((MANY, 0, 0, 0), False)
    assert counts(again[1]) == (0, 0, MANY, 0)
    assert len(first[1]["rows"]) == MANY
    assert first[1]["rows"][0] == {"line": 2, "id": "h-00000", "verdict": "created", "reason": None}
    homes = registry.homes(store, limit=ALL)
    assert len(homes) == MANY
    assert (homes[-1].address, homes[-1].access_id) == ("Långgatan 9999, lgh 1101", "009999")
    verdict = program.ask("audit", "verify")
    assert (verdict["ok"], verdict["entries"], verdict["first_bad"]) == (True, MANY, None)


def test_progress_is_on_stderr_with_its_count(program: Product, tmp_path: Path) -> None:
    file = tmp_path / "homes.csv"
    file.write_text("id,address\nh1,Storgatan 1\nh2,Storgatan 2\n")

    _, _, said = import_(program, file)

    assert "2/2" in said
    assert "/s" in said


def test_killed_half_way_and_run_again_it_ends_the_same(
    program: Product, city: Path, store: SqliteConnection
) -> None:
    process = subprocess.Popen(
        [str(PROGRAM), "home", "import", str(city), "--data", str(program.folder)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    wait_until(lambda: len(registry.homes(store, limit=ALL)) >= 1_000, "some homes are in")
    process.kill()
    process.wait(10)
    left = len(registry.homes(store, limit=ALL))

    code, report, _ = import_(program, city)

    assert 1_000 <= left < MANY
    assert left % 200 == 0
    assert code == 0
    assert counts(report) == (MANY - left, 0, left, 0)
    verdict = program.ask("audit", "verify")
    assert (verdict["ok"], verdict["entries"], verdict["first_bad"]) == (True, MANY, None)


def test_another_writer_never_waits_long_for_an_import(
    program: Product, city: Path, store: SqliteConnection
) -> None:
    """The busy timeout is the measure: a writer that waits longer than that loses its work."""
    store.run_script("PRAGMA busy_timeout=500")
    process = subprocess.Popen(
        [str(PROGRAM), "home", "import", str(city), "--data", str(program.folder)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    written = 0
    while process.poll() is None:
        with store.transaction():
            registry.homes(store, limit=1)
        written += 1

    assert process.returncode == 0
    assert written > 0


def test_refused_rows_are_told_written_down_and_the_others_are_in(stadsnav: Product, tmp_path: Path) -> None:
    file = tmp_path / "homes.csv"
    file.write_text("id,address\nh1,Storgatan 1\nh2,\nh3,a\nh3,b\n")
    refused = tmp_path / "refused.csv"

    code, report, said = import_(stadsnav, file, "--refused", str(refused))

    assert code == 1
    assert counts(report) == (1, 0, 0, 3)
    assert [row["line"] for row in report["rows"] if row["verdict"] == "refused"] == [3, 4, 5]
    assert report["rows"][2]["reason"] == "its id stands on lines 4 and 5; keep one of them"
    assert said.splitlines()[-1].startswith("3 of 4 rows refused, the others are imported")
    assert refused.stat().st_mode & 0o777 == 0o600
    assert refused.read_text().splitlines()[0] == "id,address,refused_line,reason"
    assert len(refused.read_text().splitlines()) == 4
    assert [home["id"] for home in stadsnav.ask("home", "list")] == ["h1"]


@pytest.mark.parametrize(
    ("content", "part"),
    [
        (b"id;address\nh1;Storgatan \xe5\n", "line 2: it is not UTF-8"),
        (b"name,street\nh1,x\n", "no column id and no address"),
        (b'id,address\nh1,"x\n', "line 2"),
        (b"", "empty"),
    ],
)
def test_a_file_that_is_no_list_is_refused_in_one_line_and_nothing_is_imported(
    stadsnav: Product, tmp_path: Path, content: bytes, part: str
) -> None:
    file = tmp_path / "homes.csv"
    file.write_bytes(content)

    done = stadsnav.cli("home", "import", str(file), "--json")

    assert (done.returncode, done.stdout) == (1, "")
    assert part in done.stderr
    assert done.stderr.count("\n") == 1
    assert stadsnav.ask("home", "list") == []


def test_a_full_store_keeps_what_was_done(program: Product, city: Path) -> None:
    program.ask("home", "list")
    done = subprocess.run(
        [
            "prlimit",
            "--fsize=1500000",
            str(PROGRAM),
            "home",
            "import",
            str(city),
            "--data",
            str(program.folder),
        ],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert done.returncode == 1
    assert "The store cannot be written" in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr
    code, report, _ = import_(program, city)
    assert code == 0
    assert report["created"] + report["unchanged"] == MANY
    assert report["unchanged"] > 0
