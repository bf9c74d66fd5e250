"""How a grant comes about and ends: proposed, approved by another, consented to, withdrawn, taken."""

from typing import Any

import pytest

from services.domain.actors import Role
from tests.integration.api.conftest import looks
from tests.support.office import Office
from tests.support.town import Town

ADMIN = Role.CITY_ADMIN
SECOND = "city-admin#2"
PROPOSAL = {
    "organisation": "acme",
    "home": "h-1",
    "class": "safety",
    "purpose": "evening patrol",
    "basis": "contract",
    "reference": "no. 7",
}
RESIDENT = {"home": "h-1", "name": "Ada Lindqvist", "phone": "+46 40 123 45 67", "id": "r-1"}


async def approved(office: Office, **more: Any) -> dict[str, Any]:
    """A grant that was proposed by the city and approved by a second person of it."""
    draft = await office.do("POST", "/grant-drafts", by=ADMIN, body=PROPOSAL | more)
    answer = await office.do("POST", f"/grant-drafts/{draft['id']}/approve", by=SECOND)
    grant: dict[str, Any] = answer["grant"]
    return grant


async def consented(office: Office, **more: Any) -> dict[str, Any]:
    """A grant on the consent of the one who lives in the home."""
    await office.do("POST", "/residents", by=ADMIN, body=RESIDENT)
    consent = {"resident": "r-1", "class": "safety", "purpose": "evening patrol", "how": "in-writing"}
    await office.do("POST", "/consents", by=ADMIN, body=consent)
    return await approved(office, basis="consent", **more)


async def test_a_proposed_grant_has_no_effect_until_somebody_else_approves_it(office: Office) -> None:
    draft = await office.do("POST", "/grant-drafts", by="acme", body=PROPOSAL)
    assert (draft["state"], draft["class"], draft["grant"]) == ("proposed", "safety", None)
    assert (await office.get("/homes", by="acme"))["items"] == []

    answer = await office.do("POST", f"/grant-drafts/{draft['id']}/approve", by=ADMIN)

    assert (answer["draft"]["state"], answer["grant"]["in_force"]) == ("approved", True)
    assert [home["id"] for home in (await office.get("/homes", by="acme"))["items"]] == ["h-1"]
    (listed,) = (await office.get("/grants", by="acme"))["items"]
    assert listed == answer["grant"] == await office.get(f"/grants/{listed['id']}", by="acme")
    assert (listed["basis"], listed["reference"]) == ("contract", "no. 7")


async def test_nobody_approves_what_they_have_proposed(office: Office) -> None:
    draft = await office.do("POST", "/grant-drafts", by=ADMIN, body=PROPOSAL)

    own = await office.ask("POST", f"/grant-drafts/{draft['id']}/approve", by=ADMIN)
    care = await office.ask("POST", f"/grant-drafts/{draft['id']}/approve", by="acme")

    assert (own.status_code, own.json()["code"]) == (409, "same_person")
    assert (care.status_code, care.json()["code"]) == (403, "not_permitted")


async def test_a_draft_is_rejected_with_a_reason_and_is_then_decided(office: Office) -> None:
    draft = await office.do("POST", "/grant-drafts", by="acme", body=PROPOSAL)

    rejected = await office.do(
        "POST", f"/grant-drafts/{draft['id']}/reject", by=ADMIN, body={"reason": "no contract"}
    )

    assert (rejected["state"], rejected["reason"]) == ("rejected", "no contract")
    assert (await office.get("/grant-drafts", by="acme", state="proposed"))["items"] == []
    late = await office.ask("POST", f"/grant-drafts/{draft['id']}/approve", by=ADMIN)
    assert (late.status_code, late.json()["code"]) == (409, "already_decided")


async def test_an_organisation_sees_its_own_drafts_and_grants_and_no_others(office: Office) -> None:
    grant = await approved(office)
    draft = await office.do("POST", "/grant-drafts", by="acme", body=PROPOSAL)

    assert (await office.get("/grants", by="beta"))["items"] == []
    assert (await office.get("/grants", by="beta", organisation="acme"))["items"] == []
    assert (await office.get("/grant-drafts", by="beta"))["items"] == []
    for path in (f"/grants/{grant['id']}", f"/grant-drafts/{draft['id']}", "/grants/x", "/grant-drafts/x"):
        answer = await office.ask("GET", path, by="beta")
        assert (answer.status_code, answer.json()["code"]) == (404, "unknown")
    assert len((await office.get("/grant-drafts", by=ADMIN, home="h-1"))["items"]) == 2


