"""Who is let in: whoever shows a token that holds, and nobody else learns why not."""

from datetime import timedelta
from functools import partial

import pytest

from services import tokens
from services.store import tokens as rows
from tests.integration.api.conftest import Api, issued
from tests.support.town import TESTER, Town


async def test_no_token_a_wrong_an_expired_and_a_revoked_one_get_the_same_answer(
    api: Api, town: Town
) -> None:
    expired = issued(town, "acme", lifetime=timedelta(minutes=1))
    revoked = issued(town, "acme")
    town.write(partial(tokens.revoke, token_id=revoked.token.id, actor=TESTER, now=town.now))
    town.clock.advance(timedelta(minutes=1))

    answers = [
        await api.get("/series", token=shown)
        for shown in (None, "stadsnav_wrong", "x" * 3_000, expired.text, revoked.text, expired.token.id)
    ]

    assert {(answer.status_code, answer.text, str(answer.headers)) for answer in answers} == {
        (401, answers[0].text, str(answers[0].headers))
    }
    assert answers[0].headers["www-authenticate"] == "Bearer"
    assert answers[0].headers["content-type"] == "application/problem+json"
    assert answers[0].json()["code"] == "unauthorized"


@pytest.mark.parametrize("scheme", ["Basic {}", "{}", "Bearer", "Bearer  ", "bearer{}"])
async def test_only_the_bearer_scheme_is_known(api: Api, acme: str, scheme: str) -> None:
    answer = await api.get("/series", token=None, headers={"Authorization": scheme.format(acme)})

    assert answer.status_code == 401


async def test_a_token_in_the_address_is_refused(api: Api, acme: str) -> None:
    assert (await api.get("/series", token=None, access_token=acme)).status_code == 401
    assert (await api.get("/series", token=acme, access_token=acme)).status_code == 422


async def test_a_token_that_is_revoked_ends_at_once_and_the_others_go_on(api: Api, town: Town) -> None:
    first, second = issued(town, "acme"), issued(town, "acme")
    assert (await api.get("/series", token=first.text)).status_code == 200

    town.write(partial(tokens.revoke, token_id=first.token.id, actor=TESTER, now=town.now))

    assert (await api.get("/series", token=first.text)).status_code == 401
    assert (await api.get("/series", token=second.text)).status_code == 200


async def test_the_use_of_a_token_is_noted_at_most_once_an_hour(api: Api, acme: str, town: Town) -> None:
    noted = []
    for wait in (timedelta(), timedelta(minutes=59), timedelta(minutes=1), timedelta(minutes=30)):
        town.clock.advance(wait)
        await api.json("/series", token=acme)
        noted.append(rows.tokens(town.connection, limit=1)[0].last_used_at)

    start = noted[0]
    assert start is not None
    assert noted == [start, start, start + timedelta(hours=1), start + timedelta(hours=1)]


async def test_asking_without_a_right_writes_nothing(api: Api, acme: str, town: Town) -> None:
    await api.json("/series", token=acme)
    before = town.connection.data_version()

    await api.json("/series", token=acme)
    await api.get("", token=acme, series=1)
    await api.get("/series", token=f"{acme}x")

    assert town.connection.data_version() == before
