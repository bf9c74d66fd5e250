"""Who may know what: one pure judgement over grants.

    may_receive(organisation, subject, at, step, grants)  ->  the grant that covers it, or None

It is asked when a notice is routed and again in the transaction that releases each attempt, so a
withdrawal takes effect on everything that has not left yet.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from devices.kinds import DataClass, HomeId
from services.domain.alarms import Alarm
from services.domain.homes import Grant
from services.domain.ids import OrganisationId, PositionId


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """What somebody would learn of: facts of one class at one position of a home."""

    home_id: HomeId
    position_id: PositionId
    data_class: DataClass


def subject_of(alarm: Alarm) -> Subject:
    """What a notice of this alarm tells about."""
    return Subject(home_id=alarm.home_id, position_id=alarm.position_id, data_class=alarm.data_class)


def is_in_force(grant: Grant, at: datetime) -> bool:
    """Whether a grant holds at a moment: from its start, up to but not including its end.

    One that was revoked is over, whatever the clock says now: setting it back revives nothing.
    """
    return (
        grant.revoked_at is None
        and grant.valid_from <= at
        and (grant.valid_until is None or at < grant.valid_until)
    )


def covers(grant: Grant, subject: Subject) -> bool:
    """Whether a grant is about this subject, at any time."""
    return (
        grant.home_id == subject.home_id
        and grant.data_class is subject.data_class
        and grant.position_id in {None, subject.position_id}
    )


def may_receive(
    organisation_id: OrganisationId, subject: Subject, *, at: datetime, step: int, grants: Iterable[Grant]
) -> Grant | None:
    """The grant under which an organisation may be told now, the earliest step of the chain first.

    Args:
        organisation_id: Who would be told.
        subject: What it would learn of.
        at: The moment of release.
        step: How far the response chain has come; later steps may not know yet.
        grants: Any grants; those of others and of other homes are passed over.
    """
    covering = (
        grant
        for grant in grants
        if grant.organisation_id == organisation_id
        and grant.step <= step
        and covers(grant, subject)
        and is_in_force(grant, at)
    )
    return min(covering, key=lambda grant: (grant.step, grant.id), default=None)
