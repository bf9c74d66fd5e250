"""JSON from outside, read so that no bytes can do harm further in.

    bytes ──size──> UTF-8 JSON ──depth, numbers, member by member──> dict without NUL

What passes can be written again by any encoder, stored in any database and walked by recursion.
"""

import json
from dataclasses import dataclass
from math import isfinite
from typing import Any, Final

import msgspec

from devices.codecs.errors import PayloadError

MAX_DEPTH: Final = 32
"""Objects and arrays inside one another; messages of ours have three."""

_INTEGERS: Final = range(-(2**63), 2**63)
_LONGEST_INTEGER: Final = 20
"""Characters of -2^63."""

_TOO_LARGE: Final = "a number beyond 64 bits"
_DECODER: Final = msgspec.json.Decoder()


@dataclass(frozen=True, slots=True)
class Harmful:
    """Stands for a member that must not go further in; the other members are not to blame."""

    reason: str


def parse_object(payload: bytes, *, max_bytes: int) -> dict[str, Any]:
    """Read one JSON object.

    A member with something in it that must not go further in is ``Harmful``: nested too deep, a number
    beyond 64 bits, NaN, half of a surrogate pair.

    Raises:
        PayloadError: It is too large, no UTF-8 JSON, or no object. Nothing else is ever raised.
    """
    if len(payload) > max_bytes:
        reason = f"{len(payload)} bytes; right would be at most {max_bytes}"
        raise PayloadError(reason)
    value = _decoded(payload)
    if not isinstance(value, dict):
        reason = f"JSON {_json_type(value)}; right would be an object"
        raise PayloadError(reason)
    members = ((_member(name), _member(member)) for name, member in value.items())
    return {name: member for name, member in members if isinstance(name, str)}


def _member(value: Any) -> Any:
    try:
        return _harmless(value, 1)
    except PayloadError as error:
        return Harmful(error.reason)


def _decoded(payload: bytes) -> Any:
    try:
        return _DECODER.decode(payload)
    except UnicodeDecodeError as error:
        reason = f"not UTF-8 (byte {error.start})"
    except msgspec.MsgspecError as error:
        reason = f"not JSON ({error})"
    except RecursionError:
        reason = f"nested deeper than {MAX_DEPTH} levels"
    return _forgivingly(payload, reason)


def _forgivingly(payload: bytes, reason: str) -> Any:
    """Read what is whole but for a value somewhere in it, so that only its member is set aside."""
    try:
        return json.loads(
            payload,
            parse_constant=lambda name: Harmful(f"{name} is not JSON"),
            parse_float=_number,
            parse_int=lambda text: int(text) if len(text) <= _LONGEST_INTEGER else Harmful(_TOO_LARGE),
        )
    except (ValueError, RecursionError):
        raise PayloadError(reason) from None


def _number(text: str) -> float | Harmful:
    number = float(text)
    return number if isfinite(number) else Harmful(_TOO_LARGE)


def _harmless(value: Any, depth: int) -> Any:
    """``value`` without NUL, which PostgreSQL refuses in any text."""
    match value:
        case str():
            return _text(value)
        case Harmful():
            raise PayloadError(value.reason)
        case dict() | list() if depth >= MAX_DEPTH:
            reason = f"nested deeper than {MAX_DEPTH} levels"
            raise PayloadError(reason)
        case dict():
            return {_harmless(name, depth): _harmless(member, depth + 1) for name, member in value.items()}
        case list():
            return [_harmless(item, depth + 1) for item in value]
        case int() if value not in _INTEGERS:
            raise PayloadError(_TOO_LARGE)
    return value


def _text(text: str) -> str:
    if not text.isascii() and any("\ud800" <= character <= "\udfff" for character in text):
        reason = "half of a surrogate pair"
        raise PayloadError(reason)
    return text.replace("\0", "\N{REPLACEMENT CHARACTER}")


def _json_type(value: Any) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return "boolean"
        case str():
            return "text"
        case list():
            return "array"
    return "number"
