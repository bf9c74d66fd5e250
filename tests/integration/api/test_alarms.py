"""``/alarms``, ``/events``, ``/deliveries``: each sees the cases that it may know of, and answers those."""

from datetime import timedelta
from typing import Any

import pytest

from services.domain.actors import Role
from services.domain.homes import OrganisationKind
from services.store import audit
from tests.integration.api.conftest import looks
from tests.support.office import Office
from tests.support.town import Town

ADMIN, NETWORK = Role.CITY_ADMIN, Role.NETWORK_OPERATOR
VERBS = ("acknowledge", "close", "comment")
NOTE = {"note": "on our way"}


async def ids(office: Office, path: str, *, by: Role | str, **query: Any) -> list[str]:
    """Of a list, all pages of it."""
    found: list[str] = []
    page: dict[str, Any] = {"next": None}
    while True:
        cursor = {"cursor": page["next"]} if page["next"] else {}
        page = await office.get(path, by=by, **cursor, **query)
        found += [item["id"] for item in page["items"]]
        if page["next"] is None:
            return found


async def test_an_organisation_sees_the_alarms_that_it_may_know_of_the_newest_first(
    office: Office, town: Town
) -> None:
    town.grant("acme", "h-1")
    first, foreign = town.press("p-1"), town.press("p-2")
    fire = town.alarm_of(town.say("s-1", "fire.stove"))

    assert await ids(office, "/alarms", by="acme") == [first.id]
    assert await ids(office, "/alarms", by="beta") == []
    assert await ids(office, "/alarms", by=ADMIN, limit=1) == [fire.id, foreign.id, first.id]


async def test_filters_leave_out_what_was_not_asked_for(office: Office, town: Town) -> None:
    town.grant("acme", "h-1")
    town.grant("acme", "h-1", "fire")
    town.grant("acme", "h-2")
    old = town.press("p-1")
    town.acknowledge("acme", old)
    town.clock.advance(timedelta(hours=2))
    fire, other = town.alarm_of(town.say("s-1", "fire.stove")), town.press("p-2")

    for query, expected in (
        ({"home": "h-2"}, [other.id]),
        ({"home": "h-none"}, []),
        ({"device": "s-1"}, [fire.id]),
        ({"device": "none"}, []),
        ({"class": "fire"}, [fire.id]),
        ({"state": "acknowledged"}, [old.id]),
        ({"state": "open"}, [other.id, fire.id, old.id]),
        ({"state": "closed"}, []),
        ({"since": "1h"}, [other.id, fire.id]),
        ({"state": "raised", "home": "h-1"}, [fire.id]),
    ):
        assert await ids(office, "/alarms", by="acme", limit=1, **query) == expected, query


async def test_network_operators_see_technical_alarms_only(office: Office, town: Town) -> None:
    town.press("p-1")
    technical = town.alarm_of(town.say("p-1", "technical.tamper"))

    assert await ids(office, "/alarms", by=NETWORK) == [technical.id]
    assert await ids(office, "/events", by=NETWORK, home="h-1") == await ids(
        office, "/events", by=NETWORK, alarm=technical.id
    )
    answer = await office.ask("GET", f"/alarms/{town.alarms()[-1].id}", by=NETWORK)
    assert answer.status_code == 404


async def test_an_alarm_shows_what_led_to_it_and_what_ones_own_organisation_was_told(
    office: Office, town: Town
) -> None:
    town.grant("acme", "h-1")
    town.grant("beta", "h-1")
    alarm = town.press("p-1")
    town.press("p-1")

    found = await office.get(f"/alarms/{alarm.id}", by="acme")

    assert (found["kind"], found["class"], found["address"]) == ("safety.manual", "safety", "Storgatan h-1")
    assert [event["external_id"] for event in found["events"]] == ["e-2", "e-1"]
    assert [notice["type"] for notice in found["notices"]] == ["raised", "repeated"]
    assert {delivery["organisation"] for delivery in found["deliveries"]} == {"acme"}
    whole = await office.get(f"/alarms/{alarm.id}", by=ADMIN)
    assert {delivery["organisation"] for delivery in whole["deliveries"]} == {"acme", "beta"}


