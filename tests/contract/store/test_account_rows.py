"""Accounts, sessions, tries and clients come back as they were written."""

from dataclasses import replace
from datetime import timedelta

import pytest

from services.domain.accounts import (
    Account,
    AccountId,
    AccountState,
    Identity,
    MachineClient,
    Session,
    SessionId,
    SignedInBy,
)
from services.domain.actors import Permission, Role
from services.store import accounts, certificates, clients, sessions, sign_in_tries
from services.store.certificates import CertificateRow
from tests.support.clock import START
from tests.support.rows import ACME, BETA
from tests.support.stores import Database, StoreUnderTest

HOUR = timedelta(hours=1)
ANNA = Account(
    id=AccountId("account-1"),
    login="anna",
    name="Anna A",
    organisation_id=ACME.id,
    roles=frozenset({Role.CARE_ADMIN, Role.CARE_OPERATOR}),
    created_at=START,
    identity=Identity(issuer="https://id.example.org", subject="s-1"),
    follows_groups=True,
)
BO = replace(ANNA, id=AccountId("account-2"), login="bo", organisation_id=BETA.id, identity=None)
SESSION = Session(
    id=SessionId("session-1"),
    account_id=ANNA.id,
    digest=b"d" * 32,
    method=SignedInBy.PASSWORD_AND_CODE,
    opened_at=START,
    seen_at=START,
    expires_at=START + 12 * HOUR,
)
CLIENT = MachineClient(
    id="acme-backend",
    organisation_id=ACME.id,
    name="backend",
    roles=frozenset(),
    narrowed_to=frozenset({Permission.ALARMS_READ}),
    created_by="cli:root",
    created_at=START,
)


@pytest.fixture
def kept(settled: Database) -> Database:
    with settled.transaction():
        accounts.add(settled, ANNA)
        accounts.add(settled, BO)
    return settled


def test_an_account_comes_back_by_id_login_and_identity(kept: Database) -> None:
    assert ANNA.identity is not None
    assert accounts.get(kept, ANNA.id) == accounts.with_login(kept, "anna") == ANNA
    assert accounts.with_identity(kept, ANNA.identity) == ANNA
    assert accounts.with_identity(kept, replace(ANNA.identity, issuer="https://other.example.org")) is None
    assert accounts.accounts(kept, limit=9) == [BO, ANNA]
    assert accounts.accounts(kept, before=BO.id, limit=9) == [ANNA]
    assert accounts.accounts(kept, organisation_id=ACME.id, before="x", limit=9) == [ANNA]


def test_what_changes_of_an_account_changes_nothing_else(kept: Database) -> None:
    with kept.transaction():
        accounts.set_name(kept, ANNA.id, "Eva")
        accounts.set_rights(kept, ANNA.id, organisation_id=BETA.id, roles=[Role.INSTALLER])
        accounts.set_state(kept, ANNA.id, AccountState.SUSPENDED)
        accounts.set_password_hash(kept, ANNA.id, "hash")
        accounts.set_totp(kept, ANNA.id, b"sealed", [b"1", b"2"])
        accounts.note_sign_in(kept, ANNA.id, at=START + HOUR)

    assert accounts.get(kept, ANNA.id) == replace(
        ANNA,
        name="Eva",
        organisation_id=BETA.id,
        roles=frozenset({Role.INSTALLER}),
        state=AccountState.SUSPENDED,
        has_password=True,
        has_totp=True,
        last_sign_in_at=START + HOUR,
    )
    assert (accounts.password_hash(kept, ANNA.id), accounts.totp_secret(kept, ANNA.id)) == ("hash", b"sealed")
    assert accounts.get(kept, BO.id) == BO


