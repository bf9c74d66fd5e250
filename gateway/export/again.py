"""Sends a stretch of the history to a target once more: what it lost, missed, or has not had yet.

    journal, what is in no segment ──┐
    segments, a few pages at a time ─┴──> measured or received in that time ──> lines ──> target

Only short looks at the file, so that no write-ahead log grows behind a slow target. A segment that is merged
meanwhile is seen again as a part of another: a reading may be sent twice, never left out.
"""

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from gateway.export.lines import Lines
from gateway.export.sending import send
from gateway.export.target import Target, TargetUnavailableError
from gateway.export.waits import wait_after
from services.domain.errors import RefusedError
from services.store import events
from services.store.readings import journal, segments
from services.store.readings.columns import Columns, Mask, Times, joined
from services.store.readings.segments import Segment
from services.store.sqlite import SqliteConnection

PAGES_AT_ONCE: Final = 64
ROWS_AT_ONCE: Final = 100
TRIES: Final = 6


class GaveUpError(RefusedError):
    """A target was away for too long."""

    def __init__(self, reason: str, sent: int) -> None:
        super().__init__(
            f"Gave up after {TRIES} tries and {sent:,} readings: {reason.partition(';')[0]}; "
            "run it again when the target is back: what it has already stays as it is"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """From one time up to, not including, another; microseconds since 1970."""

    since_us: int
    until_us: int

    def of(self, columns: Columns) -> Columns:
        """The readings that were measured or received in it."""
        return columns.where(self._holds(columns.at) | self._holds(columns.received_at))

    def touches(self, segment: Segment) -> bool:
        """Whether a segment can hold any."""
        return (segment.first_at < self.until_us and segment.last_at >= self.since_us) or (
            segment.first_received_at < self.until_us and segment.last_received_at >= self.since_us
        )

    def _holds(self, times: Times) -> Mask:
        return (times >= self.since_us) & (times < self.until_us)


async def send_again(
    target: Target,
    parts: Iterator[Columns],
    lines: Lines,
    *,
    at_once: int,
    on_progress: Callable[[int], None] = lambda _count: None,
) -> tuple[int, int]:
    """Send parts of the history; returns how many points were taken and how many set aside.

    Raises:
        GaveUpError: The target was away for longer than a minute or so.
        TargetRefusesError: It takes nothing.
    """
    sent = set_aside = 0
    for part in parts:
        ready = lines.of(part)
        refused = await _send_patiently(target, ready, at_once=at_once, sent=sent)
        sent, set_aside = sent + len(ready) - refused, set_aside + refused
        on_progress(sent)
    return sent, set_aside


def history(readings: SqliteConnection, span: Span) -> Iterator[Columns]:
    """Everything that was measured or received in a span, in parts and in no order."""
    yield from _unflushed(readings, span)
    done: set[int] = set()
    while new := [one for one in segments.ready(readings) if one.id not in done and span.touches(one)]:
        yield from _of_segment(readings, new[0], span)
        done.add(new[0].id)


def _unflushed(readings: SqliteConnection, span: Span) -> Iterator[Columns]:
    after, newest = events.counter(readings, journal.FLUSHED_TO), journal.newest(readings)
    while rows := journal.rows(readings, after=after, up_to=newest, limit=ROWS_AT_ONCE):
        after = rows[-1][0]
        yield span.of(joined(columns for _, columns in rows))


def _of_segment(readings: SqliteConnection, segment: Segment, span: Span) -> Iterator[Columns]:
    """What a segment holds; when it is merged meanwhile the rest is found in the one that took it in."""
    last_id = 0
    while True:
        with readings.snapshot():
            if segment.id not in {one.id for one in segments.ready(readings)}:
                return
            rest = [page for page in segments.pages(readings, segment.id) if page.id > last_id]
            pages = sorted(rest, key=lambda page: page.id)[:PAGES_AT_ONCE]
            found = joined(segments.read(readings, page) for page in pages)
        if not pages:
            return
        last_id = pages[-1].id  # an erasure may take pages away meanwhile; the others keep their ids
        yield span.of(found)


async def _send_patiently(target: Target, lines: list[str], *, at_once: int, sent: int) -> int:
    for failures in range(1, TRIES):
        try:
            return await send(target, lines, at_once=at_once)
        except TargetUnavailableError as error:
            await asyncio.sleep(wait_after(failures, chance=0.0, asked=error.asked).total_seconds())
    try:
        return await send(target, lines, at_once=at_once)
    except TargetUnavailableError as error:
        raise GaveUpError(str(error), sent) from error
