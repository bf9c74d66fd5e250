"""Which certificates were issued, and which of them no longer hold."""

from dataclasses import dataclass
from datetime import datetime

from services.store.connection import Connection, from_micros, optional_time, to_micros


@dataclass(frozen=True, slots=True, kw_only=True)
class CertificateRow:
    """A certificate that we issued."""

    serial: str
    """Hexadecimal."""
    issuer: str
    subject: str
    issued_at: datetime
    expires_at: datetime


def insert(connection: Connection, certificate: CertificateRow) -> None:
    """Note a certificate."""
    connection.run(
        "INSERT INTO certificates (serial, issuer, subject, issued_at, expires_at) VALUES (?, ?, ?, ?, ?)",
        certificate.serial,
        certificate.issuer,
        certificate.subject,
        to_micros(certificate.issued_at),
        to_micros(certificate.expires_at),
    )


def revoke_of(connection: Connection, issuer: str, subject: str, *, at: datetime) -> int:
    """Revoke every certificate of a subject; returns how many held until now."""
    return connection.run(
        """UPDATE certificates SET revoked_at = ?
           WHERE issuer = ? AND subject = ? AND revoked_at IS NULL""",
        to_micros(at),
        issuer,
        subject,
    )


def revoked(connection: Connection, issuer: str, *, now: datetime) -> list[tuple[str, datetime]]:
    """Serial and time of what was revoked and would still be valid otherwise."""
    rows = connection.rows(
        """SELECT serial, revoked_at FROM certificates
           WHERE issuer = ? AND revoked_at IS NOT NULL AND expires_at > ? ORDER BY serial""",
        issuer,
        to_micros(now),
    )
    return [(row[0], from_micros(row[1])) for row in rows]


def expiring(connection: Connection, *, before: datetime) -> list[tuple[str, str, datetime]]:
    """Issuer, subject and end of what runs out before a time, or has, and was not replaced."""
    rows = connection.rows(
        """SELECT issuer, subject, expires_at FROM certificates
           WHERE revoked_at IS NULL AND expires_at < ? ORDER BY expires_at""",
        to_micros(before),
    )
    return [(row[0], row[1], from_micros(row[2])) for row in rows]


def end_of(connection: Connection, issuer: str, subject: str) -> datetime | None:
    """When the certificate that a subject holds now runs out; None: it holds none."""
    row = connection.row(
        "SELECT MAX(expires_at) FROM certificates WHERE issuer = ? AND subject = ? AND revoked_at IS NULL",
        issuer,
        subject,
    )
    return optional_time(row[0]) if row else None


def is_held(connection: Connection, issuer: str, subject: str, serial: str, *, at: datetime) -> bool:
    """Whether we issued this certificate and it has neither ended nor been revoked."""
    row = connection.row(
        """SELECT 1 FROM certificates WHERE serial = ? AND issuer = ? AND subject = ?
           AND revoked_at IS NULL AND expires_at > ?""",
        serial,
        issuer,
        subject,
        to_micros(at),
    )
    return row is not None
