"""``/api/v1/readings``: what a granted organisation gets, in which forms, and how it is written down."""

import csv
import io
from collections.abc import MutableMapping
from datetime import timedelta
from typing import Any

import pyarrow.parquet as pq
import pytest

from devices.codecs.rfc3339 import parse_time
from tests.integration.api.conftest import Api, Meters, looks
from tests.support.town import Town

HOURS = 48
SPIKE = 99.0
LONG_AGO = timedelta(days=100)


@pytest.fixture
def humidity(meters: Meters, town: Town) -> int:
    """Two days of humidity in the bathroom of ``h-1``, of which acme may know; its series."""
    series = meters.series("m-1", "humidity")
    values = [float(20 + hour % 24) for hour in range(HOURS)]
    values[5] = SPIKE
    meters.say_hourly(series, values)
    town.grant("acme", "h-1", "climate", valid_from=town.now - LONG_AGO)
    return series.id


async def test_the_series_of_a_home_are_listed_with_what_they_are_called(
    api: Api, acme: str, humidity: int
) -> None:
    page = await api.json("/series", token=acme)

    (item,) = page["items"]
    assert page["next"] is None
    assert item.pop("position_id")
    assert item == {
        "id": humidity,
        "home": "h-1",
        "position": "bathroom",
        "name": "humidity",
        "unit": "%RH",
        "class": "climate",
    }


async def test_pages_hold_every_series_once_whatever_their_length(
    api: Api, acme: str, meters: Meters, town: Town
) -> None:
    for home_id in ("h-1", "h-2"):
        town.grant("acme", home_id, "climate", valid_from=town.now - LONG_AGO)
    names = [(device_id, f"n{number}") for device_id in ("m-1", "m-2", "m-3") for number in range(3)]
    said = [meters.series(device_id, name) for device_id, name in names]
    for series in said[1:]:
        meters.say_hourly(series, [1.0])

    for limit in (1, 2, 3, 8, 100):
        found, cursor = [], None
        while True:
            page = await api.json(
                "/series", token=acme, limit=limit, **({"cursor": cursor} if cursor else {})
            )
            found += [item["id"] for item in page["items"]]
            if (cursor := page["next"]) is None:
                break
        assert sorted(found) == [series.id for series in said[1:]]


async def test_home_position_and_name_narrow_a_list(
    api: Api, acme: str, meters: Meters, humidity: int
) -> None:
    meters.say_hourly(meters.series("m-2", "temperature", unit="Cel"), [20.0])

    async def names(**query: str) -> list[str]:
        return [item["name"] for item in (await api.json("/series", token=acme, **query))["items"]]

    assert await names() == ["humidity", "temperature"]
    assert await names(home="h-1", position="hall") == ["temperature"]
    assert await names(name="humidity") == ["humidity"]
    assert await names(home="h-1", position="attic") == []
    assert await names(home="h-2") == await names(home="nowhere") == []
    assert humidity


async def test_the_last_reading_of_each_series_of_a_home(
    api: Api, acme: str, humidity: int, town: Town
) -> None:
    page = await api.json("/last", token=acme, home="h-1")

    (item,) = page["items"]
    assert (item["id"], item["value"]) == (humidity, 43.0)
    assert parse_time(item["at"]) == town.now - timedelta(hours=1)
    assert parse_time(item["received_at"]) == town.now - timedelta(hours=1) + timedelta(seconds=1)


async def test_every_reading_comes_in_each_format(api: Api, acme: str, humidity: int) -> None:
    async def body(form: str) -> bytes:
        response = await api.get("", token=acme, series=humidity, since="7d", format=form)
        assert response.status_code == 200
        return response.content

    from_json = await api.json("", token=acme, series=humidity, since="7d", format="json")
    from_csv = list(csv.DictReader(io.StringIO((await body("csv")).decode(), newline="")))
    from_parquet = pq.read_table(io.BytesIO(await body("parquet"))).to_pylist()

    assert len(from_json) == HOURS
    assert [row["value"] for row in from_json] == [float(row["value"]) for row in from_csv]
    assert [row["value"] for row in from_json] == [row["value"] for row in from_parquet]
    assert [row["at"] for row in from_json] == [row["at"] for row in from_csv]
    assert from_json[0].keys() == {"home", "position", "name", "unit", "at", "received_at", "value"}


