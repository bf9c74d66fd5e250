"""``/api/v1/events``: what homes said of the alarms that a caller may know of; that it was received.

The live stream of what is told is ``live``.
"""

from http import HTTPStatus
from typing import Annotated, Final

from fastapi import APIRouter, Depends, Path, Query, Response
from pydantic import BaseModel, Field

from gateway.api.alarm_answers import EventItem, EventPage, event_item
from gateway.api.callers import Caller, Needs
from gateway.api.once import OnceHere
from gateway.api.openapi import problems
from gateway.api.parts import Here
from gateway.api.problems import NotHereError
from gateway.api.queries import PageQuery, Text, each_once
from gateway.api.seen import seen
from services.alarms import answering
from services.domain.actors import Permission
from services.domain.errors import NotGrantedError
from services.store import alarm_lists, registry
from services.store.connection import Connection
from services.store.scoping import BEHIND_ALL
from services.store.sqlite import SqliteConnection

LISTING: Final = "events"

router = APIRouter(prefix="/events", tags=["events"], dependencies=[Depends(each_once)])

Reading = Annotated[Caller, Depends(Needs(Permission.ALARMS_READ))]
EventId = Annotated[str, Path(max_length=64)]


class EventQuery(PageQuery):
    """Which events."""

    home: Text | None = Field(default=None, description="Only of this home.")
    device: Text | None = Field(default=None, description="Only of this device.")
    alarm: Text | None = Field(default=None, description="Only of this alarm.")


class Received(BaseModel):
    """That an event is not sent again."""

    event: str = Field(description="The CloudEvents `id`.")
    received: bool = True


@router.get("", summary="What homes said of the alarms that you may know of")
async def list_events(parts: Here, caller: Reading, query: Annotated[EventQuery, Query()]) -> EventPage:
    """Events, the newest first. A page may be short although there is more: `next` says so."""
    (before,) = parts.cursors.after(LISTING, query.cursor, (BEHIND_ALL,))

    def look(connection: SqliteConnection) -> EventPage:
        found = alarm_lists.events(
            connection,
            caller.scope(parts.clock.now()),
            home_id=query.home,
            device_id=query.device,
            alarm_id=query.alarm,
            before=before,
            limit=query.limit,
        )
        following = None if found.following is None else parts.cursors.of(LISTING, (found.following,))
        return EventPage(items=[event_item(event) for event in found.rows], next=following)

    page = await parts.read(look)
    await seen(parts, caller, (item.home for item in page.items), "api events list")
    return page


@router.get("/{event_id}", summary="One event", responses=problems(404))
async def get_event(parts: Here, caller: Reading, event_id: EventId) -> EventItem:
    """What a home said, by our `id` of it."""

    def look(connection: SqliteConnection) -> EventItem:
        event = alarm_lists.event(connection, caller.scope(parts.clock.now()), event_id)
        if event is None:
            raise NotHereError("event", event_id)
        return event_item(event)

    found = await parts.read(look)
    await seen(parts, caller, [found.home], f"api events {event_id}")
    return found


@router.post(
    "/{event_id}/received",
    summary="Say that you have an event",
    response_model=Received,
    responses=problems(404),
)
async def confirm_event(
    parts: Here,
    caller: Annotated[Caller, Depends(Needs(Permission.ALARMS_READ))],
    once: OnceHere,
    event_id: EventId,
) -> Response:
    """By its CloudEvents `id`: it is not sent to your organisation again, over no channel. Twice is once."""

    def work(connection: Connection) -> Received:
        organisation = registry.organisation(connection, caller.organisation_id)
        assert organisation is not None  # noqa: S101 - callers are of organisations that are there
        try:
            answering.confirm(
                connection, event_id, organisation=organisation, channel=None, now=parts.clock.now()
            )
        except NotGrantedError:
            raise NotHereError("event", event_id) from None
        return Received(event=event_id)

    return await parts.desk.carry_out_once(once, work, status=HTTPStatus.OK)
