"""Samples of the log for those who must check it: at random, or where looks are worth a question.

    kind, span ──> population ──smallest of SHA-256(seed:number)──> picked ──> recorded, reviewed, recorded

The same seed over the same span picks the same again, so nobody can draw until a sample suits: every draw is
in the log, and the seed with it.
"""

import hashlib
import heapq
import json
import secrets
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import astuple, dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final

from devices.codecs.rfc3339 import time_text
from services import audit
from services.audit import Entry
from services.domain.errors import InvalidError, UnknownError
from services.inspection import seals
from services.inspection.zone import local
from services.store import audit as log_rows
from services.store import audit_heads as rows
from services.store.audit import AuditRow, Wanted
from services.store.audit_heads import ReviewRow, SampleRow
from services.store.connection import Connection, to_micros

MOST: Final = 1_000
TEXT_MAX: Final = 2_000

OFFICE_HOURS: Final = range(7, 18)
"""In Sweden, Monday to Friday."""
SATURDAY: Final = 5

MANY_HOMES: Final = 20
WITHIN: Final = timedelta(hours=1)
"""Who looks at so many homes in so short a time is asked why."""

ACCESSES: Final = frozenset(
    {
        "looked",
        "stream_opened",
        "exported_again",
        "resident_exported",
        "emergency_taken",
        "log_read",
        "log_exported",
        "log_extracted",
        "acted",
        "acknowledged",
        "closed",
        "commented",
    }
)
"""How somebody comes to see what is kept about homes; what only registers is not drawn at random."""


class Kind(StrEnum):
    """What a sample is drawn from."""

    RANDOM = "random"
    HOME = "home"
    """All that people and machines did about one home."""
    PERSON = "person"
    """All that one person or machine did."""
    OUTSIDE_HOURS = "outside-hours"
    BREAK_GLASS = "break-glass"
    MANY_HOMES = "many-homes"
    """Looks of those who saw many homes in a short time."""


class Outcome(StrEnum):
    """What a review came to."""

    IN_ORDER = "in-order"
    QUESTIONED = "questioned"
    BREACH = "breach"


@dataclass(frozen=True, slots=True, kw_only=True)
class Criteria:
    """What to draw, and how many."""

    kind: Kind
    since: datetime
    until: datetime
    """Not included."""
    size: int
    home_id: str | None = None
    """With kind ``home``."""
    actor: str | None = None
    """With kind ``person``; as the log names it."""

    def check(self) -> None:
        """Refuse what cannot be drawn.

        Raises:
            InvalidError: Says what would be right.
        """
        if not 1 <= self.size <= MOST:
            raise InvalidError("size", self.size, expected=f"a number from 1 to {MOST}")
        if self.until <= self.since:
            raise InvalidError("until", time_text(self.until), expected=f"after {time_text(self.since)}")
        for kind, what, value in ((Kind.HOME, "home", self.home_id), (Kind.PERSON, "actor", self.actor)):
            if (self.kind is kind) != (value is not None):
                raise InvalidError(
                    what, value or "nothing", expected=f"given with kind {kind}, and only with that"
                )

    @property
    def wanted(self) -> Wanted:
        """The entries among which they are."""
        return Wanted(
            home_id=self.home_id,
            actor=self.actor,
            since=to_micros(self.since),
            until=to_micros(self.until),
            by_somebody=self.kind is not Kind.PERSON,
        )

    def text(self) -> str:
        """As it is recorded: JSON."""
        members = {
            "since": self.since.isoformat(),
            "until": self.until.isoformat(),
            "home": self.home_id,
            "actor": self.actor,
        }
        return json.dumps({name: value for name, value in members.items() if value is not None})


@dataclass(frozen=True, slots=True, kw_only=True)
class Picked:
    """What was drawn, not recorded yet."""

    criteria: Criteria
    seed: str
    population: int
    numbers: tuple[int, ...]


def pick(connection: Connection, criteria: Criteria, *, seed: str | None = None) -> Picked:
    """Draw; nothing is written.

    Args:
        connection: The store.
        criteria: What.
        seed: What decides; a new one when not given.

    Raises:
        InvalidError: The criteria cannot be right.
    """
    criteria.check()
    seed = seed or secrets.token_hex(8)
    counted: Counter[str] = Counter()

    def told(numbers: Iterable[int]) -> Iterator[tuple[bytes, int]]:
        for number in numbers:
            counted["all"] += 1
            yield hashlib.sha256(f"{seed}:{number}".encode()).digest(), number

    smallest = heapq.nsmallest(criteria.size, told(_POPULATIONS[criteria.kind](connection, criteria)))
    numbers = tuple(sorted(number for _, number in smallest))
    return Picked(criteria=criteria, seed=seed, population=counted["all"], numbers=numbers)


