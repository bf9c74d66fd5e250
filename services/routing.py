"""Who is told next, and who is kept told: pure plans over grants.

    opened ──> step 1 ──(within)──> step 2 too ──(within)──> … ──> the city: nobody has answered

A step is every organisation whose grant in force names its number. A number that nobody holds is
passed over at once: waiting for nobody helps nobody.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from services.access import Subject, covers, is_in_force, may_receive
from services.domain.homes import Grant
from services.domain.ids import GrantId, OrganisationId


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """One receiver of a notice, and by what right."""

    organisation_id: OrganisationId
    grant_id: GrantId | None
    """None: the city, which answers for what nobody else answers."""
    step: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ChainStep:
    """The organisations that are told together."""

    number: int
    within: timedelta
    """How long they have; the shortest of their grants."""
    routes: tuple[Route, ...]


def next_step(grants: Iterable[Grant], subject: Subject, *, after: int, at: datetime) -> ChainStep | None:
    """The first step behind ``after`` that somebody holds now; None at the end of the chain."""
    later = [
        grant for grant in grants if grant.step > after and covers(grant, subject) and is_in_force(grant, at)
    ]
    if not later:
        return None
    number = min(grant.step for grant in later)
    members = sorted((grant for grant in later if grant.step == number), key=lambda grant: grant.id)
    routes = {
        grant.organisation_id: Route(organisation_id=grant.organisation_id, grant_id=grant.id, step=number)
        for grant in reversed(members)
    }
    return ChainStep(
        number=number, within=min(grant.within for grant in members), routes=tuple(routes.values())
    )


def audience(
    told: Sequence[OrganisationId],
    cities: Sequence[OrganisationId],
    subject: Subject,
    *,
    grants: Sequence[Grant],
    step: int,
    at: datetime,
) -> tuple[Route, ...]:
    """Those of the already told who may still be told.

    Args:
        told: Who has been routed anything of the alarm so far.
        cities: The city's organisations, when the alarm was escalated to them; else nobody.
        subject: What the notice tells about.
        grants: The grants of the home and class.
        step: How far the response chain has come.
        at: The moment of routing.
    """
    routes = []
    for organisation_id in told:
        grant = may_receive(organisation_id, subject, at=at, step=step, grants=grants)
        if grant is not None:
            routes.append(Route(organisation_id=organisation_id, grant_id=grant.id, step=grant.step))
        elif organisation_id in cities:
            routes.append(Route(organisation_id=organisation_id, grant_id=None, step=step))
    return tuple(routes)
