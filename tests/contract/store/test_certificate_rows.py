"""Which certificates were issued, which are revoked, which run out."""

from datetime import datetime, timedelta

import pytest

from services.store import certificates
from services.store.certificates import CertificateRow
from tests.support.clock import START
from tests.support.stores import Database, StoreUnderTest

DAY = timedelta(days=1)


def issue(
    db: Database,
    serial: str,
    *,
    issuer: str = "homes",
    subject: str = "p-1",
    expires_at: datetime = START + DAY,
) -> None:
    row = CertificateRow(
        serial=serial, issuer=issuer, subject=subject, issued_at=START, expires_at=expires_at
    )
    certificates.insert(db, row)


def test_revoking_takes_every_certificate_of_a_subject_and_no_others(db: Database) -> None:
    with db.transaction():
        issue(db, "0a")
        issue(db, "0b")
        issue(db, "0c", subject="p-2")
        issue(db, "0d", issuer="partners")
        first = certificates.revoke_of(db, "homes", "p-1", at=START)
        second = certificates.revoke_of(db, "homes", "p-1", at=START + DAY)

    assert (first, second) == (2, 0)
    assert certificates.revoked(db, "homes", now=START) == [("0a", START), ("0b", START)]
    assert certificates.revoked(db, "partners", now=START) == []


def test_a_revoked_certificate_that_has_run_out_is_named_no_longer(db: Database) -> None:
    with db.transaction():
        issue(db, "0a")
        certificates.revoke_of(db, "homes", "p-1", at=START)

    assert certificates.revoked(db, "homes", now=START + DAY) == []


def test_what_runs_out_is_named_soonest_first_unless_it_is_revoked(db: Database) -> None:
    with db.transaction():
        issue(db, "0a", expires_at=START + 2 * DAY)
        issue(db, "0b", subject="p-2", expires_at=START + DAY)
        issue(db, "0c", subject="p-3", expires_at=START + 3 * DAY)
        issue(db, "0d", subject="p-4")
        certificates.revoke_of(db, "homes", "p-4", at=START)

    assert certificates.expiring(db, before=START + 3 * DAY) == [
        ("homes", "p-2", START + DAY),
        ("homes", "p-1", START + 2 * DAY),
    ]


def test_the_end_of_a_subject_is_that_of_its_longest_certificate(db: Database) -> None:
    before = certificates.end_of(db, "homes", "p-1")
    with db.transaction():
        issue(db, "0a", expires_at=START + 2 * DAY)
        issue(db, "0b", expires_at=START + DAY)
        held = certificates.end_of(db, "homes", "p-1")
        certificates.revoke_of(db, "homes", "p-1", at=START)

    assert (before, held, certificates.end_of(db, "homes", "p-1")) == (None, START + 2 * DAY, None)


def test_a_serial_is_issued_once(db: Database, store: StoreUnderTest) -> None:
    with db.transaction():
        issue(db, "0a")

    with pytest.raises(store.rule_broken), db.transaction():
        issue(db, "0a", subject="p-2")
