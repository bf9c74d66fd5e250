"""What the reading lane hands over is filed like a press: once, in order, whatever one of them is."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing, asynccontextmanager, closing
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from devices.kinds import DeviceId
from devices.messages import AlarmMessage, AlarmSignal
from gateway import handovers as desks
from gateway import pacing
from gateway.handovers import TAKEN_TO, HandoverDesk, HandoverSource, find_overdue, how_far, take_handovers
from services.alarms import opening
from services.domain.alarms import Alarm
from services.domain.homes import DeviceState
from services.readings import handover
from services.readings.handover import Handover, Heard, Released, Said, Told
from services.store import audit, events, status
from services.store.connection import Connection, from_micros, to_micros
from services.store.migrations import READINGS, migrate
from services.store.readings import alive, handovers
from services.store.sqlite import SqliteConnection
from services.store.writer import Writer
from services.supervision import silence as silences
from services.supervision.silence import Overdue
from tests.support.clock import FrozenClock
from tests.support.reading_lane import ReadingLane
from tests.support.stores import file_database_maker
from tests.support.town import Town

AT_MOST_SECONDS = 10


class Desk:
    """Files bodies as the alarm process does, numbered as they come."""

    def __init__(self, town: Town) -> None:
        self.town = town
        self._desk = HandoverDesk(profiles=town.profiles, clock=town.clock)
        self._number = 0

    def file(self, *items: Handover | str) -> None:
        rows = []
        for item in items:
            self._number += 1
            rows.append((self._number, item if isinstance(item, str) else handover.encode(item)))
        if rows:
            self.town.commit(partial(self._desk.file, rows=rows))


@pytest.fixture
def desk(town: Town) -> Desk:
    town.add_device("l-1", "h-1", "water-leak-sensor", "sink")
    return Desk(town)


def leak(signal: str = "raised", *, id_: str = "rule:leak:1", device_id: str = "l-1", **more: Any) -> Said:
    members: dict[str, Any] = {"kind": "property.leak", "text": "Water", "data": {"value": 1}}
    at_us = 1_764_000_000_000_000
    return Said(device_id=device_id, id=f"{id_}:{signal}", signal=signal, at_us=at_us, **members | more)


def without_ids(alarm: Alarm) -> dict[str, Any]:
    return {name: getattr(alarm, name) for name in alarm.__slots__ if name != "id"}


async def test_an_alarm_of_a_crossing_is_the_one_that_the_device_would_have_opened_itself(
    lane: ReadingLane,
) -> None:
    town = lane.town
    town.grant("acme", "h-1", "property")
    town.grant("beta", "h-1", "property", step=2)
    lane.hear("l-1", leak=1.0)
    await lane.commit()
    [said] = lane.handed_over(Said)

    Desk(town).file(said)
    [by_the_rule] = town.alarms()
    told_by_the_rule = town.types_told("acme")
    town.acknowledge("acme", by_the_rule)
    town.close("acme", by_the_rule)
    message = AlarmMessage(
        id="by-itself", kind=said.kind, sent_at=from_micros(said.at_us), text=said.text, data=said.data
    )
    town.channel.events.clear()
    stored = town.commit(
        partial(
            opening.take,
            message=message,
            device=town.device("l-1"),
            client_id=DeviceId("l-1"),
            payload=b"",
            now=town.now,
        )
    )

    assert without_ids(town.alarm(stored.alarm_id)) == without_ids(by_the_rule)
    assert town.types_told("acme") == told_by_the_rule == ["raised"]
    assert town.types_told("beta") == []
    first, second = town.events()[::-1]
    assert (first.kind, first.text, first.data) == (second.kind, second.text, second.data)


def test_the_same_handover_again_is_filed_once(desk: Desk) -> None:
    desk.file(leak(), leak())
    desk.file(leak())

    assert len(desk.town.events()) == 1
    assert len(desk.town.alarms()) == 1


def test_the_same_id_with_another_content_is_kept_and_an_operator_is_told(desk: Desk) -> None:
    desk.file(leak(), leak(text="More water"))

    assert [event.is_conflict for event in desk.town.events(device_id="l-1")].count(True) == 1
    assert "technical.fault" in {alarm.kind for alarm in desk.town.alarms()}


def test_two_that_saw_the_same_leak_open_one_alarm_and_both_may_end_it(desk: Desk) -> None:
    """A rule on the reading, and the foreign system's own condition."""
    by_rule, by_system = partial(leak, id_="rule:leak:1"), partial(leak, id_="foreign:leak:1")

    desk.file(by_rule(), by_system(), by_rule("cleared"), by_system("cleared"))

    [alarm] = desk.town.alarms()
    assert alarm.state == "cleared"
    assert len(desk.town.events()) == 4, "none of them was passed over"


