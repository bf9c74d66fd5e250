"""API tokens come back as they were written, by id, by digest and by organisation."""

from dataclasses import replace
from datetime import timedelta

import pytest

from services.domain.ids import OrganisationId
from services.domain.tokens import ApiToken, TokenId
from services.store import tokens
from tests.support.clock import START
from tests.support.rows import ACME, BETA
from tests.support.stores import Database, StoreUnderTest

TOKEN = ApiToken(
    id=TokenId("token-1"),
    organisation_id=ACME.id,
    name="archive",
    digest=bytes(range(32)),
    created_at=START,
    expires_at=START + timedelta(days=90),
)
OTHER = replace(TOKEN, id=TokenId("token-2"), digest=bytes(32), name="")
OF_BETA = replace(TOKEN, id=TokenId("token-3"), digest=b"\xff" * 32, organisation_id=BETA.id)
HOUR = timedelta(hours=1)


@pytest.fixture
def kept(settled: Database) -> Database:
    """Two tokens of one organisation and one of another."""
    with settled.transaction():
        for token in (TOKEN, OTHER, OF_BETA):
            tokens.add(settled, token)
    return settled


def test_a_token_comes_back_as_it_was_written(kept: Database) -> None:
    assert tokens.get(kept, TOKEN.id) == tokens.with_digest(kept, TOKEN.digest) == TOKEN
    assert tokens.get(kept, "nothing") is None
    assert tokens.with_digest(kept, TOKEN.digest[:-1]) is None


def test_tokens_come_newest_first_all_or_those_of_one_organisation(kept: Database) -> None:
    assert tokens.tokens(kept, limit=10) == [OF_BETA, OTHER, TOKEN]
    assert tokens.tokens(kept, limit=1) == [OF_BETA]
    assert tokens.tokens(kept, organisation_id=ACME.id, limit=10) == [OTHER, TOKEN]


def test_a_token_keeps_its_first_end(kept: Database) -> None:
    with kept.transaction():
        tokens.revoke(kept, TOKEN.id, at=START)
        tokens.revoke(kept, TOKEN.id, at=START + HOUR)

    assert tokens.get(kept, TOKEN.id) == replace(TOKEN, revoked_at=START)
    assert tokens.get(kept, OTHER.id) == OTHER


def test_the_last_use_never_goes_back(kept: Database) -> None:
    with kept.transaction():
        for at in (START + HOUR, START, START + 2 * HOUR, START + HOUR):
            tokens.note_use(kept, TOKEN.id, at=at)

    assert tokens.get(kept, TOKEN.id) == replace(TOKEN, last_used_at=START + 2 * HOUR)


@pytest.mark.parametrize(
    "broken",
    [
        replace(OTHER, id=TokenId("token-9"), digest=TOKEN.digest),
        replace(TOKEN, digest=b"x"),
        replace(OTHER, id=TokenId("token-9"), digest=b"x", organisation_id=OrganisationId("nobody")),
    ],
    ids=["the same digest twice", "the same id twice", "an organisation that is not there"],
)
def test_the_schema_refuses_a_token_that_cannot_be(
    kept: Database, store: StoreUnderTest, broken: ApiToken
) -> None:
    with pytest.raises(store.rule_broken), kept.transaction():
        tokens.add(kept, broken)
