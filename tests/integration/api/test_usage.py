"""``/api/v1/usage`` over the interface: one's own, and for the city everybody's."""

from typing import Any

import httpx2
import pytest

from services.domain.actors import Role
from services.domain.homes import OrganisationKind
from services.store import audit as rows
from services.tokens import Limits
from tests.integration.api.conftest import Api, issued
from tests.support.town import Town

USAGE = "/api/v1/usage"


async def asked(api: Api, token: str, path: str = "", **query: Any) -> httpx2.Response:
    return await api.client.get(USAGE + path, params=query, headers={"Authorization": f"Bearer {token}"})


@pytest.fixture
def city(town: Town) -> str:
    town.add_organisation("the-city", OrganisationKind.CITY)
    return issued(town, "the-city", limits=Limits(roles=(Role.CITY_ADMIN,))).text


@pytest.fixture
def granted(town: Town) -> None:
    town.grant("acme")
    town.grant("acme", "h-2", "fire")
    town.grant("beta")


@pytest.mark.usefixtures("granted")
async def test_an_organisation_sees_its_own(api: Api, acme: str, town: Town) -> None:
    for query in ({}, {"organisation": "acme"}, {"month": "2026-11"}):
        found = (await asked(api, acme, **query)).json()
        [own] = found["organisations"]
        assert (own["organisation"], own["homes"]) == ("acme", 2)
        assert own["homes_by_class"] == {"fire": 1, "safety": 1}
        assert (found["month"], found["closed_at"]) == ("2026-11", None)

    entry = rows.get(town.connection, rows.last(town.connection)[0])
    assert entry is not None
    assert (entry.action, entry.organisation_id) == ("usage_read", "acme")


@pytest.mark.usefixtures("granted")
async def test_another_organisation_and_one_that_is_not_there_are_the_same(
    api: Api, acme: str, city: str
) -> None:
    answers = [await asked(api, acme, organisation=id_) for id_ in ("beta", "nobody")]

    assert {answer.status_code for answer in answers} == {404}
    assert answers[0].text.replace("beta", "nobody") == answers[1].text
    assert (await asked(api, city, organisation="nobody")).status_code == 404


@pytest.mark.usefixtures("granted")
async def test_the_city_sees_everybodys_also_as_a_spreadsheet(api: Api, city: str) -> None:
    found = (await asked(api, city)).json()
    table = await asked(api, city, "/csv", organisation="beta")

    assert [one["organisation"] for one in found["organisations"]] == ["acme", "beta"]
    assert table.headers["content-type"].startswith("text/csv")
    assert table.text.splitlines()[1] == "2026-11,beta,Beta AB,homes,,1"


async def test_who_may_not_is_told_so_and_what_is_no_month_is_refused(
    api: Api, acme: str, town: Town
) -> None:
    operator = issued(town, "acme", limits=Limits(roles=(Role.CARE_OPERATOR,))).text

    assert (await asked(api, operator)).status_code == 403
    assert (await asked(api, acme, month="soon")).status_code == 422
