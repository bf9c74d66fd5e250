"""API tokens: shown once, kept as a digest, ended for good."""

from datetime import timedelta
from functools import partial
from typing import Any

import pytest

from services import tokens
from services.domain.errors import InvalidError, UnknownError
from services.store import audit
from services.store import tokens as rows
from services.tokens import LONGEST_LIFETIME, PREFIX, Issued
from tests.support.town import TESTER, Town


def issued(town: Town, organisation_id: str = "acme", **more: Any) -> Issued:
    return town.write(
        partial(tokens.issue, organisation_id=organisation_id, actor=TESTER, now=town.now, **more)
    )


def test_a_token_is_recognised_by_its_text_and_by_nothing_that_is_kept(town: Town) -> None:
    made = issued(town)

    kept = town.connection.row("SELECT * FROM api_tokens")

    assert tokens.recognise(town.connection, made.text, now=town.now) == made.token
    assert made.text.startswith(PREFIX)
    assert kept is not None
    for column in kept:
        shown = column.hex() if isinstance(column, bytes) else str(column)
        assert made.text not in shown
        assert tokens.recognise(town.connection, shown, now=town.now) is None


def test_no_two_tokens_are_alike(town: Town) -> None:
    texts = {issued(town).text for _ in range(50)}

    assert len(texts) == 50
    assert min(map(len, texts)) == len(PREFIX) + 43  # 256 bits in base64


@pytest.mark.parametrize("text", ["", PREFIX, "é", "\ud800", "\0", "x" * 100_000])
def test_any_text_that_is_no_token_is_nobodys(town: Town, text: str) -> None:
    made = issued(town)

    for shown in (text, made.text + text[:1] + " ", made.text[:-1], made.text.lower()):
        assert tokens.recognise(town.connection, shown, now=town.now) is None


def test_a_token_holds_up_to_its_end(town: Town) -> None:
    made = issued(town, lifetime=timedelta(days=1))
    microsecond = timedelta(microseconds=1)

    def is_known(later: timedelta) -> bool:
        return tokens.recognise(town.connection, made.text, now=town.now + later) is not None

    assert is_known(timedelta(days=1) - microsecond)
    assert not is_known(timedelta(days=1))


def test_a_token_that_is_revoked_keeps_its_first_end(town: Town) -> None:
    made = issued(town)
    first = town.write(partial(tokens.revoke, token_id=made.token.id, actor=TESTER, now=town.now))
    town.clock.advance(timedelta(hours=1))

    again = town.write(partial(tokens.revoke, token_id=made.token.id, actor=TESTER, now=town.now))

    assert first == again == rows.get(town.connection, made.token.id)
    assert tokens.recognise(town.connection, made.text, now=town.now) is None


@pytest.mark.parametrize("lifetime", [timedelta(0), -timedelta(1), LONGEST_LIFETIME + timedelta(seconds=1)])
def test_a_lifetime_that_cannot_be_right_is_refused(town: Town, lifetime: timedelta) -> None:
    with pytest.raises(InvalidError, match="at most 731d"):
        issued(town, lifetime=lifetime)


def test_only_what_is_there_gets_a_token_or_loses_one(town: Town) -> None:
    with pytest.raises(UnknownError, match="stadsnav org add"):
        issued(town, "nobody")
    with pytest.raises(InvalidError, match="printable"):
        issued(town, name="\n")
    with pytest.raises(UnknownError, match="stadsnav org token list"):
        town.write(partial(tokens.revoke, token_id=issued(town).token.id[:-1], actor=TESTER, now=town.now))


def test_making_and_ending_a_token_is_logged_once_each_without_its_text(town: Town) -> None:
    made = issued(town, name="archive")
    for _ in range(2):
        town.write(partial(tokens.revoke, token_id=made.token.id, actor=TESTER, now=town.now))

    found = [row for row in audit.entries(town.connection) if row.action.startswith("token_")]

    assert [(row.action, row.organisation_id, row.subject, row.details) for row in found] == [
        ("token_issued", "acme", made.token.id, "archive"),
        ("token_revoked", "acme", made.token.id, "archive"),
    ]
