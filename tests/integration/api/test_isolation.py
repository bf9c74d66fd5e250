"""Two organisations on the same hub: over every route, id and format, neither can tell what the other has."""

import csv
import io
import itertools
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

import httpx2
import pyarrow.parquet as pq
import pytest

from devices.kinds import DataClass
from services.domain.readings import Series
from services.readings.formats import Format
from tests.integration.api.conftest import Api, Meters, looks
from tests.support.town import Town

NOBODY: Final = 4_000_000
"""A series that is not there."""

FROM: Final = timedelta(hours=6)
"""How long the grants have been in force; the readings go back further."""

ROUTES: Final = {"/api/v1/readings", "/api/v1/readings/series", "/api/v1/readings/last"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """One reading, whose value is found nowhere else."""

    series: Series
    at: datetime
    value: float


@pytest.fixture
def said(meters: Meters, town: Town) -> list[Said]:
    """Three positions of two homes say things of three classes; the organisations may know some of them.

    acme: climate of all of ``h-1``, care in its hall. beta: climate of ``h-1``'s hall and of ``h-2``.
    Nobody: energy, and care in the bathroom.
    """
    begin = town.now - FROM
    town.grant("acme", "h-1", "climate", valid_from=begin)
    town.grant("acme", "h-1", "care", valid_from=begin, position="hall")
    town.grant("beta", "h-1", "climate", valid_from=begin, position="hall")
    town.grant("beta", "h-2", "climate", valid_from=begin)
    told: list[Said] = []
    for device_id, data_class in itertools.product(
        ("m-1", "m-2", "m-3"), (DataClass.CLIMATE, DataClass.CARE, DataClass.ENERGY)
    ):
        series = meters.series(device_id, f"of-{data_class}", data_class)
        values = [1_000.0 * series.id + hour for hour in range(12)]
        meters.say_hourly(series, values)
        told += [
            Said(series=series, at=town.now - timedelta(hours=12 - hour), value=value)
            for hour, value in enumerate(values)
        ]
    return told


def may_know(organisation: str, said: Said, town: Town, positions: dict[str, str]) -> bool:
    """The rule once more, as slowly and plainly as it can be said."""
    if said.at < town.now - FROM:
        return False
    where = (said.series.home_id, positions[said.series.position_id], said.series.data_class.value)
    rights = {
        "acme": [("h-1", "bathroom", "climate"), ("h-1", "hall", "climate"), ("h-1", "hall", "care")],
        "beta": [("h-1", "hall", "climate"), ("h-2", "hall", "climate")],
    }
    return where in rights[organisation]


def questions(said: list[Said]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every route with every id there is, and with one that is not there."""
    ids = [*sorted({one.series.id for one in said}), NOBODY]
    for series, form, points in itertools.product(ids, Format, (None, 3)):
        query = {"series": series, "format": form.value, "since": "30d"}
        yield "", query if points is None else query | {"points": points}
    for route, home, position in itertools.product(
        ("/series", "/last"), ("h-1", "h-2", "h-9"), (None, "hall", "bathroom", "attic")
    ):
        yield route, {"home": home} if position is None else {"home": home, "position": position}
    yield "/series", {}
    for name in sorted({one.series.name for one in said}):
        yield "/series", {"name": name}


def values_in(answer: httpx2.Response) -> set[float]:
    """Every measured value in an answer, whatever its format."""
    if answer.status_code != 200:
        return set()
    match answer.headers["content-type"].partition(";")[0]:
        case "text/csv":
            rows: list[dict[str, Any]] = list(csv.DictReader(io.StringIO(answer.text, newline="")))
        case "application/vnd.apache.parquet":
            rows = pq.read_table(io.BytesIO(answer.content)).to_pylist()
        case _:
            document = answer.json()
            rows = document["items"] if isinstance(document, dict) else document
    members = ("value", "min", "max", "last")
    return {float(row[member]) for row in rows for member in members if member in row}


@pytest.mark.parametrize("organisation", ["acme", "beta"])
async def test_an_organisation_gets_exactly_what_it_may_know_over_every_route_and_format(
    api: Api, town: Town, acme: str, beta: str, said: list[Said], organisation: str
) -> None:
    token = {"acme": acme, "beta": beta}[organisation]
    rows = town.connection.rows("SELECT id, name FROM positions")
    positions = {row[0]: row[1] for row in rows}
    may = {one.value for one in said if may_know(organisation, one, town, positions)}
    known = {one.series.id for one in said if one.value in may}
    got: set[float] = set()
    asked, routes = 0, set()

    for route, query in questions(said):
        answer = await api.get(route, token=token, **query)
        asked += 1
        routes.add(answer.request.url.path)
        got |= values_in(answer)
        assert values_in(answer) <= may
        if route == "":
            assert answer.status_code == (200 if query["series"] in known else 404)
        else:
            assert {item["id"] for item in answer.json()["items"]} <= known

    assert got == may
    assert (asked, routes) == (10 * 3 * 2 + 2 * 3 * 4 + 1 + 3, ROUTES)
    assert {row.organisation_id for row in looks(town)} == {organisation}


@pytest.mark.parametrize("organisation", ["acme", "beta"])
async def test_what_is_foreign_is_answered_as_what_is_not_there(
    api: Api, acme: str, beta: str, said: list[Said], organisation: str
) -> None:
    token = {"acme": acme, "beta": beta}[organisation]
    home = {"acme": "h-2", "beta": "h-9"}[organisation]

    def as_nobody(answer: httpx2.Response, series: int) -> tuple[int, dict[str, Any], dict[str, str]]:
        headers = {name: value for name, value in answer.headers.items() if name != "content-length"}
        text = re.sub(rf"\b{series}\b", str(NOBODY), answer.text)
        return answer.status_code, json.loads(text), headers

    foreign = 0
    for form in Format:
        nobody = await api.get("", token=token, series=NOBODY, format=form.value)
        for series in {one.series.id for one in said}:
            answer = await api.get("", token=token, series=series, format=form.value)
            if answer.status_code != 200:
                foreign += 1
                assert as_nobody(answer, series) == as_nobody(nobody, NOBODY)
    for route in ("/series", "/last"):
        answers = [await api.get(route, token=token, home=one) for one in (home, "h-never")]
        assert answers[0].text == answers[1].text == '{"items":[],"next":null}'

    assert foreign == {"acme": 6, "beta": 7}[organisation] * len(Format)


async def test_a_place_in_a_foreign_list_is_no_right_to_it(
    api: Api, acme: str, beta: str, said: list[Said]
) -> None:
    of_acme = await api.json("/series", token=acme, limit=1)

    of_beta = await api.json("/series", token=beta, cursor=of_acme["next"])
    all_of_beta = await api.json("/series", token=beta)

    assert said
    assert {item["id"] for item in of_beta["items"]} <= {item["id"] for item in all_of_beta["items"]}
