"""SenML packs (RFC 8428, RFC 9100) to measured values and back.

    bytes ──json_pack | cbor_pack──> Records ──resolving──> list[Measured] ──writing──> bytes

Read ``decode`` and then ``resolving.resolve``: that is all of the hot path.
"""

from devices.codecs.senml.decoding import MAX_BYTES, decode
from devices.codecs.senml.measured import Measured
from devices.codecs.senml.records import MAX_RECORDS
from devices.codecs.senml.writing import UnwritableRecordError, encode_json

__all__ = ["MAX_BYTES", "MAX_RECORDS", "Measured", "UnwritableRecordError", "decode", "encode_json"]
