"""Who lives in a home, known by a pseudonym; and what each of them has said yes to.

resident --lives in--> home
resident --consent(class, purpose, how, dated)--> what a grant can rest on
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from devices.kinds import DataClass, HomeId
from services.domain.ids import ConsentId, ResidentId


@dataclass(frozen=True, slots=True, kw_only=True)
class Resident:
    """A person's time in a home, without anything that says who it is. Elsewhere they are another one."""

    id: ResidentId
    home_id: HomeId
    is_permanent: bool
    """Lives there permanently, so that nothing about the home is known without their yes."""
    moved_in_at: datetime
    moved_out_at: datetime | None = None
    erased_at: datetime | None = None
    """Since when their name and phone are gone."""

    @property
    def lives_there(self) -> bool:
        """Whether they live in the home now: nobody is registered before they have moved, in or out."""
        return self.moved_out_at is None


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Contact:
    """Who a resident is. Never in a log, a message or an error: so it has no text of its own."""

    name: str
    phone: str = ""


class How(StrEnum):
    """In which form somebody said yes."""

    IN_WRITING = "in-writing"
    ORAL = "oral"
    E_SIGNED = "e-signed"
    GUARDIAN = "guardian"
    """By somebody who may decide for them (god man, förvaltare, an authorised relative)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Consent:
    """A resident's yes to one class of facts for one purpose."""

    id: ConsentId
    resident_id: ResidentId
    data_class: DataClass
    purpose: str
    how: How
    reference: str
    """Where it can be found again, such as the number of a document."""
    given_at: datetime
    recorded_at: datetime
    recorded_by: str
    withdrawn_at: datetime | None = None
    withdrawn_by: str | None = None

    @property
    def is_in_force(self) -> bool:
        """Whether it has not been taken back; one that was is so for good."""
        return self.withdrawn_at is None
