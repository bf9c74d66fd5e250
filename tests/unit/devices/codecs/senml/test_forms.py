"""SenML: what JSON and CBOR may look like, and packs that were made to do harm."""

import json
from typing import Any

import cbor2
import pytest

from devices.codecs.errors import PayloadError
from devices.codecs.senml import MAX_BYTES, Measured, decode
from devices.codecs.senml.cbor_pack import CBOR_MAX_BYTES
from tests.support.senml_packs import RECEIVED_US


def decoded(payload: bytes) -> list[Measured]:
    return decode(payload, received_us=RECEIVED_US)


def refusal(payload: bytes) -> str:
    with pytest.raises(PayloadError) as caught:
        decoded(payload)
    return caught.value.reason


def cbor(*records: dict[Any, Any]) -> bytes:
    return cbor2.dumps(list(records))


@pytest.mark.parametrize("head", [b" ", b"\t", b"\r\n", b""])
def test_json_may_start_with_white_space(head: bytes) -> None:
    assert decoded(head + b'[{"n":"a","v":1}]\n')[0].value == 1.0


@pytest.mark.parametrize(
    ("field", "says"),
    [
        ('"v":"1"', "record 1: v: Expected float, got str"),
        ('"v":true', "record 1: v: Expected float, got bool"),
        ('"v":null', "record 1: v: Expected float, got null"),
        ('"v":1e999', "record 1: v: Number out of range"),
        (f'"v":{"9" * 400}', "record 1: v: Number out of range"),
        ('"v":NaN', "not JSON"),
        ('"v":-Infinity', "not JSON"),
        ('"v":1,"t":"now"', "record 1: t: Expected float, got str"),
        ('"v":1,"bver":10.5', "record 1: bver: Expected int, got float"),
        ('"v":1,"bn":7', "record 1: bn: Expected str, got int"),
        ('"vb":1', "record 1: vb: Expected bool, got int"),
    ],
)
def test_a_field_of_another_type_is_refused_and_named(field: str, says: str) -> None:
    assert refusal(f'[{{"n":"a",{field}}}]'.encode()).startswith(says)


@pytest.mark.parametrize(
    "field", ['"x":{"y":[1,null]}', '"x":"1e999"', '"x":1e999', '"x_y":1', '"_y":{},"l":"[]"']
)
def test_a_field_that_we_do_not_know_is_passed_over(field: str) -> None:
    assert decoded(f'[{{"n":"a","v":1,{field}}}]'.encode()) == [Measured("a", "", RECEIVED_US, 1.0)]


@pytest.mark.parametrize("label", ["x_", "_", "v_", "x\\u005f", "x\\u005F", "\\u005f"])
def test_a_label_that_ends_in_an_underscore_is_refused_however_it_is_written(label: str) -> None:
    reason = refusal(f'[{{"n":"a","v":1}},{{"n":"b","v":1,"{label}" :0}}]'.encode())

    assert reason.startswith("record 2: ")
    assert "must be understood" in reason


def test_a_name_or_text_that_ends_in_an_underscore_is_no_such_label() -> None:
    assert decoded(b'[{"n":"a_","v":1},{"n":"b","vs":"_","x":{"y_":1}}]')[0].name == "a_"


def test_the_last_of_two_equal_labels_counts_in_both_forms() -> None:
    assert decoded(b'[{"n":"a","v":1,"v":2}]')[0].value == 2.0
    assert decoded(bytes.fromhex("81a3 006161 0201 0202"))[0].value == 2.0


@pytest.mark.parametrize(
    "payload",
    [
        b'{"n":"a","v":1}',
        b'"a"',
        b"1",
        b"[1]",
        b"[[]]",
        b'[{"n":"a","v":1}] 2',
        b"",
        b"\xef\xbb\xbf[]",
        cbor2.dumps({0: "a", 2: 1}),
        cbor2.dumps([1]),
        cbor2.dumps("a"),
        cbor2.dumps(b"[]"),
        cbor2.dumps(None),
    ],
)
def test_what_is_no_array_of_records_is_refused(payload: bytes) -> None:
    refusal(payload)


def test_json_that_is_not_utf_8_is_refused_wherever_it_is_not() -> None:
    assert refusal(b'[{"n":"a","v":1,"x":"\xff"}]') == "not UTF-8 (byte 21)"
    assert refusal(b'[{"n":"\xff","v":1}]').startswith("not UTF-8")


def test_a_pack_has_at_most_so_many_bytes() -> None:
    assert refusal(b" " * (MAX_BYTES + 1)) == "65537 bytes; right would be at most 65536"
    assert refusal(b"\x80" + bytes(CBOR_MAX_BYTES)) == "32769 bytes of CBOR; right would be at most 32768"


@pytest.mark.parametrize(
    ("number", "value"),
    [
        ("02", 2.0),
        ("20", -1.0),
        ("1bffffffffffffffff", 2.0**64),
        ("f93e00", 1.5),
        ("fa3fc00000", 1.5),
        ("fb3ff8000000000000", 1.5),
        ("c482200f", 1.5),
        ("c48221190855", 21.33),
        ("c482 39018f 01", 0.0),
    ],
)
def test_numbers_of_every_kind_that_the_standard_allows_are_read_from_cbor(number: str, value: float) -> None:
    assert decoded(bytes.fromhex(f"81a2006161 02{number}"))[0].value == value


