"""Certificates for devices, integrations and organisations: issued, noted, handed out; the earlier one ends.

    may it have one? ──> issue ──> note it, revoke the earlier one (one transaction) ──> write the files

The commit comes before the files: a certificate that somebody holds is always one that we know and can
revoke. Whoever loses the files in between enrols again.
"""

import os
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from broker.authorities import CertificateAuthorities
from broker.certificates import HOME_LIFETIME, PARTNER_LIFETIME, IssuedCertificate, Issuer
from broker.credentials import write_credentials
from broker.files import PRIVATE_DIRECTORY_MODE
from services import audit
from services.domain.errors import RefusedError, UnknownError
from services.domain.homes import DeviceState
from services.integrations import IntegrationRetiredError
from services.registry import RetiredError
from services.store import certificates, integrations, registry
from services.store.certificates import CertificateRow
from services.store.connection import Connection
from services.store.sqlite import SqliteConnection


class OutDirectoryError(RefusedError):
    """The files cannot be written where they were asked for; nothing was issued."""

    def __init__(self, directory: Path, problem: str) -> None:
        self.directory = directory
        super().__init__(f"Cannot write credentials to {directory}: {problem}; name another with --out")


class NotHandedOutError(RefusedError):
    """The new certificate holds, the earlier one does not, and the files are not there."""

    def __init__(self, directory: Path, problem: str) -> None:
        self.directory = directory
        super().__init__(
            f"The earlier certificate has ended, but the new one could not be written to {directory} "
            f"({problem}); mend that and run the same command again"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class HandedOut:
    """What ``key.pem``, ``cert.pem`` and ``ca.pem`` in a directory are good for."""

    holder: str
    directory: Path
    serial: str
    fingerprint_sha256: str
    expires_at: datetime
    revoked: int
    """How many earlier certificates ended with this."""


def enrol_device(
    store: SqliteConnection,
    authorities: CertificateAuthorities,
    device_id: str,
    *,
    directory: Path,
    actor: str,
    now: datetime,
) -> HandedOut:
    """Give a device the one certificate with which it can connect.

    Raises:
        UnknownError: There is no such device.
        RetiredError: It is retired, and never connects again.
        OutDirectoryError: The files cannot be written there.
        NotHandedOutError: Writing failed after the commit.
    """
    _prepare(directory)
    with store.transaction():
        device = registry.device(store, device_id)
        if device is None:
            raise UnknownError("device", device_id, mend="register it with `stadsnav device add`")
        if device.state is DeviceState.RETIRED:
            raise RetiredError(device_id)
        issued, revoked = _issue(
            store, authorities, Issuer.HOMES, device_id, valid_for=HOME_LIFETIME, now=now
        )
        entry = audit.Entry(actor=actor, action="device_enrolled", home_id=device.home_id, subject=device.id)
        audit.note(store, entry, at=now)
    return _handed_out(directory, device_id, issued, authorities.root_pem, revoked)


def issue_integration_credentials(
    store: SqliteConnection,
    authorities: CertificateAuthorities,
    integration_id: str,
    *,
    directory: Path,
    actor: str,
    now: datetime,
) -> HandedOut:
    """Give an integration the one certificate with which it can connect, at the homes' listener.

    Raises:
        UnknownError: There is no such integration.
        IntegrationRetiredError: It is retired, and never connects again.
        OutDirectoryError: The files cannot be written there.
        NotHandedOutError: Writing failed after the commit.
    """
    _prepare(directory)
    with store.transaction():
        integration = integrations.get(store, integration_id)
        if integration is None:
            raise UnknownError(
                "integration", integration_id, mend="register it with `stadsnav integration add`"
            )
        if integration.state is DeviceState.RETIRED:
            raise IntegrationRetiredError(integration_id)
        issued, revoked = _issue(
            store, authorities, Issuer.HOMES, integration_id, valid_for=HOME_LIFETIME, now=now
        )
        entry = audit.Entry(
            actor=actor,
            action="credentials_issued",
            home_id=integration.home_id,
            subject=integration_id,
        )
        audit.note(store, entry, at=now)
    return _handed_out(directory, integration_id, issued, authorities.root_pem, revoked)


def issue_organisation_credentials(
    store: SqliteConnection,
    authorities: CertificateAuthorities,
    organisation_id: str,
    *,
    directory: Path,
    actor: str,
    now: datetime,
) -> HandedOut:
    """Give an organisation the one certificate with which it can connect.

    Raises:
        UnknownError: There is no such organisation.
        OutDirectoryError: The files cannot be written there.
        NotHandedOutError: Writing failed after the commit.
    """
    _prepare(directory)
    with store.transaction():
        if registry.organisation(store, organisation_id) is None:
            raise UnknownError("organisation", organisation_id, mend="register it with `stadsnav org add`")
        issued, revoked = _issue(
            store, authorities, Issuer.PARTNERS, organisation_id, valid_for=PARTNER_LIFETIME, now=now
        )
        entry = audit.Entry(
            actor=actor,
            action="credentials_issued",
            organisation_id=organisation_id,
            subject=organisation_id,
        )
        audit.note(store, entry, at=now)
    return _handed_out(directory, organisation_id, issued, authorities.root_pem, revoked)


def _prepare(directory: Path) -> None:
    """Find out now, while refusing still changes nothing."""
    try:
        directory.mkdir(mode=PRIVATE_DIRECTORY_MODE, parents=True, exist_ok=True)
    except OSError as error:
        raise OutDirectoryError(directory, error.strerror or "it cannot be made") from error
    if not os.access(directory, os.W_OK | os.X_OK):
        raise OutDirectoryError(directory, "it is not yours to write in")


def _issue(
    connection: Connection,
    authorities: CertificateAuthorities,
    issuer: Issuer,
    holder: str,
    *,
    valid_for: timedelta,
    now: datetime,
) -> tuple[IssuedCertificate, int]:
    issued = authorities.issue_client(issuer, holder, now=now, valid_for=valid_for)
    revoked = certificates.revoke_of(connection, issuer, holder, at=now)
    row = CertificateRow(
        serial=issued.serial, issuer=issuer, subject=holder, issued_at=now, expires_at=issued.not_after
    )
    certificates.insert(connection, row)
    return issued, revoked


def _handed_out(
    directory: Path, holder: str, issued: IssuedCertificate, root_pem: bytes, revoked: int
) -> HandedOut:
    try:
        write_credentials(directory, issued, root_pem)
    except OSError as error:
        raise NotHandedOutError(directory, error.strerror or type(error).__name__) from error
    return HandedOut(
        holder=holder,
        directory=directory,
        serial=issued.serial,
        fingerprint_sha256=issued.fingerprint_sha256,
        expires_at=issued.not_after,
        revoked=revoked,
    )
