"""JSON from outside, read so that no bytes can do harm further in.

    bytes ──size──> UTF-8 JSON ──depth, numbers──> dict without NUL

What passes can be written again by any encoder, stored in any database and walked by recursion.
"""

from typing import Any, Final

import msgspec

from devices.codecs.errors import PayloadError

MAX_DEPTH: Final = 32
"""Objects and arrays inside one another; messages of ours have three."""

_INTEGERS: Final = range(-(2**63), 2**63)
_DECODER: Final = msgspec.json.Decoder()


def parse_object(payload: bytes, *, max_bytes: int) -> dict[str, Any]:
    """Read one JSON object.

    Raises:
        PayloadError: It is too large, no UTF-8 JSON (NaN, Infinity and lone surrogates are none), no
            object, nested too deep, or holds a number beyond 64 bits. Nothing else is ever raised.
    """
    if len(payload) > max_bytes:
        reason = f"{len(payload)} bytes; right would be at most {max_bytes}"
        raise PayloadError(reason)
    value = _decoded(payload)
    if not isinstance(value, dict):
        reason = f"JSON {_json_type(value)}; right would be an object"
        raise PayloadError(reason)
    return {_harmless(name, 0): _harmless(member, 1) for name, member in value.items()}


def _decoded(payload: bytes) -> Any:
    try:
        return _DECODER.decode(payload)
    except UnicodeDecodeError as error:
        reason = f"not UTF-8 (byte {error.start})"
    except msgspec.MsgspecError as error:
        reason = f"not JSON ({error})"
    except RecursionError:
        reason = f"nested deeper than {MAX_DEPTH} levels"
    raise PayloadError(reason)


def _harmless(value: Any, depth: int) -> Any:
    """``value`` without NUL, which PostgreSQL refuses in any text."""
    match value:
        case str():
            return value.replace("\0", "\N{REPLACEMENT CHARACTER}")
        case dict() | list() if depth >= MAX_DEPTH:
            reason = f"nested deeper than {MAX_DEPTH} levels"
            raise PayloadError(reason)
        case dict():
            return {_harmless(name, depth): _harmless(member, depth + 1) for name, member in value.items()}
        case list():
            return [_harmless(item, depth + 1) for item in value]
        case int() if value not in _INTEGERS:
            reason = "a number beyond 64 bits"
            raise PayloadError(reason)
    return value


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
