"""Grants in time: from their start to their end, and not a part of an answer longer."""

import asyncio
import csv
import io
import json
from collections.abc import MutableMapping
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from fastapi import FastAPI

from services import tokens
from services.readings.formats import Format
from tests.integration.api.conftest import API, Api, Meters, issued, looks
from tests.support.asgi import asked
from tests.support.town import TESTER, Town

SECONDS = 60_000
PART_BYTES = 65_536


@pytest.fixture
def long_series(meters: Meters, town: Town) -> int:
    """A value a second for a good part of a day."""
    series = meters.series("m-1", "humidity")
    meters.say(series, {town.now - timedelta(seconds=age): float(age) for age in range(SECONDS, 0, -1)})
    return series.id


async def test_the_time_before_a_grant_is_not_shown(api: Api, acme: str, meters: Meters, town: Town) -> None:
    series = meters.series("m-1", "humidity")
    meters.say_hourly(series, [float(hour) for hour in range(48, 0, -1)])
    town.grant("acme", "h-1", "climate", valid_from=town.now - timedelta(hours=10))

    rows = await api.json("", token=acme, series=series.id, since="30d")
    (bucket,) = await api.json("", token=acme, series=series.id, since="30d", points=1)

    assert [row["value"] for row in rows] == [float(hour) for hour in range(10, 0, -1)]
    assert (bucket["count"], bucket["max"]) == (10, 10.0)


async def test_what_came_in_before_a_grant_is_not_shown_whatever_the_device_said_of_its_time(
    api: Api, acme: str, meters: Meters, town: Town
) -> None:
    series = meters.series("m-1", "humidity")
    meters.say(series, {town.now - timedelta(hours=1): 1.0}, late=-timedelta(hours=20))
    meters.say(series, {town.now - timedelta(hours=12): 2.0}, late=timedelta(hours=11))
    town.grant("acme", "h-1", "climate", valid_from=town.now - timedelta(hours=10))

    assert (await api.json("/series", token=acme))["items"] == []
    assert (await api.get("", token=acme, series=series.id)).status_code == 404

    meters.say(series, {town.now - timedelta(minutes=1): 3.0})
    rows = await api.json("", token=acme, series=series.id, since="30d")
    assert [row["value"] for row in rows] == [3.0]


async def test_a_series_that_was_silent_since_the_grant_began_is_not_there(
    api: Api, acme: str, meters: Meters, town: Town
) -> None:
    series = meters.series("m-1", "humidity")
    meters.say_hourly(series, [1.0])
    town.grant("acme", "h-1", "climate")

    before = await api.get("", token=acme, series=series.id)
    town.clock.advance(timedelta(minutes=2))
    meters.say(series, {town.now - timedelta(minutes=1): 2.0})

    assert before.status_code == 404
    assert [row["value"] for row in await api.json("", token=acme, series=series.id)] == [2.0]


async def test_a_grant_holds_from_its_start_up_to_but_not_including_its_end(
    api: Api, acme: str, meters: Meters, town: Town
) -> None:
    series = meters.series("m-1", "humidity")
    begin, end = town.now + timedelta(hours=1), town.now + timedelta(hours=2)
    town.grant("acme", "h-1", "climate", valid_from=begin, valid_until=end)
    microsecond = timedelta(microseconds=1)
    statuses = []

    for moment in (begin - microsecond, begin, end - microsecond, end):
        town.clock.move_to(moment)
        meters.say(series, {moment: 1.0}, late=timedelta())
        statuses.append((await api.get("", token=acme, series=series.id)).status_code)

    assert statuses == [404, 200, 200, 404]


async def test_of_two_grants_the_one_that_reaches_back_furthest_is_the_right(
    api: Api, acme: str, meters: Meters, town: Town
) -> None:
    series = meters.series("m-1", "humidity")
    meters.say_hourly(series, [float(hour) for hour in range(20, 0, -1)])
    town.grant("acme", "h-1", "climate", valid_from=town.now - timedelta(hours=5))
    longer = town.grant("acme", "h-1", "climate", valid_from=town.now - timedelta(hours=15))

    rows = await api.json("", token=acme, series=series.id)
    town.revoke(longer)
    fewer = await api.json("", token=acme, series=series.id)

    assert (len(rows), len(fewer)) == (15, 5)
    assert [row.subject == longer.id for row in looks(town)] == [True, False]


