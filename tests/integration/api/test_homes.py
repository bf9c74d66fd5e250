"""Homes, devices, profiles, organisations: each sees what is its own, and nothing beside it."""

from typing import Any

import pytest

from services.domain.actors import Role
from services.domain.homes import DeviceState
from services.store import registry
from tests.integration.api.conftest import looks
from tests.support.office import CITY, Office
from tests.support.town import Town

ADMIN = Role.CITY_ADMIN
NETWORK = Role.NETWORK_OPERATOR
HOME = {"id": "h-9", "address": "Storgatan 9", "line": "co-1/ac-9", "node": "n-1"}


async def every(
    office: Office, path: str, *, by: Role | str, limit: int, **query: Any
) -> list[dict[str, Any]]:
    """A list, page by page."""
    found: list[dict[str, Any]] = []
    page: dict[str, Any] = {"next": None}
    while True:
        cursor = {"cursor": page["next"]} if page["next"] else {}
        page = await office.get(path, by=by, limit=limit, **cursor, **query)
        assert len(page["items"]) <= limit
        found += page["items"]
        if page["next"] is None:
            return found


async def test_an_organisation_sees_the_homes_that_it_has_a_grant_for_now(office: Office, town: Town) -> None:
    grant = town.grant("acme", "h-1")

    assert [home["id"] for home in (await office.get("/homes", by="acme"))["items"]] == ["h-1"]
    assert (await office.get("/homes", by="beta"))["items"] == []
    assert (await office.get("/homes/h-1", by="acme"))["address"] == "Storgatan h-1"
    town.revoke(grant)
    assert (await office.get("/homes", by="acme"))["items"] == []
    assert (await office.ask("GET", "/homes/h-1", by="acme")).status_code == 404


async def test_what_is_foreign_is_answered_as_what_never_was(office: Office, town: Town) -> None:
    town.grant("acme", "h-1")

    for path in ("/homes/{}", "/homes/{}/positions"):
        foreign = (await office.ask("GET", path.format("h-2"), by="acme")).json()
        nowhere = (await office.ask("GET", path.format("h-x"), by="acme")).json()
        assert foreign == {**nowhere, "detail": nowhere["detail"].replace("h-x", "h-2")}
        assert (foreign["status"], foreign["code"]) == (404, "unknown")
    foreign = (await office.ask("GET", "/devices/p-2", by="acme")).json()
    nowhere = (await office.ask("GET", "/devices/p-x", by="acme")).json()
    assert foreign == {**nowhere, "detail": nowhere["detail"].replace("p-x", "p-2")}


async def test_each_look_is_logged_with_the_grant_and_purpose_that_it_is_by(
    office: Office, town: Town
) -> None:
    grant = town.grant("acme", "h-1")

    await office.get("/homes", by="acme")
    await office.get("/homes/h-1/positions", by="acme")
    await office.get("/devices/p-1", by="acme")
    await office.get("/homes/h-1", by=ADMIN)
    await office.ask("GET", "/homes/h-2", by="acme")

    found = looks(town)
    assert [(row.organisation_id, row.home_id, row.subject, row.purpose) for row in found[:3]] == [
        ("acme", "h-1", grant.id, "answers alarms")
    ] * 3
    assert [row.details for row in found] == ["api homes list", "api positions", "api device p-1", "api home"]
    assert (found[3].organisation_id, found[3].purpose) == (CITY, "runs the city's hub")


async def test_the_line_and_node_are_for_those_who_run_the_network(office: Office, town: Town) -> None:
    await office.do("POST", "/homes", by=ADMIN, body=HOME)
    town.grant("acme", "h-9")

    assert await office.get("/homes/h-9", by=NETWORK) == HOME
    assert await office.get("/homes/h-9", by="acme") == {**HOME, "line": None, "node": None}
    assert [home["id"] for home in (await office.get("/homes", by=NETWORK, node="n-1"))["items"]] == ["h-9"]
    assert (await office.ask("GET", "/homes", by="acme", node="n-1")).status_code == 422


@pytest.mark.parametrize("limit", [1, 2, 3, 200])
async def test_pages_hold_each_home_and_device_once(office: Office, town: Town, limit: int) -> None:
    for number in range(5):
        town.add_home(f"h-1{number}")
        town.add_device(f"d-1{number}", f"h-1{number}", "safety-alarm")
        if number != 2:
            town.grant("acme", f"h-1{number}")
    town.grant("acme", "h-1", "property")  # a class of which no device there can say anything

    homes = await every(office, "/homes", by="acme", limit=limit)
    devices = await every(office, "/devices", by="acme", limit=limit)
    all_devices = await every(office, "/devices", by=ADMIN, limit=limit)

    assert [home["id"] for home in homes] == ["h-1", "h-10", "h-11", "h-13", "h-14"]
    assert [device["id"] for device in devices] == ["d-10", "d-11", "d-13", "d-14"]
    assert len({device["id"] for device in all_devices}) == len(all_devices) == 10


