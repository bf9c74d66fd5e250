"""One hub's connection: CONNECT and CONNACK, then packets out and PUBACKs in."""

from typing import Final

from devices.simulator.load.mqtt import (
    ACCEPTED,
    CONNACK_BYTES,
    PUBACK_BYTES,
    connect_packet,
    expected_acknowledgements,
)
from devices.simulator.load.wire import Data, PlainWire

_SESSION: Final = "readings"
"""Behind the client's name in the session's name: a home's agent has a session of its own."""


class BrokerRefusedError(ConnectionError):
    """The broker does not let this client in."""

    def __init__(self, client_id: str, code: int) -> None:
        super().__init__(f"{client_id} was refused with return code {code}; 0 would be right")


class UnexpectedAnswerError(ConnectionError):
    """Something other than the next PUBACK came: what it acknowledges cannot be told."""

    def __init__(self, client_id: str, found: bytes, expected: bytes) -> None:
        super().__init__(f"{client_id} heard {found[:8].hex(' ')}, expected {expected[:8].hex(' ')}")


class HubLink:
    """A connection that is being made, or stands.

    Args:
        client_id: The hub.
        wire: Fresh from ``open_wire``.
        acknowledged: Which packet is the first that will be acknowledged on it.
    """

    def __init__(self, client_id: str, wire: PlainWire, *, acknowledged: int) -> None:
        self._client_id = client_id
        self._wire = wire
        self._heard_bytes = acknowledged * PUBACK_BYTES
        self._greeting = b""
        self.is_open = False
        """Whether the broker has let us in."""
        wire.send(connect_packet(f"{client_id}-{_SESSION}"))

    @property
    def can_give(self) -> bool:
        """Whether packets may be given now."""
        return self.is_open and self._wire.is_clear

    def fileno(self) -> int:
        """For epoll."""
        return self._wire.fileno()

    def take(self) -> int:
        """How many packets more are acknowledged.

        Raises:
            OSError: The connection is lost, was refused, or cannot be understood.
        """
        heard = self._without_greeting(self._wire.receive())
        expected = expected_acknowledgements(self._heard_bytes, len(heard))
        if heard != expected:
            raise UnexpectedAnswerError(self._client_id, heard, expected)
        before = self._heard_bytes // PUBACK_BYTES
        self._heard_bytes += len(heard)
        return self._heard_bytes // PUBACK_BYTES - before

    def give(self, packets: Data) -> None:
        """Send packets; when ``can_give`` is false after it, wait with more.

        Raises:
            OSError: The connection is lost.
        """
        self._wire.send(packets)

    def flush(self) -> None:
        """Send what waits.

        Raises:
            OSError: The connection is lost.
        """
        self._wire.flush()

    def close(self) -> None:
        """Cut the line; the broker notices by itself."""
        self._wire.close()

    def _without_greeting(self, heard: bytes) -> bytes:
        if self.is_open or not heard:
            return heard
        self._greeting += heard
        if len(self._greeting) < CONNACK_BYTES:
            return b""
        greeting, rest = self._greeting[:CONNACK_BYTES], self._greeting[CONNACK_BYTES:]
        if greeting != ACCEPTED:
            raise BrokerRefusedError(self._client_id, greeting[-1])
        self.is_open = True
        return rest
