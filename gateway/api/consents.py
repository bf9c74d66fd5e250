"""``/api/v1/consents``: what residents have said yes to, and took back.

The city's administrators record and withdraw. A care administrator sees what its own grants in force are for:
the same home, class and purpose.
"""

from collections.abc import Sequence
from datetime import datetime
from functools import partial
from typing import Annotated, Final

from fastapi import APIRouter, Depends, Query, Response
from pydantic import BaseModel, Field

from devices.kinds import DataClass
from gateway.api.bodies import Choice, Moment, StrictBody, Words
from gateway.api.callers import Caller, Needs
from gateway.api.once import OnceHere
from gateway.api.openapi import problems
from gateway.api.pages import PageOf, cut
from gateway.api.parts import Here
from gateway.api.problems import NotHereError
from gateway.api.queries import PageQuery, Text, each_once
from services import audit, consents, residents
from services.access import is_in_force
from services.consents import NewConsent
from services.domain.actors import Permission
from services.domain.errors import InvalidError
from services.domain.residents import Consent, How, Resident
from services.scopes import Scope
from services.store import consents as rows
from services.store import registry
from services.store import residents as resident_rows
from services.store.connection import Connection

router = APIRouter(prefix="/consents", tags=["consents"], dependencies=[Depends(each_once)])

Reader = Annotated[Caller, Depends(Needs(Permission.CONSENTS_READ))]
Recorder = Annotated[Caller, Depends(Needs(Permission.CONSENTS_WRITE))]

_LISTING: Final = "consents"
_ALL: Final = 10_000


class ConsentItem(BaseModel):
    """A resident's yes to one class of facts for one purpose."""

    id: str
    resident: str
    home: str
    data_class: DataClass = Field(serialization_alias="class")
    purpose: str
    how: How
    reference: str = Field(description="Where it can be found again.")
    given_at: datetime
    recorded_at: datetime
    recorded_by: str
    withdrawn_at: datetime | None = Field(description="Null: it holds.")
    withdrawn_by: str | None


class ConsentPage(PageOf[ConsentItem]):
    """Consents in the order in which they were recorded."""


class WithdrawnItem(BaseModel):
    """A consent that was taken back, and what ended with it."""

    consent: ConsentItem
    ended_grants: list[str]


class NewConsentBody(StrictBody):
    """A resident's yes."""

    resident: Words
    data_class: Choice[DataClass] = Field(alias="class")
    purpose: Words = Field(examples=["evening patrol"])
    how: Choice[How]
    reference: str = Field(default="", max_length=200, description="Where it can be found again.")
    given_at: Moment | None = Field(default=None, description="Null: now.")


class ConsentsQuery(PageQuery):
    """Which consents."""

    home: Text | None = Field(default=None, description="Only of those who live or lived in this home.")
    resident: Text | None = Field(default=None, description="Only of this resident.")


@router.get("", summary="Consents", responses=problems(403))
async def list_consents(parts: Here, caller: Reader, query: Annotated[ConsentsQuery, Query()]) -> ConsentPage:
    """Consents in the order in which they were recorded, those that were taken back included.

    Whoever does not see the whole city names a home or a resident.
    """
    (after,) = parts.cursors.after(_LISTING, query.cursor, ("",))
    scope = caller.scope(parts.clock.now())
    if not scope.is_whole and query.home is None and query.resident is None:
        raise InvalidError("home", "nothing", expected="a home or a resident, whose consents are asked for")
    find = partial(_found, scope=scope, query=query, after=after)
    chosen, has_more = cut(await parts.read(find), query.limit)
    await parts.ledger.looked([_look(caller, item, "api consents list") for item in chosen], at=scope.at)
    return ConsentPage(
        items=list(chosen), next=parts.cursors.of(_LISTING, (chosen[-1].id,)) if has_more else None
    )


