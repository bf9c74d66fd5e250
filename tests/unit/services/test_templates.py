"""Templates: all of a service's grants at once, or none; for those they were made for."""

from dataclasses import replace
from datetime import timedelta
from functools import partial

import pytest

from devices.kinds import DataClass
from services import templates
from services.consents import ConsentMissingError
from services.domain.actors import Actor, NotPermittedError
from services.domain.errors import ExistsError, InvalidError, RefusedError, UnknownError
from services.domain.granting import BasisKind, DraftState, Template, TemplateItem
from services.domain.homes import OrganisationKind
from services.domain.ids import OrganisationId
from services.store import registry
from services.templates import Application
from tests.support.clock import START
from tests.support.household import ACME, BETA, CITY, PURPOSE, Household
from tests.support.town import Town

SAFETY = TemplateItem(
    data_class=DataClass.SAFETY,
    purpose=PURPOSE,
    basis_kind=BasisKind.CONSENT,
    step=1,
    within=timedelta(seconds=60),
)
CARE = replace(SAFETY, data_class=DataClass.CARE, basis_kind=BasisKind.DECISION, step=2)
PATROL = Template(
    id="evening-patrol",
    title="Evening patrol",
    organisation_kind=OrganisationKind.CARE,
    organisation_id=None,
    items=(CARE, SAFETY),
)
OF_BETA = replace(PATROL, id="of-beta", organisation_kind=None, organisation_id=OrganisationId("beta"))
USE = Application(template_id="evening-patrol", organisation_id="acme", home_id="h-1", reference="17")


@pytest.fixture
def kept(town: Town) -> Town:
    """A town that has both templates."""
    for template in (PATROL, OF_BETA):
        add(town, template)
    return town


def add(town: Town, template: Template, actor: Actor = CITY) -> Template:
    return town.write(partial(templates.add, template=template, actor=actor, now=START))


def test_a_template_becomes_a_draft_of_each_item(kept: Town) -> None:
    drafts = kept.write(partial(templates.apply, application=USE, actor=ACME, now=START))

    assert [(one.data_class, one.step, one.basis.text, one.state) for one in drafts] == [
        ("care", 2, "decision: 17", DraftState.PROPOSED),
        ("safety", 1, "consent: 17", DraftState.PROPOSED),
    ]


def test_on_the_machine_a_template_becomes_grants_or_when_one_is_refused_none(kept: Town) -> None:
    household = Household(kept)
    household.add("r-1")
    apply_now = partial(templates.apply_now, application=USE, actor=CITY, now=START)

    with kept.connection.transaction(), pytest.raises(ConsentMissingError):
        apply_now(kept.connection)
    assert registry.grants(kept.connection, home_id=None, organisation_id=None, limit=10) == []
    household.consent("r-1")
    grants = kept.write(apply_now)

    found = registry.grants(kept.connection, home_id=None, organisation_id=None, limit=10)
    assert sorted(found, key=lambda grant: grant.id) == list(grants)
    assert [grant.legal_basis for grant in grants] == ["decision: 17", "consent: 17"]


def test_a_template_is_used_by_those_it_was_made_for(kept: Town) -> None:
    with pytest.raises(InvalidError, match="expected beta, for 'of-beta'"):
        kept.write(
            partial(templates.apply, application=replace(USE, template_id="of-beta"), actor=CITY, now=START)
        )
    with pytest.raises(UnknownError, match="template 'of-beta'"):
        kept.write(
            partial(templates.apply, application=replace(USE, template_id="of-beta"), actor=ACME, now=START)
        )
    with pytest.raises(UnknownError, match="organisation 'beta'"):
        kept.write(
            partial(templates.apply, application=replace(USE, organisation_id="beta"), actor=ACME, now=START)
        )


def test_each_sees_the_templates_that_it_can_use(kept: Town) -> None:
    list_ = partial(templates.templates, kept.connection, limit=10)

    assert list_(actor=ACME) == [PATROL]
    assert list_(actor=BETA) == list_(actor=CITY) == [PATROL, OF_BETA]
    assert list_(actor=CITY, after="evening-patrol") == [OF_BETA]


def test_a_decision_without_a_reference_is_refused(kept: Town) -> None:
    for use in (partial(templates.apply, actor=ACME), partial(templates.apply_now, actor=CITY)):
        with pytest.raises(InvalidError, match="as basis reference"):
            kept.write(partial(use, application=replace(USE, reference=""), now=START))


def test_the_very_same_template_again_changes_nothing_and_another_is_refused(kept: Town) -> None:
    assert add(kept, PATROL) == PATROL

    with pytest.raises(ExistsError):
        add(kept, replace(PATROL, title="Another"))


def test_a_removed_template_is_gone_and_its_grants_stay(kept: Town) -> None:
    drafts = kept.write(partial(templates.apply, application=USE, actor=ACME, now=START))

    kept.write(partial(templates.remove, template_id="evening-patrol", actor=CITY, now=START))

    assert len(drafts) == 2
    with pytest.raises(UnknownError):
        templates.get(kept.connection, "evening-patrol", actor=CITY)


@pytest.mark.parametrize(
    "changed",
    [
        {"id": "Evening Patrol"},
        {"title": ""},
        {"organisation_kind": None},
        {"organisation_id": "acme"},
        {"organisation_id": "nobody", "organisation_kind": None},
        {"items": ()},
        {"items": (SAFETY,) * 21},
        {"items": (replace(SAFETY, step=100),)},
        {"items": (replace(SAFETY, basis_kind=BasisKind.EMERGENCY),)},
    ],
    ids=lambda changed: " ".join(f"{name}={str(value)[:20]}" for name, value in changed.items()),
)
def test_a_template_that_cannot_be_right_is_refused(town: Town, changed: dict[str, object]) -> None:
    with pytest.raises(RefusedError):
        add(town, replace(PATROL, **changed))  # type: ignore[arg-type]


def test_only_the_city_keeps_templates(kept: Town) -> None:
    with pytest.raises(NotPermittedError):
        add(kept, replace(PATROL, id="mine"), ACME)
    with pytest.raises(NotPermittedError):
        kept.write(partial(templates.remove, template_id="evening-patrol", actor=ACME, now=START))