async def test_a_look_at_alarms_is_logged_for_each_home_with_its_purpose(office: Office, town: Town) -> None:
    town.grant("acme", "h-1")
    town.grant("acme", "h-2")
    alarm = town.press("p-1")
    town.press("p-2")

    await office.get("/alarms", by="acme")
    await office.get(f"/alarms/{alarm.id}", by="acme")

    assert [(look.home_id, look.purpose, look.details) for look in looks(town)] == [
        ("h-2", "answers alarms", "api alarms list"),
        ("h-1", "answers alarms", "api alarms list"),
        ("h-1", "answers alarms", f"api alarms {alarm.id}"),
    ]


async def test_whoever_is_second_is_told_who_was_first_and_when(office: Office, town: Town) -> None:
    town.grant("acme", "h-1")
    town.grant("beta", "h-1")
    alarm = town.press("p-1")

    first = await office.do("POST", f"/alarms/{alarm.id}/acknowledge", by="acme", body={"by": "Ann"})
    second = await office.ask("POST", f"/alarms/{alarm.id}/acknowledge", by="beta", body={"by": "Bo"})

    assert (first["state"], first["acknowledged_by"]) == ("acknowledged", "Acme AB")
    assert second.status_code == 409
    problem = second.json()
    assert problem["code"] == "already_acknowledged"
    assert (problem["acknowledged"]["by"], problem["acknowledged"]["organisation"]) == ("Ann", "Acme AB")
    assert problem["acknowledged"]["at"] == first["acknowledged_at"]


async def test_the_same_request_again_gets_the_same_answer(office: Office, town: Town) -> None:
    town.grant("acme", "h-1")
    alarm = town.press("p-1")
    path = f"/alarms/{alarm.id}/acknowledge"

    answers = [await office.do("POST", path, by="acme", body={}, key="k-1") for _ in range(2)]

    assert answers[0] == answers[1]


async def test_an_answer_over_http_is_told_to_all_and_to_the_home(office: Office, town: Town) -> None:
    town.grant("acme", "h-1")
    town.grant("beta", "h-1")
    alarm = town.press("p-1")

    await office.do("POST", f"/alarms/{alarm.id}/acknowledge", by="acme", body=NOTE)
    await office.do("POST", f"/alarms/{alarm.id}/comment", by="beta", body={"by": "Bo", "note": "key is 4"})
    closed = await office.do("POST", f"/alarms/{alarm.id}/close", by="acme", body={})
    town.turn()

    assert closed["state"] == "closed"
    told = [(event.notice.type, event.notice.by, event.notice.note) for event in town.channel.told("beta")]
    assert ("closed", "Acme AB", "") in told
    assert [receipt.status for receipt in town.heard_at_home()] == ["acknowledged", "closed"]
    acted = [row.actor for row in town_log(town) if row.action == "acted"]
    assert len(acted) == 3
    assert all(actor.startswith("token:") for actor in acted)


async def test_what_the_broker_could_not_carry_yet_can_be_answered_over_http(
    office: Office, town: Town
) -> None:
    town.grant("acme", "h-1")
    town.channel.is_up = False
    alarm = town.press("p-1")

    answered = await office.do("POST", f"/alarms/{alarm.id}/acknowledge", by="acme", body={})

    assert answered["state"] == "acknowledged"


@pytest.mark.parametrize("verb", VERBS)
async def test_a_foreign_alarm_is_not_there_for_any_verb(office: Office, town: Town, verb: str) -> None:
    town.grant("acme", "h-1")
    alarm = town.press("p-1")
    nowhere = "0" * 8 + alarm.id[8:]

    foreign = await office.ask("POST", f"/alarms/{alarm.id}/{verb}", by="beta", body=NOTE)
    unknown = await office.ask("POST", f"/alarms/{nowhere}/{verb}", by="beta", body=NOTE)

    assert (foreign.status_code, foreign.json()["code"]) == (404, "unknown")
    assert foreign.text.replace(alarm.id, nowhere) == unknown.text
    looked = [await office.ask("GET", f"/alarms/{id_}", by="beta") for id_ in (alarm.id, nowhere)]
    assert looked[0].text.replace(alarm.id, nowhere) == looked[1].text == unknown.text
    assert town.alarm(alarm.id).acknowledgement is None