@router.post(
    "",
    status_code=201,
    response_model=ConsentItem,
    summary="Record a resident's consent",
    responses=problems(403, 404, 409),
)
async def record_consent(parts: Here, caller: Recorder, body: NewConsentBody, once: OnceHere) -> Response:
    """The very same again changes nothing."""
    new = NewConsent(
        resident_id=body.resident,
        data_class=body.data_class,
        purpose=body.purpose,
        how=body.how,
        reference=body.reference,
        given_at=body.given_at,
    )

    def work(connection: Connection) -> ConsentItem:
        consent = consents.record(connection, new, actor=caller.who, now=parts.clock.now())
        return _item(consent, residents.get(connection, consent.resident_id))

    return await parts.desk.carry_out_once(once, work)


@router.get("/{consent_id}", summary="One consent", responses=problems(403, 404))
async def get_consent(parts: Here, caller: Reader, consent_id: str) -> ConsentItem:
    """In force or taken back."""
    scope = caller.scope(parts.clock.now())
    item = await parts.read(partial(_here, scope=scope, consent_id=consent_id))
    await parts.ledger.looked([_look(caller, item, f"api consent {item.id}")], at=scope.at)
    return item


@router.post(
    "/{consent_id}/withdraw",
    status_code=200,
    response_model=WithdrawnItem,
    summary="Take a consent back, now",
    responses=problems(403, 404),
)
async def withdraw_consent(parts: Here, caller: Recorder, consent_id: str, once: OnceHere) -> Response:
    """Every grant that rests on it ends with it, and with the grant what is on its way under it."""

    def work(connection: Connection) -> WithdrawnItem:
        withdrawn = consents.withdraw(connection, consent_id, actor=caller.who, now=parts.clock.now())
        resident = residents.get(connection, withdrawn.consent.resident_id)
        return WithdrawnItem(
            consent=_item(withdrawn.consent, resident), ended_grants=[grant.id for grant in withdrawn.ended]
        )

    return await parts.desk.carry_out_once(once, work, status=200)


def _found(
    connection: Connection, *, scope: Scope, query: ConsentsQuery, after: str
) -> Sequence[ConsentItem]:
    limit = query.limit + 1 if scope.is_whole else _ALL
    found = rows.consents(
        connection, resident_id=query.resident, home_id=query.home, after=after, limit=limit
    )
    items = [_item(consent, residents.get(connection, consent.resident_id)) for consent in found]
    return [item for item in items if _may_see(connection, scope, item)][: query.limit + 1]


def _here(connection: Connection, *, scope: Scope, consent_id: str) -> ConsentItem:
    consent = rows.get(connection, consent_id)
    resident = resident_rows.get(connection, consent.resident_id if consent else "")
    item = _item(consent, resident) if consent and resident else None
    if item is None or not _may_see(connection, scope, item):
        raise NotHereError("consent", consent_id)
    return item


def _may_see(connection: Connection, scope: Scope, item: ConsentItem) -> bool:
    if scope.is_whole:
        return True
    grants = registry.grants(connection, home_id=item.home, organisation_id=scope.organisation_id, limit=_ALL)
    return any(
        (grant.data_class, grant.purpose) == (item.data_class, item.purpose) and is_in_force(grant, scope.at)
        for grant in grants
    )


def _look(caller: Caller, item: ConsentItem, asked: str) -> audit.Entry:
    return audit.Entry(
        actor=caller.actor,
        action="looked",
        organisation_id=caller.organisation_id,
        home_id=item.home,
        resident_id=item.resident,
        subject=item.id,
        purpose=item.purpose,
        details=asked,
    )


def _item(consent: Consent, resident: Resident) -> ConsentItem:
    return ConsentItem(
        id=consent.id,
        resident=consent.resident_id,
        home=resident.home_id,
        data_class=consent.data_class,
        purpose=consent.purpose,
        how=consent.how,
        reference=consent.reference,
        given_at=consent.given_at,
        recorded_at=consent.recorded_at,
        recorded_by=consent.recorded_by,
        withdrawn_at=consent.withdrawn_at,
        withdrawn_by=consent.withdrawn_by,
    )
