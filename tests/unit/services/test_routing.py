"""Who is told next and who is kept told: only with a grant in force, ever further, and never for ever."""

from datetime import datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from devices.kinds import DataClass
from services.access import Subject
from services.domain.homes import Grant
from services.domain.ids import OrganisationId
from services.routing import ChainStep, Route, audience, next_step
from tests.support import judge
from tests.support.clock import START
from tests.support.rows import ACME, BETA, HOME, POSITION, grant_of

MINUTE = timedelta(minutes=1)
SUBJECT = Subject(home_id=HOME.id, position_id=POSITION.id, data_class=DataClass.SAFETY)

told_lists = st.lists(judge.organisations, unique=True)


def whole_chain(grants: list[Grant], subject: Subject, at: datetime) -> list[ChainStep]:
    """Every step, from the first to the end; more than there are numbers would be no end."""
    chain: list[ChainStep] = []
    while (step := next_step(grants, subject, after=chain[-1].number if chain else 0, at=at)) is not None:
        chain.append(step)
        assert len(chain) <= len(grants)
    return chain


@settings(max_examples=100)
@given(grants=judge.many_grants, subject=judge.subjects, at=judge.moments)
def test_the_chain_rises_strictly_and_ends(grants: list[Grant], subject: Subject, at: datetime) -> None:
    numbers = [step.number for step in whole_chain(grants, subject, at)]

    assert numbers == sorted(set(numbers))


@settings(max_examples=100)
@given(grants=judge.many_grants, subject=judge.subjects, at=judge.moments)
def test_the_chain_tells_everyone_with_a_grant_in_force_and_nobody_else(
    grants: list[Grant], subject: Subject, at: datetime
) -> None:
    told = {
        (step.number, route.organisation_id)
        for step in whole_chain(grants, subject, at)
        for route in step.routes
    }

    assert told == {
        (grant.step, grant.organisation_id)
        for grant in grants
        if judge.is_about(grant, subject) and judge.holds(grant, at)
    }


@settings(max_examples=100)
@given(grants=judge.many_grants, subject=judge.subjects, at=judge.moments)
def test_every_route_of_a_step_names_the_organisations_own_grant_of_that_step(
    grants: list[Grant], subject: Subject, at: datetime
) -> None:
    by_id = {grant.id: grant for grant in grants}

    for step in whole_chain(grants, subject, at):
        assert len({route.organisation_id for route in step.routes}) == len(step.routes)
        for route in step.routes:
            assert route.grant_id is not None
            grant = by_id[route.grant_id]
            assert (grant.organisation_id, grant.step) == (route.organisation_id, step.number)
            assert judge.is_about(grant, subject)
            assert judge.holds(grant, at)


@settings(max_examples=100)
@given(grants=judge.many_grants, subject=judge.subjects, at=judge.moments)
def test_a_step_has_as_long_as_the_shortest_of_its_grants(
    grants: list[Grant], subject: Subject, at: datetime
) -> None:
    for step in whole_chain(grants, subject, at):
        assert step.within == min(
            grant.within
            for grant in grants
            if grant.step == step.number and judge.is_about(grant, subject) and judge.holds(grant, at)
        )


@settings(max_examples=150)
@given(
    told=told_lists,
    cities=told_lists,
    grants=judge.many_grants,
    subject=judge.subjects,
    at=judge.moments,
    step=judge.steps,
)
def test_of_those_who_were_told_exactly_they_are_kept_told_who_may_know_and_the_city(
    told: list[OrganisationId],
    cities: list[OrganisationId],
    grants: list[Grant],
    subject: Subject,
    at: datetime,
    step: int,
) -> None:
    routes = audience(told, cities, subject, grants=grants, step=step, at=at)

    expected = []
    for organisation_id in told:
        right = judge.right_of(organisation_id, subject, grants, at=at, step=step)
        if right is not None:
            expected.append(Route(organisation_id=organisation_id, grant_id=right.id, step=right.step))
        elif organisation_id in cities:
            expected.append(Route(organisation_id=organisation_id, grant_id=None, step=step))
    assert list(routes) == expected


def test_a_number_that_nobody_holds_is_passed_over() -> None:
    grants = [grant_of(step=2), grant_of(BETA, step=7)]

    assert [step.number for step in whole_chain(grants, SUBJECT, START)] == [2, 7]


def test_organisations_of_one_step_are_told_together() -> None:
    grants = [grant_of(within=2 * MINUTE), grant_of(BETA, within=MINUTE)]

    step = next_step(grants, SUBJECT, after=0, at=START)

    assert step is not None
    assert {route.organisation_id for route in step.routes} == {ACME.id, BETA.id}
    assert step.within == MINUTE


def test_a_city_without_a_grant_is_not_kept_told_before_it_was_called() -> None:
    assert audience([ACME.id], [], SUBJECT, grants=[], step=9, at=START) == ()
