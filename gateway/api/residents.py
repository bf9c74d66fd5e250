"""``/api/v1/residents``: who lives in a home, under a pseudonym, and what they may ask of us.

Only the city's administrators come here. Whose name is shown is logged with the resident, before it leaves.
"""

from datetime import datetime
from functools import partial
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Query, Response
from pydantic import BaseModel, Field

from gateway.api.bodies import Choice, ChosenId, Moment, StrictBody
from gateway.api.callers import Caller, Needs
from gateway.api.once import OnceHere
from gateway.api.openapi import problems
from gateway.api.pages import PageOf, cut
from gateway.api.parts import Here, Parts
from gateway.api.queries import PageQuery, Text, each_once
from gateway.api.seen import seen
from services import residents, rights
from services.domain.actors import Permission
from services.domain.residents import How, Resident
from services.residents import NewResident, ResidentChange, Settled
from services.store import residents as rows
from services.store.connection import Connection

router = APIRouter(prefix="/residents", tags=["residents"], dependencies=[Depends(each_once)])

Reader = Annotated[Caller, Depends(Needs(Permission.RESIDENTS_READ))]
Registrar = Annotated[Caller, Depends(Needs(Permission.RESIDENTS_WRITE))]

_LISTING: Final = "residents"
_NAME = Annotated[str, Field(min_length=1, max_length=200, description="Kept encrypted.")]
_PHONE = Annotated[str, Field(max_length=200, description="Kept encrypted; empty: none.")]
_ENDS = Field(
    default=False,
    description="That grants which rest on everybody's consent end by it; else that is refused.",
)


class ResidentItem(BaseModel):
    """A person's time in a home, without anything that says who it is."""

    id: str
    home: str
    permanent: bool = Field(description="Nothing about the home is known on consent without theirs.")
    moved_in_at: datetime
    moved_out_at: datetime | None
    erased_at: datetime | None = Field(description="Since when their name and phone are gone.")


class ResidentView(ResidentItem):
    """A resident, and who it is."""

    name: str | None = Field(description="Null: erased.")
    phone: str | None


class ResidentPage(PageOf[ResidentItem]):
    """Residents by id."""


class SettledItem(BaseModel):
    """A resident, and the grants that ended because of them."""

    resident: ResidentItem
    ended_grants: list[str]


class KeptItem(BaseModel):
    """What is kept although a resident was erased."""

    what: str
    count: int
    why: str = Field(description="The law that keeps it.")


class ErasedItem(BaseModel):
    """A resident whose name and phone are gone, and what is kept."""

    resident: ResidentItem
    kept: list[KeptItem]


class ExportItem(BaseModel):
    """Everything that is kept about a resident and, for the time they lived there, about the home."""

    made_at: str
    resident: dict[str, Any]
    consents: list[dict[str, Any]]
    grants: list[dict[str, Any]]
    alarms: list[dict[str, Any]]
    events: list[dict[str, Any]]
    told: list[dict[str, Any]] = Field(description="Who was told what.")
    log: list[dict[str, Any]] = Field(description="Who looked at or changed what.")


class NewResidentBody(StrictBody):
    """A person who lives in a home."""

    home: ChosenId
    name: _NAME
    phone: _PHONE = ""
    id: ChosenId | None = Field(default=None, description="A pseudonym; null: one that we make.")
    permanent: bool = True
    moved_in_at: Moment | None = Field(default=None, description="Null: now.")
    consent: Choice[How] | None = Field(
        default=None, description="They consent, in this form, to all that grants rest on consent for."
    )
    reference: str = Field(default="", max_length=200, description="Where that consent can be found again.")
    ends_grants: bool = _ENDS


class ResidentChangeBody(StrictBody):
    """A correction; what is not there stays."""

    name: _NAME | None = None
    phone: _PHONE | None = None
    permanent: bool | None = None
    moved_in_at: Moment | None = None
    moved_out_at: Moment | None = Field(default=None, description="Of somebody who has moved out.")
    ends_grants: bool = _ENDS


class MoveOutBody(StrictBody):
    """When somebody has moved out."""

    at: Moment | None = Field(default=None, description="Null: now.")


class ResidentsQuery(PageQuery):
    """Which residents."""

    home: Text | None = Field(default=None, description="Only of this home.")


@router.get("", summary="Residents", responses=problems(403))
async def list_residents(
    parts: Here, caller: Reader, query: Annotated[ResidentsQuery, Query()]
) -> ResidentPage:
    """Residents by id, those who have moved out included; without names."""
    (after,) = parts.cursors.after(_LISTING, query.cursor, ("",))
    find = partial(rows.residents, home_id=query.home, after=after, limit=query.limit + 1)
    chosen, has_more = cut(await parts.read(find), query.limit)
    await seen(parts, caller, [one.home_id for one in chosen], "api residents list")
    return ResidentPage(
        items=[_item(one) for one in chosen],
        next=parts.cursors.of(_LISTING, (chosen[-1].id,)) if has_more else None,
    )