def test_a_handover_that_this_version_does_not_know_is_passed_over_and_stops_nobody(desk: Desk) -> None:
    newer = ['{"type":"Asked","device_id":"l-1"}', '{"type":"Said"}', "", "[]"]

    desk.file(*newer, leak(), leak("shouted"), leak("cleared"))

    assert [event.signal for event in desk.town.events()[::-1]] == ["raised", "cleared"]
    assert events.counter(desk.town.connection, TAKEN_TO) == 7


def test_a_newer_versions_further_members_are_passed_over(desk: Desk) -> None:
    body = json.loads(handover.encode(leak())) | {"mood": "grave"}

    desk.file(json.dumps(body))

    assert len(desk.town.alarms()) == 1


def test_what_was_found_while_a_device_was_heard_counts_though_it_is_suspended_by_now(desk: Desk) -> None:
    desk.town.set_state("l-1", DeviceState.SUSPENDED)

    desk.file(leak())

    assert [alarm.state for alarm in desk.town.alarms()] == ["raised"]
    assert status.of_device(desk.town.connection, "l-1") is None, "that it spoke is not noted any more"


def test_a_retired_device_opens_nothing_but_what_it_opened_may_end(desk: Desk) -> None:
    desk.file(leak())
    desk.town.set_state("l-1", DeviceState.RETIRED)

    desk.file(leak(id_="rule:leak:2"), leak("cleared"))
    desk.file(leak(device_id="nobody"))

    [alarm] = desk.town.alarms()
    assert (alarm.state, len(desk.town.events())) == ("cleared", 2)


def test_a_level_is_filed_like_a_status_message(desk: Desk) -> None:
    desk.file(Told(device_id="l-1", battery_percent=3.0, signal_dbm=-90.0))

    assert {alarm.kind for alarm in desk.town.alarms()} == {
        "technical.battery_low",
        "technical.battery_failed",
    }
    known = status.of_device(desk.town.connection, "l-1")
    assert known is not None
    assert (known.battery_percent, known.signal_dbm) == (3.0, -90.0)

    desk.file(Told(device_id="l-1", battery_percent=90.0))
    assert {alarm.state for alarm in desk.town.alarms()} == {"cleared"}


@pytest.mark.parametrize("item", [Heard(device_id="l-1"), Told(device_id="l-1", has_mains=True), leak()])
def test_whatever_a_device_says_ends_its_silence(desk: Desk, item: Handover) -> None:
    desk.town.hear("l-1")
    desk.town.clock.advance(timedelta(hours=9))
    desk.town.look_for_silence()
    silent = desk.town.alarms()[0]
    assert silent.kind == "technical.silent"

    desk.file(item)

    assert desk.town.alarm(silent.id).state == "cleared"


def test_a_release_becomes_an_entry_of_the_log(desk: Desk) -> None:
    day_us = to_micros(desk.town.now)
    released = Released(
        organisation_id="acme",
        home_id="h-1",
        data_class="climate",
        grant_id="g-1",
        purpose="indoor climate",
        first_at_us=day_us - 5,
        last_at_us=day_us,
        count=1_440,
    )
    desk.file(released)

    *_, entry = audit.entries(desk.town.connection)
    assert (entry.action, entry.organisation_id, entry.subject) == ("readings_released", "acme", "g-1")
    assert (entry.details, entry.purpose) == ("1440 readings of climate", "indoor climate")


def test_what_fails_leaves_the_mark_where_it_was(desk: Desk) -> None:
    def fails(connection: Connection) -> None:
        HandoverDesk(profiles=desk.town.profiles, clock=desk.town.clock).file(
            connection, [(1, handover.encode(leak()))]
        )
        raise ConnectionError

    with pytest.raises(ConnectionError):
        desk.town.commit(fails)

    assert events.counter(desk.town.connection, TAKEN_TO) == 0
    assert desk.town.alarms() == []


# The rows, over two files.


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return file_database_maker(tmp_path)()


@pytest.fixture
def database(path: Path) -> Iterator[SqliteConnection]:
    """The alarm path's database, in a file: a source looks at it through a connection of its own."""
    with closing(SqliteConnection(path)) as connection:
        yield connection


@pytest.fixture
def reader(path: Path) -> Iterator[SqliteConnection]:
    with closing(SqliteConnection(path)) as connection:
        yield connection


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Where the readings' database will be."""
    return tmp_path / "readings.db"


@pytest.fixture
def source(file: Path, reader: SqliteConnection) -> Iterator[HandoverSource]:
    with closing(HandoverSource(file, reader)) as made:
        yield made


