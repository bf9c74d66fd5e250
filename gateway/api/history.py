"""One series over a stretch of time: what was asked, whether it may be seen, and its pieces.

query ─> asked (known by a grant, from when until when) ─> blocks ─> pieces in the chosen format
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import Final

from gateway.api.callers import Caller
from gateway.api.parts import Stores
from gateway.api.problems import ApiRefusedError
from gateway.api.queries import ReadingsQuery
from gateway.times import moment_or_ago
from services.domain.clock import Clock
from services.domain.errors import InvalidError
from services.domain.readings import CLOCK_TOLERANCE
from services.readings import granted
from services.readings.formats import (
    BUCKET,
    READING,
    WRITERS,
    Block,
    Format,
    Label,
    bucket_block,
    reading_blocks,
)
from services.readings.granted import History, Known
from services.readings.history import downsample
from services.store.connection import from_micros, to_micros

LONGEST_RAW: Final = timedelta(days=31, hours=1)
"""A month, also the one with an hour more."""
LONGEST_IN_BUCKETS: Final = timedelta(days=3_660)
BLOCK_ROWS: Final = 1_000
"""Rows that are written at once: some 100 kB of text."""


class UnknownSeriesError(ApiRefusedError):
    """There is no such series for this organisation: foreign, empty since its grant, or not there at all."""

    code = "unknown"
    status = HTTPStatus.NOT_FOUND
    mend = "see /api/v1/readings/series"

    def __init__(self, series_id: int) -> None:
        self.series_id = series_id
        super().__init__(f"There is no series {series_id} that you may know now")


class SpanTooLongError(ApiRefusedError):
    """More time than one answer may cover."""

    code = "span_too_long"

    def __init__(self, span: timedelta, *, longest: timedelta, points: int | None) -> None:
        self.span = span
        self.longest = longest
        what = "every reading" if points is None else "buckets"
        super().__init__(
            f"From since to until are {span / timedelta(days=1):.1f} days; one answer with {what} covers at "
            f"most {longest.days}"
        )
        self.mend = f"ask for {longest.days} days at a time" + (
            ", or for buckets with `points`" if points is None else ""
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Excerpt:
    """A stretch of a series, as it was asked for and may be seen."""

    known: Known
    since_us: int
    until_us: int
    points: int | None
    """In at most so many buckets; None: every reading."""
    form: Format

    @property
    def words(self) -> str:
        """What was asked for, for the log."""
        series = self.known.series
        return (
            f"api readings series={series.id} position={self.known.position} name={series.name} "
            f"since={self.since_us and from_micros(self.since_us).isoformat()} "
            f"until={from_micros(self.until_us).isoformat()} points={self.points} format={self.form}"
        )

    @property
    def file_name(self) -> str:
        """What a browser would call it; of ids and names that are plain ASCII."""
        series = self.known.series
        return f"{series.home_id}-{series.name}-{from_micros(self.since_us):%Y%m%dT%H%M%SZ}.{self.form}"


def excerpt(query: ReadingsQuery, form: Format, history: History, *, now: datetime) -> Excerpt:
    """What a query asks for.

    Raises:
        InvalidError: The times cannot be right.
        UnknownSeriesError: There is nothing that the organisation may see.
        SpanTooLongError: It is too much at once.
    """
    since = _moment("since", query.since, now=now)
    until = None if query.until is None else _moment("until", query.until, now=now)
    known = history.find(query.series)
    if known is None:
        raise UnknownSeriesError(query.series)
    until = until or _until_now(known, now=now)
    if until <= since:
        raise InvalidError("until", query.until or "now", expected=f"a time after {query.since}")
    longest = LONGEST_RAW if query.points is None else LONGEST_IN_BUCKETS
    if until - since > longest:
        raise SpanTooLongError(until - since, longest=longest, points=query.points)
    return Excerpt(
        known=known, since_us=to_micros(since), until_us=to_micros(until), points=query.points, form=form
    )


def pieces(asked: Excerpt, stores: Stores) -> Iterator[bytes]:
    """An excerpt in its format. Nothing is read before the first piece is asked for."""
    label = Label(
        home=asked.known.series.home_id,
        position=asked.known.position,
        name=asked.known.series.name,
        unit=asked.known.series.unit,
    )
    blocks = _readings(asked, label, stores) if asked.points is None else _buckets(asked, label, stores)
    return WRITERS[asked.form](READING if asked.points is None else BUCKET, _small(blocks))


def still_allowed(asked: Excerpt, caller: Caller, stores: Stores, clock: Clock) -> Callable[[], bool]:
    """Asks whether an excerpt may be seen yet: the grant and what the caller has shown hold."""

    def is_allowed() -> bool:
        now = clock.now()
        return granted.still_holds(stores.registry, asked.known.grant, at=now) and caller.still_stands(
            stores.registry, at=now
        )

    return is_allowed


def _readings(asked: Excerpt, label: Label, stores: Stores) -> Iterator[Block]:
    chunks = granted.readings(stores.readings, asked.known, since_us=asked.since_us, until_us=asked.until_us)
    yield from reading_blocks(label, chunks)


def _buckets(asked: Excerpt, label: Label, stores: Stores) -> Iterator[Block]:
    span = {"since_us": asked.since_us, "until_us": asked.until_us}
    chunks = granted.snapshot(stores.readings, asked.known, **span)
    yield bucket_block(label, downsample(chunks, **span, buckets=asked.points or 1))


def _small(blocks: Iterable[Block]) -> Iterator[Block]:
    """The same rows in blocks of at most ``BLOCK_ROWS``."""
    for block in blocks:
        for start in range(0, len(block.columns[0]), BLOCK_ROWS):
            rows = slice(start, start + BLOCK_ROWS)
            yield Block(label=block.label, columns=tuple(column[rows] for column in block.columns))


def _until_now(known: Known, *, now: datetime) -> datetime:
    """Now, or right behind the newest reading of a clock that is a little ahead."""
    newest = known.last.at + timedelta(microseconds=1)
    return max(now, newest) if known.last.at <= now + CLOCK_TOLERANCE else now


def _moment(what: str, text: str, *, now: datetime) -> datetime:
    try:
        return moment_or_ago(what, text, now=now)
    except InvalidError as error:
        if " " in text:  # what a "+" becomes on its way
            raise InvalidError(what, text, expected=f"{error.expected}; write + as %2B in a URL") from error
        raise
