"""Residents: pseudonyms in store and log; an arrival ends no help, and dodges no consent, by the way."""

from dataclasses import replace
from datetime import timedelta
from functools import partial

import pytest

from services import residents
from services.domain.actors import NotPermittedError
from services.domain.errors import RefusedError
from services.domain.residents import Contact, How
from services.residents import EndsGrantsError, NewResident, ResidentChange, Settled
from services.store import audit, registry
from services.store import consents as consent_rows
from services.store import residents as rows
from tests.support.clock import START
from tests.support.household import ACME, CITY, SEALER, Household
from tests.support.town import Town

BO = NewResident(home_id="h-1", id="r-2", name="Bo Bergqvist", phone="070-2")
DAY = timedelta(days=1)


@pytest.fixture
def household(town: Town) -> Household:
    """``r-1`` lives in ``h-1``, and acme may know what it consented to."""
    household = Household(town)
    household.add("r-1")
    household.consent("r-1")
    return household


def add(town: Town, new: NewResident) -> Settled:
    return town.write(partial(residents.add, new=new, sealer=SEALER, actor=CITY, now=town.now))


def change(town: Town, resident_id: str, **members: object) -> Settled:
    wanted = ResidentChange(**members)  # type: ignore[arg-type]
    work = partial(
        residents.change, resident_id=resident_id, wanted=wanted, sealer=SEALER, actor=CITY, now=town.now
    )
    return town.write(work)


def contact(town: Town, resident_id: str) -> tuple[str, str] | None:
    found = residents.contact(town.connection, residents.get(town.connection, resident_id), sealer=SEALER)
    return None if found is None else (found.name, found.phone)


def test_who_they_are_comes_back_unsealed_and_stands_nowhere_else(town: Town) -> None:
    settled = add(town, BO)

    assert contact(town, "r-2") == ("Bo Bergqvist", "070-2")
    assert (settled.resident, settled.ended) == (rows.get(town.connection, "r-2"), ())
    assert "Bo" not in str([*audit.entries(town.connection), settled])
    assert "Bo" not in repr(Contact(name="Bo"))


def test_an_id_is_made_for_whoever_is_given_none(town: Town) -> None:
    made = {add(town, replace(BO, id=None)).resident.id for _ in range(2)}

    assert len(made) == 2


def test_a_permanent_arrival_without_consent_is_refused_while_a_grant_would_end(
    town: Town, household: Household
) -> None:
    grant = household.grant()

    with pytest.raises(EndsGrantsError) as refused:
        add(town, BO)

    assert refused.value.grant_ids == (grant.id,)
    assert rows.get(town.connection, "r-2") is None
    assert registry.grant(town.connection, grant.id) == grant


def test_what_is_refused_leaves_nothing_behind_also_in_a_transaction_that_goes_on(
    town: Town, household: Household
) -> None:
    grant = household.grant()

    with town.connection.transaction(), pytest.raises(EndsGrantsError):
        residents.add(town.connection, BO, sealer=SEALER, actor=CITY, now=START)

    assert rows.get(town.connection, "r-2") is None
    assert registry.grant(town.connection, grant.id) == grant


def test_consent_given_with_the_arrival_keeps_what_rests_on_consent(town: Town, household: Household) -> None:
    grant = household.grant()

    settled = add(town, replace(BO, consent=How.IN_WRITING, reference="form 13"))

    (given,) = consent_rows.consents(town.connection, resident_id="r-2", limit=10)
    assert (settled.ended, registry.grant(town.connection, grant.id)) == ((), grant)
    assert (given.data_class, given.purpose, given.reference) == (grant.data_class, grant.purpose, "form 13")


def test_an_arrival_that_may_end_grants_ends_them_and_names_them(town: Town, household: Household) -> None:
    grant = household.grant()
    kept = household.grant(basis="contract: 7")

    settled = add(town, replace(BO, ends_grants=True))

    assert [one.id for one in settled.ended] == [grant.id]
    assert registry.grant(town.connection, kept.id) == kept
    assert consent_rows.basis(town.connection, grant.id) is not None


def test_who_comes_for_a_while_ends_nothing(town: Town, household: Household) -> None:
    household.grant()

    assert add(town, replace(BO, is_permanent=False)).ended == ()


