"""Drafts, templates and emergencies come back as they were written, in their order."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from devices.kinds import DataClass, HomeId
from services.domain.granting import (
    BasisKind,
    Draft,
    DraftState,
    Emergency,
    LegalBasis,
    Outcome,
    Template,
    TemplateItem,
)
from services.domain.homes import OrganisationKind
from services.domain.ids import DraftId, EmergencyId
from services.store import consents, drafts, emergencies, registry, templates
from tests.support.clock import START
from tests.support.rows import ACME, BETA, HOME, grant_of
from tests.support.stores import Database

LATER = START + timedelta(hours=1)
DRAFT = Draft(
    id=DraftId("d-1"),
    organisation_id=ACME.id,
    home_id=HomeId("nowhere"),
    position=None,
    data_class=DataClass.CARE,
    purpose="visits",
    basis=LegalBasis(kind=BasisKind.DECISION, reference="SoL 17"),
    valid_from=None,
    valid_until=None,
    step=2,
    within=timedelta(seconds=90),
    proposed_at=START,
    proposed_by="token:1",
    proposed_principal="account:1",
)
OTHER = replace(
    DRAFT,
    id=DraftId("d-2"),
    organisation_id=BETA.id,
    home_id=HOME.id,
    position="bed",
    valid_from=START,
    valid_until=LATER,
)
ITEM = TemplateItem(
    data_class=DataClass.SAFETY,
    purpose="answers alarms",
    basis_kind=BasisKind.CONSENT,
    step=1,
    within=timedelta(seconds=60),
)
FOR_CARE = Template(
    id="a",
    title="Evening patrol",
    organisation_kind=OrganisationKind.CARE,
    organisation_id=None,
    items=(replace(ITEM, step=3), ITEM),
)
FOR_BETA = replace(FOR_CARE, id="b", organisation_kind=None, organisation_id=BETA.id)


@pytest.fixture
def drafted(settled: Database) -> Database:
    with settled.transaction():
        for draft in (DRAFT, OTHER):
            drafts.add(settled, draft)
    return settled


def test_a_draft_comes_back_as_written_also_for_a_home_that_is_not_there(drafted: Database) -> None:
    assert [drafts.get(drafted, id_) for id_ in ("d-1", "d-2", "d-3")] == [DRAFT, OTHER, None]


def test_what_was_decided_is_written(drafted: Database) -> None:
    grant = grant_of()
    decided = replace(
        DRAFT,
        state=DraftState.APPROVED,
        decided_at=LATER,
        decided_by="account:2",
        reason="fine",
        grant_id=grant.id,
    )
    with drafted.transaction():
        registry.add_grant(drafted, grant)
        drafts.decide(drafted, decided)

    assert drafts.get(drafted, "d-1") == decided
    assert drafts.drafts(drafted, state=DraftState.PROPOSED, limit=10) == [OTHER]


def test_drafts_are_listed_the_newest_first(drafted: Database) -> None:
    assert drafts.drafts(drafted, limit=10) == [OTHER, DRAFT]
    assert drafts.drafts(drafted, limit=1) == [OTHER]
    assert drafts.drafts(drafted, before="d-2", limit=10) == [DRAFT]
    assert drafts.drafts(drafted, home_id=HOME.id, before="d-9", limit=10) == [OTHER]
    assert drafts.drafts(drafted, organisation_id=ACME.id, limit=10) == [DRAFT]


def test_templates_come_back_with_their_items_in_order_for_those_who_can_use_them(settled: Database) -> None:
    with settled.transaction():
        for template in (FOR_BETA, FOR_CARE):
            templates.add(settled, template)

    assert templates.get(settled, "a") == FOR_CARE
    assert templates.templates(settled, limit=10) == [FOR_CARE, FOR_BETA]
    assert templates.templates(settled, after="a", limit=10) == [FOR_BETA]
    assert templates.templates(settled, usable_by=ACME, limit=10) == [FOR_CARE]
    assert templates.templates(settled, usable_by=BETA, limit=10) == [FOR_BETA]
    with settled.transaction():
        templates.remove(settled, "a")
    assert templates.get(settled, "a") is None
    assert settled.rows("SELECT template_id FROM grant_template_items WHERE template_id = 'a'") == []


def emergency_of(db: Database, id_: str) -> Emergency:
    """An emergency in two classes, as it is on disk."""
    grants = [
        grant_of(data_class=data_class, valid_until=LATER) for data_class in (DataClass.CARE, DataClass.FIRE)
    ]
    taken = Emergency(
        id=EmergencyId(id_),
        organisation_id=ACME.id,
        home_id=HOME.id,
        classes=tuple(grant.data_class for grant in grants),
        grant_ids=tuple(grant.id for grant in grants),
        reason="screams",
        taken_at=START,
        taken_by="token:1",
        taken_principal="account:1",
        valid_until=LATER,
    )
    with db.transaction():
        for grant in grants:
            registry.add_grant(db, grant)
            consents.add_basis(db, grant.id, LegalBasis(kind=BasisKind.EMERGENCY, reference=id_))
        emergencies.add(db, taken)
    return taken


def test_an_emergency_comes_back_with_its_grants_and_its_review(settled: Database) -> None:
    first, second = (emergency_of(settled, id_) for id_ in ("e-1", "e-2"))
    reviewed = replace(
        first, reviewed_at=LATER, reviewed_by="account:2", outcome=Outcome.UNJUSTIFIED, note="no"
    )

    assert emergencies.get(settled, "e-1") == first
    with settled.transaction():
        emergencies.review(settled, reviewed)

    assert emergencies.emergencies(settled, limit=10) == [second, reviewed]
    assert emergencies.emergencies(settled, before="e-2", limit=10) == [reviewed]
    assert emergencies.emergencies(settled, unreviewed=True, limit=10) == [second]
    assert emergencies.emergencies(settled, organisation_id=BETA.id, limit=10) == []
    assert emergencies.emergencies(settled, home_id=HOME.id, unreviewed=True, limit=10) == [second]


@pytest.mark.parametrize(
    ("changed", "is_known"),
    [
        ({}, True),
        ({"valid_from": LATER}, False),
        ({"valid_until": START}, False),
        ({"valid_until": START + timedelta(microseconds=1)}, True),
        ({"revoked_at": START}, False),
        ({"organisation_id": BETA.id}, False),
    ],
    ids=str,
)
def test_a_home_is_known_by_a_grant_that_held_in_between(
    settled: Database,
    changed: dict[str, Any],
    is_known: bool,  # noqa: FBT001 - a case
) -> None:
    with settled.transaction():
        registry.add_grant(settled, grant_of(**changed))

    known = emergencies.has_known(settled, ACME.id, HOME.id, since=START, at=START)

    assert known is is_known


@pytest.mark.parametrize(("kind", "because"), [(BasisKind.EMERGENCY, ""), (BasisKind.CONSENT, "consent")])
def test_no_home_is_known_by_what_was_taken_or_was_refused(
    settled: Database, kind: BasisKind, because: str
) -> None:
    grant = grant_of()
    with settled.transaction():
        registry.add_grant(settled, grant)
        consents.add_basis(settled, grant.id, LegalBasis(kind=kind, reference="x"))
        consents.note_end(settled, grant.id, because=because)

    assert not emergencies.has_known(settled, ACME.id, HOME.id, since=START, at=START)
