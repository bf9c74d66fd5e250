"""Who may prove to be whom: the city's certificates, as values, without files.

    root ──> homes      ──> CN=p7        a device or home hub     (client only)
         ├─> partners   ──> CN=care-one  an organisation          (client only)
         └─> servers    ──> names        broker and web server    (server only)

Every issuing authority has two certificates for one key: the one that the root signed goes into
chains, and a self-signed *anchor* is what a listener trusts. A listener that trusted the root would
let in anyone who sends his own authority along, so a partner could come in as a home.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from ipaddress import IPv4Address, IPv6Address
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from devices.kinds import ID_PATTERN

ROOT_LIFETIME: Final = timedelta(days=30 * 365)
"""Replacing the root means visiting every home, so it outlives the hardware."""
ISSUING_LIFETIME: Final = timedelta(days=15 * 365)
"""Nothing outlives the authority that issued it: what is asked for beyond its end is cut there."""
HOME_LIFETIME: Final = timedelta(days=3 * 365)
"""A device whose certificate ended cannot alarm: long enough that renewal may fail for a year and be seen."""
PARTNER_LIFETIME: Final = timedelta(days=365)
"""An organisation has people who renew; a year keeps forgotten credentials from living on."""
SERVER_LIFETIME: Final = timedelta(days=365)
"""Renewed by the hub itself: ``broker.credentials.ensure_server_certificate``."""
REVOCATION_LIST_LIFETIME: Final = ISSUING_LIFETIME
"""After a list's end Mosquitto refuses *every* client, so it ends with its authority and not before.
Nothing is lost: the broker reads it from our own disk, not over a network that could hold it back."""
BACKDATED_BY: Final = timedelta(minutes=5)
"""Clocks in homes run late; what is issued now is good now for them too."""


class Issuer(StrEnum):
    """The issuing authorities. Each of the broker's listeners trusts exactly one."""

    HOMES = "homes"
    PARTNERS = "partners"
    SERVERS = "servers"


@dataclass(frozen=True, slots=True, kw_only=True)
class Authority:
    """A key that signs, with the certificate to send along and the anchor to trust."""

    key: ec.EllipticCurvePrivateKey = field(repr=False)
    certificate: x509.Certificate
    anchor: x509.Certificate
    """Self-signed: same key, subject and key identifier as ``certificate``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class IssuedCertificate:
    """A fresh key and its certificate, for whoever is to hold them. We keep no copy of the key."""

    key_pem: bytes = field(repr=False)
    certificate_pem: bytes
    """The certificate, then the issuing authority's: what a TLS client or server sends."""
    serial: str
    """Lower-case hexadecimal, as ``RevokedCertificate`` takes it."""
    not_after: datetime
    fingerprint_sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RevokedCertificate:
    """One that must not be let in any more."""

    serial: str
    revoked_at: datetime


class ClientIdError(ValueError):
    """A certificate for this id could pose as somebody else, or as many."""

    def __init__(self, client_id: str) -> None:
        self.client_id = client_id
        super().__init__(
            f"Cannot issue a certificate for {client_id[:80]!r}: "
            "expected 1 to 63 of a-z, 0-9 and -, not starting with -"
        )


class SerialError(ValueError):
    """A serial number is not one of ours."""

    def __init__(self, serial: str) -> None:
        self.serial = serial
        super().__init__(f"Cannot revoke serial {serial[:80]!r}: expected hexadecimal digits, as issued")


class NoServerNameError(ValueError):
    """A server certificate without a name is of no use to any client."""

    def __init__(self) -> None:
        super().__init__(
            "Cannot issue a server certificate without a name: expected a DNS name or an address"
        )


def new_root(now: datetime) -> Authority:
    """Make the city's root. It may sign issuing authorities, and those may not sign further ones."""
    key = _new_key()
    draft = _draft("Stadsnav root", key, now=now, not_after=now + ROOT_LIFETIME)
    certificate = _as_authority(draft, paths_below=1).issuer_name(_name("Stadsnav root"))
    signed = _sign(certificate, key)
    return Authority(key=key, certificate=signed, anchor=signed)


def new_issuer(issuer: Issuer, root: Authority, *, now: datetime) -> Authority:
    """Make an issuing authority: one key, signed by the root and, as its anchor, by itself."""
    key = _new_key()
    name = f"Stadsnav {issuer}"
    not_after = min(now + ISSUING_LIFETIME, root.certificate.not_valid_after_utc)
    draft = _as_authority(_draft(name, key, now=now, not_after=not_after), paths_below=0)
    return Authority(
        key=key,
        certificate=_sign(draft.issuer_name(root.certificate.subject), root.key),
        anchor=_sign(draft.issuer_name(_name(name)), key),
    )


