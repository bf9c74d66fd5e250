"""The city's certificate authorities on disk: made once, kept for decades, opened by every process.

    authorities/            0700
        root.pem            0600   key, certificate, anchor
        homes.pem partners.pem servers.pem
        complete                   written last: from now on nothing may be missing

Each authority is one file that appears whole or not at all; a first start that was interrupted goes
on where it stopped. Keep a copy of this directory in a safe: with it lost, every home must be
visited; with it in the wrong hands, anyone can be any home.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path
from typing import Final, Self

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from broker import certificates
from broker.certificates import Authority, IssuedCertificate, Issuer, RevokedCertificate, to_pem
from broker.files import locked, make_private_directory, read_private_file, write_file

ROOT_FILE: Final = "root.pem"
COMPLETE_FILE: Final = "complete"
CERTIFICATES_PER_FILE: Final = 2


class AuthorityFileError(RuntimeError):
    """An authority's file is missing or damaged; a new one would shut every home out."""

    def __init__(self, path: Path, *, problem: str) -> None:
        self.path = path
        self.problem = problem
        super().__init__(f"Cannot use {path}: {problem}; restore the directory from its safe copy")


@dataclass(frozen=True, slots=True, kw_only=True)
class CertificateAuthorities:
    """The root and the three authorities that it signed."""

    root: Authority
    issuers: Mapping[Issuer, Authority]

    @classmethod
    def open(cls, directory: Path, now: datetime) -> Self:
        """Read the authorities in ``directory``; the first time, make them as of ``now``.

        Several processes may do this at once; all get the same ones.

        Raises:
            ExposedFileError: Others than the owner can reach the directory or a key.
            AuthorityFileError: A file is damaged, or was there and is gone.
        """
        make_private_directory(directory)
        with locked(directory / ".lock"):
            if not (directory / COMPLETE_FILE).exists():
                _make_missing(directory, now)
            root = _read(directory / ROOT_FILE, signed_by=None)
            issuers = {issuer: _read(_issuer_path(directory, issuer), signed_by=root) for issuer in Issuer}
        return cls(root=root, issuers=issuers)

    @property
    def root_pem(self) -> bytes:
        """What homes and partners trust, to know that they speak with the city."""
        return to_pem(self.root.certificate)

    def anchor_pem(self, issuer: Issuer) -> bytes:
        """What a listener trusts: this issuer and no other, not even one of the same root."""
        return to_pem(self.issuers[issuer].anchor)

    def ends_at(self, issuer: Issuer) -> datetime:
        """When the authority, and with it everything that it issued, stops being good."""
        return self.issuers[issuer].certificate.not_valid_after_utc

    def issue_client(
        self, issuer: Issuer, client_id: str, *, now: datetime, valid_for: timedelta
    ) -> IssuedCertificate:
        """See ``certificates.issue_client``."""
        return certificates.issue_client(self.issuers[issuer], client_id, now=now, valid_for=valid_for)

    def issue_server(
        self,
        *,
        dns_names: Sequence[str],
        addresses: Sequence[IPv4Address | IPv6Address],
        now: datetime,
        valid_for: timedelta,
    ) -> IssuedCertificate:
        """See ``certificates.issue_server``."""
        return certificates.issue_server(
            self.issuers[Issuer.SERVERS],
            dns_names=dns_names,
            addresses=addresses,
            now=now,
            valid_for=valid_for,
        )

    def revocation_list(
        self, issuer: Issuer, revoked: Sequence[RevokedCertificate], *, now: datetime, valid_for: timedelta
    ) -> bytes:
        """See ``certificates.revocation_list``."""
        return certificates.revocation_list(self.issuers[issuer], revoked, now=now, valid_for=valid_for)


def _make_missing(directory: Path, now: datetime) -> None:
    path = directory / ROOT_FILE
    root = _read(path, signed_by=None) if path.exists() else _keep(path, certificates.new_root(now))
    for issuer in Issuer:
        if not _issuer_path(directory, issuer).exists():
            _keep(_issuer_path(directory, issuer), certificates.new_issuer(issuer, root, now=now))
    write_file(directory / COMPLETE_FILE, f"Made {now.isoformat()}\n".encode())


def _issuer_path(directory: Path, issuer: Issuer) -> Path:
    return directory / f"{issuer}.pem"


def _keep(path: Path, authority: Authority) -> Authority:
    parts = (certificates.key_to_pem(authority.key), to_pem(authority.certificate), to_pem(authority.anchor))
    write_file(path, b"".join(parts))
    return authority


def _read(path: Path, *, signed_by: Authority | None) -> Authority:
    try:
        content = read_private_file(path)
        key = serialization.load_pem_private_key(content, password=None)
        found = x509.load_pem_x509_certificates(content)
    except FileNotFoundError as error:
        raise AuthorityFileError(path, problem="it is gone") from error
    except ValueError as error:
        raise AuthorityFileError(path, problem="its content is not a key and certificates") from error
    if not isinstance(key, ec.EllipticCurvePrivateKey) or len(found) != CERTIFICATES_PER_FILE:
        raise AuthorityFileError(path, problem="it does not hold one P-256 key and two certificates")
    authority = Authority(key=key, certificate=found[0], anchor=found[1])
    _check(path, authority, signed_by=signed_by or authority)
    return authority


def _check(path: Path, authority: Authority, *, signed_by: Authority) -> None:
    """Refuse a file whose parts do not belong together, or not to this root."""
    try:
        authority.certificate.verify_directly_issued_by(signed_by.certificate)
        authority.anchor.verify_directly_issued_by(authority.anchor)
    except (ValueError, InvalidSignature) as error:
        raise AuthorityFileError(path, problem="it was not signed by the root beside it") from error
    public_key = authority.key.public_key()
    if not (public_key == authority.certificate.public_key() == authority.anchor.public_key()):
        raise AuthorityFileError(path, problem="its key and its certificates do not belong together")