def hand_over(file: Path, *items: Handover) -> None:
    """The reading process commits some, in a file that it makes when there is none."""
    with closing(SqliteConnection(file)) as readings:
        migrate(readings, READINGS)
        with readings.transaction():
            bodies = [handover.encode(item) for item in items]
            handovers.add(readings, bodies, at=from_micros(0))


def break_file(file: Path) -> None:
    """Something that is no database stands there."""
    for part in ("-wal", "-shm"):
        file.with_name(file.name + part).unlink(missing_ok=True)
    file.write_bytes(b"this was a database once" * 100)


def numbers(source: HandoverSource) -> list[int]:
    return [number for number, _ in source.next()]


def test_a_file_that_is_not_there_or_not_made_yet_is_waited_for(file: Path, source: HandoverSource) -> None:
    assert numbers(source) == []
    with closing(SqliteConnection(file)):
        assert numbers(source) == []
    assert not source.is_lost

    hand_over(file, Heard(device_id="p-1"))

    assert numbers(source) == [1]


def test_a_broken_file_is_lost_until_it_is_mended_and_ends_nothing(
    file: Path, source: HandoverSource
) -> None:
    break_file(file)
    assert numbers(source) == []
    assert source.is_lost

    file.unlink()
    hand_over(file, Heard(device_id="p-1"))

    assert numbers(source) == [1]
    assert not source.is_lost


def test_a_new_run_goes_on_after_what_is_filed(
    town: Town, file: Path, source: HandoverSource, reader: SqliteConnection
) -> None:
    hand_over(file, *[Heard(device_id="p-1")] * 50)
    first = source.next()
    assert [number for number, _ in first] == list(range(1, 21)), "no more than an alarm may wait for"
    desk = HandoverDesk(profiles=town.profiles, clock=town.clock)
    town.commit(partial(desk.file, rows=first))

    with closing(HandoverSource(file, reader)) as again:
        assert numbers(again)[:2] == [21, 22]


def test_a_new_file_is_taken_from_its_start(
    town: Town, file: Path, source: HandoverSource, reader: SqliteConnection
) -> None:
    town.write(partial(events.set_counter, name=TAKEN_TO, value=1_000))
    hand_over(file, Heard(device_id="p-1"))

    assert numbers(source) == [1]
    with closing(SqliteConnection(file)) as readings:
        assert how_far(reader, readings) == 0, "so nothing of it is dropped as taken"


@asynccontextmanager
async def taking(town: Town, source: HandoverSource) -> AsyncIterator[Writer]:
    writer = Writer(town.connection, town.release)
    writer.start()
    desk = HandoverDesk(profiles=town.profiles, clock=town.clock)
    async with asyncio.timeout(AT_MOST_SECONDS), aclosing(writer), asyncio.TaskGroup() as group:
        task = group.create_task(take_handovers(source, writer, desk), name="handovers")
        yield writer
        task.cancel()


def nothing(_connection: Connection) -> None:
    """Work that only lets the writer have its turn."""