def issue_client(
    authority: Authority, client_id: str, *, now: datetime, valid_for: timedelta
) -> IssuedCertificate:
    """Make a key and a certificate with which ``client_id`` can connect, and nothing else.

    The id is the whole subject: it is a pseudonym, and no name or address stands in a certificate.

    Raises:
        ClientIdError: The id is not one that people may choose (``devices.kinds.ID_PATTERN``).
    """
    if ID_PATTERN.fullmatch(client_id) is None:
        raise ClientIdError(client_id)
    key = _new_key()
    draft = _draft(client_id, key, now=now, not_after=_within(authority, now + valid_for))
    return _issue(authority, key, _as_leaf(draft, ExtendedKeyUsageOID.CLIENT_AUTH))


def issue_server(
    authority: Authority,
    *,
    dns_names: Sequence[str],
    addresses: Sequence[IPv4Address | IPv6Address],
    now: datetime,
    valid_for: timedelta,
) -> IssuedCertificate:
    """Make a key and a certificate for a server that clients reach by these names.

    Raises:
        NoServerNameError: There is neither a name nor an address.
    """
    names = [*map(x509.DNSName, dns_names), *map(x509.IPAddress, addresses)]
    if not names:
        raise NoServerNameError
    key = _new_key()
    draft = _draft("Stadsnav server", key, now=now, not_after=_within(authority, now + valid_for))
    leaf = _as_leaf(draft, ExtendedKeyUsageOID.SERVER_AUTH)
    return _issue(authority, key, leaf.add_extension(x509.SubjectAlternativeName(names), critical=False))


def revocation_list(
    authority: Authority, revoked: Sequence[RevokedCertificate], *, now: datetime, valid_for: timedelta
) -> bytes:
    """The list (PEM) of what ``authority`` issued and must not be let in; complete, not an addition.

    Raises:
        SerialError: A serial is not hexadecimal.
    """
    issued_at = now - BACKDATED_BY
    draft = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(authority.certificate.subject)
        .last_update(issued_at)
        .next_update(_within(authority, now + valid_for))
        .add_extension(_signed_by(authority.key), critical=False)
        .add_extension(x509.CRLNumber(int(issued_at.timestamp())), critical=False)
    )
    for certificate in revoked:
        draft = draft.add_revoked_certificate(_revoked_entry(certificate))
    return draft.sign(authority.key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


def key_to_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    """The key, not encrypted: the mode of its file protects it."""
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def to_pem(certificate: x509.Certificate) -> bytes:
    """The certificate in the form that files and TLS libraries want."""
    return certificate.public_bytes(serialization.Encoding.PEM)


def _new_key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def _name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _draft(
    common_name: str, key: ec.EllipticCurvePrivateKey, *, now: datetime, not_after: datetime
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(_name(common_name))
        .public_key(key.public_key())
        .not_valid_before(now - BACKDATED_BY)
        .not_valid_after(not_after)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )


def _as_authority(draft: x509.CertificateBuilder, *, paths_below: int) -> x509.CertificateBuilder:
    usage = _key_usage(signs_certificates=True)
    limits = x509.BasicConstraints(ca=True, path_length=paths_below)
    return draft.add_extension(limits, critical=True).add_extension(usage, critical=True)


def _as_leaf(draft: x509.CertificateBuilder, purpose: x509.ObjectIdentifier) -> x509.CertificateBuilder:
    usage = _key_usage(signs_certificates=False)
    return (
        draft.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.ExtendedKeyUsage([purpose]), critical=True)
    )


def _key_usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _issue(
    authority: Authority, key: ec.EllipticCurvePrivateKey, draft: x509.CertificateBuilder
) -> IssuedCertificate:
    certificate = _sign(draft.issuer_name(authority.certificate.subject), authority.key)
    return IssuedCertificate(
        key_pem=key_to_pem(key),
        certificate_pem=to_pem(certificate) + to_pem(authority.certificate),
        serial=f"{certificate.serial_number:x}",
        not_after=certificate.not_valid_after_utc,
        fingerprint_sha256=certificate.fingerprint(hashes.SHA256()).hex(),
    )


def _sign(draft: x509.CertificateBuilder, key: ec.EllipticCurvePrivateKey) -> x509.Certificate:
    draft = draft.serial_number(x509.random_serial_number())  # 159 random bits
    return draft.add_extension(_signed_by(key), critical=False).sign(key, hashes.SHA256())


def _signed_by(key: ec.EllipticCurvePrivateKey) -> x509.AuthorityKeyIdentifier:
    """By key alone, so that the root-signed certificate and the anchor both fit."""
    return x509.AuthorityKeyIdentifier.from_issuer_public_key(key.public_key())


def _within(authority: Authority, wanted: datetime) -> datetime:
    return min(wanted, authority.certificate.not_valid_after_utc)


def _revoked_entry(certificate: RevokedCertificate) -> x509.RevokedCertificate:
    try:
        serial = int(certificate.serial, 16)
    except ValueError as error:
        raise SerialError(certificate.serial) from error
    return (
        x509.RevokedCertificateBuilder().serial_number(serial).revocation_date(certificate.revoked_at).build()
    )
