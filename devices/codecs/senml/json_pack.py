"""application/senml+json (RFC 8428 section 5)."""

from typing import Final

import msgspec

from devices.codecs.errors import PayloadError
from devices.codecs.senml.records import Record, of_wrong_type, refuse_must_understand

_RECORDS: Final = msgspec.json.Decoder(list[Record])
_ANYTHING: Final = msgspec.json.Decoder(list[dict[str, object]])

_UNDERSCORE: Final = ord("_")
_BACKSLASH: Final = ord("\\")


def read_json(payload: bytes) -> list[Record]:
    """Read the records of a pack.

    Raises:
        PayloadError: It is no UTF-8 JSON, no array of records, has a number beyond a double's range,
            or a label ending in ``_``.
    """
    try:
        if _may_ask_to_be_understood(payload):
            refuse_must_understand(_ANYTHING.decode(payload))
        if not payload.isascii():
            payload.decode()  # msgspec passes over what stands in unknown fields
        return _RECORDS.decode(payload)
    except UnicodeDecodeError as error:
        reason = f"not UTF-8 (byte {error.start})"
    except msgspec.ValidationError as error:
        raise of_wrong_type(error) from None
    except msgspec.MsgspecError as error:
        reason = f"not JSON ({error})"
    except RecursionError:
        reason = "nested too deep; right would be an array of flat records"
    raise PayloadError(reason)


def _may_ask_to_be_understood(payload: bytes) -> bool:
    """Whether a label may end in ``_``, written out or escaped; to search for one byte is cheapest."""
    return _BACKSLASH in payload or (_UNDERSCORE in payload and b'_"' in payload)