async def test_a_spike_survives_in_few_buckets(api: Api, acme: str, humidity: int) -> None:
    rows = await api.json("", token=acme, series=humidity, since="3d", points=4)

    assert len(rows) == 3
    assert sum(row["count"] for row in rows) == HOURS
    assert max(row["max"] for row in rows) == SPIKE
    assert rows[0].keys() >= {"start", "min", "max", "mean", "last"}


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        ("*/*", "application/json"),
        ("text/csv", "text/csv; charset=utf-8"),
        ("application/vnd.apache.parquet, */*;q=0.1", "application/vnd.apache.parquet"),
    ],
)
async def test_the_header_accept_chooses_the_format(
    api: Api, acme: str, humidity: int, accept: str, expected: str
) -> None:
    response = await api.get("", token=acme, series=humidity, headers={"Accept": accept})

    assert (response.status_code, response.headers["content-type"]) == (200, expected)


async def test_an_answer_is_a_file_that_nobody_keeps_or_shows(api: Api, acme: str, humidity: int) -> None:
    response = await api.get("", token=acme, series=humidity, since="2026-11-22", format="csv")

    assert response.headers["content-disposition"] == (
        'attachment; filename="h-1-humidity-20261121T230000Z.csv"'
    )
    assert response.headers["cache-control"] == "no-store"
    assert response.headers["x-content-type-options"] == "nosniff"
    assert response.headers["vary"] == "Accept"


async def test_what_is_asked_for_is_a_day_when_nothing_is_said(api: Api, acme: str, humidity: int) -> None:
    assert len(await api.json("", token=acme, series=humidity)) == 24


async def test_a_clock_a_little_ahead_is_in_an_answer_without_an_end(
    api: Api, acme: str, humidity: int, meters: Meters, town: Town
) -> None:
    ahead = town.now + timedelta(minutes=4)
    meters.say(meters.series("m-1", "humidity"), {ahead: 77.0}, late=-timedelta(minutes=4))

    rows = await api.json("", token=acme, series=humidity, since="2h")

    assert rows[-1]["value"] == 77.0


async def test_every_answer_is_logged_as_one_look_by_the_grant_that_allows_it(
    api: Api, acme: str, humidity: int, town: Town
) -> None:
    await api.json("/series", token=acme)
    await api.json("/last", token=acme, home="h-1")
    await api.json("", token=acme, series=humidity, since="7d", points=3, format="json")

    found = looks(town)
    assert [(row.organisation_id, row.home_id, row.purpose) for row in found] == [
        ("acme", "h-1", "answers alarms")
    ] * 3
    assert len({row.subject for row in found}) == 1
    assert all(row.actor.startswith("token:") for row in found)
    assert [row.details for row in found[:2]] == ["api readings series", "api readings last"]
    assert "name=humidity since=2026-11-16T08:15:02" in found[2].details
    assert found[2].details.endswith("points=3 format=json")


async def test_what_is_not_answered_is_no_look(
    api: Api, acme: str, beta: str, humidity: int, town: Town
) -> None:
    await api.get("/series", token=beta)
    await api.get("/last", token=beta, home="h-1")
    await api.get("", token=beta, series=humidity)
    await api.get("", token=acme, series=humidity, since="400d")
    await api.get("", token=acme, series=humidity, headers={"Accept": "text/html"})

    assert looks(town) == []


async def test_what_cannot_be_logged_is_not_shown(
    api: Api, acme: str, humidity: int, town: Town, said: list[MutableMapping[str, Any]]
) -> None:
    await api.json("/series", token=acme)  # the token's use is noted
    town.connection.run_script(
        "CREATE TRIGGER no_log BEFORE INSERT ON audit BEGIN SELECT RAISE(ABORT, 'the log is closed'); END"
    )

    answers = [
        await api.get(path, token=acme, **query)
        for path, query in (("/series", {}), ("/last", {"home": "h-1"}), ("", {"series": humidity}))
    ]

    assert [answer.status_code for answer in answers] == [500] * 3
    assert all("humidity" not in answer.text and "log is closed" not in answer.text for answer in answers)
    assert [f"urn:uuid:{line['instance']}" for line in said if line["event"] == "request_failed"] == [
        answer.json()["instance"] for answer in answers
    ]
