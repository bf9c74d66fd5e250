"""A grant on consent holds while everybody who lives there permanently says yes, and not a moment longer."""

from dataclasses import replace
from datetime import timedelta
from functools import partial

import pytest

from services import consents, residents
from services.consents import ConsentInForceError, ConsentMissingError, NewConsent
from services.domain.actors import NotPermittedError
from services.domain.errors import RefusedError
from services.domain.residents import How
from services.store import audit, overview
from services.store import consents as rows
from services.store import registry as registry_rows
from tests.support.clock import START
from tests.support.household import ACME, CITY, PURPOSE, Household
from tests.support.town import Town

YES = NewConsent(resident_id="r-1", data_class="safety", purpose=PURPOSE, how=How.ORAL)


@pytest.fixture
def household(town: Town) -> Household:
    """``r-1`` lives in ``h-1`` for good, ``r-t`` for a while."""
    household = Household(town)
    household.add("r-1")
    household.add("r-t", is_permanent=False)
    return household


def ended(town: Town) -> set[str]:
    """The grants that have ended."""
    found = registry_rows.grants(town.connection, home_id=None, organisation_id=None, limit=100)
    return {grant.id for grant in found if grant.revoked_at is not None}


def actions(town: Town) -> list[str]:
    return [row.action for row in audit.entries(town.connection)]


def test_a_grant_names_by_id_whose_consent_is_missing(town: Town, household: Household) -> None:
    household.consent("r-1")
    household.add("r-2")

    with pytest.raises(ConsentMissingError) as refused:
        household.grant()

    assert refused.value.resident_ids == ("r-2",)
    assert str(refused.value) == (
        "Residents of home 'h-1' have not consented to safety for 'answers alarms': r-2; record theirs"
    )
    assert "granted" not in actions(town)


def test_a_home_where_nobody_lives_permanently_has_nobody_to_consent(household: Household) -> None:
    household.add("r-9", "h-2", is_permanent=False)
    household.consent("r-9")

    with pytest.raises(ConsentMissingError, match="Nobody who lives in home 'h-2' permanently") as refused:
        household.grant(home_id="h-2")

    assert refused.value.resident_ids == ()


def test_a_consent_to_another_class_or_for_another_purpose_does_not_count(household: Household) -> None:
    household.consent("r-1", "care")
    household.consent("r-1", "safety", "research")

    with pytest.raises(ConsentMissingError):
        household.grant()


def test_a_grant_rests_on_everybodys_consents_also_of_those_who_are_not_waited_for(
    town: Town, household: Household
) -> None:
    given = [household.consent("r-1").id, household.consent("r-t").id]

    grant = household.grant()

    assert rows.under(town.connection, grant.id) == given


@pytest.mark.parametrize("resident_id", ["r-1", "r-t"])
def test_a_withdrawal_ends_the_grants_that_rest_on_it_and_no_other(
    town: Town, household: Household, resident_id: str
) -> None:
    given = {id_: household.consent(id_) for id_ in ("r-1", "r-t")}
    household.consent("r-1", "care")
    resting = [household.grant(), household.grant("beta", step=2)]
    household.grant(data_class="care")
    household.grant(basis="contract: 7")
    household.grant(basis="SoL 4:1")

    withdrawn = household.withdraw(given[resident_id])

    assert {grant.id for grant in withdrawn.ended} == {grant.id for grant in resting} == ended(town)
    assert withdrawn.consent == replace(given[resident_id], withdrawn_at=START, withdrawn_by=CITY.id)
    assert actions(town)[-3:] == ["consent_withdrawn", "grant_revoked", "grant_revoked"]


@pytest.mark.parametrize("is_permanent", [True, False], ids=["for good", "for a while"])
def test_who_came_later_and_consented_ends_a_grant_as_well(
    town: Town,
    household: Household,
    is_permanent: bool,  # noqa: FBT001 - a case
) -> None:
    household.consent("r-1")
    grant = household.grant()
    household.add("r-2", is_permanent=is_permanent, consent=How.ORAL)
    (later,) = rows.consents(town.connection, resident_id="r-2", limit=10)

    withdrawn = household.withdraw(later)

    assert later.id in rows.under(town.connection, grant.id)
    assert [one.id for one in withdrawn.ended] == [grant.id]


