"""What each organisation has used in a month: the basis for equal prices. See ``docs/usage.md``.

    a month that goes on   counted from grants, deliveries, log and releases as they are now
    a month that is over   counted once, three days later, and kept: what is erased afterwards changes nothing

Months begin and end at midnight UTC, as days do where readings are counted.
"""

import csv
import io
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final, Self

from services.domain.cells import cell
from services.domain.errors import InvalidError
from services.store import registry
from services.store import usage as rows
from services.store.connection import Connection
from services.store.usage import Count

SETTLED_AFTER: Final = timedelta(days=3)
"""How long after its end a month is closed: by then its deliveries are settled and its releases filed."""

LONGEST_BACK: Final = 24
"""Months that are closed at most when none is closed yet."""

COLUMNS: Final = ("month", "organisation", "name", "what", "part", "count")

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True, order=True)
class Month:
    """A month of the calendar, UTC."""

    year: int
    number: int

    @classmethod
    def of(cls, moment: datetime) -> Self:
        """The month of a moment."""
        at = moment.astimezone(UTC)
        return cls(at.year, at.month)

    @classmethod
    def parse(cls, text: str) -> Self:
        """The month that a text names.

        Raises:
            InvalidError: It names none; says what would.
        """
        try:
            moment = datetime.strptime(text, "%Y-%m").replace(tzinfo=UTC)
        except ValueError as error:
            raise InvalidError("month", text, expected="a month such as 2026-11") from error
        return cls(moment.year, moment.month)

    @property
    def name(self) -> str:
        """As 2026-11."""
        return f"{self.year:04}-{self.number:02}"

    @property
    def since(self) -> datetime:
        """Its first moment."""
        return datetime(self.year, self.number, 1, tzinfo=UTC)

    @property
    def until(self) -> datetime:
        """The first moment behind it."""
        return self.following.since

    @property
    def following(self) -> "Month":
        """The next one."""
        return Month(self.year + self.number // 12, self.number % 12 + 1)

    def back(self, months: int) -> "Month":
        """The one so many before."""
        count = self.year * 12 + self.number - 1 - months
        return Month(count // 12, count % 12 + 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class OrganisationUsage:
    """What one organisation has used in a month."""

    organisation_id: str
    name: str
    counts: dict[str, dict[str, int]] = field(default_factory=dict)
    """By what (``homes``, ``deliveries``, ``readings``, ``looks``) and part."""

    def count(self, what: str, part: str = "") -> int:
        """How much of it."""
        return self.counts.get(what, {}).get(part, 0)

    def parts(self, what: str) -> dict[str, int]:
        """How much of each part."""
        return {part: count for part, count in sorted(self.counts.get(what, {}).items()) if part}


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """What was used in a month."""

    month: Month
    closed_at: datetime | None
    """None: it is counted as of now."""
    organisations: tuple[OrganisationUsage, ...]


def show(
    connection: Connection,
    month: Month,
    *,
    organisation_id: str | None = None,
    unfiled: Iterable[tuple[str, str, int]] = (),
    now: datetime,
) -> Usage:
    """What was used in a month.

    Args:
        connection: The store.
        month: Which.
        organisation_id: By whom; None: by everybody who has used something.
        unfiled: Organisation, class and count of readings that the reading lane has not handed over yet.
        now: The moment.
    """
    closed_at = rows.closed_at(connection, month.name)
    if closed_at is None:
        up_to_now = max(now + timedelta(microseconds=1), month.since)
        kept = counted(connection, month, until=min(month.until, up_to_now))
    else:
        kept = rows.closed_counts(connection, month.name)
    released = rows.readings(connection, first_day=first_day(month), end_day=first_day(month.following))
    fresh = (Count(id_, "readings", data_class, count) for id_, data_class, count in unfiled)
    found = _by_organisation([*kept, *released, *fresh])
    wanted = sorted(found) if organisation_id is None else [organisation_id]
    return Usage(
        month=month,
        closed_at=closed_at,
        organisations=tuple(_of(connection, id_, found.get(id_, {})) for id_ in wanted),
    )


def counted(connection: Connection, month: Month, *, until: datetime | None = None) -> list[Count]:
    """Homes, deliveries and looks of a month, up to its end or an earlier moment."""
    until = until or month.until
    return [
        *rows.homes(connection, since=month.since, until=until),
        *rows.deliveries(connection, since=month.since, until=until),
        *rows.looks(connection, since=month.since, until=until),
    ]


def months_to_close(connection: Connection, *, now: datetime) -> list[Month]:
    """The months that are over for long enough and not closed yet, the oldest first."""
    first_at, last = rows.first_grant_at(connection), rows.last_closed(connection)
    if last is not None:
        month = Month.parse(last).following
    elif first_at is not None:
        month = max(Month.of(first_at), Month.of(now).back(LONGEST_BACK))
    else:
        return []
    found = []
    while month.until + SETTLED_AFTER <= now:
        found.append(month)
        month = month.following
    return found


def close(connection: Connection, month: Month, counts: Iterable[Count], *, now: datetime) -> None:
    """Keep what was counted for a month; one that is closed stays as it is."""
    if rows.closed_at(connection, month.name) is None:
        rows.close(connection, month.name, counts, until=month.until, at=now)


def first_day(month: Month) -> int:
    """The month's first day, in days since 1970, UTC."""
    return (month.since - _EPOCH).days


def csv_lines(usage: Usage) -> Iterator[str]:
    """One count a line, below their headings (RFC 4180)."""
    yield _line(COLUMNS)
    for organisation in usage.organisations:
        for what, parts in sorted(organisation.counts.items()):
            for part, count in sorted(parts.items()):
                about = (usage.month.name, organisation.organisation_id, organisation.name)
                yield _line((*about, what, part, count))


def _line(values: Iterable[str | int]) -> str:
    out = io.StringIO()
    csv.writer(out).writerow([cell(value) for value in values])
    return out.getvalue()


def _by_organisation(counts: Iterable[Count]) -> dict[str, dict[str, dict[str, int]]]:
    found: dict[str, dict[str, dict[str, int]]] = defaultdict(lambda: defaultdict(lambda: defaultdict(int)))
    for id_, what, part, used in counts:
        found[id_][what][part] += used
    return {
        id_: {what: dict(parts) for what, parts in of_organisation.items()}
        for id_, of_organisation in found.items()
    }


def _of(connection: Connection, organisation_id: str, counts: dict[str, dict[str, int]]) -> OrganisationUsage:
    organisation = registry.organisation(connection, organisation_id)
    name = organisation.name if organisation else ""
    return OrganisationUsage(organisation_id=organisation_id, name=name, counts=counts)
