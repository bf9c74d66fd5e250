"""``/api/v1/audit`` over the interface: for auditors alone, and every look at it is in it."""

import csv
import io
import json
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import httpx2
import pytest
import pytest_asyncio

from gateway import log_key
from gateway.data_folder import DataFolder
from services.domain.actors import Role
from services.domain.homes import OrganisationKind
from services.inspection import heads
from services.store import audit as rows
from services.tokens import Limits
from tests.integration.api.conftest import Api, issued
from tests.support.log import looked, unlock
from tests.support.town import Town

AUDIT = "/api/v1/audit"
UNKNOWN = 404


class Auditor:
    """Asks as the city's auditor."""

    def __init__(self, api: Api, token: str) -> None:
        self._api = api
        self._headers = {"Authorization": f"Bearer {token}"}

    async def get(self, path: str = "", **query: Any) -> httpx2.Response:
        return await self._api.client.get(AUDIT + path, params=query, headers=self._headers)

    async def json(self, path: str = "", **query: Any) -> Any:
        response = await self.get(path, **query)
        assert response.status_code == 200, response.text
        return response.json()

    async def post(self, path: str, body: Any, **headers: str) -> httpx2.Response:
        return await self._api.client.post(AUDIT + path, json=body, headers=self._headers | headers)


@pytest_asyncio.fixture
async def auditor(api: Api, town: Town) -> AsyncIterator[Auditor]:
    town.add_organisation("the-city", OrganisationKind.CITY)
    yield Auditor(api, issued(town, "the-city", limits=Limits(roles=(Role.AUDITOR,))).text)


def newest(town: Town) -> rows.AuditRow:
    row = rows.get(town.connection, rows.last(town.connection)[0])
    assert row is not None
    return row


@pytest.mark.parametrize(
    "path", ["", "/verification", "/export", "/extract?home=h-1", "/samples", "/samples/1"]
)
async def test_nobody_but_an_auditor_reads_the_log(api: Api, acme: str, town: Town, path: str) -> None:
    town.add_organisation("the-city", OrganisationKind.CITY)
    admin = issued(town, "the-city", limits=Limits(roles=(Role.CITY_ADMIN,))).text

    for token in (acme, admin):
        answer = await api.client.get(AUDIT + path, headers={"Authorization": f"Bearer {token}"})
        assert (answer.status_code, answer.json()["code"]) == (403, "not_permitted")


async def test_entries_come_page_by_page_the_newest_first(auditor: Auditor, town: Town) -> None:
    first = await auditor.json(limit=3)
    second = await auditor.json(limit=200, cursor=first["next"])

    found = [*first["items"], *second["items"]]
    assert [item["number"] for item in found] == sorted((item["number"] for item in found), reverse=True)
    assert len({item["number"] for item in found}) == len(found)
    assert newest(town).action == "log_read"


async def test_entries_are_narrowed(auditor: Auditor, town: Town) -> None:
    number = looked(town.connection, "h-2", organisation_id="acme", actor="account:1", at=town.now)

    for query in ({"home": "h-2"}, {"organisation": "acme"}, {"actor": "account:1"}):
        found = await auditor.json(since="1d", until=(town.now + timedelta(days=1)).isoformat(), **query)
        assert number in [item["number"] for item in found["items"]], query
    assert (await auditor.json(home="h-9"))["items"] == []
    assert (await auditor.get(since="2026-11-24T08:00:00 01:00")).status_code == 422
    assert (await auditor.get(who="x")).status_code == 422


async def test_a_look_at_the_log_stands_in_it_with_what_was_asked(auditor: Auditor, town: Town) -> None:
    await auditor.json(home="h-1", actor="account:1")

    entry = newest(town)
    assert (entry.action, entry.home_id, entry.organisation_id) == ("log_read", "h-1", "the-city")
    assert "actor=account:1" in entry.details