async def test_a_cursor_of_another_list_or_of_nobody_is_refused(office: Office) -> None:
    await office.do("POST", "/homes", by=ADMIN, body=HOME)
    cursor = (await office.get("/homes", by=ADMIN, limit=1))["next"]

    for path, wrong in (("/devices", cursor), ("/homes", cursor[:-3] + "AAA"), ("/homes", "x")):
        answer = await office.ask("GET", path, by=ADMIN, cursor=wrong)
        assert (answer.status_code, answer.json()["mistakes"][0]["parameter"]) == (422, "cursor")


async def test_an_organisation_knows_of_the_devices_whose_facts_it_may_know(
    office: Office, town: Town
) -> None:
    town.grant("acme", "h-1", "fire")

    async def seen(by: str) -> tuple[set[str], set[str]]:
        devices = (await office.get("/devices", by=by, home="h-1"))["items"]
        positions = (await office.get("/homes/h-1/positions", by=by))["items"]
        return {one["id"] for one in devices}, {one["name"] for one in positions}

    stove = town.device("s-1").position
    assert await seen("acme") == ({"s-1"}, {stove})
    assert await seen(ADMIN) == (
        {"p-1", "s-1", "hub-1"},
        {town.device(one).position for one in ("p-1", "s-1", "hub-1")},
    )
    assert (await office.ask("GET", "/devices/p-1", by="acme")).status_code == 404


async def test_a_grant_for_one_position_shows_that_one(office: Office, town: Town) -> None:
    town.add_device("p-5", "h-1", "safety-alarm", "hall")
    town.grant("acme", "h-1", "safety", position="hall")

    assert [one["id"] for one in (await office.get("/devices", by="acme"))["items"]] == ["p-5"]
    town.set_state("p-5", DeviceState.RETIRED)
    assert (await office.get("/devices", by="acme"))["items"] == []
    assert (await office.get("/devices/p-5", by=ADMIN))["state"] == "retired"


async def test_a_home_is_registered_replaced_and_corrected(office: Office, town: Town) -> None:
    added = await office.ask("POST", "/homes", by=NETWORK, body=HOME)
    assert (added.status_code, added.json()) == (201, HOME)
    assert (await office.ask("POST", "/homes", by=NETWORK, body=HOME)).status_code == 201  # the very same
    other = await office.ask("POST", "/homes", by=NETWORK, body={**HOME, "address": "Storgatan 10"})
    assert (other.status_code, other.json()["code"]) == (409, "exists")

    replaced = await office.do("PUT", "/homes/h-9", by=ADMIN, body={"address": "Storgatan 10"})
    corrected = await office.do("PATCH", "/homes/h-9", by=ADMIN, body={"line": "co-2/ac-1"})

    assert replaced == {"id": "h-9", "address": "Storgatan 10", "line": None, "node": None}
    assert corrected == {**replaced, "line": "co-2/ac-1"}
    assert (await office.ask("PATCH", "/homes/h-x", by=ADMIN, body={"node": "n"})).status_code == 404
    home = registry.home(town.connection, "h-9")
    assert home is not None
    assert (home.address, home.co_id, home.access_id) == ("Storgatan 10", "co-2", "ac-1")


async def test_a_device_is_registered_suspended_resumed_and_retired(office: Office) -> None:
    new = {"id": "p-9", "home": "h-2", "profile": "safety-alarm", "position": "hall"}

    added = await office.do("POST", "/devices", by=NETWORK, body=new, key="once-1")
    states = [
        (await office.do("POST", f"/devices/p-9/{verb}", by=NETWORK))["state"]
        for verb in ("suspend", "resume", "retire")
    ]
    back = await office.ask("POST", "/devices/p-9/resume", by=NETWORK)

    assert {name: added[name] for name in new} == new
    assert added["state"] == "in_service"
    assert states == ["suspended", "in_service", "retired"]
    assert (back.status_code, back.json()["code"]) == (409, "retired")
    nowhere = await office.ask("POST", "/devices", by=NETWORK, body={**new, "id": "p-8", "home": "h-x"})
    assert nowhere.status_code == 404


