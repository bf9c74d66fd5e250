"""Who may know what: against a judge that is too simple to be wrong, at the exact boundaries."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from hypothesis import given, settings

from devices.kinds import DataClass
from services.access import Subject, covers, is_in_force, may_receive, subject_of
from services.domain.homes import Grant
from services.domain.ids import OrganisationId, PositionId
from tests.support import judge
from tests.support.clock import START
from tests.support.rows import HOME, POSITION, alarm_of, grant_of

INSTANT = timedelta(microseconds=1)
HOUR = timedelta(hours=1)
SUBJECT = Subject(home_id=HOME.id, position_id=POSITION.id, data_class=DataClass.SAFETY)
ACME = OrganisationId("acme")


@settings(max_examples=150)
@given(
    grants=judge.many_grants,
    organisation_id=judge.organisations,
    subject=judge.subjects,
    at=judge.moments,
    step=judge.steps,
)
def test_an_organisation_may_know_exactly_what_the_obvious_judge_allows(
    grants: list[Grant], organisation_id: OrganisationId, subject: Subject, at: datetime, step: int
) -> None:
    found = may_receive(organisation_id, subject, at=at, step=step, grants=grants)

    assert found == judge.right_of(organisation_id, subject, grants, at=at, step=step)


@given(grant=judge.grants, at=judge.moments)
def test_a_grant_is_in_force_exactly_when_the_obvious_judge_says_so(grant: Grant, at: datetime) -> None:
    assert is_in_force(grant, at) == judge.holds(grant, at)


@given(grant=judge.grants, subject=judge.subjects)
def test_a_grant_covers_exactly_what_the_obvious_judge_says(grant: Grant, subject: Subject) -> None:
    assert covers(grant, subject) == judge.is_about(grant, subject)


@pytest.mark.parametrize(
    ("at", "is_held"),
    [
        (START - INSTANT, False),
        (START, True),
        (START + HOUR - INSTANT, True),
        (START + HOUR, False),
        (START + HOUR + INSTANT, False),
    ],
    ids=["just before", "from", "just before until", "until", "just after"],
)
def test_a_grant_holds_from_its_start_up_to_but_not_including_its_end(
    at: datetime,
    is_held: bool,  # noqa: FBT001 - a case
) -> None:
    assert is_in_force(grant_of(valid_until=START + HOUR), at) == is_held


@given(grant=judge.grants, at=judge.moments)
def test_a_withdrawn_grant_never_holds_again_also_when_the_clock_is_set_back(
    grant: Grant, at: datetime
) -> None:
    revoked = replace(grant, revoked_at=START)

    assert not is_in_force(revoked, at)


def test_no_grant_means_no() -> None:
    assert may_receive(ACME, SUBJECT, at=START, step=99, grants=[]) is None


def test_a_grant_of_one_position_says_nothing_about_another() -> None:
    grant = grant_of(position_id=PositionId("the bed"))

    assert may_receive(ACME, SUBJECT, at=START, step=1, grants=[grant]) is None


def test_a_step_that_the_chain_has_not_reached_may_not_know_yet() -> None:
    grant = grant_of(step=2)

    assert may_receive(ACME, SUBJECT, at=START, step=1, grants=[grant]) is None
    assert may_receive(ACME, SUBJECT, at=START, step=2, grants=[grant]) == grant


def test_a_notice_of_an_alarm_tells_of_its_home_position_and_class() -> None:
    assert subject_of(alarm_of()) == SUBJECT
