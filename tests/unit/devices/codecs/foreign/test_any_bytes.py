"""What holds for every dialect: any bytes are read or refused, and what is read is in our words."""

import json
from contextlib import suppress
from datetime import UTC, datetime
from math import isfinite
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devices.codecs.errors import PayloadError
from devices.codecs.foreign import chirpstack, home_assistant_classes, wmbusmeters, zigbee2mqtt
from devices.codecs.foreign.registry import DIALECTS, UnknownDialectError, dialect_of
from devices.codecs.foreign.values import EXTERNAL_ID_MAX_LENGTH, PAYLOAD_MAX_BYTES, ForeignMessage
from devices.codecs.foreign.vocabulary import (
    READING_UNITS,
    Reading,
    UnitMistakeError,
    find_reading,
    reading,
)
from devices.profiles import load_profiles
from devices.profiles.units import PRIMARY_UNITS

AT = datetime(2026, 11, 23, 8, 15, 3, tzinfo=UTC)

TOPICS = {
    "zigbee2mqtt": ["kitchen", "kitchen/leak"],
    "chirpstack": [
        f"application/a/device/a81758fffe000001/event/{event}" for event in ("up", "status", "join")
    ],
    "wmbusmeters": ["wm"],
    "sparkplug-b": [
        f"spBv1.0/g/{kind}"
        for kind in ("NBIRTH/e", "NDATA/e", "NDEATH/e", "DBIRTH/e/d", "DDATA/e/d", "DDEATH/e/d")
    ],
    "home-assistant": [
        *(f"sensor/s/{key}" for key in ("state", "device_class", "unit_of_measurement")),
        *(f"binary_sensor/s/{key}" for key in ("state", "device_class")),
        "event/s/state",
        "event/s/event_type",
        "homeassistant/sensor/x/config",
        "homeassistant/binary_sensor/n/x/config",
        "t",
    ],
}
TABLES = (zigbee2mqtt.PLACES, chirpstack.PLACES, wmbusmeters.PLACES, home_assistant_classes.BINARY_SENSORS)

WORDS = [
    *(name for table in TABLES for name in table),
    *(
        "id",
        "status",
        "media",
        "time",
        "last_seen",
        "deviceInfo",
        "object",
        "rxInfo",
        "rssi",
        "action",
        "device",
    ),
    *("batteryLevel", "externalPowerSource", "state_topic", "value_template", "unique_id", "payload_on", "~"),
    *(
        "{{ value_json.temperature }}",
        "temperature",
        "°C",
        "smoke",
        "sos",
        "LEAK",
        "water",
        "t",
        "on",
        "21.4",
    ),
]
scalars = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.sampled_from(WORDS)
)
names = st.sampled_from(WORDS) | st.text(max_size=8)
json_values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(names, inner, max_size=6),
    max_leaves=20,
)
payloads = st.binary(max_size=64) | json_values.map(lambda value: json.dumps(value).encode())


@st.composite
def conversations(draw: st.DrawFn, name: str) -> list[tuple[str, bytes]]:
    topic = st.sampled_from(TOPICS[name]) | st.text(max_size=20)
    return draw(st.lists(st.tuples(topic, payloads), max_size=6))


def check(message: ForeignMessage) -> None:
    assert 0 < len(message.external_id) <= EXTERNAL_ID_MAX_LENGTH
    assert message.external_id.isprintable()
    names = [value.name for value in message.values]
    assert len(set(names)) == len(names)
    for value in message.values:
        assert isfinite(value.value)
        assert value.unit == READING_UNITS[value.name.rpartition("/")[2]]
    for moment in (message.sent_at, *(value.sent_at for value in message.values)):
        assert moment is None or moment.tzinfo is not None


@pytest.mark.parametrize("name", DIALECTS)
@given(data=st.data())
def test_any_bytes_either_decode_or_raise_payload_error(name: str, data: st.DataObject) -> None:
    dialect = dialect_of(name)

    for topic, payload in data.draw(conversations(name)):
        with suppress(PayloadError):
            for message in dialect.decode(topic, payload, received_at=AT):
                check(message)


@given(payload=st.binary(max_size=200), kinds=st.lists(st.sampled_from(TOPICS["sparkplug-b"]), max_size=3))
def test_metrics_of_any_bytes_are_read_or_refused(payload: bytes, kinds: list[str]) -> None:
    dialect = dialect_of("sparkplug-b")
    wrapped = b"\x12" + bytes([len(payload) % 128]) + payload[: len(payload) % 128]

    for topic in kinds:
        with suppress(PayloadError):
            for message in dialect.decode(topic, wrapped, received_at=AT):
                check(message)


@pytest.mark.parametrize("name", DIALECTS)
def test_a_payload_larger_than_the_broker_takes_is_refused(name: str) -> None:
    payload = b'"' + b"x" * PAYLOAD_MAX_BYTES + b'"'

    with pytest.raises(PayloadError, match="right would be at most 65536"):
        dialect_of(name).decode(TOPICS[name][0], payload, received_at=AT)


@pytest.mark.parametrize("name", DIALECTS)
def test_two_integrations_share_no_memory(name: str) -> None:
    assert dialect_of(name) is not dialect_of(name)


def test_an_unknown_dialect_names_the_known_ones() -> None:
    with pytest.raises(UnknownDialectError, match="'knx'; known are: zigbee2mqtt, chirpstack"):
        dialect_of("knx")


def test_every_reading_has_a_primary_unit_and_that_of_the_profiles() -> None:
    of_profiles = {row.name: row.unit for profile in load_profiles().values() for row in profile.readings}

    assert set(READING_UNITS.values()) <= PRIMARY_UNITS
    assert {name: READING_UNITS.get(name) for name in of_profiles} == of_profiles


@pytest.mark.parametrize(
    ("name", "unit", "foreign", "ours"),
    [
        ("temperature", "°F", 212, 100),
        ("temperature", "K", 273.15, 0),
        ("energy", "kWh", 1, 3_600_000),
        ("energy", "GJ", 1, 1e9),
        ("pressure", "hPa", 1000, 100_000),
        ("co2", "ppm", 400, 0.0004),
        ("volume", "L", 1000, 1),
        ("flow", "m³/h", 3600, 1),
        ("flow", "L/min", 60, 0.001),
        ("pm25", "µg/m³", 1, 1e-9),
        ("current", "mA", 1500, 1.5),
    ],
)
def test_units_become_primary_ones(name: str, unit: str, foreign: float, ours: float) -> None:
    found = find_reading(name, unit)

    assert found is not None
    assert foreign * found.scale + found.offset == pytest.approx(ours)


def test_a_unit_of_something_else_is_none_and_a_mistake_in_a_table() -> None:
    assert find_reading("temperature", "kWh") is None
    with pytest.raises(UnitMistakeError, match="'kWh' is no unit of 'temperature'"):
        reading("temperature", "kWh")


def test_a_table_leads_to_readings_that_exist() -> None:
    places: list[Any] = [place for table in TABLES for place in table.values()]

    assert {place.name for place in places if isinstance(place, Reading)} <= set(READING_UNITS)
