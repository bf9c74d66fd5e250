"""SenML: written packs are short, and mean what they were made of."""

import json
from math import inf, nan

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devices.codecs.senml import Measured, UnwritableRecordError, decode, encode_json

SECOND = 1_000_000
AT_US = 1_764_000_000_123_456

names = st.from_regex(r"\A(urn:dev:mac:|b\.|)[A-Za-z0-9][-A-Za-z0-9:./_]{0,20}\Z")
moments = st.integers(2**28 * SECOND, 7_258_118_400 * SECOND - 1)
records = st.builds(
    Measured,
    name=names,
    unit=st.sampled_from(["", "Cel", "%RH", "kWh", "°"]),
    at_us=moments | st.integers(AT_US, AT_US + 10 * SECOND),
    value=st.floats(allow_nan=False, allow_infinity=False),
    update_seconds=st.none() | st.floats(0, 1e9),
    note=st.just(""),
)


@given(measured=st.lists(records, min_size=1, max_size=8))
def test_records_survive_writing_and_reading_and_come_back_in_order_of_time(measured: list[Measured]) -> None:
    read = decode(encode_json(measured), received_us=0)

    assert read == sorted(measured, key=lambda record: record.at_us)


def test_what_records_share_is_written_once() -> None:
    written = encode_json(
        [
            Measured("urn:dev:ops:32473-hm-000123:temperature", "Cel", AT_US, 21.37),
            Measured("urn:dev:ops:32473-hm-000123:humidity", "%RH", AT_US + SECOND, 47.2, 3600.0),
        ]
    )

    assert json.loads(written) == [
        {
            "bn": "urn:dev:ops:32473-hm-000123:", "bt": 1_764_000_000,
            "n": "temperature", "u": "Cel", "t": 0.123456, "v": 21.37,
        },
        {"n": "humidity", "u": "%RH", "t": 1.123456, "v": 47.2, "ut": 3600.0},
    ]  # fmt: skip


def test_one_name_becomes_the_base_name() -> None:
    written = encode_json(
        [Measured("a:x", "W", AT_US - 123_456, 1.0), Measured("a:x", "W", AT_US - 123_455, 2.0)]
    )

    assert json.loads(written) == [
        {"bn": "a:x", "bt": 1_764_000_000, "u": "W", "v": 1.0},
        {"u": "W", "t": 0.000001, "v": 2.0},
    ]


def test_records_more_than_a_day_apart_have_base_times_of_their_own() -> None:
    days = [AT_US, AT_US + 86_399 * SECOND, AT_US + 86_400 * SECOND, 7_258_118_399_999_999]
    measured = [Measured("a", "", at_us, 1.0) for at_us in days]

    written = encode_json(measured)

    assert ["bt" in record for record in json.loads(written)] == [True, False, True, True]
    assert decode(written, received_us=0) == measured


def test_a_pack_with_a_secondary_unit_says_so_by_its_version() -> None:
    written = encode_json([Measured("a", "W", AT_US, 1.0), Measured("b", "kWh", AT_US, 1.0)])

    assert json.loads(written)[0]["bver"] == 26


@pytest.mark.parametrize(
    ("record", "says"),
    [
        (Measured("a", "", AT_US, None, None, "text"), "Cannot write 'a' as SenML: it holds text"),
        (Measured("a", "", AT_US, nan), "it holds nan"),
        (Measured("a", "", AT_US, inf), "it holds inf"),
        (Measured("_a", "", AT_US, 1.0), "Cannot write '_a' as SenML: right would be letters"),
        (Measured("a", "W\n", AT_US, 1.0), "its unit is 'W"),
        (Measured("a", "W" * 33, AT_US, 1.0), "its unit is 'W"),
        (Measured("a", "", 0, 1.0), "its time is 0 us after 1970"),
        (Measured("a", "", 7_258_118_400 * SECOND, 1.0), "its time is 7258118400000000 us after 1970"),
        (Measured("a", "", AT_US, 1.0, -1.0), "its update time is -1.0 s"),
        (Measured("a", "", AT_US, 1.0, inf), "its update time is inf s"),
    ],
)
def test_what_has_no_place_in_senml_is_not_written(record: Measured, says: str) -> None:
    with pytest.raises(UnwritableRecordError, match=says) as caught:
        encode_json([Measured("b", "", AT_US, 1.0), record])

    assert caught.value.record is record
