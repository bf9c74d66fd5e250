"""Whatever happens in whatever order, and wherever the process dies: the store says what a plain dict says.

The judge is a dict from position, name and time to the value that came first. Against it stand the intake
(in order, late by days, again, clocks ahead), the upkeep (flush, merges, expiry, erasure) and every answer.
"""

import asyncio
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final, NamedTuple

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from devices.kinds import DataClass
from services.readings.states import NEVER
from services.readings.upkeep.expire import Retention
from services.store import events
from services.store.connection import from_micros, to_micros
from services.store.readings import erasures, journal
from services.store.readings.columns import CLOCK_TOLERANCE_MICROS
from services.store.readings.segments import DAY_MICROS, day_of
from tests.support.readings_intake import Intake
from tests.support.readings_store import DiedError, SqliteReadings, small_sizes

MINUTE: Final = 60_000_000
ODD: Final = 7
"""Microseconds of clocks that are ahead, so that no right clock ever says the same."""

PLACES: Final = {
    "position-1": ("h-1", "temperature-sensor"),
    "position-2": ("h-1", "stove-guard"),
    "position-3": ("h-2", "temperature-sensor"),
}
NAMES: Final = {
    "position-1": ("temperature",),
    "position-2": ("power", "temperature"),
    "position-3": ("temperature",),
}
KEPT: Final = {DataClass.CLIMATE: timedelta(days=3), DataClass.FIRE: timedelta(days=8)}
RETENTION: Final = Retention(of_class=KEPT)
CLASS_OF: Final = {
    "position-1": DataClass.CLIMATE,
    "position-2": DataClass.FIRE,
    "position-3": DataClass.CLIMATE,
}

RIGHT: Final = [0, 0, 0, -1, -2, -7, 3, -60, -1_440, -3 * 1_440, -40 * 1_440]
AHEAD: Final = [6, 15, 2_000, 500_000]
"""Minutes from now."""


class Key(NamedTuple):
    """What makes a reading."""

    position_id: str
    name: str
    at: int


@dataclass(frozen=True)
class Said:
    """What came first."""

    received_at: int
    value: float

    def order(self, at: int) -> tuple[int, int, int]:
        """Which of several is the last."""
        is_ahead = at > self.received_at + CLOCK_TOLERANCE_MICROS
        return self.received_at if is_ahead else at, self.received_at, at


minutes = st.sampled_from(RIGHT) | st.sampled_from(AHEAD)
one_value = st.tuples(st.integers(0, 1), minutes, st.integers(0, 50))
packs = st.lists(
    st.tuples(st.sampled_from(list(PLACES)), st.lists(one_value, min_size=1, max_size=3)), max_size=4
)
steps = st.none() | st.none() | st.integers(0, 8)
"""After how many steps the process dies; None: it does not."""