@router.post(
    "",
    status_code=201,
    response_model=SettledItem,
    summary="Register a resident",
    responses=problems(403, 404, 409),
)
async def add_resident(parts: Here, caller: Registrar, body: NewResidentBody, once: OnceHere) -> Response:
    """Who moves in permanently without consenting would end what rests on consent: that has to be said."""
    new = NewResident(
        home_id=body.home,
        name=body.name,
        phone=body.phone,
        id=body.id,
        is_permanent=body.permanent,
        moved_in_at=body.moved_in_at,
        consent=body.consent,
        reference=body.reference,
        ends_grants=body.ends_grants,
    )

    def work(connection: Connection) -> SettledItem:
        return _settled(
            residents.add(connection, new, sealer=parts.sealer, actor=caller.who, now=parts.clock.now())
        )

    return await parts.desk.carry_out_once(once, work)


@router.get("/{resident_id}", summary="One resident, with their name", responses=problems(403, 404, 409))
async def get_resident(parts: Here, caller: Reader, resident_id: str) -> ResidentView:
    """Name and phone are null once they are erased."""
    resident, view = await parts.read(partial(_view, parts=parts, resident_id=resident_id))
    look = residents.look(resident, "api resident", actor=caller.who)
    await parts.ledger.looked([look], at=parts.clock.now())
    return view


@router.patch("/{resident_id}", summary="Correct a resident", responses=problems(403, 404, 409))
async def change_resident(
    parts: Here, caller: Registrar, resident_id: str, body: ResidentChangeBody
) -> SettledItem:
    """The resident's right to correction; what is not there stays."""
    change = ResidentChange(
        name=body.name,
        phone=body.phone,
        is_permanent=body.permanent,
        moved_in_at=body.moved_in_at,
        moved_out_at=body.moved_out_at,
        ends_grants=body.ends_grants,
    )
    now = parts.clock.now()
    return _settled(
        await parts.desk.carry_out(
            lambda connection: residents.change(
                connection, resident_id, change, sealer=parts.sealer, actor=caller.who, now=now
            )
        )
    )


@router.post(
    "/{resident_id}/move-out",
    status_code=200,
    response_model=SettledItem,
    summary="Note that a resident has moved out",
    responses=problems(403, 404),
)
async def move_out_resident(
    parts: Here, caller: Registrar, resident_id: str, body: MoveOutBody, once: OnceHere
) -> Response:
    """Their consents support nothing any more. Again, it has no further effect."""

    def work(connection: Connection) -> SettledItem:
        return _settled(
            residents.move_out(connection, resident_id, at=body.at, actor=caller.who, now=parts.clock.now())
        )

    return await parts.desk.carry_out_once(once, work, status=200)


@router.get(
    "/{resident_id}/export", summary="All that is kept about a resident", responses=problems(403, 404, 409)
)
async def export_resident(parts: Here, caller: Reader, resident_id: str) -> ExportItem:
    """The resident's right of access: to be handed out to them, and to nobody else who lives there."""
    now = parts.clock.now()
    return ExportItem(
        **await parts.desk.carry_out(
            partial(rights.export, resident_id=resident_id, sealer=parts.sealer, actor=caller.who, now=now)
        )
    )


@router.post(
    "/{resident_id}/erase",
    status_code=200,
    response_model=ErasedItem,
    summary="Forget who a resident is",
    responses=problems(403, 404),
)
async def erase_resident(parts: Here, caller: Registrar, resident_id: str, once: OnceHere) -> Response:
    """The resident's right to erasure; the answer says what the law keeps. Again, it changes nothing."""

    def work(connection: Connection) -> ErasedItem:
        erased = rights.erase(connection, resident_id, actor=caller.who, now=parts.clock.now())
        return ErasedItem(
            resident=_item(erased.resident),
            kept=[KeptItem(what=one.what, count=one.count, why=one.why) for one in erased.kept],
        )

    return await parts.desk.carry_out_once(once, work, status=200)


def _view(connection: Connection, *, parts: Parts, resident_id: str) -> tuple[Resident, ResidentView]:
    resident = residents.get(connection, resident_id)
    contact = residents.contact(connection, resident, sealer=parts.sealer)
    return resident, ResidentView(
        **_item(resident).model_dump(),
        name=contact.name if contact else None,
        phone=contact.phone if contact else None,
    )


def _settled(settled: Settled) -> SettledItem:
    return SettledItem(resident=_item(settled.resident), ended_grants=[grant.id for grant in settled.ended])


def _item(resident: Resident) -> ResidentItem:
    return ResidentItem(
        id=resident.id,
        home=resident.home_id,
        permanent=resident.is_permanent,
        moved_in_at=resident.moved_in_at,
        moved_out_at=resident.moved_out_at,
        erased_at=resident.erased_at,
    )