async def test_after_a_withdrawal_an_alarm_is_not_there_any_more(office: Office, town: Town) -> None:
    grant = town.grant("acme", "h-1")
    alarm = town.press("p-1")
    event_id = (await ids(office, "/events", by="acme"))[0]
    [delivery_id] = await ids(office, "/deliveries", by="acme")

    town.revoke(grant)

    for path in (f"/alarms/{alarm.id}", f"/events/{event_id}", f"/deliveries/{delivery_id}"):
        assert (await office.ask("GET", path, by="acme")).status_code == 404, path
    for path in ("/alarms", "/events", "/deliveries"):
        assert await ids(office, path, by="acme") == [], path


async def test_the_city_answers_as_the_operator_of_the_hub_what_it_was_not_told(
    office: Office, town: Town
) -> None:
    town.grant("acme", "h-1")
    alarm = town.press("p-1")

    answered = await office.do("POST", f"/alarms/{alarm.id}/acknowledge", by=ADMIN, body={"by": "Cia"})

    assert answered["state"] == "acknowledged"
    assert town.alarm(alarm.id).acknowledgement is not None
    assert (await office.get(f"/alarms/{alarm.id}", by="acme"))["notices"][0]["type"] == "raised"


async def test_events_are_received_by_their_cloud_events_id(office: Office, town: Town) -> None:
    town.grant("acme", "h-1")
    town.press("p-1")
    [event] = town.channel.told("acme")

    confirmed = await office.do("POST", f"/events/{event.notice.id}/received", by="acme")
    foreign = await office.ask("POST", f"/events/{event.notice.id}/received", by="beta")

    assert confirmed == {"event": event.notice.id, "received": True}
    assert (foreign.status_code, foreign.json()["code"]) == (404, "unknown")
    [delivery] = (await office.get("/deliveries", by="acme"))["items"]
    assert (delivery["state"], delivery["event"]) == ("confirmed", event.notice.id)


async def test_what_nobody_confirmed_can_be_told_again(office: Office, town: Town) -> None:
    town.grant("acme", "h-1")
    alarm = town.press("p-1")
    town.acknowledge(None, alarm)
    town.close(None, alarm)
    town.wait(3_700)
    dead = await ids(office, "/deliveries", by="acme", state="expired")
    before = len(town.channel.told("acme"))

    again = await office.do("POST", f"/deliveries/{dead[0]}/replay", by="acme")
    refused = await office.ask("POST", f"/deliveries/{dead[0]}/replay", by="acme")
    foreign = await office.ask("POST", f"/deliveries/{dead[0]}/replay", by="beta")
    town.turn()

    assert again["state"] == "pending"
    assert (refused.status_code, refused.json()["code"]) == (409, "not_dead")
    assert (foreign.status_code, foreign.json()["code"]) == (404, "unknown")
    assert len(town.channel.told("acme")) == before + 1


async def test_installers_see_no_alarms_at_all(office: Office, town: Town) -> None:
    town.add_organisation("fitters", OrganisationKind.INSTALLER)

    answers = [await office.ask("GET", path, by="fitters") for path in ("/alarms", "/events", "/deliveries")]

    assert {(answer.status_code, answer.json()["code"]) for answer in answers} == {(403, "not_permitted")}


@pytest.mark.parametrize(
    "body",
    [{"note": "x" * 2_001}, {"by": "x" * 101}, {"state": "closed"}, {"note": 1}, []],
)
async def test_a_body_that_cannot_be_right_changes_nothing(office: Office, town: Town, body: Any) -> None:
    town.grant("acme", "h-1")
    alarm = town.press("p-1")

    answer = await office.ask("POST", f"/alarms/{alarm.id}/acknowledge", by="acme", body=body)

    assert (answer.status_code, answer.json()["code"]) == (422, "invalid")
    assert town.alarm(alarm.id).acknowledgement is None


def town_log(town: Town) -> list[Any]:
    return list(audit.entries(town.connection))
