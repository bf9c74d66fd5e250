"""From the bytes of a pack to its resolved records."""

from typing import Final

from devices.codecs.errors import PayloadError
from devices.codecs.senml.cbor_pack import read_cbor
from devices.codecs.senml.json_pack import read_json
from devices.codecs.senml.measured import Measured
from devices.codecs.senml.resolving import resolve

MAX_BYTES: Final = 65_536
_NOT_ASCII: Final = b"\x80"
"""A CBOR array starts at or above it, JSON below."""


def decode(payload: bytes, *, received_us: int) -> list[Measured]:
    """Read and resolve one pack, JSON or CBOR.

    Args:
        payload: The pack; its first byte tells which form it is in.
        received_us: When it came, in microseconds since 1970 UTC: what relative times are counted from.

    Returns:
        At least one record, in order of time; of one time, in the order in which they were sent.

    Raises:
        PayloadError: Nothing of it can be used. The reason names the record.
    """
    if len(payload) > MAX_BYTES:
        reason = f"{len(payload)} bytes; right would be at most {MAX_BYTES}"
        raise PayloadError(reason)
    records = read_cbor(payload) if payload[:1] >= _NOT_ASCII else read_json(payload)
    return resolve(records, received_us)
