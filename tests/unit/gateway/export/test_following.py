"""One target's task: at least once, whatever dies when; nothing is skipped, and it says how it is."""

import asyncio
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from gateway.export import following
from gateway.export.cursors import Cursor, Lost
from gateway.export.following import LOOK_EVERY, Follower, Following
from gateway.export.progress import SETTLES_AFTER_S
from gateway.export.source import Batch
from gateway.export.target import PointsRefusedError, TargetRefusesError, TargetUnavailableError
from gateway.export.waits import REFUSED
from services.store.connection import StoreUnavailableError
from tests.support.clock import FrozenClock

ROWS_AT_ONCE = 2


class MovingTime:
    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


@dataclass
class Journal:
    """Rows of one line each, named by their number; the oldest may be gone."""

    first: int = 1
    last: int = 0

    def newest(self) -> int:
        return self.last

    def after(self, number: int, *, received_to_us: int) -> Batch | None:
        start = max(number + 1, self.first)
        rows = list(range(start, min(start + ROWS_AT_ONCE, self.last + 1)))
        if not rows:
            return None
        gap = start - number - 1
        return Batch(
            lines=[f"m value={row} {row}" for row in rows],
            up_to=rows[-1],
            received_to_us=rows[-1] * 10,
            lost=Lost(rows=gap, since_us=received_to_us, until_us=start * 10) if gap else None,
            unsendable=0,
            is_full=len(rows) == ROWS_AT_ONCE,
        )


@dataclass
class Database:
    """A target that forgets, when it crashes, what it first took less than half a minute ago."""

    time: MovingTime
    first_taken: dict[str, float] = field(default_factory=dict)
    kept: set[str] = field(default_factory=set)
    answers: list[Exception | None] = field(default_factory=list)
    """What the next requests get; None: taken."""
    is_answer_lost: bool = False
    writes: int = 0

    async def write(self, lines: Sequence[str]) -> int:
        self.writes += 1
        error = self.answers.pop(0) if self.answers else None
        if error is not None and not self.is_answer_lost:
            raise error
        self.kept |= set(lines)
        for line in lines:
            self.first_taken.setdefault(line, self.time())
        if error is not None:
            self.is_answer_lost = False
            raise error
        return 0

    def crash(self) -> None:
        self.is_answer_lost = False
        self.kept -= {line for line, at in self.first_taken.items() if at > self.time() - SETTLES_AFTER_S}
        self.answers.insert(0, TargetUnavailableError("connection refused"))


class World:
    """A journal, a target, and the task between them, which may die and start again at its cursor."""

    def __init__(self, cursor: Cursor | None = None) -> None:
        self.time = MovingTime()
        self.journal = Journal()
        self.database = Database(self.time)
        self.cursor = cursor
        self.is_disk_full = False
        self.restart()

    def restart(self) -> None:
        self.follower = Follower(
            Following(
                name="main",
                target=self.database,
                source=self.journal,
                batch_points=ROWS_AT_ONCE,
                read_cursor=lambda: self.cursor,
                write_cursor=self._write,
                clock=FrozenClock(),
                monotonic=self.time,
                chance=lambda: 0.0,
            )
        )

    def _write(self, cursor: Cursor) -> None:
        if self.is_disk_full:
            raise OSError(28, "No space left on device")
        self.cursor = cursor

    @property
    def noted(self) -> Cursor:
        assert self.cursor is not None
        return self.cursor

    async def turns(self, number: int) -> list[timedelta]:
        waits = []
        for _ in range(number):
            waits.append(await self.follower.turn())
            self.time.seconds += 1.0
        return waits

    @property
    def missing(self) -> set[int]:
        kept = {int(line.rpartition(" ")[2]) for line in self.database.kept}
        return set(range(1, self.journal.last + 1)) - kept


FROM_THE_START = Cursor(settled_to=0, sent_to=0)
AWAY = TargetUnavailableError("connection refused")


def more_rows(world: World) -> None:
    world.journal.last += 3


def next_is_away(world: World) -> None:
    world.database.answers = [AWAY]


def next_answer_is_lost(world: World) -> None:
    world.database.answers, world.database.is_answer_lost = [AWAY], True


def drop_what_is_settled(world: World) -> None:
    world.journal.first = max(world.journal.first, world.noted.settled_to + 1)


ACTIONS: dict[str, Callable[[World], None]] = {
    "rows": more_rows,
    "it is away": next_is_away,
    "its answer is lost": next_answer_is_lost,
    "it crashes": lambda world: world.database.crash(),
    "we die": World.restart,
    "rows go": drop_what_is_settled,
}
actions = st.sampled_from(["turn", "turn", "time", *ACTIONS])