@pytest.mark.parametrize("form", [Format.CSV, Format.JSON])
async def test_an_answer_breaks_off_at_the_next_part_when_its_grant_is_revoked(
    app: FastAPI,
    acme: str,
    long_series: int,
    town: Town,
    said: list[MutableMapping[str, Any]],
    form: Format,
) -> None:
    grant = town.grant("acme", "h-1", "climate", valid_from=town.now - timedelta(days=1))

    def revoke(number: int) -> None:
        if number == 3:
            town.revoke(grant)

    path = f"{API}?series={long_series}&format={form}"
    heard = await asked(app, path, token=acme, between=revoke)
    again = await asked(app, path, token=acme)

    assert (heard.status, len(heard.parts), heard.is_whole) == (200, 3, False)
    assert max(map(len, heard.parts)) <= PART_BYTES
    assert again.status == 404
    assert [line["reason"] for line in said if line["event"] == "answer_cut_short"] == ["WithdrawnError"]
    assert len(looks(town)) == 1
    if form is Format.JSON:
        with pytest.raises(json.JSONDecodeError):
            json.loads(heard.body)


async def test_an_answer_breaks_off_when_the_token_that_asked_for_it_is_revoked(
    app: FastAPI, long_series: int, town: Town
) -> None:
    token = issued(town, "acme")
    town.grant("acme", "h-1", "climate", valid_from=town.now - timedelta(days=1))

    def revoke(number: int) -> None:
        if number == 3:
            town.write(partial(tokens.revoke, token_id=token.token.id, actor=TESTER, now=town.now))

    heard = await asked(app, f"{API}?series={long_series}&format=csv", token=token.text, between=revoke)

    assert (len(heard.parts), heard.is_whole) == (3, False)


async def test_an_answer_breaks_off_when_its_grant_reaches_its_end(
    app: FastAPI, acme: str, long_series: int, town: Town
) -> None:
    until = town.now + timedelta(seconds=5)
    town.grant("acme", "h-1", "climate", valid_from=town.now - timedelta(days=1), valid_until=until)

    heard = await asked(
        app,
        f"{API}?series={long_series}&format=csv",
        token=acme,
        between=lambda _: town.clock.advance(timedelta(seconds=1)),
    )

    assert (len(heard.parts), heard.is_whole) == (5, False)


async def test_a_long_answer_is_whole_when_nothing_is_withdrawn(
    app: FastAPI, acme: str, long_series: int, town: Town
) -> None:
    town.grant("acme", "h-1", "climate", valid_from=town.now - timedelta(days=1))

    heard = await asked(app, f"{API}?series={long_series}&format=csv", token=acme)

    rows = list(csv.DictReader(io.StringIO(heard.body.decode(), newline="")))
    assert heard.is_whole
    assert [float(row["value"]) for row in rows] == [float(age) for age in range(SECONDS, 0, -1)]
    assert len(heard.parts) > 50


async def test_what_is_said_meanwhile_is_no_hindrance_and_the_store_can_tidy_up(
    app: FastAPI, acme: str, long_series: int, meters: Meters, town: Town
) -> None:
    town.grant("acme", "h-1", "climate", valid_from=town.now - timedelta(days=1))
    busy: list[int] = []

    def write(_: int) -> None:
        meters.say(meters.series("m-1", "humidity"), {town.now: 1.0})
        (row,) = meters.connection.rows("PRAGMA wal_checkpoint(TRUNCATE)")
        busy.append(row[0])

    heard = await asked(app, f"{API}?series={long_series}&format=csv", token=acme, between=write)

    assert heard.is_whole
    assert set(busy) == {0}  # no reader was in the way


async def test_a_client_that_leaves_lets_go_of_its_turn(
    app: FastAPI, api: Api, acme: str, long_series: int, town: Town
) -> None:
    town.grant("acme", "h-1", "climate", valid_from=town.now - timedelta(days=1))
    path = f"{API}?series={long_series}&format=csv"

    for _ in range(6):
        leaves = asyncio.Event()

        def leave(_: int, event: asyncio.Event = leaves) -> None:
            event.set()

        heard = await asked(app, path, token=acme, leaves=leaves, between=leave)
        assert not heard.is_whole

    assert (await api.get("", token=acme, series=long_series)).status_code == 200


async def test_one_organisation_cannot_have_all_the_histories_under_way(
    app: FastAPI, api: Api, acme: str, beta: str, long_series: int, town: Town
) -> None:
    for organisation in ("acme", "beta"):
        town.grant(organisation, "h-1", "climate", valid_from=town.now - timedelta(days=1))
    path = f"{API}?series={long_series}&format=csv"

    def hold(_: int) -> None:
        under_way.release()

    under_way = asyncio.Semaphore(0)
    async with asyncio.TaskGroup() as group:
        tasks = [
            group.create_task(asked(app, path, token=acme, between=hold), name=f"history {number}")
            for number in range(4)
        ]
        for _ in range(8):
            await under_way.acquire()
        refused = await api.get("", token=acme, series=long_series)
        other = await api.get("", token=beta, series=long_series, points=1)
    afterwards = await api.get("", token=acme, series=long_series, points=1)

    assert (refused.status_code, refused.json()["code"]) == (429, "too_many_at_once")
    assert refused.headers["retry-after"] == "1"
    assert (other.status_code, afterwards.status_code) == (200, 200)
    assert all(task.result().is_whole for task in tasks)
