"""A slow, obvious judge of grants, and grants that lie exactly on its boundaries.

The judge does not compare times: it lives through them, second by second, and sees what is in force.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Final

from hypothesis import strategies as st

from devices.kinds import DataClass, HomeId
from services.access import Subject
from services.domain.homes import Grant
from services.domain.ids import GrantId, OrganisationId, PositionId
from tests.support.clock import START

TICK: Final = timedelta(seconds=1)
TICKS: Final = range(-3, 4)
"""The only moments in this world, around ``START``."""

moments: Final = st.sampled_from([START + tick * TICK for tick in TICKS])
organisations: Final = st.sampled_from([OrganisationId(name) for name in ("acme", "beta", "the-city")])
homes: Final = st.sampled_from([HomeId("h-1"), HomeId("h-2")])
positions: Final = st.sampled_from([PositionId("position-1"), PositionId("position-2")])
classes: Final = st.sampled_from([DataClass.SAFETY, DataClass.FIRE])
steps: Final = st.integers(1, 4)

subjects: Final = st.builds(Subject, home_id=homes, position_id=positions, data_class=classes)
grants: Final = st.builds(
    Grant,
    id=st.uuids().map(lambda uuid: GrantId(str(uuid))),
    organisation_id=organisations,
    home_id=homes,
    position_id=st.none() | positions,
    data_class=classes,
    purpose=st.just("answers alarms"),
    legal_basis=st.just("contract"),
    valid_from=moments,
    valid_until=st.none() | moments,
    step=steps,
    within=st.integers(1, 90).map(lambda seconds: timedelta(seconds=seconds)),
    revoked_at=st.none() | st.none() | moments,
)
many_grants: Final = st.lists(grants, max_size=12, unique_by=lambda grant: grant.id)


def holds(grant: Grant, at: datetime) -> bool:
    """Whether a grant holds at a moment of this world."""
    has_begun, has_ended = False, grant.revoked_at is not None
    for tick in TICKS:
        moment = START + tick * TICK
        if moment == grant.valid_from:
            has_begun = True
        if moment == grant.valid_until:
            has_ended = True
        if moment == at:
            return has_begun and not has_ended
    raise ValueError(at)


def is_about(grant: Grant, subject: Subject) -> bool:
    """Whether a grant speaks of the subject's home, class and position."""
    if grant.home_id != subject.home_id:
        return False
    if grant.data_class != subject.data_class:
        return False
    if grant.position_id is None:
        return True
    return grant.position_id == subject.position_id


def right_of(
    organisation_id: str, subject: Subject, all_grants: Iterable[Grant], *, at: datetime, step: int
) -> Grant | None:
    """The grant by which an organisation may know: the lowest step that is reached, then the lowest id."""
    best = None
    for grant in all_grants:
        if grant.organisation_id != organisation_id or not is_about(grant, subject) or not holds(grant, at):
            continue
        if grant.step > step:
            continue
        if best is None or grant.step < best.step or (grant.step == best.step and grant.id < best.id):
            best = grant
    return best
