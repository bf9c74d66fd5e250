"""Limits on readings, by the real command."""

import re
import shlex
from pathlib import Path
from typing import Any, Final

import pytest

from tests.support.product import CommandRefusedError, Product
from tests.support.town import Town

MANUAL: Final = Path(__file__).parents[3] / "docs" / "rules.md"
HUMIDITY: Final = ("--home", "h-1", "--reading", "humidity")


@pytest.fixture(autouse=True)
def cellar(folk: Town) -> None:
    """Home ``h-1`` has a humidity meter in its cellar besides its stove guard."""
    folk.add_device("m-1", "h-1", "humidity-meter", "cellar")


def refusal(product: Product, *arguments: str) -> str:
    with pytest.raises(CommandRefusedError) as refused:
        product.ask(*arguments)
    assert refused.value.code == 1
    assert "\n" not in refused.value.said
    return refused.value.said


def shown(product: Product) -> list[tuple[Any, ...]]:
    """Position, name, condition, who set it and whether it is off, of every rule of ``h-1``."""
    found = product.ask("rule", "list", "--home", "h-1")
    return [tuple(row[key] for key in ("position", "name", "condition", "set_by", "off")) for row in found]


def test_a_home_s_list_begins_with_what_its_models_bring(stadsnav: Product) -> None:
    assert shown(stadsnav) == [
        ("cellar", "damp", "over 75 %RH for 24 h", "profile", False),
        ("stove guard", "stove", "over 50 W for 15 min", "profile", False),
    ]
    assert stadsnav.ask("rule", "list") == []


def test_a_rule_is_set_switched_off_and_unset(stadsnav: Product) -> None:
    made = stadsnav.ask("rule", "set", "damp", *HUMIDITY, "--above", "80", "--for", "12h")
    after_set = shown(stadsnav)[0]
    stadsnav.ask("rule", "off", "damp", "--home", "h-1", "--position", "cellar")
    after_off = shown(stadsnav)[0]
    listed = stadsnav.ask("rule", "list")
    for position in ([], ["--position", "cellar"]):
        stadsnav.ask("rule", "unset", "damp", "--home", "h-1", *position)

    assert made == {
        "home": "h-1",
        "position": None,
        "name": "damp",
        "reading": "humidity",
        "condition": "over 80 %RH for 12 h",
        "hysteresis": 5.0,
        "guard": None,
        "note": "mould-risk",
        "kind": "property.damp",
        "rule": made["rule"],
        "set_by": "home",
        "off": False,
        "set_at": made["set_at"],
    }
    assert (made["rule"]["above"], made["rule"]["for_seconds"]) == (80, 12 * 3600)
    assert after_set == ("cellar", "damp", "over 80 %RH for 12 h", "home", False)
    assert after_off == ("cellar", "damp", "over 80 %RH for 12 h", "position", True)
    assert [(row["position"], row["off"]) for row in listed] == [("cellar", True), (None, False)]
    assert shown(stadsnav)[0] == ("cellar", "damp", "over 75 %RH for 24 h", "profile", False)


@pytest.mark.parametrize(
    ("limit", "condition"),
    [
        (["--below", "-10", "--for", "90s"], "under -10 Cel for 90 s"),
        (["--rises-by", "5", "--within", "10m"], "up by more than 5 Cel within 10 min"),
        (["--falls-by", "5", "--within", "1d"], "down by more than 5 Cel within 24 h"),
        (["--missing-for", "7d"], "missing for 168 h"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_each_kind_of_limit_can_be_set(stadsnav: Product, limit: list[str], condition: str) -> None:
    place = ("--home", "h-1", "--position", "cellar", "--reading", "temperature")

    made = stadsnav.ask("rule", "set", "own", *place, *limit, "--kind", "property.damp")

    assert (made["condition"], made["kind"], made["set_by"]) == (condition, "property.damp", "position")


def test_a_guard_is_shown_in_words(stadsnav: Product) -> None:
    (stove,) = (row for row in stadsnav.ask("rule", "list", "--home", "h-1") if row["name"] == "stove")

    assert stove["guard"] == "unless presence is at least 0.5"


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (["list", "--home", "h-9"], "no home 'h-9'"),
        (["set", "damp", "--home", "h-9", "--reading", "humidity", "--above", "80"], "no home 'h-9'"),
        (["set", "damp", *HUMIDITY, "--above", "101"], "must lie within 0 to 100"),
        (["set", "damp", *HUMIDITY, "--above", "nan"], "finite"),
        (["set", "damp", *HUMIDITY, "--above", "80", "--for", "soon"], "90s, 15m, 24h or 7d"),
        (["set", "damp", "--home", "h-1", "--reading", "noise", "--above", "80"], "no device there measures"),
        (["off", "frost", "--home", "h-1"], "rule list --home h-1"),
        (["unset", "damp", "--home", "h-1"], "rule list --home h-1"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_what_cannot_be_is_refused_in_one_line_and_changes_nothing(
    stadsnav: Product, folk: Town, arguments: list[str], part: str
) -> None:
    before = folk.connection.data_version()

    assert part in refusal(stadsnav, "rule", *arguments)
    assert folk.connection.data_version() == before


def test_every_change_names_who_typed_it(stadsnav: Product) -> None:
    stadsnav.ask("rule", "off", "damp", "--home", "h-1")

    entry = stadsnav.ask("audit", "list", "--home", "h-1")[0]

    assert entry["actor"].startswith("cli:")
    assert (entry["action"], entry["subject"], entry["details"]) == ("rule_off", "damp", "position every")


def test_every_example_of_the_manual_works(stadsnav: Product, folk: Town) -> None:
    folk.add_home("h-0001")
    folk.add_device("m-2", "h-0001", "humidity-meter", "cellar")
    folk.add_device("s-2", "h-0001", "stove-guard")
    blocks = re.findall(r"^```sh\n(.*?)^```", MANUAL.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    commands = [shlex.split(line)[1:] for block in blocks for line in block.splitlines()]

    for command in commands:
        done = stadsnav.cli(*command)
        assert done.returncode == 0, done.stderr

    assert len(commands) >= 7