def test_what_waits_when_consent_is_withdrawn_is_withheld_and_nobody_is_told(
    town: Town, household: Household
) -> None:
    consent = household.consent("r-1")
    household.grant()
    town.channel.is_up = False
    town.press()

    household.withdraw(consent)
    town.channel.is_up = True
    town.turn()

    assert town.channel.told("acme") == []
    assert {record.state for record in overview.deliveries(town.connection, limit=10)} == {"withheld"}


def test_a_second_withdrawal_has_no_further_effect(town: Town, household: Household) -> None:
    consent = household.consent("r-1")
    household.withdraw(consent)
    entries = actions(town)
    town.clock.advance(timedelta(days=1))

    again = household.withdraw(consent)

    assert (again.consent.withdrawn_at, again.ended, actions(town)) == (START, (), entries)


def test_a_new_yes_after_a_withdrawal_revives_no_grant(town: Town, household: Household) -> None:
    consent = household.consent("r-1")
    grant = household.grant()
    household.withdraw(consent)

    household.consent("r-1")

    assert ended(town) == {grant.id}
    assert household.grant().revoked_at is None


def test_the_very_same_consent_again_changes_nothing(town: Town, household: Household) -> None:
    first = household.consent("r-1", reference="form 12")
    entries = actions(town)

    assert household.consent("r-1", reference="form 12") == first
    assert actions(town) == entries


def test_another_yes_to_the_same_is_refused_so_that_one_withdrawal_leaves_none(household: Household) -> None:
    first = household.consent("r-1")

    with pytest.raises(ConsentInForceError) as refused:
        household.consent("r-1", how=How.ORAL)

    assert refused.value.consent_id == first.id


@pytest.mark.parametrize(
    ("new", "code", "sentence"),
    [
        (replace(YES, resident_id="r-7"), "unknown", "There is no resident 'r-7'"),
        (replace(YES, data_class="gossip"), "invalid", "as class: expected one of safety, care"),
        (replace(YES, purpose=" "), "invalid", "as purpose"),
        (replace(YES, reference="a\nb"), "invalid", "as reference"),
        (replace(YES, given_at=START + timedelta(seconds=1)), "invalid", "as given: expected a time that"),
    ],
    ids=lambda value: getattr(value, "resident_id", value),
)
def test_a_consent_that_cannot_be_right_is_refused_and_leaves_nothing(
    town: Town, household: Household, new: NewConsent, code: str, sentence: str
) -> None:
    entries = actions(town)

    with pytest.raises(RefusedError) as refused:
        town.write(partial(consents.record, new=new, actor=CITY, now=START))

    assert (refused.value.code, sentence in str(refused.value)) == (code, True)
    assert actions(town) == entries
    assert household.town is town


def test_who_has_moved_out_consents_to_nothing_any_more(town: Town, household: Household) -> None:
    town.write(partial(residents.move_out, resident_id="r-1", actor=CITY, now=START))

    with pytest.raises(RefusedError, match="expected somebody who lives in the home"):
        household.consent("r-1")


def test_an_unknown_consent_cannot_be_withdrawn(town: Town) -> None:
    with pytest.raises(RefusedError, match="There is no consent 'c-1'"):
        town.write(partial(consents.withdraw, consent_id="c-1", actor=CITY, now=START))


def test_a_care_provider_neither_records_nor_withdraws_consents(town: Town, household: Household) -> None:
    consent = household.consent("r-1", "care")

    with pytest.raises(NotPermittedError):
        town.write(partial(consents.record, new=YES, actor=ACME, now=START))
    with pytest.raises(NotPermittedError):
        town.write(partial(consents.withdraw, consent_id=consent.id, actor=ACME, now=START))


def test_a_consent_is_logged_with_whose_it_is(town: Town, household: Household) -> None:
    consent = household.consent("r-1")

    entry = list(audit.entries(town.connection))[-1]

    assert (entry.action, entry.actor, entry.home_id, entry.resident_id, entry.subject, entry.purpose) == (
        "consent_recorded",
        CITY.id,
        "h-1",
        "r-1",
        consent.id,
        PURPOSE,
    )
