"""What is answered of the log, and what may be asked of it; see ``docs/log.md``."""

from datetime import UTC, date, datetime
from typing import Any

from pydantic import BaseModel, Field

from gateway.api.bodies import Choice, Moment, StrictBody
from gateway.api.pages import PageOf
from gateway.api.queries import Moment as MomentText
from gateway.api.queries import PageQuery, StrictQuery, Text
from services.inspection import samples
from services.inspection.export import Form
from services.inspection.extract import Day
from services.inspection.samples import Kind, Outcome
from services.inspection.sentences import Language
from services.inspection.verification import Verdict
from services.store.audit import AuditRow
from services.store.audit_heads import ReviewRow, SampleRow
from services.store.connection import from_micros

_SINCE = Field(
    default=None,
    description="From when: RFC 3339, a date in Sweden, or how long ago as `24h`, `7d`; all when not given.",
)
_UNTIL = Field(default=None, description="Up to when, not included, in the same forms; now when not given.")


class EntriesQuery(StrictQuery):
    """Which entries."""

    home: Text | None = Field(default=None, description="Only about this home.")
    organisation: Text | None = Field(default=None, description="Only of or for this organisation.")
    resident: Text | None = Field(default=None, description="Only about this resident alone.")
    actor: Text | None = Field(default=None, description="Only by this one, as `actor` of an entry.")
    since: MomentText | None = _SINCE
    until: MomentText | None = _UNTIL


class EntriesPageQuery(EntriesQuery, PageQuery):
    """Which page of which entries."""


class ExportQuery(EntriesQuery):
    """Which entries, in which form."""

    format: Form = Field(default=Form.JSONL, description="`jsonl` or `csv`.")


class ExtractQuery(StrictQuery):
    """Of whom an extract is, and in which language."""

    home: Text = Field(description="The home.")
    resident: Text | None = Field(
        default=None, description="One who lives or lived there: without what concerns others alone."
    )
    language: Language = Field(default=Language.SV, description="`sv` or `en`.")
    since: MomentText | None = _SINCE
    until: MomentText | None = _UNTIL


class EntryItem(BaseModel):
    """One thing that was seen or done."""

    number: int
    at: datetime
    actor: str = Field(
        description="Who: `account:…`, `token:…`, `client:…`, `certificate:…`, `cli:…`, `hub`."
    )
    action: str
    organisation: str | None = Field(description="Of whoever did it, or whom it was told.")
    home: str | None
    resident: str | None = Field(description="The one resident whom it concerns; null: the whole home.")
    subject: str = Field(description="The id of the alarm, delivery, grant or device that it is about.")
    purpose: str
    details: str
    hash: str


class EntryPage(PageOf[EntryItem]):
    """Entries, the newest first."""


class ProblemItem(BaseModel):
    """One thing that is not as it was written."""

    table: str
    row: int = Field(description="Its number; 0: the table as such.")
    problem: str


class Verification(BaseModel):
    """Whether the log is as it was written."""

    ok: bool
    entries: int = Field(description="How many were looked at.")
    first_bad: int | None = Field(description="The first entry that does not fit or is missing.")
    since: datetime | None = Field(description="The time of the first entry.")
    until: datetime | None = Field(description="The time of the last entry that fits.")
    heads: int
    signed_to: int = Field(description="The last entry that a good signature covers.")
    problems: list[ProblemItem]


class ExtractLine(BaseModel):
    """One sentence."""

    number: int = Field(description="Of the entry.")
    at: datetime
    sentence: str
    organisation: str | None
    purpose: str
    action: str


class ExtractDay(BaseModel):
    """What was seen and done on a day in Sweden."""

    day: date
    lines: list[ExtractLine]


class Extract(BaseModel):
    """Who saw what about a home, when and why."""

    home: str
    language: Language
    days: list[ExtractDay]


class SampleBody(StrictBody):
    """What to draw."""

    kind: Choice[Kind] = Kind.RANDOM
    size: int = Field(default=50, ge=1, le=samples.MOST)
    since: Moment
    until: Moment | None = Field(default=None, description="Now when not given.")
    home: Text | None = Field(default=None, description="With kind `home`.")
    actor: Text | None = Field(default=None, description="With kind `person`.")
    seed: Text | None = Field(default=None, description="To draw the same again; a new one when not given.")


class ReviewBody(StrictBody):
    """What came of looking at a sample."""

    outcome: Choice[Outcome]
    note: str = Field(default="", max_length=samples.TEXT_MAX)


class ReviewItem(BaseModel):
    """What somebody found who looked at a sample."""

    number: int
    sample: int
    at: datetime
    by: str
    outcome: Outcome
    note: str


class SampleItem(BaseModel):
    """What was drawn."""

    number: int
    at: datetime
    actor: str
    kind: Kind
    criteria: dict[str, Any]
    seed: str
    size: int
    population: int = Field(description="How many entries it was drawn from.")
    picked: list[int] = Field(description="The numbers of the entries.")


class SamplePage(PageOf[SampleItem]):
    """Samples, the newest first."""


class WholeSample(SampleItem):
    """A sample with its entries and what their reviews came to."""

    entries: list[EntryItem]
    reviews: list[ReviewItem]


def entry_item(row: AuditRow) -> EntryItem:
    """An entry as it is answered."""
    return EntryItem(
        number=row.number,
        at=from_micros(row.at),
        actor=row.actor,
        action=row.action,
        organisation=row.organisation_id,
        home=row.home_id,
        resident=row.resident_id,
        subject=row.subject,
        purpose=row.purpose,
        details=row.details,
        hash=row.hash,
    )


def verification(verdict: Verdict) -> Verification:
    """A verdict as it is answered."""
    return Verification(
        ok=verdict.is_whole,
        entries=verdict.entries,
        first_bad=verdict.first_bad,
        since=verdict.since,
        until=verdict.until,
        heads=verdict.heads,
        signed_to=verdict.signed_to,
        problems=[
            ProblemItem(table=found.table, row=found.row, problem=found.text) for found in verdict.problems
        ],
    )


def extract_day(day: Day) -> ExtractDay:
    """A day as it is answered."""
    return ExtractDay(
        day=day.day,
        lines=[
            ExtractLine(
                number=line.number,
                at=line.at.astimezone(UTC),
                sentence=line.sentence,
                organisation=line.organisation,
                purpose=line.purpose,
                action=line.action,
            )
            for line in day.lines
        ],
    )


def sample_item(row: SampleRow) -> SampleItem:
    """A sample as it is answered."""
    return SampleItem(**_sample(row))


def whole_sample(row: SampleRow, entries: list[AuditRow], reviews: list[ReviewRow]) -> WholeSample:
    """A sample with what belongs to it."""
    return WholeSample(
        **_sample(row),
        entries=[entry_item(entry) for entry in entries],
        reviews=[review_item(review) for review in reviews],
    )


def review_item(row: ReviewRow) -> ReviewItem:
    """A review as it is answered."""
    return ReviewItem(
        number=row.entry,
        sample=row.sample,
        at=from_micros(row.at),
        by=row.reviewer,
        outcome=Outcome(row.outcome),
        note=row.note,
    )


def _sample(row: SampleRow) -> dict[str, Any]:
    return {
        "number": row.entry,
        "at": from_micros(row.at),
        "actor": row.actor,
        "kind": Kind(row.kind),
        "criteria": samples.criteria_of(row),
        "seed": row.seed,
        "size": row.size,
        "population": row.population,
        "picked": samples.numbers_of(row),
    }