async def test_the_same_request_with_its_key_is_carried_out_once(office: Office, town: Town) -> None:
    first = await office.ask("POST", "/homes", by=ADMIN, body=HOME, key="k-1")
    await office.do("PATCH", "/homes/h-9", by=ADMIN, body={"address": "Storgatan 10"})

    again = await office.ask("POST", "/homes", by=ADMIN, body=HOME, key="k-1")
    reused = await office.ask("POST", "/homes", by=ADMIN, body={**HOME, "id": "h-8"}, key="k-1")
    others = await office.ask("POST", "/homes", by=NETWORK, body=HOME, key="k-1")

    assert (again.status_code, again.content) == (201, first.content)
    assert again.headers["idempotency-replayed"] == "true"
    assert (reused.status_code, reused.json()["code"]) == (422, "idempotency_key_reused")
    assert (others.status_code, others.json()["code"]) == (409, "exists")
    assert registry.home(town.connection, "h-8") is None


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/homes", {**HOME, "organisation": "acme"}),
        ("POST", "/homes", {**HOME, "address": 7}),
        ("POST", "/homes", {**HOME, "address": ""}),
        ("POST", "/homes", {**HOME, "address": "a\u0000b"}),
        ("POST", "/homes", {**HOME, "line": "no slash"}),
        ("POST", "/homes", {**HOME, "id": "H 9"}),
        ("POST", "/homes", [HOME]),
        ("PUT", "/homes/h-9", {"address": "Storgatan 9", "id": "h-8"}),
        ("PUT", "/homes/H 9", {"address": "Storgatan 9"}),
        ("PATCH", "/homes/h-1", {"address": "Storgatan 9", "is_whole": True}),
        ("POST", "/devices", {"id": "p-9", "home": "h-1", "profile": "safety-alarm", "state": "retired"}),
        ("POST", "/devices", {"id": "p-9", "home": "h-1", "profile": "no-such-thing"}),
        ("POST", "/organisations", {"id": "x", "name": "X", "kind": "care", "last_sequence": 7}),
        ("POST", "/organisations", {"id": "x", "name": "X", "kind": "friend"}),
    ],
    ids=str,
)
async def test_what_nobody_may_set_or_cannot_be_right_is_refused_and_nothing_is_changed(
    office: Office, town: Town, method: str, path: str, body: Any
) -> None:
    before = (registry.homes(town.connection, limit=99), registry.organisations(town.connection, limit=99))

    answer = await office.ask(method, path, by=ADMIN, body=body)

    assert (answer.status_code, answer.json()["code"]) == (422, "invalid")
    assert answer.headers["content-type"] == "application/problem+json"
    assert (
        registry.homes(town.connection, limit=99),
        registry.organisations(town.connection, limit=99),
    ) == before


async def test_whoever_may_not_is_told_so_whatever_it_is_about(office: Office, town: Town) -> None:
    town.grant("acme", "h-1")

    for path in ("/homes/h-1", "/homes/h-2", "/homes/h-x"):
        answer = await office.ask("PATCH", path, by="acme", body={"node": "n"})
        assert (answer.status_code, answer.json()["code"]) == (403, "not_permitted")
    for home_id in ("h-1", "h-x"):
        body = {"id": "p-9", "home": home_id, "profile": "safety-alarm"}
        assert (await office.ask("POST", "/devices", by="acme", body=body)).status_code == 403


async def test_profiles_say_which_classes_they_tell_of(office: Office) -> None:
    page = await office.get("/profiles", by=Role.CATALOGUE_READER)
    alarm = await office.get("/profiles/safety-alarm", by="acme")

    assert "safety-alarm" in [one["name"] for one in page["items"]]
    assert {"safety", "technical"} <= set(alarm["classes"])
    assert (await office.ask("GET", "/profiles/nothing", by="acme")).status_code == 404


async def test_an_organisation_sees_itself_and_the_city(office: Office) -> None:
    new = {"id": "omsorg", "name": "Omsorg AB", "kind": "care"}
    assert await office.do("POST", "/organisations", by=ADMIN, body=new) == new

    own = (await office.get("/organisations", by="acme"))["items"]

    assert [one["id"] for one in own] == ["acme", CITY]
    assert (await office.ask("GET", "/organisations/beta", by="acme")).status_code == 404
    assert (await office.ask("GET", "/organisations/nobody", by="acme")).status_code == 404
    assert [one["id"] for one in await every(office, "/organisations", by=ADMIN, limit=2)] == [
        "acme",
        "beta",
        "omsorg",
        CITY,
    ]
