"""Break-glass: for homes that the organisation knows, for hours, seen by the city, and no way round a no."""

from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import Any

import pytest

from services import emergencies, residents
from services.access import is_in_force
from services.domain.actors import Actor, NotPermittedError
from services.domain.errors import InvalidError, UnknownError
from services.domain.granting import DecidedError, Emergency, Outcome, SamePersonError
from services.domain.homes import Grant
from services.emergencies import FAULT, ConsentWithdrawnError, Taking
from services.store import audit, registry, status
from tests.support.clock import START
from tests.support.household import ACME, ACME_OPERATOR, BETA, CITY, CITY_MACHINE, NETWORK, Household
from tests.support.town import Town

TAKING = Taking(organisation_id="acme", home_id="h-1", classes=("camera", "care"), reason="screams are heard")
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)


def take(town: Town, taking: Taking = TAKING, actor: Actor = ACME_OPERATOR) -> Emergency:
    return town.write(partial(emergencies.take, taking=taking, actor=actor, now=town.now))


def review(
    town: Town, taken: Emergency, outcome: Outcome = Outcome.JUSTIFIED, actor: Actor = CITY
) -> Emergency:
    work = partial(emergencies.review, emergency_id=taken.id, outcome=outcome, note="looked", actor=actor)
    return town.write(partial(work, now=town.now))


def grants_of(town: Town, taken: Emergency) -> list[Grant]:
    found = [registry.grant(town.connection, id_) for id_ in taken.grant_ids]
    return [grant for grant in found if grant is not None]


def to_review(town: Town) -> list[str]:
    return [fault.subject for fault in status.open_faults(town.connection) if fault.code == FAULT]


def test_access_holds_at_once_for_an_hour_in_each_class(town: Town) -> None:
    town.grant("acme")

    taken = take(town)

    grants = grants_of(town, taken)
    assert [grant.data_class for grant in grants] == ["camera", "care"] == list(taken.classes)
    assert all(is_in_force(grant, START + HOUR - timedelta(microseconds=1)) for grant in grants)
    assert not any(is_in_force(grant, START + HOUR) for grant in grants)
    assert {grant.legal_basis for grant in grants} == {f"emergency: {taken.id}"}


def test_it_is_logged_and_stays_a_fault_until_the_city_has_reviewed_it(town: Town) -> None:
    town.grant("acme")
    taken = take(town)
    town.clock.advance(DAY)

    assert to_review(town) == [taken.id]
    reviewed = review(town, taken)

    log = [(row.action, row.organisation_id, row.home_id) for row in audit.entries(town.connection)]
    assert ("emergency_taken", "acme", "h-1") in log
    assert log[-1] == ("emergency_reviewed", "acme", "h-1")
    assert (reviewed.outcome, reviewed.reviewed_by, to_review(town)) == (Outcome.JUSTIFIED, CITY.id, [])
    assert emergencies.get(town.connection, taken.id, actor=ACME) == reviewed


def test_the_reason_stands_in_no_log_and_in_no_grant(town: Town) -> None:
    town.grant("acme")

    taken = take(town)

    assert "screams" not in str([*audit.entries(town.connection), *grants_of(town, taken)])
    assert "screams" not in str(status.open_faults(town.connection))


def test_what_was_not_justified_ends_with_the_review(town: Town) -> None:
    town.grant("acme")
    taken = take(town)

    review(town, taken, Outcome.UNJUSTIFIED)

    assert [grant.revoked_at for grant in grants_of(town, taken)] == [START, START]


def test_a_home_that_an_organisation_does_not_know_is_answered_like_one_that_is_not_there(town: Town) -> None:
    town.grant("acme", "h-2")

    refusals = []
    for home_id in ("h-1", "h-9"):
        with pytest.raises(UnknownError) as refused:
            take(town, replace(TAKING, home_id=home_id))
        refusals.append((refused.value.code, str(refused.value).replace(home_id, "H")))

    assert refusals[0] == refusals[1]


def test_a_home_is_known_for_90_days_after_its_last_grant(town: Town) -> None:
    town.grant("acme", valid_until=START + HOUR)
    town.clock.move_to(START + HOUR + timedelta(days=90) - timedelta(seconds=1))
    take(town)
    town.clock.advance(timedelta(seconds=1))

    with pytest.raises(UnknownError):
        take(town)


def test_a_grant_that_begins_later_lets_nobody_in_before(town: Town) -> None:
    town.grant("acme", valid_from=START + HOUR)

    with pytest.raises(UnknownError):
        take(town)


