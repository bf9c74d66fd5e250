"""Who may have which roles, and who may give them: never more than one's own."""

from itertools import product

import pytest

from services import roles
from services.domain.actors import CITY_ROLES, PERMISSIONS, Actor, Permission, Role
from services.domain.errors import InvalidError
from services.domain.homes import Organisation, OrganisationKind
from services.domain.ids import OrganisationId
from services.roles import RoleNotYoursError

CITY = Organisation(id=OrganisationId("city"), name="City", kind=OrganisationKind.CITY)
ACME = Organisation(id=OrganisationId("acme"), name="Acme", kind=OrganisationKind.CARE)


def actor(organisation: Organisation, *held: Role, narrowed_to: frozenset[Permission] | None = None) -> Actor:
    return Actor(
        id="account:1",
        principal="account:1",
        name="Anna",
        organisation_id=organisation.id,
        is_city=organisation is CITY,
        roles=frozenset(held),
        narrowed_to=narrowed_to,
    )


def may_give(giver: Actor, role: Role, organisation: Organisation) -> bool:
    try:
        roles.check_may_give(giver, [role], organisation_id=organisation.id)
    except RoleNotYoursError:
        return False
    return True


def test_nobody_gives_inside_their_organisation_what_permits_more_than_they_may() -> None:
    given = 0
    for organisation, held, role in product((CITY, ACME), Role, Role):
        giver = actor(organisation, held)
        if may_give(giver, role, organisation):
            given += 1
            assert PERMISSIONS[role] <= giver.permissions, (held, role)

    assert given == 3 + 2 + 2  # a city's administrator three, a care administrator two, there and elsewhere


def test_only_administrators_give_anything() -> None:
    givers = {
        held
        for held, role, organisation in product(Role, Role, (CITY, ACME))
        if may_give(actor(CITY, held), role, organisation)
    }

    assert givers == {Role.CITY_ADMIN, Role.CARE_ADMIN}


def test_a_city_administrator_makes_neither_auditors_nor_themselves_a_carer() -> None:
    giver = actor(CITY, Role.CITY_ADMIN)

    assert not may_give(giver, Role.AUDITOR, CITY)
    assert not may_give(giver, Role.CARE_OPERATOR, CITY)
    assert may_give(giver, Role.CARE_ADMIN, ACME)
    assert not may_give(giver, Role.CITY_ADMIN, ACME)


def test_a_care_administrator_gives_nothing_in_another_organisation() -> None:
    beta = Organisation(id=OrganisationId("beta"), name="Beta", kind=OrganisationKind.CARE)

    assert not any(may_give(actor(ACME, Role.CARE_ADMIN), role, beta) for role in Role)


def test_a_city_role_that_somebody_outside_the_city_has_gives_nothing() -> None:
    assert not any(may_give(actor(ACME, Role.CITY_ADMIN), role, ACME) for role in Role)


def test_a_narrowed_token_does_not_widen_itself() -> None:
    narrow = frozenset({Permission.ACCOUNTS_WRITE, Permission.ACCOUNTS_READ})

    assert not may_give(actor(ACME, Role.CARE_ADMIN, narrowed_to=narrow), Role.CARE_OPERATOR, ACME)


@pytest.mark.parametrize("role", sorted(CITY_ROLES))
def test_roles_of_the_city_fit_no_other_organisation(role: Role) -> None:
    assert roles.fitting([role], CITY) == {role}
    with pytest.raises(InvalidError, match="care-admin"):
        roles.fitting([role], ACME)


def test_what_is_no_role_and_no_permission_is_refused() -> None:
    with pytest.raises(InvalidError):
        roles.fitting(["root"], CITY)
    with pytest.raises(InvalidError):
        roles.narrowed(["everything"])
    assert roles.narrowed([]) is None


@pytest.mark.parametrize("care", [Role.CARE_OPERATOR, Role.CARE_ADMIN])
def test_who_runs_the_network_is_no_carer_of_everybody_beside_it(care: Role) -> None:
    with pytest.raises(InvalidError):
        roles.fitting([Role.NETWORK_OPERATOR, care], CITY)

    assert roles.fitting([Role.NETWORK_OPERATOR, Role.INSTALLER], CITY)