def test_a_code_is_used_up_once(kept: Database) -> None:
    with kept.transaction():
        accounts.set_totp(kept, ANNA.id, b"sealed", [b"1", b"2"])
        steps = [accounts.use_totp_step(kept, ANNA.id, step) for step in (7, 7, 6, 8)]
        recovered = [accounts.use_recovery_code(kept, ANNA.id, digest) for digest in (b"1", b"1", b"3")]

    assert (steps, recovered) == ([True, False, False, True], [True, False, False])
    assert accounts.count_recovery_codes(kept, ANNA.id) == 1


@pytest.mark.parametrize(
    "broken",
    [
        replace(BO, id=AccountId("account-9")),
        replace(ANNA, id=AccountId("account-9"), login="eva"),
    ],
    ids=["the same login", "the same identity"],
)
def test_the_schema_refuses_two_accounts_of_one_person(
    kept: Database, store: StoreUnderTest, broken: Account
) -> None:
    with pytest.raises(store.rule_broken), kept.transaction():
        accounts.add(kept, broken)


def test_a_session_comes_back_until_it_ends(kept: Database) -> None:
    with kept.transaction():
        sessions.add(kept, SESSION)
        sessions.add(kept, replace(SESSION, id=SessionId("session-2"), digest=b"e" * 32))
        sessions.note_seen(kept, SESSION.id, at=START + HOUR)
        sessions.note_seen(kept, SESSION.id, at=START)

    assert sessions.with_digest(kept, SESSION.digest) == replace(SESSION, seen_at=START + HOUR)
    assert [one.id for one in sessions.open_of(kept, ANNA.id, now=START)] == ["session-2", "session-1"]
    with kept.transaction():
        assert [sessions.end(kept, SESSION.id, at=START) for _ in range(2)] == [True, False]
        assert sessions.end_all(kept, ANNA.id, at=START) == 1
    assert sessions.open_of(kept, ANNA.id, now=START) == []
    with kept.transaction():
        assert sessions.forget_before(kept, START + 13 * HOUR, limit=1) == 1


def test_tries_come_back_and_the_old_are_forgotten(kept: Database) -> None:
    with kept.transaction():
        sign_in_tries.put(kept, b"a", failures=1, at=START)
        sign_in_tries.put(kept, b"a", failures=2, at=START + HOUR)
        sign_in_tries.put(kept, b"b", failures=1, at=START)
        sign_in_tries.put(kept, b"c", failures=1, at=START)
        sign_in_tries.forget(kept, b"c")

    assert sign_in_tries.tries(kept, b"a") == (2, START + HOUR)
    assert sign_in_tries.tries(kept, b"c") is None
    with kept.transaction():
        assert sign_in_tries.forget_before(kept, START + HOUR, limit=9) == 1
    assert sign_in_tries.tries(kept, b"b") is None


def test_a_client_comes_back_until_it_is_removed(kept: Database) -> None:
    with kept.transaction():
        clients.add(kept, CLIENT)

    assert clients.get(kept, CLIENT.id) == CLIENT
    assert clients.clients(kept, organisation_id=ACME.id, limit=9) == [CLIENT]
    assert clients.clients(kept, organisation_id=BETA.id, limit=9) == []
    with kept.transaction():
        clients.remove(kept, CLIENT.id)
    assert clients.get(kept, CLIENT.id) is None


def test_a_certificate_is_held_by_its_subject_until_it_ends_or_is_revoked(kept: Database) -> None:
    row = CertificateRow(
        serial="ab", issuer="partners", subject="acme", issued_at=START, expires_at=START + HOUR
    )
    with kept.transaction():
        certificates.insert(kept, row)

    def is_held(subject: str = "acme", serial: str = "ab", issuer: str = "partners", later: int = 0) -> bool:
        return certificates.is_held(kept, issuer, subject, serial, at=START + later * HOUR)

    assert is_held()
    assert not any([is_held("beta"), is_held(serial="ac"), is_held(issuer="homes"), is_held(later=1)])
    with kept.transaction():
        certificates.revoke_of(kept, "partners", "acme", at=START)
    assert not is_held()
