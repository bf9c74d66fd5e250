"""The four packets of MQTT 3.1.1 that a publisher with QoS 1 needs, as bytes (OASIS standard, 2014).

    CONNECT ──>     <── CONNACK       PUBLISH, PUBLISH, PUBLISH … ──>     <── PUBACK, PUBACK, PUBACK …

Packets are numbered from 0 for ever; the packet identifier is ``number % 65535 + 1`` (2.3.1: not zero).
Acknowledgements come in the order of the packets, so what must come next is known byte by byte.
"""

import struct
from typing import Final

CONNACK_BYTES: Final = 4
ACCEPTED: Final = b"\x20\x02\x00\x00"
"""3.2: no session was kept, return code 0."""

PUBLISH_QOS_1: Final = 0x32
PUBACK_BYTES: Final = 4
PACKET_IDS: Final = 65_535

_CONNECT: Final = 0x10
_CLEAN_SESSION: Final = 0x02
_KEEPALIVE_SECONDS: Final = 65_535
"""The longest there is: we always have something to say, and no PINGRESP comes between PUBACKs."""

_PUBACKS: Final = b"".join(struct.pack(">BBH", 0x40, 2, id_) for id_ in range(1, PACKET_IDS + 1))


def connect_packet(client_id: str) -> bytes:
    """3.1: a clean session, no will, no user name."""
    header = _string(b"MQTT") + struct.pack(">BBH", 4, _CLEAN_SESSION, _KEEPALIVE_SECONDS)
    return _packet(_CONNECT, header + _string(client_id.encode()))


def publish_packet(topic: str, payload: bytes) -> bytes:
    """3.3, with QoS 1 and packet identifier 0, which must be overwritten before it is sent."""
    return _packet(PUBLISH_QOS_1, _string(topic.encode()) + b"\x00\x00" + payload)


def packet_id_column(topic: str, payload: bytes) -> int:
    """Where the two bytes of the identifier are in ``publish_packet``."""
    return len(publish_packet(topic, payload)) - len(payload) - 2


def expected_acknowledgements(position: int, length: int) -> bytes:
    """The bytes that must come, when all before ``position`` of the stream of PUBACKs have."""
    start = position % len(_PUBACKS)
    found = _PUBACKS[start : start + length]
    while len(found) < length:
        found += _PUBACKS[: length - len(found)]
    return found


def _packet(kind: int, body: bytes) -> bytes:
    return bytes([kind]) + _variable_length(len(body)) + body


def _variable_length(value: int) -> bytes:
    """2.2.3: seven bits a byte, the lowest first, the highest bit says that more follow."""
    encoded = bytearray()
    while value > 0x7F:  # noqa: PLR2004 - seven bits
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    encoded.append(value)
    return bytes(encoded)


def _string(content: bytes) -> bytes:
    return struct.pack(">H", len(content)) + content
