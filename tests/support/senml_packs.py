"""Generated SenML packs, both ways to write them down, and a slow obvious judge of what they mean.

A pack is a list of records with the labels of JSON; some are right, some break a rule.
"""

import base64
import json
from fractions import Fraction
from math import isfinite
from typing import Any, Final, TypeAlias

import cbor2
from hypothesis import strategies as st

from devices.codecs.errors import PayloadError
from devices.codecs.senml import Measured, decode

Pack: TypeAlias = list[dict[str, Any]]

_ALNUM: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"

RECEIVED_US: Final = 1_764_000_000_000_000

CBOR_LABELS: Final = {
    "bver": -1, "bn": -2, "bt": -3, "bu": -4, "bv": -5, "bs": -6,
    "n": 0, "u": 1, "v": 2, "vs": 3, "vb": 4, "s": 5, "t": 6, "ut": 7, "vd": 8,
}  # fmt: skip

numbers = st.floats(-1e9, 1e9) | st.integers(-(10**9), 10**9)
times = st.one_of(
    st.integers(-86_400, 86_400),
    st.integers(-(10**12), 10**12).map(lambda microseconds: microseconds / 10**6),
    st.integers(2**28 - 2, 2**28 + 2),
)
base_times = times | st.integers(1_600_000_000 * 10**6, 1_900_000_000 * 10**6).map(lambda us: us / 10**6)


def _now_and_then(fields: dict[str, st.SearchStrategy[Any]]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries({}, optional=fields)


values = st.one_of(
    numbers.map(lambda value: {"v": value}),
    numbers.map(lambda value: {"v": value}),
    st.text(max_size=4).map(lambda value: {"vs": value}),
    st.booleans().map(lambda value: {"vb": value}),
    st.binary(max_size=4).map(lambda value: {"vd": value}),
    numbers.map(lambda value: {"s": value}),
)
names = st.sampled_from(["temperature", "humidity", "a_", "b.c/d-e:f"])
records = st.builds(
    lambda *parts: {label: value for part in parts for label, value in part.items()},
    names.map(lambda name: {"n": name}),
    values,
    _now_and_then({"t": times, "u": st.sampled_from(["Cel", "%RH", "kWh", ""]), "ut": st.floats(0, 1e6)}),
)
base_fields = _now_and_then(
    {
        "bn": st.sampled_from(["urn:dev:mac:0024befffe804ff1:", "a/", ""]),
        "bt": base_times,
        "bu": st.sampled_from(["W", "Cel"]),
        "bv": numbers,
        "bs": numbers,
    }
)
oddities = st.sampled_from([
    {}, {}, {}, {}, {"bver": 10}, {"bver": 5}, {"bver": 26}, {"bver": 42},
    {"n": "_no"}, {"n": "å"}, {"n": ""}, {"bn": "?"}, {"u": "x\ny"}, {"x": 1, "_y": [2]}, {"must_": 1},
    {"ut": -1}, {"v": 1}, {"vs": "two"}, {"v": 1.7e308}, {"bv": 1.7e308}, {"bt": 9e9},
])  # fmt: skip


def _merged(record: dict[str, Any], base: dict[str, Any], odd: dict[str, Any]) -> dict[str, Any]:
    return {**base, **record, **odd}


right_records = st.builds(_merged, records, base_fields | st.just({}), st.just({}))
odd_records = st.builds(_merged, records, base_fields | st.just({}), oddities) | base_fields
right_packs = st.lists(right_records, min_size=1, max_size=6)
packs = st.one_of(
    right_packs,
    st.lists(odd_records, max_size=4),
    st.builds(lambda head, odd, tail: [*head, odd, *tail], right_packs, odd_records, right_packs),
)


def as_json(pack: Pack) -> bytes:
    """The pack in RFC 8428 section 5."""
    return json.dumps(pack, default=lambda data: base64.urlsafe_b64encode(data).decode().rstrip("=")).encode()


def as_cbor(pack: Pack, *, shortest: bool = False) -> bytes:
    """The pack in RFC 8428 section 6; ``shortest`` uses floats of 16 bits where they do."""
    return cbor2.dumps(_numbered(pack), canonical=shortest)


def as_endless_cbor(pack: Pack) -> bytes:
    """The pack in CBOR whose arrays and maps do not tell their lengths."""
    maps = (
        b"\xbf" + b"".join(cbor2.dumps(part) for item in record.items() for part in item) + b"\xff"
        for record in _numbered(pack)
    )
    return b"\x9f" + b"".join(maps) + b"\xff"


def _numbered(pack: Pack) -> list[dict[Any, Any]]:
    return [{CBOR_LABELS.get(label, label): value for label, value in record.items()} for record in pack]


def outcome(payload: bytes) -> list[Measured] | None:
    """What ``decode`` makes of it; None when it refuses."""
    try:
        return decode(payload, received_us=RECEIVED_US)
    except PayloadError:
        return None


def judge(pack: Pack) -> list[Measured] | None:
    """What the pack means by RFC 8428 section 4; None when it breaks a rule.

    Each record looks back over the whole pack for each base field, and times are fractions.
    """
    if len({_in_force(pack, place, "bver", 10) for place in range(len(pack))}) > 1:
        return None
    told = [_judged(pack, place) for place in range(len(pack)) if not _is_base_alone(pack[place])]
    if not told or any(record is None for record in told):
        return None
    return sorted([record for record in told if record], key=lambda record: record.at_us)


def _is_base_alone(record: dict[str, Any]) -> bool:
    bases = {"bn", "bt", "bu", "bv", "bs", "bver"}
    has_base = bool(bases & set(record))
    own = set(record) & (set(CBOR_LABELS) - bases)
    return has_base and not {label for label in own if record[label] != "" or label in {"vs", "vd"}}


def _in_force(pack: Pack, place: int, label: str, otherwise: Any) -> Any:
    return next((record[label] for record in reversed(pack[: place + 1]) if label in record), otherwise)


def _judged(pack: Pack, place: int) -> Measured | None:
    record = pack[place]

    def in_force(label: str, otherwise: Any) -> Any:
        return _in_force(pack, place, label, otherwise)

    name = in_force("bn", "") + record.get("n", "")
    unit = record.get("u") or in_force("bu", "")
    at_us = sum(round(Fraction(part) * 10**6) for part in (in_force("bt", 0), record.get("t", 0)))
    at_us += RECEIVED_US if at_us < 2**28 * 10**6 else 0
    given = [label for label in ("v", "vs", "vb", "vd") if label in record]
    value, note = {
        ("v",): (float(in_force("bv", 0)) + float(record.get("v", 0)), ""),
        ("vb",): (1.0 if record.get("vb") else 0.0, ""),
        ("vs",): (None, "text"),
        ("vd",): (None, "data"),
        (): (None, "only a sum"),
    }.get(tuple(given), (None, ""))
    rules = (
        bool(name) and name.isascii() and name[0].isalnum() and not name.strip("-:./_" + _ALNUM),
        len(given) == 1 or (not given and "s" in record),
        value is None or isfinite(value),
        2**28 * 10**6 <= at_us < 7_258_118_400 * 10**6,
        record.get("ut", 0) >= 0,
        unit.isprintable(),
        in_force("bver", 10) in {*range(1, 11), 26},
        not [label for label in record if label.endswith("_")],
    )
    update_seconds = float(record["ut"]) if "ut" in record else None
    return Measured(name, unit, at_us, value, update_seconds, note) if all(rules) else None
