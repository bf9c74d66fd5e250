"""Who saw what about a home, when and why: for the people who live there, in their words.

entries about the home ──without those about another resident──> sentences, by day in Sweden
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import date, datetime
from itertools import groupby
from typing import Final

from services import audit
from services.audit import Entry
from services.domain.errors import UnknownError
from services.inspection.sentences import Language, sentence
from services.inspection.zone import local
from services.store import audit as rows
from services.store import registry, residents
from services.store.audit import AuditRow, Wanted
from services.store.connection import Connection, optional_micros

_HEADINGS: Final = {
    Language.SV: "Utdrag ur loggen om hemmet {home}",
    Language.EN: "Extract of the log about the home {home}",
}
_NOTHING: Final = {Language.SV: "Loggen säger inget om det.", Language.EN: "The log says nothing of it."}
_PURPOSE: Final = {Language.SV: "Ändamål: {}.", Language.EN: "Purpose: {}."}


@dataclass(frozen=True, slots=True, kw_only=True)
class About:
    """Of whom an extract is."""

    home_id: str
    resident_id: str | None = None
    """Leaves out what concerns another resident alone; None: all that concerns the home."""
    since: datetime | None = None
    until: datetime | None = None
    """Not included."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One thing that was seen or done."""

    number: int
    """Of the entry: what an auditor finds it by."""
    at: datetime
    """On a clock in Sweden."""
    sentence: str
    organisation: str | None
    purpose: str
    action: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Day:
    """The lines of a day."""

    day: date
    lines: tuple[Line, ...]


def checked(connection: Connection, about: About) -> About:
    """What may be extracted: of a resident, nothing from before or after their time in the home.

    Raises:
        UnknownError: The resident never lived in that home.
    """
    if about.resident_id is None:
        return about
    resident = residents.get(connection, about.resident_id)
    if resident is None or resident.home_id != about.home_id:
        raise UnknownError("resident", about.resident_id, mend=f"name one of the home {about.home_id!r}")
    ends = [end for end in (about.until, resident.moved_out_at) if end is not None]
    since = resident.moved_in_at if about.since is None else max(about.since, resident.moved_in_at)
    return replace(about, since=since, until=min(ends, default=None))


def days(connection: Connection, about: About, language: Language) -> Iterator[Day]:
    """An extract, the oldest day first; a day at a time is in memory."""
    wanted = Wanted(
        home_id=about.home_id, since=optional_micros(about.since), until=optional_micros(about.until)
    )
    names: dict[str, str] = {}
    lines = (
        _line(row, language, _name(connection, row.organisation_id, names))
        for row in rows.in_order(connection, wanted)
        if about.resident_id is None or row.resident_id in {None, about.resident_id}
    )
    for day, of_day in groupby(lines, key=lambda line: line.at.date()):
        yield Day(day=day, lines=tuple(of_day))


def text(found: Iterable[Day], *, home_id: str, language: Language) -> Iterator[str]:
    """An extract as lines of text."""
    yield _HEADINGS[language].format(home=home_id)
    is_empty = True
    for day in found:
        is_empty = False
        yield ""
        yield day.day.isoformat()
        for line in day.lines:
            why = f" {_PURPOSE[language].format(line.purpose)}" if line.purpose else ""
            yield f"  {line.at:%H:%M}  {line.sentence}{why}"
    if is_empty:
        yield _NOTHING[language]


def note(
    connection: Connection, about: About, *, actor: str, organisation_id: str | None, now: datetime
) -> None:
    """Log that an extract was made, before it is shown."""
    entry = Entry(
        actor=actor,
        action="log_extracted",
        organisation_id=organisation_id,
        home_id=about.home_id,
        resident_id=about.resident_id,
        purpose="extract for a resident",
    )
    audit.note(connection, entry, at=now)


def _line(row: AuditRow, language: Language, organisation: str | None) -> Line:
    return Line(
        number=row.number,
        at=local(row.at),
        sentence=sentence(row, language=language, organisation=organisation),
        organisation=organisation,
        purpose=row.purpose,
        action=row.action,
    )


def _name(connection: Connection, organisation_id: str | None, names: dict[str, str]) -> str | None:
    """The name of an organisation; its id when it is registered no more."""
    if organisation_id is None:
        return None
    if organisation_id not in names:
        known = registry.organisation(connection, organisation_id)
        names[organisation_id] = known.name if known else organisation_id
    return names[organisation_id]
