"""Who types, as use cases that ask for a person know them: the city's administrator on the machine."""

from typing import Final

from gateway.cli.desk import Desk, user_name
from services.domain.actors import Actor, Role
from services.domain.ids import OrganisationId

_ROLES: Final = frozenset({Role.CITY_ADMIN, Role.CARE_OPERATOR})


def operator(at: Desk, *, organisation_id: str = "") -> Actor:
    """The operator on the machine.

    Args:
        at: Where the command works.
        organisation_id: On whose behalf, as with somebody at the telephone; empty: the city's.
    """
    return Actor(
        id=at.actor,
        principal=at.actor,
        name=user_name(),
        organisation_id=OrganisationId(organisation_id),
        is_city=True,
        roles=_ROLES,
    )
