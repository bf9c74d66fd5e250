"""Which rows are somebody's own: the one question that every list and every look-up asks.

    scope(actor, at)  ->  Scope  ->  WHERE clause over homes and alarms (``services.store.scoping``)

What is not in scope does not exist for the actor: it is not listed, not counted, and answered like an id that
nobody has ever used.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from devices.kinds import DataClass
from services.domain.actors import Actor, Role
from services.domain.ids import OrganisationId

EVERY_CLASS: Final = frozenset(DataClass)
NETWORK_CLASSES: Final = frozenset({DataClass.TECHNICAL})
"""What those who keep the network running must know of alarms, and no more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """What an actor may know at a moment."""

    organisation_id: OrganisationId
    """Whose grants in force decide, unless ``is_whole``."""
    is_whole: bool
    """Every home of the city, whoever is granted what."""
    classes: frozenset[DataClass]
    """Alarms, events and readings of other classes are out of scope, also under a grant."""
    at: datetime
    """The moment for which grants are judged."""


def scope(actor: Actor, *, at: datetime) -> Scope:
    """What an actor may know at a moment."""
    roles = actor.roles if actor.is_city else frozenset[Role]()
    sees_all = Role.CITY_ADMIN in roles
    runs_network = Role.NETWORK_OPERATOR in roles
    return Scope(
        organisation_id=actor.organisation_id,
        is_whole=sees_all or runs_network,
        classes=NETWORK_CLASSES if runs_network and not sees_all else EVERY_CLASS,
        at=at,
    )