@pytest.mark.parametrize(
    ("number", "says"),
    [
        ("f97e00", "record 1: v is nan; right would be a finite number"),
        ("f97c00", "record 1: v is inf; right would be a finite number"),
        ("fbfff0000000000000", "record 1: v is -inf; right would be a finite number"),
        ("c482190190 1bffffffffffffffff", "record 1: v is inf; right would be a finite number"),
        ("c4821a7fffffff01", "not a decimal fraction; right would be [exponent, mantissa]"),
        ("c48120", "not a decimal fraction"),
        ("c4f5", "not a decimal fraction"),
        ("c24101", "CBOR tag 2; right would be numbers without a tag, or decimal fractions (tag 4)"),
        ("c5822001", "CBOR tag 5; right would be"),
        ("f5", "record 1: v: Expected float, got bool"),
        ("f6", "record 1: v: Expected float, got null"),
        ("6131", "record 1: v: Expected float, got str"),
    ],
)
def test_any_other_number_in_cbor_is_refused(number: str, says: str) -> None:
    assert refusal(bytes.fromhex(f"81a2006161 02{number}")).startswith(says)


def test_every_tag_but_decimal_fractions_is_refused_before_anything_is_built() -> None:
    for tag in (*range(4), *range(5, 512), 1_004, 43_000, 55_799, 2**32):
        assert refusal(cbor({0: "a", 2: 1, "x": cbor2.CBORTag(tag, "2026-01-01")})).startswith(
            f"CBOR tag {tag};"
        )
        assert refusal(cbor2.dumps(cbor2.CBORTag(tag, [{0: "a", 2: 1}]))).startswith(f"CBOR tag {tag};")


def test_labels_in_cbor_are_the_integers_of_the_standard_or_text_of_an_extension() -> None:
    assert decoded(cbor({0: "a", 2: 1, 9: 2, -7: 3, "x": 4}))[0].value == 1.0
    for label in ("v", "bn"):
        assert f"{label!r} as a label" in refusal(cbor({0: "a", 2: 1, label: 1}))
    for other in (1.5, b"v", None, (1, 2), False):
        assert "as a label; right would be the integer of" in refusal(cbor({"x": "a", other: 1}))


def test_a_label_that_must_be_understood_is_refused_in_cbor_too() -> None:
    assert "'x_' must be understood" in refusal(cbor({0: "a", 2: 1}, {0: "b", 2: 1, "x_": 1}))


def test_data_in_cbor_is_bytes() -> None:
    assert decoded(cbor({0: "a", 8: b"hi"}))[0].note == "data"
    assert "vd is no byte string" in refusal(cbor({0: "a", 8: "aGk"}))


def test_cbor_is_nested_no_deeper_than_a_pack_with_some_room_for_extensions() -> None:
    extension = {"a": [{"b": [{"c": [1]}]}]}

    assert decoded(cbor({0: "a", 2: 1, "x": extension}))[0].value == 1.0
    assert "depth" in refusal(cbor({0: "a", 2: 1, "x": [extension]}))


def test_nothing_may_stand_behind_a_pack_in_cbor() -> None:
    assert refusal(cbor({0: "a", 2: 1}) + b"\x80") == "1 bytes behind the CBOR array; right would be none"


HOSTILE = {
    "arrays in arrays, JSON": b"[" * MAX_BYTES,
    "objects in an unknown field": b'[{"n":"a","v":1,"x":' + b'{"y":' * 10_000,
    "a label to be understood, far in": b'[{"x_":' * 9_000,
    "arrays in arrays, CBOR": b"\x81" * CBOR_MAX_BYTES,
    "endless arrays": b"\x9f" * CBOR_MAX_BYTES,
    "endless maps": b"\x81" + b"\xbf\x00" * 16_000,
    "decimal fractions in decimal fractions": b"\x81\xa1\x02" + b"\xc4" * 30_000,
    "decimal fractions in arrays in them": b"\x81\xa1\x02" + b"\xc4\x82\x00" * 10_000,
    "an array that says it is 2^64 long": bytes.fromhex("9bffffffffffffffff"),
    "a map that says it is 2^64 long": bytes.fromhex("81bbffffffffffffffff"),
    "text that says it is 2^62 long": bytes.fromhex("81a1007b3fffffffffffffff"),
    "a number with a billion digits": bytes.fromhex("81a200616102c4821a3b9aca0001"),
    "an array that holds itself": bytes.fromhex("d81c81d81d00"),
    "a pattern that never ends": cbor2.dumps([cbor2.CBORTag(35, "(a+)+" * 99)]),
    "a break without a beginning": b"\xff",
    "half a surrogate pair": b'[{"n":"a","vs":"\\ud800"}]',
    "text that is no UTF-8 in CBOR": bytes.fromhex("81a2006161 0361ff"),
    "a number of 60,000 digits": b'[{"n":"a","v":' + b"1" * 60_000 + b"}]",
    "a version of 4,000 digits": b'[{"n":"a","v":1,"bver":' + b"1" * 4_000 + b"}]",
    "a unit of 60,000 letters": b'[{"n":"a","v":1,"u":"' + b"a" * 60_000 + b'"}]',
    "a label of 60,000 letters": b'[{"n":"a","v":1,"' + b"a" * 60_000 + b'_":1}]',
    "16,000 empty records": json.dumps([{}] * 16_000).encode(),
    "a NUL in a name": b'[{"n":"a\\u0000","v":1}]',
    "a name over two lines": b'[{"n":"a\\nb","v":1}]',
    "a reserved length": bytes.fromhex("811cff"),
    "an unfinished pack": bytes.fromhex("82a200616102"),
}


@pytest.mark.parametrize("payload", HOSTILE.values(), ids=HOSTILE)
def test_a_pack_that_was_made_to_do_harm_is_refused_in_few_words(payload: bytes) -> None:
    assert 0 < len(refusal(payload)) < 200
