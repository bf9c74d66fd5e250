"""Which roles fit an organisation, which its machines have untold, and who may give them to whom."""

from collections.abc import Iterable
from typing import Final

from services.domain.actors import CITY_ROLES, PERMISSIONS, Actor, Permission, Role
from services.domain.errors import InvalidError, RefusedError
from services.domain.homes import Organisation, OrganisationKind

_OF_MACHINES: Final = {
    OrganisationKind.CITY: frozenset({Role.CARE_OPERATOR}),
    OrganisationKind.INSTALLER: frozenset({Role.INSTALLER}),
}

_OWN: Final = {
    Role.CITY_ADMIN: frozenset({Role.CITY_ADMIN, Role.NETWORK_OPERATOR, Role.CATALOGUE_READER}),
    Role.CARE_ADMIN: frozenset({Role.CARE_ADMIN, Role.CARE_OPERATOR}),
}
"""Who gives which roles inside their own organisation: never one that permits more than their own. An
auditor is made by whoever has the machine: nobody chooses who looks at what they did."""

_OTHERS: Final = {
    Role.CITY_ADMIN: frozenset({Role.CARE_ADMIN, Role.CARE_OPERATOR, Role.INSTALLER}),
}
"""Who gives which roles in other organisations: the city lets a provider's first administrator in."""


_CARES: Final = frozenset({Role.CARE_OPERATOR, Role.CARE_ADMIN})


class RoleNotYoursError(RefusedError):
    """Nobody hands on what they do not have."""

    code = "not_permitted"

    def __init__(self, roles: Iterable[Role]) -> None:
        self.roles = frozenset(roles)
        super().__init__(
            f"The roles {', '.join(sorted(self.roles))} are not yours to give or to take; ask somebody who "
            "has them, or whoever runs the hub: `stadsnav account`"
        )


def of_machines(kind: OrganisationKind) -> frozenset[Role]:
    """The roles of an organisation's machine that was given none."""
    return _OF_MACHINES.get(kind, frozenset({Role.CARE_ADMIN}))


def fitting(names: Iterable[str], organisation: Organisation) -> frozenset[Role]:
    """Roles by their names, of which each fits the organisation.

    Raises:
        InvalidError: There is no such role, only the city's people and machines can have it, or two of them
            together would permit what neither does: a carer's rights at every home of the city.
    """
    is_city = organisation.kind is OrganisationKind.CITY
    allowed = [role for role in Role if is_city or role not in CITY_ROLES]
    for name in (names := list(names)):
        if name not in allowed:
            expected = f"for {organisation.id!r} ({organisation.kind}) one of {', '.join(allowed)}"
            raise InvalidError("role", name, expected=expected)
    fit = frozenset(Role(name) for name in names)
    if Role.NETWORK_OPERATOR in fit and fit & _CARES:
        raise InvalidError("roles", ", ".join(sorted(fit)), expected="care roles in an account of their own")
    return fit


def narrowed(names: Iterable[str]) -> frozenset[Permission] | None:
    """Permissions by their names; None when there are none: nothing is narrowed.

    Raises:
        InvalidError: There is no such permission.
    """
    for name in (names := list(names)):
        if name not in set(Permission):
            raise InvalidError("permission", name, expected=f"one of {', '.join(Permission)}")
    return frozenset(Permission(name) for name in names) or None


def check_may_give(giver: Actor, roles: Iterable[Role], *, organisation_id: str) -> None:
    """Refuse to have somebody else hold, or lose, roles that are beyond the giver.

    Raises:
        RoleNotYoursError: Names them.
    """
    table = _OWN if giver.organisation_id == organisation_id else _OTHERS
    held = giver.roles if giver.is_city else giver.roles - CITY_ROLES
    givable = frozenset[Role]().union(*(table.get(role, frozenset()) for role in held))
    beyond = {role for role in roles if role not in givable or not _is_within(role, giver)}
    if beyond:
        raise RoleNotYoursError(beyond)


def _is_within(role: Role, giver: Actor) -> bool:
    """Whether a narrowed token would not make itself wider."""
    return giver.narrowed_to is None or PERMISSIONS[role] <= giver.narrowed_to