def test_access_that_was_taken_is_no_way_to_take_it_again(town: Town) -> None:
    grant = town.grant("acme")
    town.revoke(grant)
    town.clock.move_to(START + timedelta(days=89))
    take(town)
    town.clock.move_to(START + timedelta(days=90))

    with pytest.raises(UnknownError):
        take(town)


def test_who_moved_in_since_the_last_grant_is_not_known_to_the_organisation(town: Town) -> None:
    grant = town.grant("acme")
    household = Household(town)
    household.add("r-1")
    town.clock.advance(DAY)
    town.revoke(grant)
    town.clock.advance(DAY)
    town.write(partial(residents.move_out, resident_id="r-1", actor=CITY, now=town.now))
    household.add("r-2")

    with pytest.raises(UnknownError):
        take(town)


def test_a_grant_that_ended_with_its_consent_makes_no_home_known(town: Town) -> None:
    household = Household(town)
    household.add("r-1")
    consent = household.consent("r-1")
    household.grant()
    household.withdraw(consent)

    with pytest.raises(UnknownError):
        take(town)


def test_a_no_of_somebody_who_lives_there_is_not_overruled(town: Town) -> None:
    household = Household(town)
    household.add("r-1")
    town.grant("acme")
    household.withdraw(household.consent("r-1", "camera"))

    with pytest.raises(ConsentWithdrawnError) as refused:
        take(town)

    assert refused.value.classes == ("camera",)
    assert take(town, replace(TAKING, classes=("care",))).classes == ("care",)


def test_a_withdrawal_ends_access_to_its_class_that_was_taken(town: Town) -> None:
    household = Household(town)
    household.add("r-1")
    consent = household.consent("r-1", "camera")
    town.grant("acme")
    taken = take(town)

    withdrawn = household.withdraw(consent)

    assert [grant.id for grant in withdrawn.ended] == [taken.grant_ids[0]]
    assert [grant.revoked_at for grant in grants_of(town, taken)] == [START, None]


def test_nobody_else_waits_longer_or_is_passed_over_sooner_because_of_it(town: Town) -> None:
    town.grant("beta", data_class="care", step=2, within=timedelta(seconds=90))
    town.grant("acme")

    camera, care = grants_of(town, take(town))

    assert (care.step, care.within) == (2, timedelta(seconds=90))
    assert (camera.step, camera.within) == (1, timedelta(seconds=60))


@pytest.mark.parametrize(
    "changed",
    [
        {"classes": ()},
        {"classes": ("gossip",)},
        {"reason": " "},
        {"lasts": timedelta(0)},
        {"lasts": 4 * HOUR + timedelta(seconds=1)},
    ],
    ids=str,
)
def test_what_cannot_be_right_is_refused(town: Town, changed: dict[str, Any]) -> None:
    town.grant("acme")

    with pytest.raises(InvalidError):
        take(town, replace(TAKING, **changed))


def test_an_organisation_takes_access_for_itself_only(town: Town) -> None:
    town.grant("acme")

    with pytest.raises(UnknownError, match="organisation 'acme'"):
        take(town, actor=BETA)


def test_the_city_reviews_and_takes_nothing(town: Town) -> None:
    town.grant("acme")
    taken = take(town)

    for actor in (CITY, NETWORK):
        with pytest.raises(NotPermittedError):
            take(town, actor=actor)
    for actor in (ACME, BETA, NETWORK):
        with pytest.raises(NotPermittedError):
            review(town, taken, actor=actor)


def test_nobody_reviews_their_own_and_a_review_stands(town: Town) -> None:
    town.grant("acme")
    taken = take(town)

    with pytest.raises(SamePersonError):
        review(town, taken, actor=replace(CITY, id="token:9", principal=ACME_OPERATOR.principal))
    review(town, taken)
    with pytest.raises(DecidedError):
        review(town, taken, Outcome.UNJUSTIFIED)


def test_each_organisation_sees_its_own_and_the_city_what_is_to_be_reviewed(town: Town) -> None:
    for organisation_id in ("acme", "beta"):
        town.grant(organisation_id)
    first = take(town)
    second = take(town, replace(TAKING, organisation_id="beta"), BETA)
    reviewed = review(town, first)
    list_ = partial(emergencies.emergencies, town.connection, limit=10)

    assert list_(actor=ACME) == [reviewed]
    assert list_(actor=CITY) == [second, reviewed]
    assert list_(actor=CITY_MACHINE) == []
    assert list_(actor=CITY, unreviewed=True) == [second]
    assert list_(actor=CITY, before=second.id) == [reviewed]
    with pytest.raises(UnknownError):
        emergencies.get(town.connection, second.id, actor=ACME)
