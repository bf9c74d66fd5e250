"""``/api/v1/readings``: the history that an organisation may see, by the grants that hold now.

    series     which series there are         last    the newest reading of each
    (itself)   one series: every reading or buckets; CSV, JSON or Parquet, streamed

What is answered is logged first, a look for each home and grant.
"""

from collections.abc import Iterable
from contextlib import AsyncExitStack
from functools import partial
from typing import Annotated, Final

from fastapi import APIRouter, Depends, Header, Query

from gateway.api import answers
from gateway.api.answers import BucketRow, LastPage, ReadingRow, SeriesPage
from gateway.api.callers import Caller, Needs
from gateway.api.history import UnknownSeriesError, excerpt, pieces, still_allowed
from gateway.api.negotiation import MEDIA_TYPES, chosen_format
from gateway.api.openapi import Responses
from gateway.api.parts import Here, Parts
from gateway.api.problems import Problem
from gateway.api.queries import LastQuery, ReadingsQuery, SeriesQuery, each_once
from gateway.api.streaming import GuardedResponse, guarded
from services import audit
from services.domain.actors import Permission
from services.readings.formats import Format
from services.readings.granted import Asked, History, Known, Page

router = APIRouter(prefix="/readings", tags=["readings"], dependencies=[Depends(each_once)])

Reader = Annotated[Caller, Depends(Needs(Permission.READINGS_READ))]

_SERIES: Final = "series"
_ROWS: Final[Responses] = {
    200: {
        "description": "Rows in the chosen format, the oldest first. An answer that breaks off (the "
        "connection ends before the last chunk) is incomplete: the grant ended meanwhile, or it was read too "
        "slowly.",
        "model": list[ReadingRow] | list[BucketRow],
        "content": {
            MEDIA_TYPES[Format.CSV]: {"schema": {"type": "string"}},
            MEDIA_TYPES[Format.PARQUET]: {"schema": {"type": "string", "format": "binary"}},
        },
        "headers": {
            "Content-Disposition": {
                "description": "`attachment` with a file name.",
                "schema": {"type": "string"},
            }
        },
    },
    404: {"model": Problem, "description": "`unknown`: no such series, or it is not granted now."},
    406: {"model": Problem, "description": "`not_acceptable`: nothing is written in that format."},
    422: {"model": Problem, "description": "`invalid`, `span_too_long`: the query cannot be right."},
    429: {"model": Problem, "description": "`too_many_at_once`: an answer of yours must end first."},
}


@router.get("/series", summary="Which series there are")
async def list_series(parts: Here, caller: Reader, query: Annotated[SeriesQuery, Query()]) -> SeriesPage:
    """Series that the organisation may know now, by home, position and name.

    A series in which nothing was said since the grant began is not among them.
    """
    page = await _page(parts, caller, query, "series")
    return answers.series_page(page, following=_following(parts, page))


@router.get("/last", summary="The newest reading of each series of a home")
async def list_last(parts: Here, caller: Reader, query: Annotated[LastQuery, Query()]) -> LastPage:
    """The newest reading of each series of a home that the organisation may know now.

    A home that is not there and a home that is not granted are the same: an empty page.
    """
    page = await _page(parts, caller, query, "last")
    return answers.last_page(page, following=_following(parts, page))


@router.get("", summary="One series over a stretch of time", responses=_ROWS)
async def get_readings(
    parts: Here,
    caller: Reader,
    query: Annotated[ReadingsQuery, Query()],
    accept: Annotated[str | None, Header(include_in_schema=False)] = None,
) -> GuardedResponse:
    """Every reading, or with `points` a row for each span of time that has any.

    Only readings since the grant in force began are there, by the device's clock and by ours. The grant
    is looked at again before each part leaves; once it has ended, the answer breaks off.
    """
    form = chosen_format(query.format, accept)
    async with AsyncExitStack() as held:
        held.enter_context(parts.turns.turn(caller.organisation_id))
        stores = await parts.threads.run(partial(held.enter_context, parts.stores()))
        now = parts.clock.now()
        history = History(stores.registry, stores.readings, organisation_id=caller.organisation_id, now=now)
        asked = await parts.threads.run(partial(excerpt, query, form, history, now=now))
        await parts.ledger.looked([caller.look(asked.known.grant, asked.words)], at=now)
        return GuardedResponse(
            guarded(pieces(asked, stores), still_allowed(asked, caller, stores, parts.clock)),
            threads=parts.threads,
            held=held.pop_all(),
            media_type=MEDIA_TYPES[form],
            headers={
                "Content-Disposition": f'attachment; filename="{asked.file_name}"',
                "Vary": "Accept",
            },
            refusal=UnknownSeriesError(query.series),
        )


async def _page(parts: Parts, caller: Caller, query: SeriesQuery, what: str) -> Page:
    """A page, once it is logged that it is looked at."""
    asked = Asked(
        home_id=query.home,
        position=query.position,
        name=query.name,
        after=parts.cursors.after(_SERIES, query.cursor, ("", "", "")),
    )
    page = await parts.threads.run(partial(_found, parts, caller, asked, query.limit))
    await parts.ledger.looked(_looks(caller, page.known, f"api readings {what}"), at=parts.clock.now())
    return page


def _following(parts: Parts, page: Page) -> str | None:
    return None if page.following is None else parts.cursors.of(_SERIES, page.following)


def _found(parts: Parts, caller: Caller, asked: Asked, limit: int) -> Page:
    with parts.stores() as stores:
        history = History(
            stores.registry,
            stores.readings,
            organisation_id=caller.organisation_id,
            now=parts.clock.now(),
        )
        return history.page(asked, limit=limit)


def _looks(caller: Caller, known: Iterable[Known], asked: str) -> list[audit.Entry]:
    grants = {one.grant.id: one.grant for one in known}
    return [caller.look(grant, asked) for grant in grants.values()]