def test_who_turns_out_to_live_there_permanently_is_an_arrival(town: Town, household: Household) -> None:
    grant = household.grant()
    add(town, replace(BO, is_permanent=False))

    with pytest.raises(EndsGrantsError):
        change(town, "r-2", is_permanent=True)
    settled = change(town, "r-2", is_permanent=True, ends_grants=True)

    assert [one.id for one in settled.ended] == [grant.id]


def test_grants_go_on_when_one_of_several_moves_out_and_end_with_the_last(
    town: Town, household: Household
) -> None:
    grant = household.grant()
    add(town, replace(BO, consent=How.ORAL))

    first = town.write(partial(residents.move_out, resident_id="r-1", actor=CITY, now=town.now))
    last = town.write(partial(residents.move_out, resident_id="r-2", actor=CITY, now=town.now))

    assert (first.ended, [one.id for one in last.ended]) == ((), [grant.id])


def test_moving_out_again_has_no_further_effect(town: Town, household: Household) -> None:
    move_out = partial(residents.move_out, resident_id="r-1", actor=CITY)
    town.write(partial(move_out, now=town.now))
    town.clock.advance(DAY)

    again = town.write(partial(move_out, now=town.now))

    assert again.resident.moved_out_at == START
    assert household.town is town


def test_a_correction_changes_what_it_names_and_logs_only_which_members(town: Town) -> None:
    add(town, BO)

    change(town, "r-2", phone="070-3", moved_in_at=START - DAY)

    entry = list(audit.entries(town.connection))[-1]
    assert contact(town, "r-2") == ("Bo Bergqvist", "070-3")
    assert residents.get(town.connection, "r-2").moved_in_at == START - DAY
    assert (entry.action, entry.details) == ("resident_changed", "phone moved_in_at")


@pytest.mark.parametrize(
    ("new", "code", "sentence"),
    [
        (replace(BO, home_id="h-9"), "unknown", "There is no home 'h-9'"),
        (replace(BO, id="r-1"), "exists", "The resident 'r-1' exists already"),
        (replace(BO, id="Bo!"), "invalid", "Cannot use 'Bo!' as resident id"),
        (replace(BO, name=" "), "invalid", "Cannot use '(1 characters)' as name: expected 1 to 200"),
        (replace(BO, phone="\n"), "invalid", "Cannot use '(1 characters)' as phone"),
        (replace(BO, moved_in_at=START + DAY), "invalid", "as moved in: expected a time that has passed"),
    ],
    ids=str,
)
def test_what_cannot_be_right_is_refused_and_never_repeats_who_somebody_is(
    town: Town, household: Household, new: NewResident, code: str, sentence: str
) -> None:
    with pytest.raises(RefusedError) as refused:
        add(household.town, new)

    assert (refused.value.code, sentence in str(refused.value)) == (code, True)
    assert [one.id for one in rows.residents(town.connection, limit=10)] == ["r-1"]


@pytest.mark.parametrize("moved_out_at", [START - DAY, START + DAY], ids=["before arriving", "in future"])
def test_nobody_moves_out_before_arriving_or_in_the_future(town: Town, moved_out_at: object) -> None:
    add(town, BO)

    with pytest.raises(RefusedError, match="as moved out"):
        change(town, "r-2", moved_out_at=moved_out_at)


def test_a_look_is_an_entry_about_the_resident(town: Town) -> None:
    resident = add(town, BO).resident

    entry = residents.look(resident, "resident show r-2", actor=ACME, purpose="visits")

    assert (entry.action, entry.actor, entry.organisation_id, entry.home_id, entry.resident_id) == (
        "looked",
        ACME.id,
        "acme",
        "h-1",
        "r-2",
    )


def test_a_care_provider_registers_and_corrects_nobody(town: Town, household: Household) -> None:
    works = [
        partial(residents.add, new=BO, sealer=SEALER),
        partial(residents.change, resident_id="r-1", wanted=ResidentChange(phone="1"), sealer=SEALER),
        partial(residents.move_out, resident_id="r-1"),
    ]

    for work in works:
        with pytest.raises(NotPermittedError):
            town.write(partial(work, actor=ACME, now=START))
    assert household.town is town
