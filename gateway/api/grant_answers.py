"""How grants, drafts and what they come from are answered."""

from datetime import datetime

from pydantic import BaseModel, Field

from devices.kinds import DataClass
from gateway.api.pages import PageOf
from services import granting
from services.access import is_in_force
from services.domain.granting import BasisKind, Draft, DraftState
from services.domain.homes import Grant
from services.store import registry
from services.store.connection import Connection


class TermsItem(BaseModel):
    """Who may know what about whom, what for, and by which right."""

    id: str
    organisation: str
    home: str
    position: str | None = Field(description="The position's name; null: the whole home.")
    data_class: DataClass = Field(serialization_alias="class")
    purpose: str = Field(examples=["evening patrol"])
    basis: BasisKind | None = Field(description="By which right; null: `reference` says it in words.")
    reference: str = Field(description="Where the right can be found again.", examples=["form 12"])
    step: int = Field(description="Its place in the response chain, from 1.")
    within_seconds: float = Field(description="How long this step has to answer.")


class GrantItem(TermsItem):
    """An organisation may know facts of one class about a home, or one position of it."""

    valid_from: datetime = Field(serialization_alias="from")
    valid_until: datetime | None = Field(
        serialization_alias="until",
        description="The first moment it no longer holds; null: until it is ended.",
    )
    revoked_at: datetime | None = Field(description="When it was ended before its time.")
    ended_because: str | None = Field(description="`consent`: what it rests on is not there any more.")
    consents: list[str] = Field(description="The consents that it rests on.")
    in_force: bool


class GrantPage(PageOf[GrantItem]):
    """Grants, the newest first."""


class DraftItem(TermsItem):
    """A grant that somebody has proposed."""

    valid_from: datetime | None = Field(serialization_alias="from", description="Null: from its approval.")
    valid_until: datetime | None = Field(serialization_alias="until")
    state: DraftState
    proposed_at: datetime
    proposed_by: str
    decided_at: datetime | None
    decided_by: str | None
    reason: str = Field(description="Why it was rejected.")
    grant: str | None = Field(description="What became of it.")


class DraftPage(PageOf[DraftItem]):
    """Drafts, the newest first."""


class DraftList(BaseModel):
    """What a template has proposed."""

    items: list[DraftItem]


class ApprovedItem(BaseModel):
    """A draft that was approved, and the grant that it has become."""

    draft: DraftItem
    grant: GrantItem


def grant_item(connection: Connection, grant: Grant, *, now: datetime) -> GrantItem:
    """A grant as it is answered."""
    basis = granting.basis_of(connection, grant)
    position = None if grant.position_id is None else registry.place(connection, grant.position_id)[1]
    return GrantItem(
        id=grant.id,
        organisation=grant.organisation_id,
        home=grant.home_id,
        position=position,
        data_class=grant.data_class,
        purpose=grant.purpose,
        basis=basis.kind,
        reference=basis.reference,
        step=grant.step,
        within_seconds=grant.within.total_seconds(),
        valid_from=grant.valid_from,
        valid_until=grant.valid_until,
        revoked_at=grant.revoked_at,
        ended_because=basis.ended_because or None,
        consents=list(basis.consent_ids),
        in_force=is_in_force(grant, now),
    )


def draft_item(draft: Draft) -> DraftItem:
    """A draft as it is answered."""
    return DraftItem(
        id=draft.id,
        organisation=draft.organisation_id,
        home=draft.home_id,
        position=draft.position,
        data_class=draft.data_class,
        purpose=draft.purpose,
        basis=draft.basis.kind,
        reference=draft.basis.reference,
        step=draft.step,
        within_seconds=draft.within.total_seconds(),
        valid_from=draft.valid_from,
        valid_until=draft.valid_until,
        state=draft.state,
        proposed_at=draft.proposed_at,
        proposed_by=draft.proposed_by,
        decided_at=draft.decided_at,
        decided_by=draft.decided_by,
        reason=draft.reason,
        grant=draft.grant_id,
    )
