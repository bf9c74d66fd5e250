"""Refusals say what is wrong and what would be right, in one form (RFC 9457)."""

from typing import Any

import pytest

from services.store.connection import StoreUnavailableError
from tests.integration.api.conftest import Api, Meters
from tests.support.town import Town


@pytest.fixture
def series(meters: Meters, town: Town) -> int:
    """A series of which acme may know."""
    one = meters.series("m-1", "humidity")
    meters.say_hourly(one, [1.0] * 5)
    town.grant("acme", "h-1", "climate", valid_from=town.now.replace(year=2010))
    return one.id


@pytest.mark.parametrize(
    ("path", "query", "mend"),
    [
        ("/series", {"hom": "h-1"}, "did you mean home?"),
        ("/series", {"q": "h-1"}, "known are cursor, limit, home, position, name"),
        ("/series", {"home": ["h-1", "h-2"]}, "name each parameter once"),
        ("/series", {"limit": 0}, "greater than or equal to 1"),
        ("/series", {"limit": 201}, "less than or equal to 200"),
        ("/series", {"position": "hall"}, "name that with `home`"),
        ("/series", {"cursor": "é"}, "`next` of an answer before"),
        ("/series", {"cursor": "W10"}, "`next` of an answer before"),
        ("/last", {}, "home"),
        ("", {}, "series"),
        ("", {"series": 1, "since": "soon"}, "how long ago, such as 24h or 7d"),
        ("", {"series": 1, "since": "2026-11-23T08:00:00 01:00"}, "write + as %2B in a URL"),
        ("", {"series": 1, "since": "1h", "until": "2h"}, "a time after 1h"),
        ("", {"series": 1, "since": "32d"}, "ask for 31 days at a time, or for buckets with `points`"),
        ("", {"series": 1, "since": "4000d", "points": 5}, "ask for 3660 days at a time"),
        ("", {"series": 1, "points": 10_001}, "less than or equal to 10000"),
        ("", {"series": 2**32}, "less than or equal to 4294967295"),
        ("", {"series": 1, "format": "xls"}, "'csv', 'json' or 'parquet'"),
    ],
    ids=str,
)
@pytest.mark.usefixtures("series")
async def test_a_query_that_cannot_be_right_is_refused_with_what_would_be(
    api: Api, acme: str, path: str, query: dict[str, Any], mend: str
) -> None:
    answer = await api.get(path, token=acme, **query)

    problem = answer.json()
    assert answer.headers["content-type"] == "application/problem+json"
    assert (answer.status_code, problem["status"], problem["title"]) == (422, 422, "Unprocessable Entity")
    assert problem["code"] == ("span_too_long" if "days at a time" in mend else "invalid")
    assert mend in f"{problem['detail']} {problem.get('mend')}"


async def test_a_month_is_one_answer_also_the_one_with_an_hour_more(api: Api, acme: str, series: int) -> None:
    answer = await api.get("", token=acme, series=series, since="2026-10-01", until="2026-11-01")

    assert answer.status_code == 200


async def test_a_format_that_nobody_writes_is_not_acceptable(api: Api, acme: str, series: int) -> None:
    answer = await api.get("", token=acme, series=series, headers={"Accept": "text/html, text/csv;q=0"})

    assert (answer.status_code, answer.json()["code"]) == (406, "not_acceptable")
    assert "application/vnd.apache.parquet" in answer.json()["mend"]


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/api/v1/houses", 404, "unknown"),
        ("GET", "/api/v1/readings/", 404, "unknown"),
        ("GET", "//evil.example/api/v1/readings", 404, "unknown"),
        ("POST", "/api/v1/readings/series", 405, "method_not_allowed"),
        ("TRACE", "/healthz", 405, "method_not_allowed"),
    ],
)
async def test_what_is_not_there_is_a_problem_too(
    api: Api, acme: str, method: str, path: str, status: int, code: str
) -> None:
    answer = await api.client.request(
        method, f"http://localhost{path}", headers={"Authorization": f"Bearer {acme}"}
    )

    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert answer.headers["content-type"] == "application/problem+json"


async def test_a_store_that_is_away_is_said_without_saying_why(
    api: Api, acme: str, series: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: object, **__: object) -> None:
        raise StoreUnavailableError("/var/secret/place is full")

    monkeypatch.setattr("services.store.audit.append", away)

    answer = await api.get("", token=acme, series=series)

    assert (answer.status_code, answer.json()["code"]) == (503, "store_unavailable")
    assert answer.headers["retry-after"] == "5"
    assert "secret" not in answer.text