async def test_an_organisation_proposes_for_itself_only_and_learns_nothing_of_homes(office: Office) -> None:
    foreign = await office.ask("POST", "/grant-drafts", by="beta", body=PROPOSAL)
    nobody = await office.ask("POST", "/grant-drafts", by="beta", body=PROPOSAL | {"organisation": "nobody"})
    nowhere = await office.ask("POST", "/grant-drafts", by="acme", body=PROPOSAL | {"home": "h-x"})

    assert (foreign.status_code, nobody.status_code, nowhere.status_code) == (404, 404, 201)


async def test_a_grant_that_is_ended_is_over_at_once(office: Office) -> None:
    grant = await approved(office)

    ended = await office.do("POST", f"/grants/{grant['id']}/end", by=ADMIN)

    assert (ended["in_force"], ended["revoked_at"] is None) == (False, False)
    assert (await office.get("/homes", by="acme"))["items"] == []
    assert (await office.ask("POST", f"/grants/{grant['id']}/end", by="acme")).status_code == 403


async def test_a_consent_that_is_withdrawn_ends_the_grant_that_rests_on_it(office: Office) -> None:
    grant = await consented(office)
    (consent,) = (await office.get("/consents", by="acme", home="h-1"))["items"]
    assert grant["consents"] == [consent["id"]]
    assert (await office.ask("GET", f"/consents/{consent['id']}", by="beta")).status_code == 404
    assert (await office.ask("POST", f"/consents/{consent['id']}/withdraw", by="acme")).status_code == 403

    withdrawn = await office.do("POST", f"/consents/{consent['id']}/withdraw", by=ADMIN)

    assert withdrawn["ended_grants"] == [grant["id"]]
    assert (await office.get(f"/grants/{grant['id']}", by="acme"))["ended_because"] == "consent"
    assert (await office.get("/homes", by="acme"))["items"] == []
    assert (await office.get("/consents", by="acme", home="h-1"))["items"] == []
    assert (await office.ask("GET", f"/consents/{consent['id']}", by="acme")).status_code == 404


async def test_without_everybodys_consent_there_is_no_grant_on_it(office: Office) -> None:
    draft = await office.do("POST", "/grant-drafts", by=ADMIN, body=PROPOSAL | {"basis": "consent"})

    answer = await office.ask("POST", f"/grant-drafts/{draft['id']}/approve", by=SECOND)

    assert (answer.status_code, answer.json()["code"]) == (409, "consent_missing")


async def test_consents_are_asked_for_by_home_or_resident_by_those_who_do_not_see_all(office: Office) -> None:
    await consented(office)

    assert (await office.ask("GET", "/consents", by="acme")).status_code == 422
    assert (await office.get("/consents", by="beta", home="h-1"))["items"] == []
    assert len((await office.get("/consents", by=ADMIN))["items"]) == 1


async def test_a_template_is_proposed_whole(office: Office) -> None:
    template = {
        "id": "evening-patrol",
        "title": "Evening patrol",
        "organisation_kind": "care",
        "grants": [
            {"class": "safety", "purpose": "evening patrol", "basis": "contract", "within_seconds": 60},
            {"class": "technical", "purpose": "evening patrol", "basis": "contract"},
        ],
    }
    added = await office.do("POST", "/grant-templates", by=ADMIN, body=template)

    applied = await office.do(
        "POST",
        "/grant-templates/evening-patrol/apply",
        by="acme",
        body={"organisation": "acme", "home": "h-1", "reference": "no. 7"},
    )

    assert added == await office.get("/grant-templates/evening-patrol", by="acme")
    assert [draft["class"] for draft in applied["items"]] == ["safety", "technical"]
    assert (await office.ask("POST", "/grant-templates", by="acme", body=template)).status_code == 403
    assert await office.do("DELETE", "/grant-templates/evening-patrol", by=ADMIN) == {"id": "evening-patrol"}
    assert (await office.get("/grant-templates", by="acme"))["items"] == []


async def test_access_in_an_emergency_is_taken_with_a_reason_and_reviewed(office: Office, town: Town) -> None:
    town.grant("acme", "h-1", "technical")
    body = {"home": "h-1", "classes": ["safety"], "reason": "found on the floor", "lasts_seconds": 600}

    taken = await office.do("POST", "/emergencies", by="acme", body=body)
    assert (await office.get(f"/grants/{taken['grants'][0]}", by="acme"))["in_force"]
    assert (await office.get("/emergencies", by="beta"))["items"] == []
    assert (await office.ask("GET", f"/emergencies/{taken['id']}", by="beta")).status_code == 404
    review = {"outcome": "unjustified", "note": "nobody was there"}
    reviewed = await office.do("POST", f"/emergencies/{taken['id']}/review", by=ADMIN, body=review)

    assert (reviewed["outcome"], reviewed["note"]) == ("unjustified", "nobody was there")
    assert not (await office.get(f"/grants/{taken['grants'][0]}", by="acme"))["in_force"]
    assert (await office.get("/emergencies", by=ADMIN, unreviewed=True))["items"] == []
    assert (await office.ask("POST", "/emergencies", by="beta", body=body)).status_code == 404
    assert (await office.ask("POST", "/emergencies", by=ADMIN, body=body)).status_code == 403


