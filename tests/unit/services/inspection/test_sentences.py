"""Every action that any part of the product logs has a sentence for the people whom it is about."""

import string
from pathlib import Path

import pytest

from services.audit import Entry
from services.inspection.sentence_table import SENTENCES
from services.inspection.sentences import Language, sentence
from services.store.audit import AuditRow
from tests.support.actions import actions

ROOT = Path(__file__).parents[4]
LOGGED = actions(ROOT)


def row(action: str, *, actor: str = "token:t-1", details: str = "") -> AuditRow:
    entry = Entry(actor=actor, action=action, details=details)
    return AuditRow(
        number=1,
        at=0,
        actor=entry.actor,
        action=entry.action,
        organisation_id=None,
        home_id="h-1",
        subject="",
        purpose="",
        details=details,
        hash="",
    )


def test_the_source_tells_the_actions() -> None:
    assert {"looked", "released", "granted", "device_retired", "rule_off", "signed_out"} <= LOGGED.keys()


@pytest.mark.parametrize("action", sorted(LOGGED))
def test_an_action_has_a_sentence_in_both_languages(action: str) -> None:
    found = SENTENCES.get(action)

    assert found is not None, f"write one in services/inspection/sentence_table.py; see {LOGGED[action]}"
    for text in (found.sv, found.en):
        assert text.endswith(".")
        names = {name for _, name, _, _ in string.Formatter().parse(text) if name}
        assert names <= {"who", "org", "what"}
    assert found.sv != found.en


def test_no_sentence_is_for_an_action_that_nobody_logs() -> None:
    assert SENTENCES.keys() <= LOGGED.keys()


@pytest.mark.parametrize(
    ("actor", "organisation", "who"),
    [
        ("token:1", "Acme AB", "Ett system hos Acme AB"),
        ("certificate:1", "Acme AB", "Ett system hos Acme AB"),
        ("account:1", "Acme AB", "Personal hos Acme AB"),
        ("Anna (Acme AB)", "Acme AB", "Personal hos Acme AB"),
        ("cli:root", None, "Stadens driftpersonal"),
        ("operator:root", "Acme AB", "Stadens driftpersonal"),
        ("hub", "Acme AB", "Systemet"),
        ("somebody", None, "Stadens driftpersonal"),
    ],
)
def test_people_are_told_which_unit_it_was_and_not_which_person(
    actor: str, organisation: str | None, who: str
) -> None:
    text = sentence(row("looked", actor=actor), language=Language.SV, organisation=organisation)

    assert text == f"{who} läste uppgifter om hemmet."


@pytest.mark.parametrize(
    ("action", "details", "english"),
    [
        ("looked", "alarm list home=h-1", "A system of Acme read alarms."),
        ("looked", "api readings series=4", "A system of Acme read readings."),
        ("looked", "api homes list", "A system of Acme read the home's details."),
        ("released", "alarm a-1 fire.stove", "Acme was told of an alarm about fire."),
        (
            "readings_released",
            "120 readings of climate",
            "Acme received readings during the day, in number 120 (indoor climate).",
        ),
        ("something_new", "", "A system of Acme did: something_new."),
    ],
)
def test_a_sentence_says_what_was_seen(action: str, details: str, english: str) -> None:
    assert sentence(row(action, details=details), language=Language.EN, organisation="Acme") == english
