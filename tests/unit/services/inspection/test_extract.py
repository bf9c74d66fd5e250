"""An extract says who saw what about a home, and nothing of others who live there."""

from datetime import date, timedelta
from typing import Any

import pytest

from devices.kinds import HomeId
from services.domain.errors import UnknownError
from services.domain.ids import ResidentId
from services.domain.residents import Resident
from services.inspection import extract
from services.inspection.extract import About
from services.inspection.sentences import Language
from services.store import audit as rows
from services.store import residents
from tests.support.clock import START
from tests.support.log import looked
from tests.support.town import Town


def text(town: Town, language: Language = Language.EN, **about: Any) -> list[str]:
    asked = extract.checked(town.connection, About(home_id="h-1", **about))
    return list(
        extract.text(extract.days(town.connection, asked, language), home_id="h-1", language=language)
    )


def move_in(town: Town, resident_id: str, *, out_after: timedelta | None = None) -> None:
    moved_out_at = None if out_after is None else START + out_after
    resident = Resident(
        id=ResidentId(resident_id),
        home_id=HomeId("h-1"),
        is_permanent=True,
        moved_in_at=START,
        moved_out_at=moved_out_at,
    )
    residents.add(town.connection, resident, sealed=b"")


def test_sentences_stand_by_day_in_sweden_with_their_purpose(town: Town) -> None:
    since = START + timedelta(hours=1)
    looked(town.connection, organisation_id="acme", details="alarm list", purpose="care", at=since)
    looked(town.connection, at=since + timedelta(hours=13, minutes=50))
    looked(town.connection, "h-2", at=since)

    assert text(town, since=since) == [
        "Extract of the log about the home h-1",
        "",
        "2026-11-23",
        "  10:15  A system of Acme AB read alarms. Purpose: care.",
        "",
        "2026-11-24",
        "  00:05  A system of the city read the home's details.",
    ]
    assert (
        text(town, Language.SV, since=since)[3]
        == "  10:15  Ett system hos Acme AB läste larm. Ändamål: care."
    )


def test_nothing_found_is_said(town: Town) -> None:
    assert text(town, since=START + timedelta(days=9))[1:] == ["The log says nothing of it."]


def test_what_concerns_another_resident_alone_is_left_out(town: Town) -> None:
    move_in(town, "r-1")
    since = START + timedelta(seconds=1)
    for resident_id in (None, "r-1", "r-2"):
        looked(town.connection, resident_id=resident_id, purpose=f"for {resident_id}", at=since)

    found = "\n".join(text(town, resident_id="r-1", since=since))

    assert ("for None" in found, "for r-1" in found, "for r-2" in found) == (True, True, False)


def test_what_was_before_and_after_a_residents_time_in_the_home_is_left_out(town: Town) -> None:
    move_in(town, "r-1", out_after=timedelta(days=2))
    for days in (-1, 1, 3):
        looked(town.connection, purpose=f"day {days}", at=START + timedelta(days=days))

    found = "\n".join(text(town, resident_id="r-1"))

    assert ("day -1" in found, "day 1" in found, "day 3" in found) == (False, True, False)


@pytest.mark.parametrize("home_id", ["h-2", "h-9"])
def test_a_resident_of_another_home_is_unknown(town: Town, home_id: str) -> None:
    move_in(town, "r-1")

    with pytest.raises(UnknownError, match="r-1"):
        extract.checked(town.connection, About(home_id=home_id, resident_id="r-1"))


def test_an_extract_is_logged_with_the_home_and_the_resident(town: Town) -> None:
    about = About(home_id="h-1", resident_id="r-1")

    extract.note(town.connection, about, actor="auditor", organisation_id="acme", now=START)

    entry = rows.get(town.connection, rows.last(town.connection)[0])
    assert entry is not None
    assert (entry.action, entry.home_id, entry.resident_id) == ("log_extracted", "h-1", "r-1")


def test_a_day_is_given_with_the_numbers_of_its_entries(town: Town) -> None:
    number = looked(town.connection, at=START + timedelta(days=5))

    [*_, last] = extract.days(town.connection, About(home_id="h-1"), Language.SV)

    assert (last.day, [line.number for line in last.lines]) == (date(2026, 11, 28), [number])
