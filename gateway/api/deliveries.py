"""``/api/v1/deliveries``: who was told what, over which channel, and whether it arrived.

Callers see what their organisation was told; those who see the whole see everybody's.
"""

from datetime import datetime
from http import HTTPStatus
from typing import Annotated, Final

from fastapi import APIRouter, Depends, Path, Query, Response
from pydantic import Field

from gateway.api.alarm_answers import DeliveryItem, DeliveryPage, delivery_item
from gateway.api.callers import Caller, Needs
from gateway.api.once import OnceHere
from gateway.api.openapi import problems
from gateway.api.parts import Here
from gateway.api.problems import NotHereError
from gateway.api.queries import PageQuery, Text, each_once
from gateway.api.seen import seen
from services.delivery.replay import replay
from services.domain.actors import Permission
from services.domain.alarms import DeliveryState
from services.store import alarm_lists
from services.store.alarm_lists import DeliveryFilter
from services.store.connection import Connection
from services.store.overview import DeliveryRecord
from services.store.scoping import BEHIND_ALL
from services.store.sqlite import SqliteConnection

LISTING: Final = "deliveries"

router = APIRouter(prefix="/deliveries", tags=["deliveries"], dependencies=[Depends(each_once)])

DeliveryId = Annotated[str, Path(max_length=64)]
Reading = Annotated[Caller, Depends(Needs(Permission.DELIVERIES_READ))]


class DeliveryQuery(PageQuery):
    """Which deliveries."""

    organisation: Text | None = Field(default=None, description="Only to this one; your own is meant else.")
    home: Text | None = Field(default=None, description="Only of this home.")
    alarm: Text | None = Field(default=None, description="Only of this alarm.")
    event: Text | None = Field(default=None, description="Only of this CloudEvents `id`.")
    channel: Text | None = Field(default=None, description="Only over this channel, as `mqtt`.")
    state: DeliveryState | None = Field(default=None, description="Only in this state.")


@router.get("", summary="Who was told what")
async def list_deliveries(
    parts: Here, caller: Reading, query: Annotated[DeliveryQuery, Query()]
) -> DeliveryPage:
    """Deliveries, the newest first. A page may be short although there is more: `next` says so."""
    (before,) = parts.cursors.after(LISTING, query.cursor, (BEHIND_ALL,))

    def look(connection: SqliteConnection) -> DeliveryPage:
        scope = caller.scope(parts.clock.now())
        wanted = DeliveryFilter(
            organisation_id=query.organisation,
            home_id=query.home,
            alarm_id=query.alarm,
            notice_id=query.event,
            channel=query.channel,
            states=[query.state] if query.state else (),
        )
        found = alarm_lists.deliveries(connection, scope, wanted, before=before, limit=query.limit)
        following = None if found.following is None else parts.cursors.of(LISTING, (found.following,))
        return DeliveryPage(items=[delivery_item(delivery) for delivery in found.rows], next=following)

    page = await parts.read(look)
    await seen(parts, caller, (item.home for item in page.items), "api deliveries list")
    return page


@router.get("/{delivery_id}", summary="One delivery", responses=problems(404))
async def get_delivery(parts: Here, caller: Reading, delivery_id: DeliveryId) -> DeliveryItem:
    """One notice for one receiver over one channel."""

    def look(connection: SqliteConnection) -> DeliveryItem:
        return delivery_item(_in_scope(connection, caller, delivery_id, now=parts.clock.now()))

    found = await parts.read(look)
    await seen(parts, caller, [found.home], f"api deliveries {delivery_id}")
    return found


@router.post(
    "/{delivery_id}/replay",
    summary="Tell again what nobody confirmed",
    response_model=DeliveryItem,
    responses=problems(404, 409),
)
async def replay_delivery(
    parts: Here,
    caller: Annotated[Caller, Depends(Needs(Permission.DELIVERIES_REPLAY))],
    once: OnceHere,
    delivery_id: DeliveryId,
) -> Response:
    """A delivery in state `expired` is due now; the right to it is judged anew before it leaves."""

    def work(connection: Connection) -> DeliveryItem:
        now = parts.clock.now()
        _in_scope(connection, caller, delivery_id, now=now)
        replay(connection, delivery_id, actor=caller.who, now=now)
        return delivery_item(_in_scope(connection, caller, delivery_id, now=now))

    def may_hear(connection: Connection) -> None:
        _in_scope(connection, caller, delivery_id, now=parts.clock.now())

    return await parts.desk.carry_out_once(once, work, status=HTTPStatus.OK, may_hear=may_hear)


def _in_scope(connection: Connection, caller: Caller, delivery_id: str, *, now: datetime) -> DeliveryRecord:
    found = alarm_lists.delivery(connection, caller.scope(now), delivery_id)
    if found is None:
        raise NotHereError("delivery", delivery_id)
    return found
