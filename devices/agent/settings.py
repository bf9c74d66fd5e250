"""What an agent must be told: which broker, who it is, where it keeps its alarms.

DIR/ca.pem    who may be the broker
DIR/cert.pem  who we are: its common name is our name in every topic
DIR/key.pem
"""

import ssl
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Self

from cryptography import x509
from cryptography.x509.oid import NameOID

from devices.agent.retry import RECONNECT, REPEAT, Backoff


class CredentialsError(Exception):
    """A key or certificate cannot be used."""

    def __init__(self, file: Path, problem: str) -> None:
        self.file = file
        super().__init__(f"Cannot use {file}: {problem}")


class _ClosingSocket(ssl.SSLSocket):
    """Does not stay open when the handshake fails; paho would leave it to the garbage collector."""

    def do_handshake(self, block: bool = False) -> None:  # noqa: FBT001, FBT002 - the library's signature
        try:
            super().do_handshake(block)
        except BaseException:
            self.close()
            raise


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """The three PEM files of a client."""

    ca_file: Path
    cert_file: Path
    key_file: Path

    @classmethod
    def in_folder(cls, folder: Path) -> Self:
        """The files as ``device enrol`` names them."""
        return cls(ca_file=folder / "ca.pem", cert_file=folder / "cert.pem", key_file=folder / "key.pem")

    def client_name(self) -> str:
        """The common name of the certificate.

        Raises:
            CredentialsError: A file is missing, or this is no certificate with a name.
        """
        for file in (self.ca_file, self.key_file, self.cert_file):
            if not file.is_file():
                raise CredentialsError(file, "there is no such file")
        try:
            subject = x509.load_pem_x509_certificate(self.cert_file.read_bytes()).subject
        except ValueError as error:
            raise CredentialsError(self.cert_file, "it is not a certificate in PEM form") from error
        names = subject.get_attributes_for_oid(NameOID.COMMON_NAME)
        if not names:
            raise CredentialsError(
                self.cert_file, "its subject has no common name, which is our name in topics"
            )
        return str(names[0].value)

    def tls_context(self) -> ssl.SSLContext:
        """TLS 1.2 or newer, the broker's certificate and name checked.

        Made anew for each connection, so that a renewed certificate is used without a restart.

        Raises:
            OSError: A file is missing or is not what it should be.
        """
        context = ssl.create_default_context(cafile=str(self.ca_file))
        context.sslsocket_class = _ClosingSocket
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.load_cert_chain(self.cert_file, self.key_file)
        return context


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentSettings:
    """Everything an agent must be told; what has a default seldom needs another value."""

    host: str
    port: int
    credentials: Credentials
    store_file: Path
    """Made if it is missing; one file for each agent."""
    repeat: Backoff = REPEAT
    reconnect: Backoff = RECONNECT
    keepalive: timedelta = timedelta(seconds=30)
    """A dead line is noticed within twice this, and within ten seconds of saying something into it."""
    connect_timeout: timedelta = timedelta(seconds=10)
    session_expiry: timedelta = timedelta(days=7)
    """How long the broker keeps receipts for us while we are away."""
    store_max_bytes: int = 64 * 1024 * 1024
    """About 150,000 alarms. When the file is full, alarms are kept in memory and sent from there."""
    memory_max_bytes: int = 4 * 1024 * 1024
    """When this is full too, ``raise_alarm`` says so with a StoreError; nothing kept is dropped."""
    statuses_waiting: int = 100
    """Status messages are kept in memory only; the oldest gives way when there are more."""
    packs_max_bytes: int = 16 * 1024 * 1024
    """About 80,000 packs of readings; when more wait for the broker the oldest give way."""

    @property
    def packs_file(self) -> Path:
        """Where they wait: beside the alarms, never among them."""
        return self.store_file.with_name(f"{self.store_file.stem}-readings.db")