class Interleavings(RuleBasedStateMachine):
    """The reading process, its file and the judge."""

    def __init__(self) -> None:
        super().__init__()
        self._sizes = small_sizes()
        self._sizes.__enter__()
        self._folder = tempfile.TemporaryDirectory()
        self.readings = SqliteReadings(Path(self._folder.name), is_synced=False)
        self.intake = Intake(self.readings, PLACES)
        self.now = to_micros(datetime(2026, 11, 23, 23, 50, tzinfo=UTC))
        self.held: dict[Key, Said] = {}
        self.ever: dict[Key, Said] = {}
        """Also what is expired; for the last values."""
        self.stored = 0

    def teardown(self) -> None:
        self.readings.close()
        self._folder.cleanup()
        self._sizes.__exit__(None, None, None)

    # What happens.

    @rule(by=st.sampled_from([1, 1, 4, 90, 1_440, 2_900]))
    def time_passes(self, by: int) -> None:
        self.now += by * MINUTE

    @rule(said=packs, dies_after=steps)
    def packs_are_committed(
        self, said: list[tuple[str, list[tuple[int, int, int]]]], dies_after: int | None
    ) -> None:
        new: dict[Key, Said] = {}
        for position_id, values in said:
            chosen = [self._value(position_id, *value) for value in values]
            self._say(position_id, chosen, new)
        self._commit(new, dies_after)

    @precondition(lambda self: self.held)
    @rule(data=st.data(), dies_after=steps)
    def what_was_said_is_said_again(self, data: st.DataObject, dies_after: int | None) -> None:
        key = data.draw(st.sampled_from(sorted(self.held)))
        if key.at % MINUTE == ODD and key.at <= self.now + CLOCK_TOLERANCE_MICROS:
            return  # it was ahead and is not any more: see the test below
        new: dict[Key, Said] = {}
        self._say(key.position_id, [(key.name, key.at, 99.0)], new)
        self._commit(new, dies_after)

    @rule(dies_after=steps)
    def recent_readings_are_flushed(self, dies_after: int | None) -> None:
        self._attempt(self.readings.flush, dies_after)

    @rule(dies_after=steps)
    def flushes_are_merged(self, dies_after: int | None) -> None:
        self._attempt(self.readings.merge_flushes, dies_after)

    @rule(dies_after=steps)
    def days_are_merged(self, dies_after: int | None) -> None:
        self._attempt(lambda: self.readings.merge_days(today=day_of(self.now)), dies_after)

    @rule()
    def replaced_pages_are_dropped(self) -> None:
        self.readings.drop()

    @rule()
    def done_rows_of_the_journal_are_dropped(self) -> None:
        connection = self.readings.connection
        names = (journal.FLUSHED_TO, journal.NOTED_TO)
        done = min(*(events.counter(connection, name) for name in names), journal.newest(connection) - 2)
        with connection.transaction():
            journal.drop(connection, up_to=done, limit=3)

    @rule(dies_after=steps)
    def the_old_is_expired(self, dies_after: int | None) -> None:
        while self.intake.noting._pending or self.intake.states.changed:
            self._commit({}, None)
        if self._attempt(self._expire, dies_after):
            self._expire()
        self.held = {
            key: said for key, said in self.held.items() if said.received_at >= self._kept_since(key)
        }

    @rule(home_id=st.sampled_from(["h-1", "h-2"]), is_whole=st.booleans(), dies_after=steps)
    def a_home_or_position_is_erased(self, *, home_id: str, is_whole: bool, dies_after: int | None) -> None:
        positions = [position for position, (home, _) in PLACES.items() if home == home_id]
        chosen = positions if is_whole else positions[-1:]
        self.readings.ask(home_id, None if is_whole else chosen[0])
        if self._attempt(self._erase, dies_after):
            self._erase()
        for kept in (self.held, self.ever):
            for key in [key for key in kept if key.position_id in chosen]:
                del kept[key]

    @rule()
    def the_process_dies(self) -> None:
        self._die()

    # What must hold.

    @invariant()
    def every_reading_is_there_once(self) -> None:
        assert len(self.readings.raw()) == len(self.held)
        assert events.counter(self.readings.connection, "reading_values_stored") == self.stored

    @invariant()
    def any_window_holds_what_the_judge_holds(self) -> None:
        everything = (-(2**62), 2**62)
        window = (self.now - 5 * DAY_MICROS, self.now - 1 * MINUTE)
        with self.readings.reader() as reader:
            for one in reader.series(limit=100):
                for since, until in (everything, window):
                    chunks = list(reader.points(one.id, since_us=since, until_us=until))
                    got = [
                        found
                        for chunk in chunks
                        for found in zip(
                            chunk.at.tolist(), chunk.received_at.tolist(), chunk.value.tolist(), strict=True
                        )
                    ]
                    assert got == self._judged(one.position_id, one.name, since, until)
            found = {(one.position_id, one.name) for one in reader.series(limit=100)}
        assert {(key.position_id, key.name) for key in self.ever} <= found

    @invariant()
    def the_last_reading_is_the_judges_for_every_reader_and_for_the_intake(self) -> None:
        with self.readings.reader() as reader:
            known = {(one.position_id, one.name): one.id for one in reader.series(limit=100)}
            last = reader.last(list(known.values()))
        for place, id_ in known.items():
            keys = [key for key in self.ever if key[:2] == place]
            if not keys:
                assert id_ not in last
                continue
            newest = max(keys, key=lambda key: self.ever[key].order(key.at))
            if newest not in self.held:
                continue  # it is expired, and so are those before it, as good as all of them
            said = self.held[newest]
            expected = (newest.at, said.received_at, said.value)
            sample = last[id_]
            assert (to_micros(sample.at), to_micros(sample.received_at), sample.value) == expected
            assert self.intake.states.last(id_)[1:] == expected

    @invariant()
    def a_mark_is_never_ahead_of_what_it_stands_for(self) -> None:
        connection = self.readings.connection
        noted_to, newest = events.counter(connection, journal.NOTED_TO), journal.newest(connection)
        assert noted_to <= newest
        noted = {row[0]: row[1:] for row in connection.rows("SELECT * FROM last_values")}
        for number, columns in journal.rows(connection, after=0, up_to=noted_to, limit=1_000):
            for series_id, at, received_at, value in columns.rows():
                is_gone = self.intake.states.last_at[series_id] == NEVER or series_id not in noted
                assert is_gone or order_of(noted[series_id]) >= order_of((at, received_at, value)), number

    # How.

    def _value(self, position_id: str, index: int, minutes_ahead: int, value: int) -> tuple[str, int, float]:
        names = NAMES[position_id]
        odd = ODD if minutes_ahead in AHEAD else 0
        return names[index % len(names)], self.now + minutes_ahead * MINUTE + odd, float(value)

    def _say(self, position_id: str, values: list[tuple[str, int, float]], new: dict[Key, Said]) -> None:
        self.intake.take(position_id, values, received_us=self.now)
        for name, at, value in sorted(values, key=lambda value: value[1]):
            key = Key(position_id, name, at)
            if key not in self.held and key not in new:
                new[key] = Said(self.now, value)

    def _commit(self, new: dict[Key, Said], dies_after: int | None) -> None:
        if not self._attempt(lambda: asyncio.run(self.intake.commit(self.now)), dies_after):
            self.held |= new
            self.ever |= new
            self.stored += len(new)

    def _expire(self) -> None:
        self.readings.expire(RETENTION, now=from_micros(self.now))

    def _erase(self) -> None:
        self.readings.forgotten.clear()
        assert self.readings.do_erasures()
        for erased in self.readings.forgotten:
            self.intake.forget(erased.series_ids)
        assert erasures.waiting(self.readings.connection) == []

    def _attempt(self, work: Callable[[], object], dies_after: int | None) -> bool:
        """Do it; returns whether the process has died of it."""
        self.readings.writer.steps_left = dies_after
        try:
            work()
        except DiedError:
            self._die()
            return True
        self.readings.writer.steps_left = None
        return False

    def _die(self) -> None:
        self.readings.reopen()
        self.intake = Intake(self.readings, PLACES)

    def _kept_since(self, key: Key) -> int:
        since = self.now - KEPT[CLASS_OF[key.position_id]] // timedelta(microseconds=1)
        return since - since % DAY_MICROS

    def _judged(self, position_id: str, name: str, since: int, until: int) -> list[tuple[int, int, float]]:
        keys = [key for key in self.held if key[:2] == (position_id, name) and since <= key.at < until]
        return [(key.at, self.held[key].received_at, self.held[key].value) for key in sorted(keys)]


def order_of(row: tuple[int, int, float]) -> tuple[int, int, int]:
    return Said(row[1], row[2]).order(row[0])


Interleavings.TestCase.settings = settings(
    max_examples=60, stateful_step_count=30, report_multiple_bugs=False
)
test_any_interleaving_says_what_the_judge_says = Interleavings.TestCase
