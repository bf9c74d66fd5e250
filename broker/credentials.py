"""What we hand out to connect with, and what we keep to connect ourselves.

authorities ──> key.pem, cert.pem, ca.pem    a device's or an organisation's folder
            ──> server.pem                   the broker's own, renewed before it ends
chance      ──> hub.json                     the hub's password and the secret in its session names
"""

import base64
import hashlib
import json
import secrets
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from broker.access_rules import HUB_USER
from broker.authorities import CertificateAuthorities
from broker.certificates import SERVER_LIFETIME, IssuedCertificate, Issuer
from broker.files import PRIVATE_DIRECTORY_MODE, PUBLIC_FILE_MODE, locked, read_private_file, write_file

SERVER_RENEWED_BEFORE_END: Final = timedelta(days=30)
PASSWORD_ITERATIONS: Final = 101
"""Mosquitto's own number. The password has 256 random bits, so more would only slow each reconnect down."""
PASSWORD_SALT_BYTES: Final = 12
"""Mosquitto before 2.1 reads salts of exactly this length."""


class HubCredentialsError(ValueError):
    """The hub's own credentials cannot be read."""

    def __init__(self, path: Path) -> None:
        self.path = path
        super().__init__(
            f"Cannot read the hub's credentials in {path}: expected JSON with password and session_secret; "
            "remove the file to have new ones made, and restart the broker"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class HubCredentials:
    """How the hub's processes log in on the internal listener."""

    password: str = field(repr=False)
    session_secret: str = field(repr=False)
    """Part of the hub's client ids and shared groups. Mosquitto lets any client take over a session
    whose id it knows, and any subscriber join a shared group: what nobody can guess, nobody can take."""

    @property
    def user_name(self) -> str:
        """No certificate can carry this name, so no client can pose as the hub."""
        return HUB_USER

    def client_id(self, purpose: str) -> str:
        """The client id of the hub's session for ``purpose``, the same after a restart."""
        return f"{HUB_USER}-{purpose}-{self.session_secret}"

    def shared_group(self, purpose: str) -> str:
        """The name of a group whose members share the messages of one subscription."""
        return f"{purpose}-{self.session_secret}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerCertificate:
    """What ``ensure_server_certificate`` found or made."""

    not_after: datetime
    is_new: bool


def write_credentials(directory: Path, issued: IssuedCertificate, root_pem: bytes) -> None:
    """Hand out ``key.pem`` (for its owner alone), ``cert.pem`` and ``ca.pem``.

    The key goes first and comes last: a directory that has one is whole, also after a crash.
    """
    directory.mkdir(mode=PRIVATE_DIRECTORY_MODE, parents=True, exist_ok=True)
    key_path = directory / "key.pem"
    key_path.unlink(missing_ok=True)
    write_file(directory / "ca.pem", root_pem, mode=PUBLIC_FILE_MODE)
    write_file(directory / "cert.pem", issued.certificate_pem, mode=PUBLIC_FILE_MODE)
    write_file(key_path, issued.key_pem)


def ensure_server_certificate(
    path: Path,
    authorities: CertificateAuthorities,
    *,
    dns_names: Sequence[str],
    addresses: Sequence[IPv4Address | IPv6Address],
    now: datetime,
) -> ServerCertificate:
    """Have a key and chain in ``path`` (one file) that serve every name for 30 days or more.

    A stored one is kept while it does. Mosquitto takes a new one at its next reload.
    """
    stored = _read_server_certificate(path, authorities)
    if (
        stored is not None
        and _covers(stored, dns_names, addresses)
        and stored.not_valid_after_utc - now >= SERVER_RENEWED_BEFORE_END
    ):
        return ServerCertificate(not_after=stored.not_valid_after_utc, is_new=False)
    issued = authorities.issue_server(
        dns_names=dns_names, addresses=addresses, now=now, valid_for=SERVER_LIFETIME
    )
    write_file(path, issued.key_pem + issued.certificate_pem)
    return ServerCertificate(not_after=issued.not_after, is_new=True)


def ensure_hub_credentials(path: Path) -> HubCredentials:
    """Read the hub's credentials, making them the first time.

    Raises:
        ExposedFileError: Others than the owner can reach the file.
        HubCredentialsError: It does not hold credentials.
    """
    with locked(path.with_name(".hub.lock")):
        if path.exists():
            return _read_hub_credentials(path)
        made = HubCredentials(password=secrets.token_urlsafe(32), session_secret=secrets.token_hex(12))
        write_file(path, json.dumps(asdict(made)).encode())
        return made


def password_line(credentials: HubCredentials, salt: bytes) -> str:
    """The line of Mosquitto's password file that lets the hub in (``$7$``: PBKDF2 with SHA-512)."""
    digest = hashlib.pbkdf2_hmac("sha512", credentials.password.encode(), salt, PASSWORD_ITERATIONS)
    fields = ("7", str(PASSWORD_ITERATIONS), _base64(salt), _base64(digest))
    return f"{credentials.user_name}:${'$'.join(fields)}"


def _base64(content: bytes) -> str:
    return base64.b64encode(content).decode("ascii")


def _read_hub_credentials(path: Path) -> HubCredentials:
    try:
        stored = json.loads(read_private_file(path))
        return HubCredentials(password=str(stored["password"]), session_secret=str(stored["session_secret"]))
    except (ValueError, KeyError, TypeError) as error:
        raise HubCredentialsError(path) from error


def _read_server_certificate(path: Path, authorities: CertificateAuthorities) -> x509.Certificate | None:
    """The stored certificate, or None where it is missing, damaged or not of these authorities."""
    try:
        content = read_private_file(path)
        certificate = x509.load_pem_x509_certificate(content)
        certificate.verify_directly_issued_by(authorities.issuers[Issuer.SERVERS].certificate)
        key = load_pem_private_key(content, password=None)
    except (FileNotFoundError, ValueError, InvalidSignature):
        return None
    return certificate if key.public_key() == certificate.public_key() else None


def _covers(
    certificate: x509.Certificate,
    dns_names: Sequence[str],
    addresses: Sequence[IPv4Address | IPv6Address],
) -> bool:
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    return set(dns_names) <= set(names.get_values_for_type(x509.DNSName)) and set(addresses) <= set(
        names.get_values_for_type(x509.IPAddress)
    )
