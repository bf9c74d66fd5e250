"""What a resident is shown, and what stays when they are forgotten."""

import json
from datetime import timedelta
from functools import partial
from typing import Any

import pytest

from services import residents, rights
from services.domain.actors import NotPermittedError
from services.domain.errors import InvalidError, UnknownError
from services.residents import ResidentChange
from services.store import audit
from services.store import residents as rows
from tests.support.clock import START
from tests.support.household import ACME, CITY, SEALER, Household
from tests.support.town import Town

HOUR = timedelta(hours=1)


@pytest.fixture
def household(town: Town) -> Household:
    """``r-1`` has lived in ``h-1`` since before the first alarm, and acme has been told of it."""
    household = Household(town)
    household.add("r-1", phone="070-1")
    household.consent("r-1", reference="form 12")
    household.grant()
    town.press()
    return household


def export(town: Town, resident_id: str = "r-1") -> dict[str, Any]:
    work = partial(rights.export, resident_id=resident_id, sealer=SEALER, actor=CITY, now=town.now)
    document = json.loads(json.dumps(town.write(work)))
    assert isinstance(document, dict)
    return document


def test_an_export_holds_who_they_are_what_happened_and_who_looked(town: Town, household: Household) -> None:
    document = export(town)

    assert document["resident"]["name"] == "Name of r-1"
    assert document["resident"]["phone"] == "070-1"
    assert [one["reference"] for one in document["consents"]] == ["form 12"]
    assert [one["organisation"] for one in document["grants"]] == ["acme"]
    assert [one["kind"] for one in document["alarms"]] == ["safety.manual"]
    assert [one["kind"] for one in document["events"]] == ["safety.manual"]
    assert [one["organisation"] for one in document["told"]] == ["acme"]
    assert {"released", "consent_recorded", "resident_exported"} <= {one["what"] for one in document["log"]}
    assert household.town is town


def test_an_export_is_an_entry_in_the_log(town: Town, household: Household) -> None:
    export(household.town)

    entry = list(audit.entries(town.connection))[-1]
    assert (entry.action, entry.resident_id, entry.actor) == ("resident_exported", "r-1", CITY.id)


def test_what_happened_before_they_came_and_after_they_left_is_not_theirs(
    town: Town, household: Household
) -> None:
    town.clock.advance(HOUR)
    household.add("r-2", is_permanent=False)
    town.clock.advance(HOUR)
    town.press()
    town.clock.advance(HOUR)
    town.write(partial(residents.move_out, resident_id="r-2", actor=CITY, now=town.now))
    town.clock.advance(HOUR)
    town.say("s-1", "fire.stove")

    document = export(town, "r-2")

    assert [one["received_at"] for one in document["events"]] == ["2026-11-23T10:15:02.120Z"]
    assert document["alarms"] == []


def test_the_log_of_one_resident_is_silent_about_another(town: Town, household: Household) -> None:
    household.add("r-2", is_permanent=False)
    household.consent("r-2", "care")

    about = {one["about"] for one in export(town)["log"]}

    assert "r-2" not in about
    assert "r-1" in about


def test_an_erased_resident_has_no_name_any_more_and_what_stays_is_named_with_its_reason(
    town: Town, household: Household
) -> None:
    erased = town.write(partial(rights.erase, resident_id="r-1", actor=CITY, now=town.now))

    assert {one.what: one.count > 0 for one in erased.kept} == {
        "alarms": True,
        "events": True,
        "consents": True,
        "log": True,
    }
    assert all(one.why for one in erased.kept)
    assert rows.sealed(town.connection, "r-1") is None
    document = export(town)
    assert (document["resident"]["name"], document["resident"]["phone"]) == (None, None)
    assert len(document["alarms"]) == 1
    assert household.grant().revoked_at is None, "their consent is theirs, whatever they are called"


def test_erasing_again_has_no_further_effect(town: Town, household: Household) -> None:
    erase = partial(rights.erase, resident_id="r-1", actor=CITY)
    town.write(partial(erase, now=START))

    again = town.write(partial(erase, now=START + HOUR))

    assert again.resident.erased_at == START
    assert [row.action for row in audit.entries(town.connection)].count("resident_erased") == 1
    assert household.town is town


def test_nobody_gets_a_name_again_once_it_is_erased(town: Town, household: Household) -> None:
    household.town.write(partial(rights.erase, resident_id="r-1", actor=CITY, now=START))
    change = partial(residents.change, resident_id="r-1", sealer=SEALER, actor=CITY, now=START)

    with pytest.raises(InvalidError, match="somebody whose name is not erased"):
        town.write(partial(change, wanted=ResidentChange(name="Anna")))


def test_rights_are_the_citys_to_serve_and_nobody_is_there_without_an_id(town: Town) -> None:
    with pytest.raises(NotPermittedError):
        rights.export(town.connection, "r-1", sealer=SEALER, actor=ACME, now=START)
    with pytest.raises(NotPermittedError):
        rights.erase(town.connection, "r-1", actor=ACME, now=START)
    with pytest.raises(UnknownError):
        rights.erase(town.connection, "r-1", actor=CITY, now=START)
