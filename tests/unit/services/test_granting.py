"""Grants through two people: nothing holds before the second, and everything is checked again by then."""

from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import Any

import pytest

from services import granting
from services.domain.actors import Actor, NotPermittedError
from services.domain.errors import InvalidError, RefusedError, UnknownError
from services.domain.granting import (
    BasisKind,
    DecidedError,
    Draft,
    DraftState,
    LegalBasis,
    SamePersonError,
    basis_in,
)
from services.domain.homes import Grant
from services.granting import Proposal
from services.store import audit, registry
from tests.support.clock import START
from tests.support.household import (
    ACME,
    ACME_OPERATOR,
    BETA,
    CITY,
    CITY_MACHINE,
    CITY_TOKEN,
    CITY_TOO,
    NETWORK,
    PURPOSE,
    Household,
)
from tests.support.town import Town

CONTRACT = LegalBasis(kind=BasisKind.CONTRACT, reference="7")
PROPOSAL = Proposal(
    organisation_id="acme", home_id="h-1", data_class="safety", purpose=PURPOSE, basis=CONTRACT
)
HOUR = timedelta(hours=1)


def propose(town: Town, proposal: Proposal = PROPOSAL, actor: Actor = ACME) -> Draft:
    return town.write(partial(granting.propose, proposal=proposal, actor=actor, now=town.now))


def approve(town: Town, draft: Draft, actor: Actor = CITY) -> tuple[Draft, Grant]:
    return town.write(partial(granting.approve, draft_id=draft.id, actor=actor, now=town.now))


def grants(town: Town) -> list[Grant]:
    return registry.grants(town.connection, home_id=None, organisation_id=None, limit=10)


def actions(town: Town) -> list[str]:
    return [row.action for row in audit.entries(town.connection)]


def test_a_proposed_grant_lets_nobody_know_anything(town: Town) -> None:
    propose(town)
    town.press()

    assert (grants(town), town.channel.told("acme")) == ([], [])


def test_an_approved_grant_holds_from_then_on(town: Town) -> None:
    draft = propose(town)
    town.clock.advance(HOUR)

    decided, grant = approve(town, draft)

    town.press()
    assert grants(town) == [grant]
    assert (grant.valid_from, grant.legal_basis, grant.purpose) == (START + HOUR, "contract: 7", PURPOSE)
    assert decided == granting.draft(town.connection, draft.id, actor=ACME)
    assert (decided.state, decided.grant_id, decided.decided_by) == (
        DraftState.APPROVED,
        grant.id,
        CITY.id,
    )
    assert len(town.channel.told("acme")) == 1
    assert [one for one in actions(town) if "grant" in one] == ["grant_proposed", "granted", "grant_approved"]


@pytest.mark.parametrize("actor", [CITY, CITY_TOKEN], ids=["themselves", "a token of theirs"])
def test_nobody_approves_what_they_have_proposed(town: Town, actor: Actor) -> None:
    draft = propose(town, actor=CITY)

    with pytest.raises(SamePersonError) as refused:
        approve(town, draft, actor)

    assert refused.value.code == "same_person"
    assert grants(town) == []
    assert approve(town, draft, CITY_TOO)[1] in grants(town)


@pytest.mark.parametrize("actor", [ACME, ACME_OPERATOR, BETA, NETWORK], ids=lambda actor: actor.name)
def test_only_a_city_administrator_approves_and_ends(town: Town, actor: Actor) -> None:
    draft = propose(town, actor=CITY)
    grant = town.grant("acme")

    with pytest.raises(NotPermittedError):
        approve(town, draft, actor)
    with pytest.raises(NotPermittedError):
        town.write(partial(granting.end, grant_id=grant.id, actor=actor, now=START))


def test_a_decided_draft_cannot_be_decided_again(town: Town) -> None:
    approved, rejected = propose(town), propose(town)
    approve(town, approved)
    reject = partial(granting.reject, reason="not needed", now=START)
    town.write(partial(reject, draft_id=rejected.id, actor=CITY))

    for draft in (approved, rejected):
        with pytest.raises(DecidedError):
            approve(town, draft)
        with pytest.raises(DecidedError):
            town.write(partial(reject, draft_id=draft.id, actor=CITY))


def test_a_rejection_has_a_reason_and_leaves_no_grant(town: Town) -> None:
    draft = propose(town)
    reject = partial(granting.reject, draft_id=draft.id, actor=CITY, now=START)

    with pytest.raises(InvalidError, match="as reason"):
        town.write(partial(reject, reason=" "))
    rejected = town.write(partial(reject, reason="not needed"))

    assert (rejected.state, rejected.reason, grants(town)) == (DraftState.REJECTED, "not needed", [])


def test_who_proposed_may_take_it_back_and_nobody_else_at_the_organisation(town: Town) -> None:
    draft = propose(town)
    reject = partial(granting.reject, draft_id=draft.id, reason="a mistake", now=START)

    with pytest.raises(NotPermittedError):
        town.write(partial(reject, actor=replace(ACME, id="account:x", principal="account:x")))

    assert town.write(partial(reject, actor=ACME)).state is DraftState.REJECTED


