"""A subscriber that does nothing: it acknowledges packets in blocks and counts them. A process of its own.

    python -m tests.benchmarks.subscriber HOST PORT TOPIC [USER PASSWORD]    a count every half second

The load's packets all have one length, so where they begin and their identifiers are known without reading
them. It is what the product's reading process is measured against: no decoding, no store, no objects.
"""

import socket
import sys
import time
from typing import Final

import numpy as np
from numpy.typing import NDArray

REPORT_EVERY: Final = 0.5
PATIENCE_SECONDS: Final = 30.0
BUFFER_BYTES: Final = 1024 * 1024
CONNACK: Final = 0x20
SUBACK: Final = 0x90


class Subscriber:
    def __init__(self, address: tuple[str, int], topic: str, login: tuple[str, str] | None) -> None:
        self._socket = socket.create_connection(address, timeout=10)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._socket.sendall(_connect(login))
        self._expect(CONNACK)
        self._socket.sendall(_packet(0x82, b"\x00\x01\x00" + _string(topic) + b"\x01"))
        self._expect(SUBACK)
        self.count = 0

    def run(self) -> None:
        """Count until the connection ends, or we are killed."""
        buffer, filled, told = bytearray(BUFFER_BYTES), 0, time.monotonic()
        view = memoryview(buffer)
        self._socket.settimeout(REPORT_EVERY)
        while True:
            try:
                got = self._socket.recv_into(view[filled:])
            except TimeoutError:
                got = -1
            if got == 0:
                return
            filled += max(0, got)
            used = self._acknowledge(np.frombuffer(view[:filled], np.uint8))
            view[: filled - used] = bytes(view[used:filled])
            filled -= used
            if time.monotonic() - told > REPORT_EVERY:
                told = time.monotonic()
                print(self.count, flush=True)

    def _acknowledge(self, received: NDArray[np.uint8]) -> int:
        if len(received) < 5:
            return 0
        width, id_column = _layout(received)
        number = len(received) // width
        packets = received[: number * width].reshape(number, width)
        assert (packets[:, 0] & 0xF6 == 0x32).all(), "a packet has another length"
        answers = np.empty((number, 4), np.uint8)
        answers[:, 0], answers[:, 1] = 0x40, 2
        answers[:, 2:] = packets[:, id_column : id_column + 2]
        self._socket.settimeout(PATIENCE_SECONDS)
        self._socket.sendall(answers.tobytes())
        self._socket.settimeout(REPORT_EVERY)
        self.count += number
        return number * width

    def _expect(self, kind: int) -> None:
        header = self._socket.recv(2, socket.MSG_WAITALL)
        body = self._socket.recv(header[1], socket.MSG_WAITALL)
        code = body[1] if kind == CONNACK else body[-1]
        assert header[0] == kind, f"the broker said {header.hex(' ')}"
        assert code < 0x80, f"the broker refused with {code}"


def _layout(received: NDArray[np.uint8]) -> tuple[int, int]:
    """The length of a packet, and where its identifier is, from the first one's header."""
    length, shift, at = 0, 0, 1
    while True:
        byte = int(received[at])
        length |= (byte & 0x7F) << shift
        shift, at = shift + 7, at + 1
        if byte < 0x80:
            break
    topic = int(received[at]) << 8 | int(received[at + 1])
    return at + length, at + 2 + topic


def _connect(login: tuple[str, str] | None) -> bytes:
    flags = 0x02 if login is None else 0xC2
    receive_maximum = b"\x03\x21\xff\xff"
    body = _string("MQTT") + bytes([5, flags, 0, 0]) + receive_maximum + _string("does-nothing")
    return _packet(0x10, body + b"".join(_string(word) for word in login or ()))


def _packet(kind: int, body: bytes) -> bytes:
    assert len(body) < 0x80
    return bytes([kind, len(body)]) + body


def _string(text: str) -> bytes:
    return len(text).to_bytes(2, "big") + text.encode()


if __name__ == "__main__":
    host, port, topic, *login = sys.argv[1:]
    Subscriber((host, int(port)), topic, (login[0], login[1]) if login else None).run()