@settings(max_examples=200)
@given(script=st.lists(actions, max_size=60), patience=st.floats(0, 40))
@example(script=["rows", "turn", "it crashes"], patience=0)
@example(
    script=["rows", "turn", "rows", "turn", "rows", "turn", "it crashes", "turn", "time", "turn", "we die"],
    patience=40,
)
@example(script=["rows", "turn", "rows", "turn", "it crashes", "we die"], patience=0)
async def test_whatever_dies_when_every_row_arrives_and_none_is_dropped_before(
    script: list[str], patience: float
) -> None:
    world = World(FROM_THE_START)
    for action in script:
        match action:
            case "turn":
                await world.turns(1)
            case "time":
                world.time.seconds += patience
            case _:
                ACTIONS[action](world)
    world.journal.last += 1  # so that a crash without a sign is noticed
    await world.turns(2 * world.journal.last + 10)

    assert world.missing == set()
    assert world.noted.lost is None


async def test_a_new_target_begins_with_what_comes_in_from_now_on() -> None:
    world = World()
    world.journal.last = 10
    await world.turns(1)
    world.journal.last = 12

    await world.turns(2)

    assert world.database.kept == {"m value=11 11", "m value=12 12"}


async def test_a_full_batch_is_followed_at_once_and_an_idle_target_is_left_alone() -> None:
    world = World(FROM_THE_START)
    world.journal.last = 3

    assert await world.turns(3) == [timedelta(), LOOK_EVERY, LOOK_EVERY]
    assert world.database.writes == 2


async def test_a_target_that_was_away_gets_everything_and_the_problem_is_shown_and_gone() -> None:
    world = World(FROM_THE_START)
    world.journal.last = 4
    world.database.answers = [AWAY, AWAY, AWAY]

    waits = await world.turns(3)
    shown = world.noted.problem
    await world.turns(3)

    assert waits == sorted(waits)
    assert "connection refused" in shown
    assert (world.noted.problem, world.noted.problem_since_us, world.missing) == ("", 0, set())


async def test_a_target_that_answers_that_it_is_busy_is_not_sent_again_what_it_had_taken() -> None:
    world = World(FROM_THE_START)
    world.journal.last = 4
    world.database.answers = [None, TargetUnavailableError("it answered 503", is_alive=True)]

    await world.turns(3)

    assert world.database.writes == 3


async def test_a_target_that_refuses_is_tried_again_slowly_and_nothing_is_skipped() -> None:
    world = World(FROM_THE_START)
    world.journal.last = 4
    world.database.answers = [TargetRefusesError("it answered 401"), PointsRefusedError("it answered 400")]

    waits = await world.turns(1)
    await world.turns(4)

    assert waits == [REFUSED]
    assert world.missing == set()


async def test_rows_that_left_the_journal_before_the_target_had_them_are_counted_with_their_time() -> None:
    world = World(FROM_THE_START)
    world.journal.last = 2
    await world.turns(2)
    world.journal.first, world.journal.last = 8, 9
    await world.turns(2)
    world.journal.first, world.journal.last = 20, 20
    await world.turns(2)

    assert world.noted.lost == Lost(rows=5 + 10, since_us=20, until_us=200)


async def test_a_journal_that_was_made_anew_is_sent_from_its_start() -> None:
    world = World(Cursor(settled_to=500, sent_to=510))
    world.journal.last = 4

    await world.turns(3)

    assert world.missing == set()
    assert world.noted.lost is None


async def test_a_cursor_that_cannot_be_written_stops_nothing() -> None:
    world = World(FROM_THE_START)
    world.is_disk_full = True
    world.journal.last = 4

    await world.turns(3)

    assert world.missing == set()
    assert world.noted == FROM_THE_START


async def test_the_end_waits_for_a_look_at_the_file_that_is_under_way() -> None:
    entered, may_end = threading.Event(), threading.Event()

    class SlowJournal(Journal):
        def after(self, number: int, *, received_to_us: int) -> Batch | None:
            entered.set()
            may_end.wait()
            return super().after(number, received_to_us=received_to_us)

    world = World(FROM_THE_START)
    world.journal = SlowJournal()
    world.restart()
    task = asyncio.get_running_loop().create_task(world.follower.run(), name="follower")
    await asyncio.to_thread(entered.wait)
    task.cancel()
    await asyncio.sleep(0)
    was_done = task.done()

    may_end.set()
    await asyncio.wait({task})

    assert (was_done, task.cancelled()) == (False, True)


async def test_whatever_goes_wrong_is_this_targets_alone_and_it_is_tried_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(following, "AFTER_A_MISTAKE", timedelta())
    world = World(FROM_THE_START)
    world.journal.last = 1
    world.database.answers = [ZeroDivisionError(), StoreUnavailableError("the disk is full")]

    task = asyncio.get_running_loop().create_task(world.follower.run(), name="follower")
    async with asyncio.timeout(5):
        while world.missing:  # noqa: ASYNC110 - the task under test sets no event
            await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait({task})

    assert task.cancelled()
