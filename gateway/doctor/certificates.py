"""What runs out: authorities, the broker's own certificate, issued ones, revocation lists."""

from datetime import datetime, timedelta
from typing import Final

from cryptography import x509

from broker.authorities import COMPLETE_FILE, AuthorityFileError, CertificateAuthorities
from broker.certificates import Issuer
from broker.configuration import BrokerPaths
from broker.files import ExposedFileError
from gateway.data_folder import DataFolder
from gateway.doctor.check import Check, broken, watch, well
from services.store import certificates as rows
from services.store.connection import Connection

SOON: Final = timedelta(days=30)
NAMED: Final = 3
"""How many of a long list are named."""


def authorities(folder: DataFolder, *, now: datetime) -> list[Check]:
    """Whether the authorities are whole, private and good for long."""
    if not (folder.pki / COMPLETE_FILE).exists():
        return []  # made when somebody first needs one
    try:
        kept = CertificateAuthorities.open(folder.pki, now)
    except (AuthorityFileError, ExposedFileError) as error:
        return [broken("authorities", str(error), "as it says")]
    ends_at = min(kept.root.certificate.not_valid_after_utc, *(kept.ends_at(issuer) for issuer in Issuer))
    return [_lasting("authorities", ends_at, now, "every home and partner needs a new trust anchor: plan it")]


def of_server(folder: DataFolder, *, now: datetime) -> list[Check]:
    """Whether the broker's own certificate lasts."""
    path = BrokerPaths(directory=folder.broker).server
    if not path.exists():
        return []
    ends_at = x509.load_pem_x509_certificate(path.read_bytes()).not_valid_after_utc
    return [_lasting("server certificate", ends_at, now, "start `stadsnav up` again: it renews it")]


def revocation_lists(folder: DataFolder, *, now: datetime) -> list[Check]:
    """Whether the lists last: after the end of one, Mosquitto lets nobody in."""
    checks = []
    for issuer in (Issuer.HOMES, Issuer.PARTNERS):
        path = BrokerPaths(directory=folder.broker).revoked(issuer)
        if path.exists():
            ends_at = x509.load_pem_x509_crl(path.read_bytes()).next_update_utc
            name = f"revocation list of {issuer}"
            checks.append(_lasting(name, ends_at or now, now, "start `stadsnav up` again: it renews it"))
    return checks


def issued(store: Connection, *, now: datetime) -> list[Check]:
    """Whether somebody's certificate has run out or soon will."""
    expiring = rows.expiring(store, before=now + SOON)
    if not expiring:
        return [well("issued certificates", "all good for 30 days or more")]
    over = sum(ends_at <= now for _, _, ends_at in expiring)
    names = ", ".join(subject for _, subject, _ in expiring[:NAMED])
    found = f"{over} have run out, {len(expiring) - over} will within 30 days; first: {names}"
    return [
        watch(
            "issued certificates",
            found,
            "issue new ones: device enrol, org credentials, integration credentials; or retire the device",
        )
    ]


def _lasting(name: str, ends_at: datetime, now: datetime, mend: str) -> Check:
    found = f"good until {ends_at:%Y-%m-%d}"
    if ends_at <= now:
        return broken(name, f"ran out {ends_at:%Y-%m-%d}", mend)
    return watch(name, found, mend) if ends_at - now < SOON else well(name, found)