async def test_what_is_handed_over_while_it_runs_is_filed_in_order(
    town: Town, file: Path, source: HandoverSource, reader: SqliteConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(desks, "LOOK_EVERY", timedelta(milliseconds=1))
    town.add_device("l-1", "h-1", "water-leak-sensor", "sink")

    async with taking(town, source) as writer:
        hand_over(file, leak(), *[Heard(device_id="p-1")] * 30)
        hand_over(file, leak("cleared"))
        while events.counter(reader, TAKEN_TO) < 32:
            await writer.write(nothing)

    assert [event.signal for event in town.events()[::-1]] == [AlarmSignal.RAISED, AlarmSignal.CLEARED]


# Who is silent, when readings are a sign of life too.


class Silence:
    """The alarm process looks for silence while the reading lane takes readings in."""

    def __init__(self, lane: ReadingLane, file: Path, reader: SqliteConnection) -> None:
        self.lane, self.town, self._file, self._reader = lane, lane.town, file, reader
        self._desk = Desk(lane.town)
        self._filed = 0
        self._since = lane.town.now - timedelta(hours=1)
        self.listen()

    async def hear(self, device: str = "m-1", **values: Any) -> None:
        self.lane.hear(device, **values or {"humidity": 40.0})
        await self.lane.commit()
        handed_over: list[Handover] = self.lane.handed_over()
        self._desk.file(*handed_over[self._filed :])
        self._filed = len(handed_over)

    def wait(self, **time: float) -> None:
        """Let time pass in which the hub listens."""
        self.wait_alone(**time)
        self.listen()

    def wait_alone(self, **time: float) -> None:
        """Let time pass in which the alarm process listens and the reading process is away."""
        self.town.clock.advance(timedelta(**time))
        self.town.write(partial(silences.still_here, now=self.town.now))

    def listen(self, *, since: datetime | None = None) -> None:
        """The reading process says that it is there, and since when."""
        with self.lane.store.transaction():
            alive.say(self.lane.store, since=since or self._since, now=self.town.now)

    def ask(self) -> Overdue:
        """Who would be called silent, and has spoken elsewhere."""
        profiles = self.town.profiles
        return find_overdue(self.town.now, file=self._file, reader=self._reader, profiles=profiles)

    def look(self, asked: Overdue | None = None, now: datetime | None = None) -> list[str]:
        """One turn; the devices that are called silent now."""
        overdue, now = asked or self.ask(), now or self.town.now
        look = partial(pacing._look_for_silence, profiles=self.town.profiles, overdue=overdue, now=now)
        self.town.commit(look)
        return self.silent()

    def silent(self) -> list[str]:
        found = [alarm for alarm in self.town.alarms() if alarm.kind == "technical.silent"]
        return sorted(alarm.device_id for alarm in found if alarm.state == "raised")


@pytest.fixture
def silence(town: Town, file: Path, reader: SqliteConnection) -> Iterator[Silence]:
    town.add_device("m-1", "h-1", "humidity-meter", "bathroom")
    town.add_device("m-2", "h-1", "humidity-meter", "hall")
    with closing(SqliteConnection(file)) as store:
        migrate(store, READINGS)
        yield Silence(ReadingLane(town, store), file, reader)


async def test_a_device_that_only_sends_readings_is_never_called_silent_while_it_speaks(
    silence: Silence,
) -> None:
    for _ in range(24 * 4):
        await silence.hear()
        silence.wait(minutes=15)
        assert silence.look() == []

    assert silence.town.events() == []


async def test_it_is_called_silent_when_it_speaks_no_more_and_well_again_on_the_next_reading(
    silence: Silence,
) -> None:
    for _ in range(20):
        await silence.hear()
        silence.wait(minutes=30)
        silence.look()
    for _ in range(6):
        silence.wait(minutes=30)
        silence.look()
    assert silence.silent() == ["m-1"]

    await silence.hear()

    assert silence.silent() == []


async def test_nobody_is_called_silent_because_the_reading_process_was_away(silence: Silence) -> None:
    await silence.hear()
    silence.wait_alone(hours=9)

    assert silence.look() == []
    silence.listen(since=silence.town.now - timedelta(seconds=10))  # it has just come back
    assert silence.look() == []

    silence.listen(since=silence.town.now - timedelta(minutes=2))
    assert silence.look() == ["m-1"]


async def test_nobody_is_called_silent_who_was_not_asked_whether_it_speaks(
    silence: Silence, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.supervision.silence.DEVICES_PER_TURN", 1)
    for device in ("m-1", "m-2"):
        await silence.hear(device)
    silence.wait(hours=2)
    for device in ("m-1", "m-2"):
        await silence.hear(device)
    silence.wait(hours=2)

    for _ in range(4):
        assert silence.look() == []


async def test_a_device_that_becomes_overdue_while_the_others_are_asked_is_not_called_silent(
    silence: Silence, clock: FrozenClock
) -> None:
    await silence.hear()
    silence.wait(hours=2)
    await silence.hear()
    silence.wait(hours=1, milliseconds=-5)
    asked, moment = silence.ask(), clock.now()
    silence.wait(seconds=1)

    assert silence.look(asked, moment) == []
    assert silence.look() == []


async def test_while_the_readings_cannot_be_read_only_what_measures_nothing_is_called_silent(
    silence: Silence, file: Path
) -> None:
    await silence.hear()
    silence.town.hear("p-1")
    silence.lane.store.close()
    break_file(file)
    silence.wait_alone(hours=9)

    assert silence.look() == ["p-1"]


async def test_a_device_whose_clock_is_behind_is_heard_all_the_same(
    silence: Silence, clock: FrozenClock
) -> None:
    await silence.hear()
    for _ in range(8 * 4):
        silence.wait(minutes=15)
        silence.lane.hear("m-1", at=clock.now() - timedelta(days=100), humidity=40.0)
        await silence.hear("m-2")
        silence.look()
        assert "m-1" not in silence.silent()


async def test_after_the_hub_was_away_its_devices_have_their_time_again(
    silence: Silence, clock: FrozenClock
) -> None:
    await silence.hear()
    silence.look()
    clock.advance(timedelta(hours=48))
    silence.lane.restart()

    assert silence.look() == []
    silence.wait(hours=2)
    assert silence.look() == []
    silence.wait(hours=2)
    assert silence.look() == ["m-1"]
