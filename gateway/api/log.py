"""``/api/v1/audit``: the log, for auditors and nobody else; each look at it is in it.

(itself)        entries, the newest first         verification   whether it is as it was written
export          streamed, the oldest first        extract        in plain words, for who lives in a home
samples         drawn and reviewed, as the law asks for
"""

from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import Annotated, Final

from fastapi import APIRouter, Depends, Query
from fastapi.responses import Response

from gateway import log_key
from gateway.api import log_answers as answers
from gateway.api.callers import Caller, Needs, NobodyError
from gateway.api.log_answers import (
    EntriesPageQuery,
    EntriesQuery,
    EntryPage,
    ExportQuery,
    Extract,
    ExtractQuery,
    ReviewBody,
    ReviewItem,
    SampleBody,
    SampleItem,
    SamplePage,
    Verification,
    WholeSample,
)
from gateway.api.once import OnceHere
from gateway.api.openapi import Responses, problems
from gateway.api.pages import cut
from gateway.api.parts import Here, Parts
from gateway.api.problems import NotHereError
from gateway.api.queries import PageQuery, each_once
from gateway.api.streaming import GuardedResponse, guarded
from gateway.times import moment_or_ago
from services import audit
from services.domain.actors import Permission
from services.inspection import export, extract, samples
from services.inspection import verification as verifying
from services.inspection.extract import About
from services.inspection.samples import Criteria
from services.store import audit as rows
from services.store import audit_heads
from services.store.audit import Wanted
from services.store.connection import Connection, optional_micros, to_micros
from services.store.sqlite import SqliteConnection

router = APIRouter(prefix="/audit", tags=["audit"], dependencies=[Depends(each_once)])

Auditor = Annotated[Caller, Depends(Needs(Permission.AUDIT_READ))]


_LISTING: Final = "audit"
_BEFORE_ALL: Final = (2**62, 2**62)
_SAMPLES: Final = "audit-samples"

_EXPORTED: Final[Responses] = {
    200: {
        "description": "A line for each entry, the oldest first. An answer that breaks off is incomplete.",
        "content": {media: {"schema": {"type": "string"}} for media in export.MEDIA_TYPES.values()},
    }
}


@router.get("", summary="Entries of the log, the newest first")
async def list_audit_entries(
    parts: Here, caller: Auditor, query: Annotated[EntriesPageQuery, Query()]
) -> EntryPage:
    """Who saw or changed what about whom, when, for which purpose."""
    now = parts.clock.now()
    wanted = _wanted(query, now)
    time, number = parts.cursors.after(_LISTING, query.cursor, _BEFORE_ALL)
    found = await parts.read(
        partial(rows.newest, wanted=wanted, before=(time, number), limit=query.limit + 1)
    )
    page, is_more = cut(found, query.limit)
    await _note(parts, caller, "log_read", wanted, now)
    following = parts.cursors.of(_LISTING, (page[-1].at, page[-1].number)) if is_more else None
    return EntryPage(items=[answers.entry_item(row) for row in page], next=following)


@router.get("/verification", summary="Whether the log is as it was written", responses=problems(429))
async def verify_audit(parts: Here, caller: Auditor) -> Verification:
    """Goes along the whole chain, and looks at signed heads, samples and their reviews.

    What nobody can see from here is whether the log and its key were written anew together: keep heads and
    public key elsewhere, and check a copy against them with `stadsnav audit verify`.
    """
    with parts.turns.turn(caller.organisation_id):
        return answers.verification(await parts.threads.run(partial(_verify, parts)))


@router.get("/export", summary="Entries for other programs", responses=_EXPORTED | problems(429))
async def export_audit(
    parts: Here, caller: Auditor, query: Annotated[ExportQuery, Query()]
) -> GuardedResponse:
    """Every entry that is asked for, as JSON lines or CSV, as it is read."""
    now = parts.clock.now()
    wanted = _wanted(query, now)
    if wanted.until is None:  # else it would never end while others write
        wanted = replace(wanted, until=to_micros(now))
    async with AsyncExitStack() as held:
        held.enter_context(parts.turns.turn(caller.organisation_id))
        store = await parts.threads.run(partial(held.enter_context, parts.registry()))
        await _note(parts, caller, "log_exported", wanted, now)
        return GuardedResponse(
            guarded(export.pieces(store, wanted, query.format), _may_leave(parts, caller, store)),
            threads=parts.threads,
            held=held.pop_all(),
            media_type=export.MEDIA_TYPES[query.format],
            headers={"Content-Disposition": f'attachment; filename="audit.{query.format}"'},
            refusal=NobodyError(),
        )


@router.get("/extract", summary="Who saw what about a home, in plain words", responses=problems(404))
async def extract_audit(parts: Here, caller: Auditor, query: Annotated[ExtractQuery, Query()]) -> Extract:
    """Sentences by day, in Swedish or English, for the people who live there."""
    now = parts.clock.now()
    asked = About(
        home_id=query.home,
        resident_id=query.resident,
        since=_moment("since", query.since, now),
        until=_moment("until", query.until, now) or now,
    )

    def days(connection: Connection) -> list[extract.Day]:
        return list(extract.days(connection, extract.checked(connection, asked), query.language))

    found = await parts.read(days)
    note = partial(
        extract.note, about=asked, actor=caller.actor, organisation_id=caller.organisation_id, now=now
    )
    await parts.desk.carry_out(note)
    return Extract(home=query.home, language=query.language, days=[answers.extract_day(day) for day in found])


