"""The page for integrators says what the tables say."""

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pytest

from devices.codecs.foreign import chirpstack, home_assistant_classes, sparkplug_b, wmbusmeters, zigbee2mqtt
from devices.codecs.foreign.home_assistant import MAX_ENTITIES
from devices.codecs.foreign.home_assistant_discovery import MAX_CONFIGS
from devices.codecs.foreign.vocabulary import Condition, Press, Reading, State, StatusPart

DOCUMENT = Path(__file__).parents[5] / "docs" / "dialects.md"

TABLES: dict[str, Mapping[str, Any]] = {
    "Zigbee2MQTT": zigbee2mqtt.PLACES,
    "ChirpStack": chirpstack.PLACES,
    "wmbusmeters": wmbusmeters.PLACES,
    "Sparkplug B": sparkplug_b.OTHERS
    | {name: reading for name, (reading, _) in sparkplug_b.READINGS.items()},
    "Home Assistant": home_assistant_classes.BINARY_SENSORS,
}


def section(heading: str) -> str:
    return DOCUMENT.read_text().split(f"\n## {heading}\n", 1)[1].split("\n## ", 1)[0]


def ours(place: Any) -> str:
    match place:
        case Reading() | State():
            return place.name
        case Condition() | Press():
            return str(place.kind)
        case StatusPart():
            return str(place)
    return str(place)


def rows(heading: str) -> Iterable[tuple[set[str], str]]:
    for line in section(heading).splitlines():
        if line.startswith("|"):
            yield set(re.findall(r"`([^`]+)`", line)), line


@pytest.mark.parametrize("heading", TABLES)
def test_every_name_stands_in_a_row_with_what_it_becomes(heading: str) -> None:
    missing = [
        name
        for name, place in TABLES[heading].items()
        if not any({name, ours(place)} <= words for words, _ in rows(heading))
    ]

    assert missing == []


def test_every_class_of_a_sensor_is_named() -> None:
    words = set().union(*(words for words, _ in rows("Home Assistant")))

    assert set(home_assistant_classes.SENSORS) <= words


@pytest.mark.parametrize("word", wmbusmeters.FLAGS)
def test_every_status_word_of_a_meter_is_named(word: str) -> None:
    assert f"`{word}`" in section("wmbusmeters")


def test_the_bounds_are_those_of_the_code() -> None:
    assert f"{sparkplug_b.MAX_METRICS:,} metrics" in section("Sparkplug B")
    assert MAX_ENTITIES == MAX_CONFIGS
    assert f"{MAX_ENTITIES:,} entities" in section("Home Assistant")