async def test_a_residents_name_is_shown_to_the_city_and_each_look_at_it_is_logged(
    office: Office, town: Town
) -> None:
    added = await office.do("POST", "/residents", by=ADMIN, body=RESIDENT, key="k-1")
    shown = await office.get("/residents/r-1", by=ADMIN)
    listed = await office.ask("GET", "/residents", by=ADMIN, home="h-1")

    assert (shown["name"], shown["phone"]) == (RESIDENT["name"], RESIDENT["phone"])
    assert added["resident"] == listed.json()["items"][0]
    assert "Lindqvist" not in listed.text
    assert [row.details for row in looks(town) if row.resident_id == "r-1"] == ["api resident"]
    for path in ("/residents", "/residents/r-1", "/residents/r-x", "/residents/r-1/export"):
        assert (await office.ask("GET", path, by="acme")).status_code == 403


async def test_a_resident_is_corrected_exported_moved_out_and_erased(office: Office) -> None:
    await office.do("POST", "/residents", by=ADMIN, body=RESIDENT)

    await office.do("PATCH", "/residents/r-1", by=ADMIN, body={"name": "Ada Lind"})
    assert (await office.get("/residents/r-1", by=ADMIN))["name"] == "Ada Lind"
    exported = await office.get("/residents/r-1/export", by=ADMIN)
    assert exported["resident"]["name"] == "Ada Lind"
    moved = await office.do("POST", "/residents/r-1/move-out", by=ADMIN, body={})
    assert moved["resident"]["moved_out_at"]
    erased = await office.do("POST", "/residents/r-1/erase", by=ADMIN)

    assert {kept["what"] for kept in erased["kept"]} == {"alarms", "events", "consents", "log"}
    assert (await office.get("/residents/r-1", by=ADMIN))["name"] is None


async def test_the_store_holds_no_name_of_a_resident_also_not_in_kept_answers(
    office: Office, town: Town
) -> None:
    await office.do("POST", "/residents", by=ADMIN, body=RESIDENT, key="k-1")
    await office.get("/residents/r-1", by=ADMIN)

    held = b"".join(
        repr(list(town.connection.rows(f"SELECT * FROM {row[0]}"))).encode()  # noqa: S608 - names of tables
        for row in town.connection.rows("SELECT name FROM sqlite_schema WHERE type = 'table'")
    )
    assert b"r-1" in held
    assert b"Lindqvist" not in held


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/grant-drafts", PROPOSAL | {"state": "approved"}),
        ("/grant-drafts", PROPOSAL | {"proposed_principal": "x"}),
        ("/grant-drafts", PROPOSAL | {"basis": "emergency"}),
        ("/grant-drafts", PROPOSAL | {"class": "gossip"}),
        ("/grant-drafts", PROPOSAL | {"step": "1"}),
        ("/grant-drafts", PROPOSAL | {"step": 10**30}),
        ("/grant-drafts", PROPOSAL | {"within_seconds": 0}),
        ("/grant-drafts", PROPOSAL | {"until": 7}),
        ("/grant-drafts", PROPOSAL | {"until": "2026-12-01T00:00:00"}),
        ("/residents", RESIDENT | {"erased_at": None}),
        (
            "/consents",
            {"resident": "r-1", "class": "safety", "purpose": "p", "how": "oral", "withdrawn_at": None},
        ),
        ("/emergencies/x/review", {"outcome": "justified", "note": "n", "reviewed_by": "x"}),
    ],
    ids=str,
)
async def test_what_nobody_may_set_or_cannot_be_right_is_refused(
    office: Office, path: str, body: Any
) -> None:
    answer = await office.ask("POST", path, by=ADMIN, body=body)

    assert (answer.status_code, answer.json()["code"]) == (422, "invalid")


async def test_every_change_is_logged_with_who_did_it(office: Office, town: Town) -> None:
    await consented(office)

    rows = town.connection.rows("SELECT action, actor FROM audit WHERE actor LIKE 'token:%'")
    actions = [row[0] for row in rows]
    assert [one for one in actions if one != "looked"] == [
        "resident_added",
        "consent_recorded",
        "grant_proposed",
        "granted",
        "grant_approved",
    ]
