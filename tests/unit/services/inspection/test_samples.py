"""Samples: reproducible, recorded, and drawn from what a check is about."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from services.domain.errors import InvalidError, UnknownError
from services.inspection import samples
from services.inspection.samples import MANY_HOMES, Kind, Outcome
from services.store import audit as rows
from services.store import audit_heads
from services.store.sqlite import SqliteConnection
from tests.support.clock import START
from tests.support.log import WHOLE, criteria, found, looked

MONDAY_MORNING = START
SATURDAY = datetime(2026, 11, 28, 12, tzinfo=UTC)
A_WEEK_ON = START + timedelta(days=7)


def test_the_same_seed_picks_the_same_again_also_when_the_log_has_grown(database: SqliteConnection) -> None:
    for number in range(100):
        looked(database, f"h-{number}")

    first = samples.pick(database, criteria(), seed="7")
    looked(database, at=A_WEEK_ON)
    again = samples.pick(database, criteria(), seed="7")
    other = samples.pick(database, criteria(), seed="8")

    assert first == again
    assert (len(first.numbers), first.population) == (5, 100)
    assert other.numbers != first.numbers


def test_every_entry_is_as_likely_as_any_other(database: SqliteConnection) -> None:
    for _ in range(10):
        looked(database)

    times = [
        number
        for seed in range(2_000)
        for number in samples.pick(database, criteria(size=1), seed=str(seed)).numbers
    ]

    assert all(140 < times.count(number) < 260 for number in range(1, 11))


def test_what_the_hub_does_and_what_only_registers_is_not_drawn_at_random(database: SqliteConnection) -> None:
    looked(database, actor="hub", action="released")
    looked(database, actor="cli:root", action="home_added")
    number = looked(database)

    assert samples.pick(database, criteria()).numbers == (number,)


def test_a_home_and_a_person_are_followed_in_all_that_was_done(database: SqliteConnection) -> None:
    looked(database, "h-2", actor="account:1")
    changed = looked(database, actor="account:1", action="home_updated")
    by_another = looked(database, actor="account:2")
    looked(database, actor="hub", action="released")

    assert samples.pick(database, criteria(Kind.HOME, home_id="h-1")).numbers == (changed, by_another)
    assert samples.pick(database, criteria(Kind.PERSON, actor="account:2")).numbers == (by_another,)


@pytest.mark.parametrize(
    ("at", "is_outside"),
    [
        (datetime(2026, 11, 23, 5, 59, tzinfo=UTC), True),
        (datetime(2026, 11, 23, 6, 0, tzinfo=UTC), False),
        (datetime(2026, 11, 23, 16, 59, tzinfo=UTC), False),
        (datetime(2026, 11, 23, 17, 0, tzinfo=UTC), True),
        (datetime(2026, 7, 6, 5, 0, tzinfo=UTC), False),
        (SATURDAY, True),
    ],
    ids=str,
)
def test_office_hours_are_those_of_sweden(
    database: SqliteConnection, at: datetime, *, is_outside: bool
) -> None:
    number = looked(database, at=at)
    asked = criteria(Kind.OUTSIDE_HOURS, since=at - timedelta(days=1), until=at + timedelta(days=1))

    assert samples.pick(database, asked).numbers == ((number,) if is_outside else ())


def test_emergencies_are_found_with_what_was_seen_by_them(database: SqliteConnection) -> None:
    looked(database)
    taken = looked(database, action="emergency_taken", subject="e-1")

    assert samples.pick(database, criteria(Kind.BREAK_GLASS)).numbers == (taken,)


def look_at_homes(
    database: SqliteConnection, count: int, *, every: timedelta, actor: str = "account:1"
) -> None:
    for number in range(count):
        looked(database, f"h-{number}", actor=actor, at=START + number * every)


@pytest.mark.parametrize(
    ("look", "expected"),
    [
        (lambda database: look_at_homes(database, MANY_HOMES - 1, every=timedelta(0)), 0),
        (lambda database: look_at_homes(database, MANY_HOMES, every=timedelta(minutes=3)), MANY_HOMES),
        (lambda database: look_at_homes(database, MANY_HOMES, every=timedelta(minutes=4)), 0),
        (
            lambda database: look_at_homes(database, MANY_HOMES + 5, every=timedelta(minutes=3)),
            MANY_HOMES + 5,
        ),
        (lambda database: [looked(database, actor="account:1") for _ in range(99)], 0),
    ],
    ids=["a home too few", "within an hour", "too slow", "going on", "one home often"],
)
def test_who_sees_many_homes_in_a_short_time_is_found(
    database: SqliteConnection, look: Callable[[SqliteConnection], object], expected: int
) -> None:
    look(database)
    looked(database, "h-1", actor="account:2")

    assert samples.pick(database, criteria(Kind.MANY_HOMES, size=99)).population == expected


@pytest.mark.parametrize(
    "members",
    [
        {"size": 0},
        {"size": 1_001},
        {"until": START - timedelta(days=1)},
        {"home_id": "h-1"},
        {"kind": Kind.HOME},
        {"kind": Kind.PERSON, "home_id": "h-1"},
    ],
    ids=str,
)
def test_criteria_that_cannot_be_right_are_refused(
    database: SqliteConnection, members: dict[str, object]
) -> None:
    with pytest.raises(InvalidError):
        samples.pick(database, criteria(**members))  # type: ignore[arg-type]


def test_a_sample_and_its_review_are_kept_in_the_log(database: SqliteConnection) -> None:
    number = looked(database)
    drawn = samples.record(database, samples.pick(database, criteria(), seed="s"), actor="auditor", now=START)
    kept = samples.review(database, drawn.entry, Outcome.QUESTIONED, note="why?", reviewer="chief", now=START)

    assert audit_heads.sample(database, drawn.entry) == drawn
    assert audit_heads.reviews(database, drawn.entry) == [kept]
    assert samples.numbers_of(drawn) == [number]
    assert [row.number for row in samples.entries_of(database, drawn)] == [number]
    assert [row.action for row in rows.entries(database)] == ["looked", "sample_drawn", "sample_reviewed"]
    assert found(database) == WHOLE


def test_a_review_that_found_something_says_what(database: SqliteConnection) -> None:
    looked(database)
    drawn = samples.record(database, samples.pick(database, criteria()), actor="auditor", now=START)

    with pytest.raises(InvalidError, match="what was found"):
        samples.review(database, drawn.entry, Outcome.BREACH, reviewer="chief", now=START)
    with pytest.raises(UnknownError):
        samples.review(database, 99, Outcome.IN_ORDER, reviewer="chief", now=START)
