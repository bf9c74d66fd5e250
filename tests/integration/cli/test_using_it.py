"""What holds for every command: data folder, JSON, exit codes, one line for a refusal."""

import json
import subprocess
from pathlib import Path
from typing import Final

import pytest

from services.store.migrations import NEWEST
from services.store.sqlite import SqliteConnection
from tests.support.product import PROGRAM, Product
from tests.support.town import Town

READING: Final = [
    ["home", "list"],
    ["device", "list"],
    ["device", "show", "p-1"],
    ["profile", "list"],
    ["profile", "show", "home-hub"],
    ["org", "list"],
    ["grant", "list"],
    ["alarm", "list"],
    ["event", "list"],
    ["rule", "list", "--home", "h-1"],
    ["reading", "counts"],
    ["integration", "list"],
    ["delivery", "list"],
    ["audit", "list"],
    ["audit", "verify"],
    ["config"],
    ["doctor"],
]


CONTRACT_NOUNS: Final = (
    "home",
    "device",
    "org",
    "grant",
    "alarm",
    "event",
    "quarantine",
    "delivery",
    "audit",
)


def run(arguments: list[str], *, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(PROGRAM), *arguments],
        cwd=cwd,
        env={"PATH": "/usr/bin:/bin", **environment},
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )


def is_one_line(text: str) -> bool:
    return text.endswith("\n") and text.count("\n") == 1


def test_the_folder_is_the_command_s_then_the_noun_s_then_the_environment_s_then_var(tmp_path: Path) -> None:
    add = ["home", "add", "h1", "--address", "Storgatan 1"]

    run(["--data", "noun", *add, "--data", "command"], cwd=tmp_path, STADSNAV_DATA="environment")
    run(["--data", "noun", *add], cwd=tmp_path, STADSNAV_DATA="environment")
    before_var = {path.name for path in tmp_path.iterdir()}
    run(add, cwd=tmp_path, STADSNAV_DATA="environment")
    run(add, cwd=tmp_path)

    assert before_var == {"command", "noun"}
    assert {path.name for path in tmp_path.iterdir()} == {"command", "noun", "environment", "var"}
    assert (tmp_path / "var" / "stadsnav.db").exists()


def test_a_new_folder_is_for_its_owner_alone(stadsnav: Product) -> None:
    stadsnav.ask("home", "list")

    assert stadsnav.folder.stat().st_mode & 0o777 == 0o700


def test_the_program_prints_one_json_value_on_stdout_and_nothing_else_anywhere(
    program: Product, folk: Town
) -> None:
    folk.press()

    done = program.cli("alarm", "list", "--json")

    assert (done.returncode, done.stderr) == (0, "")
    assert is_one_line(done.stdout)
    assert len(json.loads(done.stdout)) == 1


def fill(stadsnav: Product, folk: Town) -> None:
    """Have something of everything that can be listed."""
    stadsnav.ask("integration", "add", "lora", "--dialect", "chirpstack")
    folk.grant("acme")
    folk.press()


@pytest.mark.parametrize("command", READING, ids=" ".join)
def test_json_is_one_value_on_stdout_and_nothing_on_stderr(
    stadsnav: Product, folk: Town, command: list[str]
) -> None:
    fill(stadsnav, folk)

    done = stadsnav.cli(*command, "--json")

    assert (done.returncode, done.stderr) == (0, "")
    assert is_one_line(done.stdout)
    assert json.loads(done.stdout)


@pytest.mark.parametrize("command", READING, ids=" ".join)
def test_people_get_a_table_without_colour_in_a_pipe(
    stadsnav: Product, folk: Town, command: list[str]
) -> None:
    fill(stadsnav, folk)

    done = stadsnav.cli(*command)

    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.count("\n") > 1
    assert "\x1b" not in done.stdout


@pytest.mark.parametrize(
    "arguments",
    [
        ["home"],
        ["home", "ad", "h1"],
        ["house", "list"],
        ["home", "add", "h1"],
        ["home", "list", "--limit", "0"],
        ["home", "list", "--limit", "many"],
        ["home", "list", "--colour"],
        ["org", "add", "x", "--kind", "baker"],
        ["grant", "add", "--org", "x"],
        ["demo", "--for", "-1"],
    ],
    ids=" ".join,
)
def test_wrong_usage_is_exit_2_and_makes_nothing(stadsnav: Product, arguments: list[str]) -> None:
    done = stadsnav.cli(*arguments)

    assert (done.returncode, done.stdout) == (2, "")
    assert "Usage: stadsnav" in done.stderr
    assert not stadsnav.folder.exists()


