"""How a grant comes about: by which right, who proposed and approved it; and access taken in an emergency.

proposed ──approved by a second person──> a grant, in force until it ends
    └────rejected, with a reason

emergency ──taken with a reason, for hours──> grants ──> reviewed by the city
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from devices.kinds import DataClass, HomeId
from services.domain.actors import Actor, Role
from services.domain.errors import InvalidError, RefusedError
from services.domain.homes import OrganisationKind
from services.domain.ids import DraftId, EmergencyId, GrantId, OrganisationId


class BasisKind(StrEnum):
    """By which right an organisation may know."""

    CONSENT = "consent"
    """Those who live there have said yes; it ends when one of them takes that back."""
    DECISION = "decision"
    """An authority's decision, such as one by the social services act."""
    CONTRACT = "contract"
    EMERGENCY = "emergency"
    """Taken, not given; see ``services.emergencies``."""


AGREED: Final = (BasisKind.CONSENT, BasisKind.DECISION, BasisKind.CONTRACT)
"""What a grant can be proposed on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LegalBasis:
    """By which right, and where that can be found again."""

    kind: BasisKind
    reference: str

    @property
    def text(self) -> str:
        """As it stands in the grant: ``consent: form 12``."""
        return f"{self.kind}: {self.reference}" if self.reference else str(self.kind)


def basis_in(text: str) -> LegalBasis | None:
    """The basis that a grant's text names by its kind; None: it is a text of people's own."""
    kind, colon, reference = text.partition(":")
    if not colon or kind.strip() not in set(AGREED):
        return None
    return LegalBasis(kind=BasisKind(kind.strip()), reference=reference.strip())


def agreed_kind(text: str) -> BasisKind:
    """What a grant can be proposed on.

    Raises:
        InvalidError: It is none of them.
    """
    if text not in set(AGREED):
        raise InvalidError("basis", text, expected="one of " + ", ".join(AGREED))
    return BasisKind(text)


def data_class(text: str) -> DataClass:
    """A class of facts by its name.

    Raises:
        InvalidError: There is none of this name.
    """
    if text not in set(DataClass):
        raise InvalidError("class", text, expected="one of " + ", ".join(DataClass))
    return DataClass(text)


class DraftState(StrEnum):
    """How far a proposed grant has come."""

    PROPOSED = "proposed"
    APPROVED = "approved"
    REJECTED = "rejected"


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """A grant that somebody has proposed, as it was said."""

    id: DraftId
    organisation_id: OrganisationId
    home_id: HomeId
    position: str | None
    """Its name; None: every position of the home."""
    data_class: DataClass
    purpose: str
    basis: LegalBasis
    valid_from: datetime | None
    """None: from its approval."""
    valid_until: datetime | None
    step: int
    within: timedelta
    proposed_at: datetime
    proposed_by: str
    proposed_principal: str
    state: DraftState = DraftState.PROPOSED
    decided_at: datetime | None = None
    decided_by: str | None = None
    reason: str = ""
    """Why it was rejected."""
    grant_id: GrantId | None = None
    """What became of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TemplateItem:
    """One grant of a template."""

    data_class: DataClass
    purpose: str
    basis_kind: BasisKind
    step: int
    within: timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class Template:
    """The grants that a service needs, under a name."""

    id: str
    title: str
    organisation_kind: OrganisationKind | None
    """For every organisation of this kind; None: for one, see ``organisation_id``."""
    organisation_id: OrganisationId | None
    items: tuple[TemplateItem, ...]


class Outcome(StrEnum):
    """What the city finds about an emergency."""

    JUSTIFIED = "justified"
    UNJUSTIFIED = "unjustified"


@dataclass(frozen=True, slots=True, kw_only=True)
class Emergency:
    """Access that an organisation has taken, and what the city found about it."""

    id: EmergencyId
    organisation_id: OrganisationId
    home_id: HomeId
    classes: tuple[DataClass, ...]
    grant_ids: tuple[GrantId, ...]
    """One of each class, in their order."""
    reason: str
    taken_at: datetime
    taken_by: str
    taken_principal: str
    valid_until: datetime
    reviewed_at: datetime | None = None
    reviewed_by: str | None = None
    outcome: Outcome | None = None
    note: str = ""


def sees_all(actor: Actor) -> bool:
    """Whether somebody sees what every organisation proposes and takes: the city's administrators alone.

    The city has machines and care operators too; these see what is their own organisation's.
    """
    return actor.is_city and Role.CITY_ADMIN in actor.roles


class SamePersonError(RefusedError):
    """Whoever did the first half of something cannot do the second."""

    code = "same_person"

    def __init__(self, what: str, id_: str) -> None:
        self.what = what
        self.id = id_
        super().__init__(f"The {what} {id_!r} is your own, so somebody else must decide about it")


class DecidedError(RefusedError):
    """Somebody has decided about it before."""

    code = "already_decided"

    def __init__(self, what: str, id_: str, *, outcome: str, by: str | None) -> None:
        self.what = what
        self.id = id_
        self.outcome = outcome
        super().__init__(f"The {what} {id_!r} is {outcome} already, by {by}")
