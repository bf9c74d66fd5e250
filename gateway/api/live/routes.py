"""``GET /api/v1/events/stream``: who may open one, from where, and what of it is logged.

opened               logged, with who it is; what was heard before is confirmed
what is told live    was logged when it was released
what came before     a look for each home and right, logged before it leaves
"""

from contextlib import AsyncExitStack
from datetime import datetime
from functools import partial
from typing import Annotated, Final

from fastapi import APIRouter, Depends, Header, Query
from pydantic import Field

from gateway.api.callers import Caller, Needs
from gateway.api.live.beginning import Beginning
from gateway.api.live.hub import Hub, hub_of
from gateway.api.live.response import MEDIA_TYPE, EventStream
from gateway.api.live.stream import Batch
from gateway.api.openapi import Responses
from gateway.api.parts import Here, Parts
from gateway.api.problems import Problem
from gateway.api.queries import StrictQuery, each_once
from services import audit, subscriptions
from services.delivery.release import CITY_PURPOSE
from services.delivery.retelling import Audience
from services.domain.actors import Permission
from services.store import told
from services.store.connection import Connection

router = APIRouter(tags=["events"], dependencies=[Depends(each_once)])

_EVENTS: Final[Responses] = {
    200: {
        "description": "Server-Sent Events, without an end. `id` is the sequence, `event` the CloudEvents "
        "type and `data` the document as on `care/{org}/event`. Three more: `start` (nothing was to "
        "be resumed; its `id` is the sequence by now), `withheld` (the number stands for what you may not "
        "know any more) and `reset` (it cannot resume; `reason`, `oldest`, `newest`; it goes on behind "
        "`newest`).",
        "content": {MEDIA_TYPE: {"schema": {"type": "string"}}},
    },
    429: {"model": Problem, "description": "`too_many_streams`: close one first."},
}


class StreamQuery(StrictQuery):
    """Where to go on."""

    last_event_id: Annotated[str, Field(max_length=200)] | None = Field(
        default=None, description="As the header `Last-Event-ID`, which goes before it."
    )


@router.get("/stream", summary="What your organisation is told, as it happens", responses=_EVENTS)
async def stream_events(
    parts: Here,
    hub: Annotated[Hub, Depends(hub_of)],
    caller: Annotated[Caller, Depends(Needs(Permission.ALARMS_READ))],
    query: Annotated[StreamQuery, Query()],
    last_event_id: Annotated[
        str | None, Header(description="The `id` that was seen last: all behind it follows, without a gap.")
    ] = None,
) -> EventStream:
    """Server-Sent Events of everything that your organisation is told, from now or behind `Last-Event-ID`.

    The right to each event is judged right before it leaves. Whoever reads too slowly is cut off, and
    resumes. Coming back with `Last-Event-ID` confirms everything up to it.
    """
    begun = await hub.begin(caller.organisation_id, last_event_id or query.last_event_id)
    audience = Audience(
        organisation_id=caller.organisation_id, classes=caller.scope(parts.clock.now()).classes
    )
    async with AsyncExitStack() as held:
        stream = held.enter_context(hub.stream(audience, begun))
        await parts.desk.carry_out(partial(_open, caller=caller, begun=begun, now=parts.clock.now()))
        return EventStream(
            stream,
            begun,
            held=held.pop_all(),
            looked=partial(_look, parts, caller),
            may_listen=partial(hub.rights.still_stand, caller),
        )


def _open(connection: Connection, *, caller: Caller, begun: Beginning, now: datetime) -> None:
    """From now on events are released to the organisation's stream too, whatever becomes of the broker."""
    subscriptions.listen(connection, caller.organisation_id, actor=caller.who, now=now)
    if begun.resumes:
        told.confirm_heard(connection, caller.organisation_id, begun.position, at=now)
    how = f"reset {begun.reset}" if begun.reset else "resumed" if begun.resumes else "started"
    entry = audit.Entry(
        actor=caller.actor,
        action="stream_opened",
        organisation_id=caller.organisation_id,
        details=f"api events stream {how} behind {begun.position}",
    )
    audit.note(connection, entry, at=now)


async def _look(parts: Parts, caller: Caller, batch: Batch) -> None:
    """Log what is told again."""
    asked = f"api events stream {batch.after + 1} to {batch.last}"
    looks = []
    for home_id, grant in batch.rights:
        if grant is not None:
            looks.append(caller.look(grant, asked))
            continue
        looks.append(
            audit.Entry(
                actor=caller.actor,
                action="looked",
                organisation_id=caller.organisation_id,
                home_id=home_id,
                purpose=CITY_PURPOSE,
                details=asked,
            )
        )
    await parts.ledger.looked(looks, at=parts.clock.now())