def test_help_is_exit_0_and_names_every_noun_of_the_contract(tmp_path: Path) -> None:
    done = run(["--help"], cwd=tmp_path)

    assert done.returncode == 0
    for noun in (*CONTRACT_NOUNS, "integration", "rule", "reading"):
        assert f"\n  {noun} " in done.stdout


def refused(product: Product, *arguments: str) -> str:
    """The one line of a refusal."""
    done = product.cli(*arguments)
    assert (done.returncode, done.stdout) == (1, "")
    assert is_one_line(done.stderr)
    return done.stderr


@pytest.mark.parametrize("arguments", [["home", "list", "--json"], ["config"], ["run", "alarm"], ["up"]])
def test_a_folder_that_others_can_read_is_refused_with_the_command_that_mends_it(
    program: Product, arguments: list[str]
) -> None:
    program.folder.mkdir(mode=0o755)

    assert f"chmod 700 {program.folder}" in refused(program, *arguments)


def test_a_store_of_a_newer_program_is_refused_and_left_as_it_is(
    program: Product, store: SqliteConnection
) -> None:
    store.run_script(f"PRAGMA user_version={NEWEST + 1}")

    said = refused(program, "home", "add", "h1", "--address", "Storgatan 1", "--json")

    assert "install the newer program" in said
    assert store.row("SELECT COUNT(*) FROM homes") == (0,)


def test_settings_that_cannot_be_right_are_refused_in_one_line_with_every_mistake(stadsnav: Product) -> None:
    stadsnav.ask("home", "list")
    (stadsnav.folder / "stadsnav.toml").write_text('city = "Malmö stad"\nhttp_prt = 1\n')

    said = refused(stadsnav, "config")

    assert "city" in said
    assert "http_prt" in said


def test_config_says_where_each_value_came_from_and_no_secret(stadsnav: Product) -> None:
    stadsnav.ask("home", "list")
    (stadsnav.folder / "stadsnav.toml").write_text('city = "malmo"\n[broker]\npassword = "hunter2"\n')

    done = stadsnav.cli("config", "--json")

    found = json.loads(done.stdout)
    assert found["city"] == {"value": "malmo", "origin": "stadsnav.toml"}
    assert found["mqtt_port"] == {"value": 0, "origin": "environment"}
    assert found["broker.port"] == {"value": 1883, "origin": "default"}
    assert found["broker.password"]["origin"] == "stadsnav.toml"
    assert "hunter2" not in done.stdout + done.stderr


def test_a_mistake_of_ours_is_a_traceback_and_then_a_line(program: Product, store: SqliteConnection) -> None:
    store.run_script("ALTER TABLE homes RENAME TO houses")

    done = program.cli("home", "list", "--json")

    assert (done.returncode, done.stdout) == (1, "")
    assert "Traceback" in done.stderr
    assert done.stderr.splitlines()[-1].startswith("Unexpected SQLError: no such table: homes")


def test_a_reader_that_goes_away_is_no_mistake(program: Product, store: SqliteConnection) -> None:
    with store.transaction():
        store.run(
            """INSERT INTO homes (id, address, co_id, access_id, node)
               WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 200)
               SELECT 'h' || i, 'Storgatan ' || i, '', '', '' FROM n"""
        )
    words = [str(PROGRAM), "home", "list", "--limit", "200", "--data", str(program.folder)]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        said = process.stderr.read()

    assert process.returncode == 1
    assert said == b""


def test_commands_can_make_the_same_new_folder_at_once(program: Product) -> None:
    commands = [
        subprocess.Popen(
            [str(PROGRAM), "home", "add", f"h{number}", "--address", "x", "--data", str(program.folder)],
            stdout=subprocess.DEVNULL,
        )
        for number in range(4)
    ]

    assert [command.wait(30) for command in commands] == [0, 0, 0, 0]
    assert len(program.ask("home", "list")) == 4


def test_a_store_that_is_no_database_is_refused_in_one_line(stadsnav: Product) -> None:
    stadsnav.ask("home", "list")
    (stadsnav.folder / "stadsnav.db").write_bytes(b"no database " * 1_000)

    assert "The store cannot be" in refused(stadsnav, "home", "list")
