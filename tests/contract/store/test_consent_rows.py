"""Consents come back as they were written, and tell what rests on them and what they lack."""

from dataclasses import replace
from datetime import timedelta

import pytest

from devices.kinds import DataClass
from services.domain.granting import BasisKind, LegalBasis
from services.domain.ids import ConsentId, ResidentId
from services.domain.residents import Consent, How, Resident
from services.store import consents, registry, residents
from tests.support.clock import START
from tests.support.rows import HOME, grant_of
from tests.support.stores import Database, StoreUnderTest

PURPOSE = "answers alarms"
YES = Consent(
    id=ConsentId("c-1"),
    resident_id=ResidentId("r-1"),
    data_class=DataClass.SAFETY,
    purpose=PURPOSE,
    how=How.GUARDIAN,
    reference="form 12",
    given_at=START - timedelta(days=1),
    recorded_at=START,
    recorded_by="account:1",
)
GUESTS = replace(YES, id=ConsentId("c-2"), resident_id=ResidentId("r-2"), how=How.ORAL, reference="")
ON_CONSENT = LegalBasis(kind=BasisKind.CONSENT, reference="form 12")
LATER = START + timedelta(hours=1)


@pytest.fixture
def kept(settled: Database) -> Database:
    """``r-1`` lives there permanently, ``r-2`` does not; both have said yes."""
    with settled.transaction():
        for resident_id in ("r-1", "r-2"):
            resident = Resident(
                id=ResidentId(resident_id),
                home_id=HOME.id,
                is_permanent=resident_id == "r-1",
                moved_in_at=START,
            )
            residents.add(settled, resident, sealed=b"")
        for consent in (YES, GUESTS):
            consents.add(settled, consent)
    return settled


def withdraw(db: Database, consent: Consent = YES) -> None:
    with db.transaction():
        consents.withdraw(db, consent.id, at=LATER, by="account:2")


def test_a_consent_comes_back_as_written_also_once_it_is_withdrawn(kept: Database) -> None:
    assert consents.get(kept, "c-1") == YES == consents.in_force(kept, "r-1", "safety", PURPOSE)

    withdraw(kept)

    gone = replace(YES, withdrawn_at=LATER, withdrawn_by="account:2")
    assert consents.get(kept, "c-1") == gone
    assert consents.in_force(kept, "r-1", "safety", PURPOSE) is None
    assert consents.consents(kept, limit=10) == [gone, GUESTS]
    assert consents.consents(kept, resident_id="r-2", limit=10) == [GUESTS]
    assert consents.consents(kept, home_id=HOME.id, after="c-1", limit=10) == [GUESTS]
    assert consents.consents(kept, home_id="h-9", limit=10) == []


def test_one_yes_to_the_same_is_in_force_at_a_time(kept: Database, store: StoreUnderTest) -> None:
    again = replace(YES, id=ConsentId("c-3"))
    with pytest.raises(store.rule_broken), kept.transaction():
        consents.add(kept, again)

    withdraw(kept)
    with kept.transaction():
        consents.add(kept, again)

    assert consents.in_force(kept, "r-1", "safety", PURPOSE) == again


def test_only_who_lives_there_permanently_is_missed(kept: Database) -> None:
    assert consents.missing(kept, HOME.id, "safety", PURPOSE) == []
    assert consents.missing(kept, HOME.id, "care", PURPOSE) == ["r-1"]
    assert consents.missing(kept, HOME.id, "safety", "research") == ["r-1"]
    withdraw(kept)
    withdraw(kept, GUESTS)
    assert consents.missing(kept, HOME.id, "safety", PURPOSE) == ["r-1"]


def test_everybody_who_lives_there_supports_a_grant(kept: Database) -> None:
    assert consents.supporting(kept, HOME.id, "safety", PURPOSE) == [YES, GUESTS]


def test_a_class_is_refused_when_a_yes_was_taken_back_and_no_other_given(kept: Database) -> None:
    assert not consents.has_been_refused(kept, HOME.id, DataClass.SAFETY)
    withdraw(kept)
    assert consents.has_been_refused(kept, HOME.id, DataClass.SAFETY)
    assert not consents.has_been_refused(kept, HOME.id, DataClass.CARE)
    with kept.transaction():
        consents.add(kept, replace(YES, id=ConsentId("c-3"), purpose="another"))
    assert not consents.has_been_refused(kept, HOME.id, DataClass.SAFETY)


def test_a_consent_ends_what_rests_on_it_and_what_was_taken_of_its_class(kept: Database) -> None:
    resting, taken, other, over = grants = [
        grant_of(valid_until=until) for until in (None, LATER, None, START)
    ]
    with kept.transaction():
        for grant in grants:
            registry.add_grant(kept, grant)
        for grant in (resting, over):
            consents.add_basis(kept, grant.id, ON_CONSENT)
            consents.link(kept, grant.id, YES.id)
            consents.link(kept, grant.id, YES.id)
        consents.add_basis(kept, taken.id, LegalBasis(kind=BasisKind.EMERGENCY, reference="e-1"))

    ended = consents.ended_by(kept, YES, HOME.id, at=START)

    assert {grant.id for grant in ended} == {resting.id, taken.id}
    assert consents.of_kind(kept, HOME.id, BasisKind.CONSENT, at=START) == [resting]
    assert consents.under(kept, resting.id) == [YES.id]
    assert consents.basis(kept, other.id) is None


def test_a_basis_comes_back_with_why_its_grant_ended(kept: Database) -> None:
    grant = grant_of()
    with kept.transaction():
        registry.add_grant(kept, grant)
        consents.add_basis(kept, grant.id, ON_CONSENT)

    assert consents.basis(kept, grant.id) == (ON_CONSENT, "")
    with kept.transaction():
        consents.note_end(kept, grant.id, because="consent")
    assert consents.basis(kept, grant.id) == (ON_CONSENT, "consent")
