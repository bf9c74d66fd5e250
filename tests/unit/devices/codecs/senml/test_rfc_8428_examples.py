"""SenML: the examples of RFC 8428 sections 5.1 and 6.1, and what they resolve to."""

import json
from dataclasses import dataclass
from typing import Any

import pytest

from devices.codecs.senml import Measured, decode

NOW = 1_498_780_179
"""Seconds; what the examples say "now" is."""

WIRE = "urn:dev:ow:10e2073a01080063"
PHASE = "urn:dev:ow:10e2073a0108006:"
AT_SIX = 1_276_020_076.001
AT_ONE = 1_320_067_464
AT_FOUR = 1_320_078_429


@dataclass(frozen=True, kw_only=True)
class Example:
    section: str
    pack: list[dict[str, Any]]
    resolved: list[tuple[str, str, float, float | str]]
    """Name, unit, seconds since 1970, value or note."""


VOLTAGE_AND_CURRENTS = Example(
    section="5.1.2 the last six seconds, in version 5",
    pack=[
        {"bn": PHASE, "bt": AT_SIX, "bu": "A", "bver": 5, "n": "voltage", "u": "V", "v": 120.1},
        {"n": "current", "t": -5, "v": 1.2},
        {"n": "current", "t": -4, "v": 1.3},
        {"n": "current", "t": -3, "v": 1.4},
        {"n": "current", "t": -2, "v": 1.5},
        {"n": "current", "t": -1, "v": 1.6},
        {"n": "current", "v": 1.7},
    ],
    resolved=[
        (PHASE + "current", "A", 1_276_020_071.001, 1.2),
        (PHASE + "current", "A", 1_276_020_072.001, 1.3),
        (PHASE + "current", "A", 1_276_020_073.001, 1.4),
        (PHASE + "current", "A", 1_276_020_074.001, 1.5),
        (PHASE + "current", "A", 1_276_020_075.001, 1.6),
        (PHASE + "voltage", "V", AT_SIX, 120.1),
        (PHASE + "current", "A", AT_SIX, 1.7),
    ],
)

