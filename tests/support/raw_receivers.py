"""Receivers that misbehave below what an HTTP library would let them: byte by byte, on a socket.

async with receiver(answer(204)) as hook: …  hook.url, hook.requests
"""

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

HOST: Final = "127.0.0.1"
LONG_SECONDS: Final = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What came."""

    path: str
    headers: dict[str, str]
    """By name in small letters."""
    body: bytes


@dataclass(slots=True)
class Receiver:
    """One receiver, and all that it has been sent."""

    port: int = 0
    scheme: str = "http"
    connections: int = 0
    requests: list[Request] = field(default_factory=list)

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"{self.scheme}://{HOST}:{self.port}/hook"


Behaviour = Callable[[Receiver, asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


def answer(status: int, *headers: str, body: bytes = b"") -> Behaviour:
    """Take every request of a connection, and answer each."""

    async def behave(hook: Receiver, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            hook.requests.append(await read_request(reader))
            lines = (f"HTTP/1.1 {status} Some", f"Content-Length: {len(body)}", *headers, "", "")
            writer.write("\r\n".join(lines).encode() + body)
            await writer.drain()

    return behave


async def hang(hook: Receiver, reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
    """Take the request, and say nothing."""
    hook.requests.append(await read_request(reader))
    await asyncio.sleep(LONG_SECONDS)


async def cut(hook: Receiver, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Take the request, and hang up in the middle of the answer."""
    hook.requests.append(await read_request(reader))
    writer.write(b"HTTP/1.1 200 OK\r\nConte")
    await writer.drain()


async def dribble(hook: Receiver, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer byte by byte, so that no single wait is long."""
    hook.requests.append(await read_request(reader))
    for byte in b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n":
        writer.write(bytes([byte]))
        await writer.drain()
        await asyncio.sleep(0.1)


@asynccontextmanager
async def receiver(
    behave: Behaviour, *, tls: ssl.SSLContext | None = None, host: str = HOST, port: int = 0
) -> AsyncIterator[Receiver]:
    """Listen on a free port, or on a given one, until the end of the block."""
    hook = Receiver(scheme="http" if tls is None else "https")
    tasks: set[asyncio.Task[None] | None] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        hook.connections += 1
        tasks.add(asyncio.current_task())
        try:
            await behave(hook, reader, writer)
        except (OSError, EOFError):
            return
        finally:
            writer.close()
            tasks.discard(asyncio.current_task())

    server = await asyncio.start_server(serve, host, port, ssl=tls)
    hook.port = server.sockets[0].getsockname()[1]
    try:
        yield hook
    finally:
        server.close()
        for task in [*tasks]:
            if task is not None:
                task.cancel()
        await asyncio.gather(*(task for task in tasks if task is not None), return_exceptions=True)


async def read_request(reader: asyncio.StreamReader) -> Request:
    """One request with its body.

    Raises:
        EOFError: There is none any more.
    """
    head = (await reader.readuntil(b"\r\n\r\n")).decode()
    first, *lines = head.rstrip().split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    body = await reader.readexactly(int(headers["content-length"]))
    return Request(path=first.split()[1], headers=headers, body=body)


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificate:
    """A receiver's certificate, vouched for by itself."""

    server: ssl.SSLContext
    path: Path
    """For those who are to trust it."""

    def trusted(self) -> ssl.SSLContext:
        """What a client needs."""
        return ssl.create_default_context(cafile=str(self.path))


def certificate(folder: Path, *, name: str = HOST) -> Certificate:
    """Make one for an address or a host name."""
    key, subject = ec.generate_private_key(ec.SECP256R1()), x509.Name.from_rfc4514_string("CN=hook")
    now = datetime(2026, 1, 1, tzinfo=UTC)
    try:
        alternative: x509.GeneralName = x509.IPAddress(ip_address(name))
    except ValueError:
        alternative = x509.DNSName(name)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now)
        .not_valid_after(now + timedelta(days=36_500))
        .add_extension(x509.SubjectAlternativeName([alternative]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    cert_file, key_file = folder / "hook-cert.pem", folder / "hook-key.pem"
    cert_file.write_bytes(made.public_bytes(Encoding.PEM))
    key_file.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(cert_file, key_file)
    return Certificate(server=server, path=cert_file)
