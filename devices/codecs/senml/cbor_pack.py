"""application/senml+cbor (RFC 8428 section 6).

    {-2: "urn:dev:mac:1:", 2: 21.5}  ->  {"bn": "urn:dev:mac:1:", "v": 21.5}  ->  Record

Integers, floats of any width and decimal fractions (tag 4) are numbers; every other tag is refused, so
that nothing in a pack can make us build dates, patterns, cycles or numbers without end.
"""

from io import BytesIO
from math import isfinite
from typing import Any, Final

import cbor2
import msgspec

from devices.codecs.errors import PayloadError
from devices.codecs.senml.records import Record, of_wrong_type, refuse_must_understand

CBOR_MAX_BYTES: Final = 32_768
"""Half of what JSON may have: labels that were made to collide cost the square of this (0.05 s)."""

MAX_DEPTH: Final = 8
"""Arrays and maps inside one another; a pack has two, a decimal fraction in it is a third."""

_LABELS: Final = dict(zip(
    range(-6, 9), ("bs", "bv", "bu", "bt", "bn", "bver", "n", "u", "v", "vs", "vb", "s", "t", "ut", "vd"),
    strict=True,
))  # fmt: skip
"""RFC 8428 table 4."""

_DECIMAL_FRACTION: Final = 4
_EXPONENTS: Final = range(-400, 401)
"""Powers of ten that may give a double other than zero or infinity."""


class _Tags(dict[int, Any]):
    """Stands before cbor2's own tags: refuses what is not in it."""

    def __missing__(self, tag: int) -> None:
        reason = f"CBOR tag {tag}; right would be numbers without a tag, or decimal fractions (tag 4)"
        raise PayloadError(reason)


def read_cbor(payload: bytes) -> list[Record]:
    """Read the records of a pack.

    Raises:
        PayloadError: It is no CBOR array of records and nothing behind it, is larger than ``CBOR_MAX_BYTES``,
            nested too deep, has a tag, a number that is not finite, or a label ending in ``_``.
    """
    if len(payload) > CBOR_MAX_BYTES:
        reason = f"{len(payload)} bytes of CBOR; right would be at most {CBOR_MAX_BYTES}"
        raise PayloadError(reason)
    pack = _decoded(payload)
    if not isinstance(pack, list) or not all(isinstance(record, dict) for record in pack):
        reason = "CBOR, but not a SenML pack; right would be an array of maps"
        raise PayloadError(reason)
    refuse_must_understand(pack)
    named = [_named(record, number) for number, record in enumerate(pack, 1)]
    try:
        return msgspec.convert(named, list[Record])
    except msgspec.ValidationError as error:
        raise of_wrong_type(error) from None


def _decoded(payload: bytes) -> Any:
    stream = BytesIO(payload)
    try:
        decoded = cbor2.CBORDecoder(stream, semantic_decoders=_TAGS, max_depth=MAX_DEPTH).decode()
    except cbor2.CBORError as error:
        if isinstance(error.__cause__, PayloadError):
            raise error.__cause__ from None
        reason = f"not CBOR ({error})"
        raise PayloadError(reason) from None
    if (end := stream.tell()) != len(payload):
        reason = f"{len(payload) - end} bytes behind the CBOR array; right would be none"
        raise PayloadError(reason)
    return decoded


def _decimal_fraction(pair: Any, _immutable: bool) -> float:  # noqa: FBT001 - cbor2 calls it so
    match pair:
        case [int(exponent), int(mantissa)] if exponent in _EXPONENTS:
            return float(f"{int(mantissa)}e{int(exponent)}")
    reason = f"not a decimal fraction; right would be [exponent, mantissa], exponent up to {_EXPONENTS[-1]}"
    raise PayloadError(reason)


_TAGS: Final = _Tags({_DECIMAL_FRACTION: _decimal_fraction})


def _named(record: dict[Any, Any], number: int) -> dict[str, Any]:
    return {_name(label, number): _checked(label, value, number) for label, value in record.items()}


def _name(label: Any, number: int) -> str:
    if type(label) is int:
        return _LABELS.get(label) or f"{label}"
    if isinstance(label, str) and label not in _LABELS.values():
        return label
    reason = f"record {number}: {label!r:.40} as a label; right would be the integer of RFC 8428 table 4"
    raise PayloadError(reason)


def _checked(label: Any, value: Any, number: int) -> Any:
    name = _LABELS.get(label)
    if name == "vd" and not isinstance(value, bytes):
        reason = f"record {number}: vd is no byte string, as it would be right in CBOR"
        raise PayloadError(reason)
    if name and isinstance(value, float) and not isfinite(value):
        reason = f"record {number}: {name} is {value}; right would be a finite number"
        raise PayloadError(reason)
    return "" if name == "vd" else value