EXAMPLES = [
    Example(
        section="5.1.1 one value, about now",
        pack=[{"n": WIRE, "u": "Cel", "v": 23.1}],
        resolved=[(WIRE, "Cel", NOW, 23.1)],
    ),
    Example(
        section="5.1.2 two values, about now",
        pack=[
            {"bn": WIRE + ":", "n": "voltage", "u": "V", "v": 120.1},
            {"n": "current", "u": "A", "v": 1.2},
        ],
        resolved=[(WIRE + ":voltage", "V", NOW, 120.1), (WIRE + ":current", "A", NOW, 1.2)],
    ),
    VOLTAGE_AND_CURRENTS,
    Example(
        section="5.1.2 a stream, as one pack",
        pack=[
            {"bn": WIRE, "bt": AT_ONE, "bu": "%RH", "v": 21.2},
            {"t": 10, "v": 21.3},
            {"t": 91, "v": 21.5},
        ],
        resolved=[
            (WIRE, "%RH", AT_ONE, 21.2),
            (WIRE, "%RH", AT_ONE + 10, 21.3),
            (WIRE, "%RH", AT_ONE + 91, 21.5),
        ],
    ),
    Example(
        section="5.1.3 and 5.1.4 a moving device",
        pack=[
            {"bn": WIRE, "bt": AT_ONE, "bu": "%RH", "v": 20},
            {"u": "lon", "v": 24.30621},
            {"u": "lat", "v": 60.07965},
            {"t": 60, "v": 20.3},
            {"u": "lon", "t": 60, "v": 24.30622},
            {"u": "lat", "t": 60, "v": 60.07965},
            {"t": 120, "v": 20.7},
            {"u": "lon", "t": 120, "v": 24.30623},
            {"u": "lat", "t": 120, "v": 60.07966},
            {"u": "%EL", "t": 150, "v": 98},
            {"t": 180, "v": 21.2},
            {"u": "lon", "t": 180, "v": 24.30628},
            {"u": "lat", "t": 180, "v": 60.07967},
        ],
        resolved=[
            (WIRE, "%RH", 1_320_067_464, 20),
            (WIRE, "lon", 1_320_067_464, 24.30621),
            (WIRE, "lat", 1_320_067_464, 60.07965),
            (WIRE, "%RH", 1_320_067_524, 20.3),
            (WIRE, "lon", 1_320_067_524, 24.30622),
            (WIRE, "lat", 1_320_067_524, 60.07965),
            (WIRE, "%RH", 1_320_067_584, 20.7),
            (WIRE, "lon", 1_320_067_584, 24.30623),
            (WIRE, "lat", 1_320_067_584, 60.07966),
            (WIRE, "%EL", 1_320_067_614, 98),
            (WIRE, "%RH", 1_320_067_644, 21.2),
            (WIRE, "lon", 1_320_067_644, 24.30628),
            (WIRE, "lat", 1_320_067_644, 60.07967),
        ],
    ),
    Example(
        section="5.1.5 several types of values",
        pack=[
            {"bn": WIRE + ":", "n": "temp", "u": "Cel", "v": 23.1},
            {"n": "label", "vs": "Machine Room"},
            {"n": "open", "vb": False},
            {"n": "nfc-reader", "vd": "aGkgCg"},
        ],
        resolved=[
            (WIRE + ":temp", "Cel", NOW, 23.1),
            (WIRE + ":label", "", NOW, "text"),
            (WIRE + ":open", "", NOW, 0.0),
            (WIRE + ":nfc-reader", "", NOW, "data"),
        ],
    ),
    Example(
        section="5.1.6 two devices in one answer",
        pack=[
            {"bn": "2001:db8::2/", "bt": AT_FOUR, "n": "temperature", "u": "Cel", "v": 25.2},
            {"n": "humidity", "u": "%RH", "v": 30},
            {"bn": "2001:db8::1/", "n": "temperature", "u": "Cel", "v": 12.3},
            {"n": "humidity", "u": "%RH", "v": 67},
        ],
        resolved=[
            ("2001:db8::2/temperature", "Cel", AT_FOUR, 25.2),
            ("2001:db8::2/humidity", "%RH", AT_FOUR, 30),
            ("2001:db8::1/temperature", "Cel", AT_FOUR, 12.3),
            ("2001:db8::1/humidity", "%RH", AT_FOUR, 67),
        ],
    ),
    Example(
        section="5.1.7 a record of a base name alone",
        pack=[
            {"bn": WIRE + ":"},
            {"n": "temp", "u": "Cel", "v": 23.1},
            {"n": "heat", "u": "/", "v": 1},
            {"n": "fan", "u": "/", "v": 0},
        ],
        resolved=[
            (WIRE + ":temp", "Cel", NOW, 23.1),
            (WIRE + ":heat", "/", NOW, 1),
            (WIRE + ":fan", "/", NOW, 0),
        ],
    ),
    Example(
        section="5.1.7 two lamps, off in a tenth of a second",
        pack=[
            {"bt": AT_FOUR, "bu": "/", "n": "2001:db8::3", "v": 0.5},
            {"n": "2001:db8::4", "v": 0.5},
            {"n": "2001:db8::3", "t": 0.1, "v": 0},
            {"n": "2001:db8::4", "t": 0.1, "v": 0},
        ],
        resolved=[
            ("2001:db8::3", "/", AT_FOUR, 0.5),
            ("2001:db8::4", "/", AT_FOUR, 0.5),
            ("2001:db8::3", "/", AT_FOUR + 0.1, 0),
            ("2001:db8::4", "/", AT_FOUR + 0.1, 0),
        ],
    ),
]

CBOR_OF_SECTION_6_1 = bytes.fromhex(
    "87 a7 21 781b 75726e3a6465763a6f773a3130653230373361303130383030363a 22 fb41d303a15b001062 23 6141 20 05"
    "00 67 766f6c74616765 01 6156 02 fb405e066666666666"
    "a3 00 67 63757272656e74 06 24 02 fb3ff3333333333333"
    "a3 00 67 63757272656e74 06 23 02 fb3ff4cccccccccccd"
    "a3 00 67 63757272656e74 06 22 02 fb3ff6666666666666"
    "a3 00 67 63757272656e74 06 21 02 f93e00"
    "a3 00 67 63757272656e74 06 20 02 fb3ff999999999999a"
    "a3 00 67 63757272656e74 06 00 02 fb3ffb333333333333"
)


def resolved(example: Example) -> list[Measured]:
    return [
        Measured(name, unit, round(at * 10**6), None, None, value)
        if isinstance(value, str)
        else Measured(name, unit, round(at * 10**6), value)
        for name, unit, at, value in example.resolved
    ]


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.section)
def test_an_example_of_the_standard_means_what_the_standard_says(example: Example) -> None:
    pack = json.dumps(example.pack).encode()

    assert decode(pack, received_us=NOW * 10**6) == resolved(example)


def test_the_example_of_the_standard_in_cbor_means_the_same() -> None:
    assert decode(CBOR_OF_SECTION_6_1, received_us=0) == resolved(VOLTAGE_AND_CURRENTS)