async def test_the_log_is_verified_against_its_heads(
    auditor: Auditor, town: Town, folder: DataFolder
) -> None:
    with town.connection.transaction():
        heads.sign_head(town.connection, log_key.signing_key(folder), now=town.now)
    whole = await auditor.json("/verification")
    unlock(town.connection)
    town.connection.run("UPDATE audit SET actor = 'x' WHERE number = 2")
    bad = await auditor.json("/verification")

    assert (whole["ok"], whole["heads"], whole["signed_to"] > 0, whole["problems"]) == (True, 1, True, [])
    assert (bad["ok"], bad["first_bad"]) == (False, 2)
    assert bad["problems"][0]["table"] == "audit"


async def test_an_export_is_streamed_in_either_form_and_logged(auditor: Auditor, town: Town) -> None:
    later = (town.now + timedelta(days=1)).isoformat()
    lines = await auditor.get("/export", until=later)
    assert newest(town).action == "log_exported"
    table = await auditor.get("/export", until=later, format="csv", home="h-1")

    assert lines.headers["content-type"] == "application/jsonl"
    assert [json.loads(line)["number"] for line in lines.text.splitlines()][:2] == [1, 2]
    found = list(csv.DictReader(io.StringIO(table.text, newline="")))
    assert {row["home_id"] for row in found} == {"h-1"}


async def test_an_extract_is_in_the_language_that_is_asked_for(auditor: Auditor, town: Town) -> None:
    number = looked(town.connection, organisation_id="acme", details="alarm list", at=town.now)
    until = (town.now + timedelta(seconds=1)).isoformat()

    sentences = []
    for language in ("sv", "en"):
        found = await auditor.json("/extract", home="h-1", language=language, until=until)
        lines = {line["number"]: line["sentence"] for line in found["days"][-1]["lines"]}
        sentences.append(lines[number])

    assert sentences == ["Ett system hos Acme AB läste larm.", "A system of Acme AB read alarms."]
    assert newest(town).action == "log_extracted"


@pytest.mark.parametrize(
    ("path", "query", "status"),
    [
        ("/extract", {"home": "h-1", "resident": "nobody"}, UNKNOWN),
        ("/samples/7", {}, UNKNOWN),
        ("/samples/99999999999999999999999", {}, UNKNOWN),
        ("/extract", {}, 422),
        ("/extract", {"home": "h-1", "language": "de"}, 422),
    ],
    ids=str,
)
async def test_what_is_not_there_or_cannot_be_right_is_refused(
    auditor: Auditor, path: str, query: dict[str, str], status: int
) -> None:
    assert (await auditor.get(path, **query)).status_code == status


async def test_a_sample_is_drawn_once_shown_and_reviewed(auditor: Auditor, town: Town) -> None:
    number = looked(town.connection, actor="account:1", at=town.now)
    body = {
        "kind": "person",
        "actor": "account:1",
        "since": "2026-11-23T00:00:00Z",
        "until": "2026-11-24T00:00:00Z",
    }
    drawn, again = [await auditor.post("/samples", body, **{"Idempotency-Key": "k-1"}) for _ in range(2)]
    assert (drawn.status_code, drawn.json()) == (201, again.json())
    path = f"/samples/{drawn.json()['number']}"

    review = await auditor.post(f"{path}/reviews", {"outcome": "questioned", "note": "why?"})

    assert review.status_code == 201
    shown = await auditor.json(path)
    assert [entry["number"] for entry in shown["entries"]] == shown["picked"] == [number]
    assert [(one["outcome"], one["note"]) for one in shown["reviews"]] == [("questioned", "why?")]
    assert [item["number"] for item in (await auditor.json("/samples"))["items"]] == [drawn.json()["number"]]
    assert (await auditor.json("/verification"))["ok"]


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("/samples", {"kind": "home", "since": "2026-11-23T00:00:00Z"}, 422),
        ("/samples", {"kind": "dice", "since": "2026-11-23T00:00:00Z"}, 422),
        ("/samples", {"since": "2026-11-23T00:00:00Z", "size": 1_001}, 422),
        ("/samples/7/reviews", {"outcome": "in-order"}, UNKNOWN),
    ],
    ids=str,
)
async def test_a_sample_that_cannot_be_drawn_or_reviewed_is_refused(
    auditor: Auditor, path: str, body: dict[str, Any], status: int
) -> None:
    assert (await auditor.post(path, body)).status_code == status