def test_a_provider_proposes_for_itself_only_and_sees_only_its_own(town: Town) -> None:
    own, foreign = propose(town), propose(town, replace(PROPOSAL, organisation_id="beta"), BETA)

    with pytest.raises(UnknownError):
        propose(town, replace(PROPOSAL, organisation_id="beta"))
    with pytest.raises(UnknownError):
        granting.draft(town.connection, foreign.id, actor=ACME)
    list_ = partial(granting.drafts, town.connection, limit=10)
    assert list_(actor=ACME) == [own]
    assert list_(actor=ACME, organisation_id="beta") == []
    assert list_(actor=CITY) == [foreign, own]
    assert list_(actor=CITY, before=foreign.id) == [own]
    assert list_(actor=CITY, state=DraftState.APPROVED) == []


def test_of_the_city_only_its_administrators_see_and_propose_for_others(town: Town) -> None:
    draft = propose(town)

    assert granting.drafts(town.connection, actor=CITY_MACHINE, limit=10) == []
    with pytest.raises(UnknownError):
        granting.draft(town.connection, draft.id, actor=CITY_MACHINE)
    with pytest.raises(UnknownError):
        propose(town, actor=CITY_MACHINE)


def test_a_provider_learns_nothing_of_a_home_by_proposing(town: Town) -> None:
    """A home that is there, one that is not, and one whose residents have not consented look the same."""
    Household(town).add("r-1")
    on_consent = replace(PROPOSAL, basis=LegalBasis(kind=BasisKind.CONSENT, reference=""))

    drafts = [
        propose(town, replace(on_consent, home_id=home_id, position=position))
        for home_id, position in (("h-1", None), ("h-9", None), ("h-1", "no such position"))
    ]

    assert {draft.state for draft in drafts} == {DraftState.PROPOSED}
    for draft, code in zip(drafts, ("consent_missing", "unknown", "unknown"), strict=True):
        with pytest.raises(RefusedError) as refused:
            approve(town, draft)
        assert refused.value.code == code


def test_the_city_is_told_at_once_what_is_wrong_with_its_proposal(town: Town) -> None:
    with pytest.raises(UnknownError, match="home 'h-9'"):
        propose(town, replace(PROPOSAL, home_id="h-9"), CITY)


BAD: list[dict[str, Any]] = [
    {"data_class": "gossip"},
    {"purpose": ""},
    {"basis": LegalBasis(kind=BasisKind.CONTRACT, reference="")},
    {"basis": LegalBasis(kind=BasisKind.DECISION, reference="")},
    {"basis": LegalBasis(kind=BasisKind.EMERGENCY, reference="x")},
    {"step": 0},
    {"within": timedelta(0)},
    {"valid_until": START},
    {"home_id": "H 1"},
    {"position": "\n"},
]


@pytest.mark.parametrize("changed", BAD, ids=str)
def test_a_proposal_that_cannot_be_right_is_refused(town: Town, changed: dict[str, Any]) -> None:
    with pytest.raises(InvalidError):
        propose(town, replace(PROPOSAL, **changed))


def test_nobody_is_let_into_the_past_by_a_proposal(town: Town) -> None:
    draft = propose(town, replace(PROPOSAL, valid_from=START - HOUR))
    later = propose(town, replace(PROPOSAL, valid_from=START + HOUR))

    assert approve(town, draft)[1].valid_from == START
    assert approve(town, later)[1].valid_from == START + HOUR


def test_a_proposal_whose_end_has_passed_is_refused_at_its_approval(town: Town) -> None:
    draft = propose(town, replace(PROPOSAL, valid_until=START + HOUR))
    town.clock.advance(HOUR)

    with pytest.raises(InvalidError, match="as until"):
        approve(town, draft)


def test_an_approval_on_consent_rests_on_the_consents_of_that_moment(town: Town) -> None:
    household = Household(town)
    household.add("r-1")
    draft = propose(town, replace(PROPOSAL, basis=LegalBasis(kind=BasisKind.CONSENT, reference="")))
    consent = household.consent("r-1")

    grant = approve(town, draft)[1]

    view = granting.basis_of(town.connection, grant)
    assert (view.kind, view.consent_ids) == (BasisKind.CONSENT, (consent.id,))
    household.withdraw(consent)
    assert granting.basis_of(town.connection, grant).ended_because == "consent"


def test_a_grant_at_once_is_logged_as_such_and_keeps_a_text_of_peoples_own(town: Town) -> None:
    grant = Household(town).grant(basis="SoL 4:1")

    assert actions(town)[-2:] == ["granted", "granted_at_once"]
    assert grant.legal_basis == "SoL 4:1"
    assert granting.basis_of(town.connection, grant).kind is None


@pytest.mark.parametrize(
    ("text", "kind", "reference"),
    [
        ("consent: form 12", BasisKind.CONSENT, "form 12"),
        ("contract:7", BasisKind.CONTRACT, "7"),
        ("decision: SoL: 4", BasisKind.DECISION, "SoL: 4"),
    ],
)
def test_a_text_that_begins_with_a_kind_names_its_basis(text: str, kind: BasisKind, reference: str) -> None:
    assert basis_in(text) == LegalBasis(kind=kind, reference=reference)


@pytest.mark.parametrize("text", ["consent", "by consent: yes", "emergency: x", "", ":", "Consent: x"])
def test_another_text_is_peoples_own(text: str) -> None:
    assert basis_in(text) is None