@router.get("/samples", summary="Samples that were drawn, the newest first")
async def list_audit_samples(
    parts: Here, caller: Auditor, query: Annotated[PageQuery, Query()]
) -> SamplePage:
    """What was drawn, by whom, from how much."""
    (before,) = parts.cursors.after(_SAMPLES, query.cursor, (2**62,))
    found = await parts.read(partial(audit_heads.samples, before=before, limit=query.limit + 1))
    page, is_more = cut(found, query.limit)
    await _note(parts, caller, "log_read", Wanted(), parts.clock.now())
    return SamplePage(
        items=[answers.sample_item(row) for row in page],
        next=parts.cursors.of(_SAMPLES, (page[-1].entry,)) if is_more else None,
    )


@router.post(
    "/samples",
    summary="Draw a sample",
    status_code=201,
    response_model=SampleItem,
    responses=problems(409, 429),
)
async def draw_audit_sample(parts: Here, caller: Auditor, once: OnceHere, body: SampleBody) -> Response:
    """Draws entries at random, or where a look is worth a question; the draw is kept in the log."""
    now = parts.clock.now()
    criteria = Criteria(
        kind=body.kind,
        since=body.since,
        until=body.until or now,
        size=body.size,
        home_id=body.home,
        actor=body.actor,
    )
    with parts.turns.turn(caller.organisation_id):
        picked = await parts.threads.run(partial(_pick, parts, criteria, body.seed))

    def work(connection: Connection) -> SampleItem:
        return answers.sample_item(samples.record(connection, picked, actor=caller.actor, now=now))

    return await parts.desk.carry_out_once(once, work, status=201)


@router.get("/samples/{number}", summary="A sample with its entries", responses=problems(404))
async def get_audit_sample(parts: Here, caller: Auditor, number: int) -> WholeSample:
    """What was drawn, and what its reviews came to."""

    def whole(connection: Connection) -> WholeSample:
        row = audit_heads.sample(connection, _number(number))
        if row is None:
            raise NotHereError("sample", str(number))
        return answers.whole_sample(
            row, samples.entries_of(connection, row), audit_heads.reviews(connection, row.entry)
        )

    found = await parts.read(whole)
    await _note(parts, caller, "log_read", Wanted(), parts.clock.now(), subject=str(number))
    return found


@router.post(
    "/samples/{number}/reviews",
    summary="Keep what came of looking at a sample",
    status_code=201,
    response_model=ReviewItem,
    responses=problems(404, 409),
)
async def review_audit_sample(
    parts: Here, caller: Auditor, once: OnceHere, number: int, body: ReviewBody
) -> Response:
    """By whom, and what it came to; a sample may be reviewed again."""
    now = parts.clock.now()

    def work(connection: Connection) -> ReviewItem:
        if audit_heads.sample(connection, _number(number)) is None:
            raise NotHereError("sample", str(number))
        return answers.review_item(
            samples.review(connection, number, body.outcome, note=body.note, reviewer=caller.actor, now=now)
        )

    return await parts.desk.carry_out_once(once, work, status=201)


async def _note(
    parts: Parts, caller: Caller, action: str, wanted: Wanted, now: datetime, *, subject: str = ""
) -> None:
    """Log that the log was read; on disk before anything of it leaves."""
    asked = {
        "organisation": wanted.organisation_id,
        "actor": wanted.actor,
        "since": wanted.since,
        "until": wanted.until,
    }
    words = [f"{name}={value}" for name, value in asked.items() if value is not None]
    entry = audit.Entry(
        actor=caller.actor,
        action=action,
        organisation_id=caller.organisation_id,
        home_id=wanted.home_id,
        resident_id=wanted.resident_id,
        subject=subject,
        details=" ".join(["api audit", *words]),
    )
    await parts.ledger.looked([entry], at=now)


def _wanted(query: EntriesQuery, now: datetime) -> Wanted:
    return Wanted(
        home_id=query.home,
        organisation_id=query.organisation,
        resident_id=query.resident,
        actor=query.actor,
        since=optional_micros(_moment("since", query.since, now)),
        until=optional_micros(_moment("until", query.until, now)),
    )


def _moment(what: str, text: str | None, now: datetime) -> datetime | None:
    return None if text is None else moment_or_ago(what, text, now=now)


def _number(number: int) -> int:
    """A number as the store takes it; one that no store has becomes one that this one has not."""
    return number if abs(number) < 2**62 else 0


def _verify(parts: Parts) -> verifying.Verdict:
    keys, kept = log_key.known_keys(parts.folder), log_key.known_heads(parts.folder)
    with parts.registry() as store:  # no snapshot: it takes long, and the log is only added to
        return verifying.verify(store, keys=keys, kept=kept)


def _pick(parts: Parts, criteria: Criteria, seed: str | None) -> samples.Picked:
    with parts.registry() as store:
        return samples.pick(store, criteria, seed=seed)


def _may_leave(parts: Parts, caller: Caller, store: SqliteConnection) -> Callable[[], bool]:
    return lambda: caller.still_stands(store, at=parts.clock.now())