def record(connection: Connection, picked: Picked, *, actor: str, now: datetime) -> SampleRow:
    """Keep a draw in the log."""
    criteria = picked.criteria
    row = SampleRow(
        entry=seals.next_entry(connection),
        at=to_micros(now),
        actor=actor,
        kind=criteria.kind,
        criteria=criteria.text(),
        seed=picked.seed,
        size=criteria.size,
        population=picked.population,
        picked=json.dumps(picked.numbers),
    )
    rows.add_sample(connection, row)
    entry = Entry(
        actor=actor,
        action="sample_drawn",
        home_id=criteria.home_id,
        subject=str(row.entry),
        details=seals.details(astuple(row)),
    )
    audit.note(connection, entry, at=now)
    return row


def review(
    connection: Connection, sample: int, outcome: Outcome, *, note: str = "", reviewer: str, now: datetime
) -> ReviewRow:
    """Keep what somebody found who looked at a sample; a sample may be reviewed again.

    Raises:
        UnknownError: There is no such sample.
        InvalidError: The note is too long; or there is none, and something was found.
    """
    if rows.sample(connection, sample) is None:
        raise UnknownError("sample", str(sample), mend="see `stadsnav audit samples`")
    if len(note) > TEXT_MAX or (outcome is not Outcome.IN_ORDER and not note.strip()):
        raise InvalidError("note", note, expected=f"what was found, in at most {TEXT_MAX} characters")
    row = ReviewRow(
        entry=seals.next_entry(connection),
        sample=sample,
        at=to_micros(now),
        reviewer=reviewer,
        outcome=outcome,
        note=note,
    )
    rows.add_review(connection, row)
    entry = Entry(
        actor=reviewer, action="sample_reviewed", subject=str(sample), details=seals.details(astuple(row))
    )
    audit.note(connection, entry, at=now)
    return row


def numbers_of(sample: SampleRow) -> list[int]:
    """The numbers of the entries that were picked."""
    found: list[int] = json.loads(sample.picked)
    return found


def entries_of(connection: Connection, sample: SampleRow) -> list[AuditRow]:
    """The entries that were picked; those that are past their time are not there any more."""
    found = (log_rows.get(connection, number) for number in numbers_of(sample))
    return [row for row in found if row is not None]


def criteria_of(sample: SampleRow) -> dict[str, Any]:
    """What was asked for, as it is recorded."""
    found: dict[str, Any] = json.loads(sample.criteria)
    return found


def _all(connection: Connection, criteria: Criteria) -> Iterator[int]:
    return (row.number for row in log_rows.in_order(connection, criteria.wanted))


def _accesses(connection: Connection, criteria: Criteria) -> Iterator[AuditRow]:
    return (row for row in log_rows.in_order(connection, criteria.wanted) if row.action in ACCESSES)


def _at_random(connection: Connection, criteria: Criteria) -> Iterator[int]:
    return (row.number for row in _accesses(connection, criteria))


def _outside_hours(connection: Connection, criteria: Criteria) -> Iterator[int]:
    for row in _accesses(connection, criteria):
        at = local(row.at)
        if at.hour not in OFFICE_HOURS or at.weekday() >= SATURDAY:
            yield row.number


def _break_glass(connection: Connection, criteria: Criteria) -> Iterable[int]:
    return log_rows.of_emergencies(
        connection, since=to_micros(criteria.since), until=to_micros(criteria.until)
    )


def _many_homes(connection: Connection, criteria: Criteria) -> Iterable[int]:
    """Looks of a stretch in which their actor saw ``MANY_HOMES`` homes ``WITHIN`` that time."""
    stretches: dict[str, _Stretch] = defaultdict(_Stretch)
    found: set[int] = set()
    for row in _accesses(connection, criteria):
        if row.home_id is not None:
            found.update(stretches[row.actor].add(row, row.home_id))
    return sorted(found)


class _Stretch:
    """The latest looks of one actor, as far back as they count together."""

    def __init__(self) -> None:
        self._looks: deque[tuple[int, int, str]] = deque()
        self._homes: Counter[str] = Counter()
        self._was_many = False

    def add(self, row: AuditRow, home_id: str) -> list[int]:
        """Take a look; returns the numbers of those that it makes too many."""
        self._looks.append((row.at, row.number, home_id))
        self._homes[home_id] += 1
        while self._looks[0][0] <= row.at - WITHIN // timedelta(microseconds=1):
            _, _, gone = self._looks.popleft()
            self._homes[gone] -= 1
            if not self._homes[gone]:
                del self._homes[gone]
        is_many, was_many = len(self._homes) >= MANY_HOMES, self._was_many
        self._was_many = is_many
        if not is_many:
            return []
        return [row.number] if was_many else [number for _, number, _ in self._looks]


_POPULATIONS: Final[dict[Kind, Callable[[Connection, Criteria], Iterable[int]]]] = {
    Kind.RANDOM: _at_random,
    Kind.HOME: _all,
    Kind.PERSON: _all,
    Kind.OUTSIDE_HOURS: _outside_hours,
    Kind.BREAK_GLASS: _break_glass,
    Kind.MANY_HOMES: _many_homes,
}
