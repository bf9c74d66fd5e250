"""A stream of bytes to the broker that never waits: plain TCP, or TLS with a client certificate.

    send(bytes) ──> what the socket takes now; the rest waits and is_clear is false until flush has sent it
    receive()   ──> what is there now, perhaps nothing

Every method raises OSError when the line is gone or the handshake failed (``ssl.SSLError`` is one).
"""

import contextlib
import errno
import socket
import ssl
from pathlib import Path
from typing import Final, TypeAlias

Data: TypeAlias = bytes | bytearray | memoryview

_MOST_AT_ONCE: Final = 256 * 1024
_CONNECTING: Final = {0, errno.EINPROGRESS}


class PlainWire:
    """TCP."""

    def __init__(self, host: str, port: int) -> None:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        self._socket = socket.socket(family, kind, protocol)
        self._socket.setblocking(False)  # noqa: FBT003 - the library's signature
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._waiting = bytearray()
        problem = self._socket.connect_ex(address)
        if problem not in _CONNECTING:
            self._socket.close()
            raise OSError(problem, errno.errorcode.get(problem, "cannot connect"))

    @property
    def is_clear(self) -> bool:
        """Whether everything is with the operating system."""
        return not self._waiting

    def fileno(self) -> int:
        """For epoll."""
        return self._socket.fileno()

    def send(self, data: Data) -> None:
        """Send, or keep what cannot be sent now."""
        self._waiting += data
        self.flush()

    def flush(self) -> None:
        """Send what waits, as far as it goes."""
        with contextlib.suppress(BlockingIOError):
            while self._waiting:
                sent = self._socket.send(self._waiting)
                del self._waiting[:sent]

    def receive(self) -> bytes:
        """What has come."""
        try:
            data = self._socket.recv(_MOST_AT_ONCE)
        except BlockingIOError:
            return b""
        if not data:
            raise ConnectionResetError(errno.ECONNRESET, "the broker closed the connection")
        return data

    def close(self) -> None:
        """Cut it, without a word."""
        self._socket.close()


class TlsWire(PlainWire):
    """TLS over it, through memory: OpenSSL on the socket itself would ask the kernel twice a record."""

    def __init__(self, host: str, port: int, context: ssl.SSLContext) -> None:
        super().__init__(host, port)
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_hostname=host)
        self._is_open = False
        self._unsaid = bytearray()
        """Plain text that waits for the handshake."""
        self._shake_hands()

    @property
    def is_clear(self) -> bool:
        """Whether everything is with the operating system."""
        return self._is_open and super().is_clear

    def send(self, data: Data) -> None:
        """Send, or keep what cannot be sent now."""
        if not self._is_open:
            self._unsaid += data
            return
        self._tls.write(data)
        super().send(self._outgoing.read())

    def receive(self) -> bytes:
        """What has come."""
        self._incoming.write(super().receive())
        if not self._is_open:
            self._shake_hands()
        parts = []
        with contextlib.suppress(ssl.SSLWantReadError):
            while part := self._tls.read(_MOST_AT_ONCE):
                parts.append(part)
        return b"".join(parts)

    def _shake_hands(self) -> None:
        try:
            self._tls.do_handshake()
            self._is_open = True
        except ssl.SSLWantReadError:
            pass
        if self._is_open:
            self._tls.write(self._unsaid)
        super().send(self._outgoing.read())


def open_wire(host: str, port: int, credentials: Path | None) -> PlainWire:
    """Begin to connect.

    Args:
        host: A name or an address.
        port: Of the broker.
        credentials: The folder with key.pem, cert.pem and ca.pem; None: plain TCP.
    """
    if credentials is None:
        return PlainWire(host, port)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_verify_locations(credentials / "ca.pem")
    context.load_cert_chain(credentials / "cert.pem", credentials / "key.pem")
    return TlsWire(host, port, context)
