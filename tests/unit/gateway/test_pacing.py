"""What happens by itself: timers fire, hints become rows, silence and missing next steps are noticed."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import aclosing, asynccontextmanager
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path

import pytest

from broker import presence
from gateway import pacing
from gateway.outgoing import MqttHomes
from gateway.pacing import Marks
from services.alarms import answering, chain
from services.delivery.cloud_events import CareEvent
from services.delivery.release import Release
from services.domain.alarms import DeliveryState
from services.domain.clock import Clock
from services.store import alarms as alarm_rows
from services.store import answers, deliveries, events, status
from services.store import registry as registry_rows
from services.store.connection import Connection, to_micros
from services.store.sqlite import SqliteConnection
from services.store.writer import Writer
from services.supervision import auditor, silence
from services.supervision.silence import Overdue
from tests.support.sessions import RecordingSession, envelope
from tests.support.stores import file_database_maker
from tests.support.town import Town

AT_MOST_SECONDS = 10
NOTICE = "$SYS/broker/log/N"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return file_database_maker(tmp_path)()


@pytest.fixture
def database(path: Path) -> Iterator[SqliteConnection]:
    """The writer's connection, in a file: others look at it through connections of their own."""
    connection = SqliteConnection(path)
    yield connection
    connection.close()


@pytest.fixture
def reader(path: Path) -> Iterator[SqliteConnection]:
    """What another process sees."""
    connection = SqliteConnection(path)
    yield connection
    connection.close()


@asynccontextmanager
async def running(town: Town, *works: Callable[[Writer], Awaitable[None]]) -> AsyncIterator[Writer]:
    """A writer over the town's store, and tasks beside it that never end by themselves."""
    writer = Writer(town.connection, town.release)
    writer.start()

    async def work_on(work: Callable[[Writer], Awaitable[None]]) -> None:
        await work(writer)

    async with asyncio.timeout(AT_MOST_SECONDS), aclosing(writer), asyncio.TaskGroup() as group:
        tasks = [group.create_task(work_on(work), name=f"work {n}") for n, work in enumerate(works)]
        yield writer
        for task in tasks:
            task.cancel()


def nothing(_connection: Connection) -> None:
    """Work that only lets the writer have its turn."""


def nobody_measures(reader: SqliteConnection) -> Callable[[datetime], Overdue]:
    """Who is overdue in a town without readings."""
    return lambda now: Overdue(devices=silence.overdue(reader, now=now), spoken_at={})


class Hearing:
    """Lets a test wait for what the channel is handed."""

    def __init__(self, town: Town) -> None:
        self._arrived = asyncio.Event()
        self._count = len(town.channel.events)
        self._town = town
        town.channel.check = self._note

    def _note(self, _: CareEvent) -> None:
        self._arrived.set()

    async def something(self) -> CareEvent:
        """The next event that is handed over."""
        while len(self._town.channel.events) <= self._count:
            self._arrived.clear()
            await self._arrived.wait()
        self._count += 1
        return self._town.channel.events[self._count - 1]


@pytest.fixture
def watched(path: Path) -> Iterator[SqliteConnection]:
    """What the pacer sees others commit through."""
    connection = SqliteConnection(path)
    yield connection
    connection.close()


def pacer(town: Town, watched: SqliteConnection) -> Callable[[Writer], Awaitable[None]]:
    return lambda writer: pacing.pace(writer, town.release, town.clock, watched)


async def test_the_pacer_fires_timers_and_releases_what_follows(
    town: Town, watched: SqliteConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pacing, "SMALLEST_STEP", timedelta(days=1))  # the test's clock jumps, and is not set
    town.grant("acme", within=timedelta(seconds=10))
    town.grant("beta", step=2)
    town.press()
    hearing = Hearing(town)

    async with running(town, pacer(town, watched)):
        town.clock.advance(timedelta(seconds=10))
        told = await hearing.something()

    assert (told.organisation_id, told.notice.type) == ("beta", "raised")


async def test_a_grant_that_another_process_withdraws_stops_the_repeats(
    town: Town, reader: SqliteConnection, watched: SqliteConnection
) -> None:
    grant = town.grant("acme")
    town.press()
    town.revoke(grant)

    async with running(town, pacer(town, watched)) as writer:
        while deliveries.due(reader, "mqtt", town.now, limit=9, state=DeliveryState.SENT):
            await writer.write(nothing)

    assert len(town.channel.told("acme")) == 1


async def test_what_another_process_commits_is_told_without_waiting_for_the_pacers_next_turn(
    town: Town, reader: SqliteConnection, watched: SqliteConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pacing, "LONGEST_PAUSE", timedelta(days=1))
    town.grant("acme")
    town.grant("beta")
    alarm = town.press()
    hearing = Hearing(town)
    organisation = registry_rows.organisation(reader, "acme")
    actor = answering.Actor(organisation=organisation, person="")

    async with running(town, pacer(town, watched)) as writer:
        await asyncio.sleep(0)
        await writer.write(nothing)  # behind the pacer's first turn
        with reader.transaction():
            answering.acknowledge(reader, alarm.id, actor=actor, now=town.now)
        told = {(await hearing.something()).organisation_id, (await hearing.something()).organisation_id}

    assert told == {"acme", "beta"}


async def test_a_commit_that_leaves_nothing_to_do_costs_the_pacer_no_turn(
    town: Town, reader: SqliteConnection, watched: SqliteConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pacing, "LONGEST_PAUSE", timedelta(days=1))
    looked = asyncio.Event()
    turns: list[int] = []
    is_work_waiting = pacing._is_work_waiting

    def looking(reader: SqliteConnection, release: Release, clock: Clock) -> bool:
        looked.set()
        return is_work_waiting(reader, release, clock)

    monkeypatch.setattr(pacing, "_is_work_waiting", looking)
    monkeypatch.setattr(chain, "fire_due", lambda *_, **__: turns.append(1))

    async with running(town, pacer(town, watched)) as writer:
        await writer.write(nothing)
        before = len(turns)
        with reader.transaction():
            events.count(reader, "anything")
        await looked.wait()
        await writer.write(nothing)

    assert (before, len(turns)) == (1, 1)


async def test_a_clock_that_is_set_moves_what_is_due_with_it(
    town: Town, reader: SqliteConnection, watched: SqliteConnection
) -> None:
    town.grant("acme")
    town.grant("beta", step=2)
    town.press()
    [(_, _, due_at)] = before = alarm_rows.timers(reader)

    async with running(town, pacer(town, watched)) as writer:
        await writer.write(nothing)
        town.clock.advance(timedelta(hours=5))
        while alarm_rows.timers(reader) == before:
            await writer.write(nothing)

    [(_, _, moved)] = alarm_rows.timers(reader)
    assert timedelta(hours=4, minutes=59) < moved - due_at < timedelta(hours=5, minutes=1)
    assert (town.types_told("acme"), town.types_told("beta")) == (["raised"], [])


async def test_the_auditor_reports_by_itself_and_says_that_it_has_looked(
    town: Town, reader: SqliteConnection, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(auditor, "EVERY", timedelta(milliseconds=5))
    town.grant("acme")
    town.grant("beta", step=2)
    alarm = town.press()
    town.write(partial(alarm_rows.stop_timers, alarm_id=alarm.id))
    auditors_own = SqliteConnection(path)

    def audit(writer: Writer) -> Awaitable[None]:
        return pacing.audit(writer, auditors_own, town.clock)

    async with running(town, audit) as writer:
        while not alarm_rows.timers(reader):
            await writer.write(nothing)

    assert [alarm_id for alarm_id, _, _ in alarm_rows.timers(reader)] == [alarm.id]
    assert events.counter(reader, auditor.AUDITED_AT) == to_micros(town.now)
    auditors_own.close()


async def test_silence_is_noticed_by_itself(
    town: Town, reader: SqliteConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pacing, "SILENCE_EVERY", timedelta(milliseconds=5))
    town.report("p-1")
    town.clock.advance(timedelta(hours=1))

    def watch(writer: Writer) -> Awaitable[None]:
        return pacing.watch_silence(
            writer, town.profiles, town.clock, is_open=lambda: True, find_overdue=nobody_measures(reader)
        )

    async with running(town, watch) as writer:
        while not events.events(reader, limit=9):
            await writer.write(nothing)

    assert [alarm.kind for alarm in town.alarms()] == ["technical.silent"]
    assert events.counter(reader, silence.ALIVE) == to_micros(town.now)


@asynccontextmanager
async def marking(town: Town) -> AsyncIterator[tuple[Marks, Writer]]:
    """Marks that run, over a session of their own."""
    writer = Writer(town.connection, town.release)
    writer.start()
    marks = Marks(writer, MqttHomes(RecordingSession()), town.clock)
    async with asyncio.timeout(AT_MOST_SECONDS), aclosing(writer), asyncio.TaskGroup() as group:
        task = group.create_task(marks.run(), name="marks")
        yield marks, writer
        task.cancel()


async def settled(writer: Writer) -> None:
    """Return when the marks that were made have been written."""
    for _ in range(3):
        await asyncio.sleep(0)
    await writer.write(nothing)


async def test_a_receipt_that_the_broker_has_is_noted_as_sent(town: Town) -> None:
    alarm = town.press()
    town.acknowledge(None, alarm)
    [receipt] = town.homes.receipts

    async with marking(town) as (marks, writer):
        marks.receipt_sent(None)
        marks.receipt_sent(receipt.id)
        await settled(writer)

    assert answers.unsent_receipts(town.connection, limit=9) == []


async def test_after_a_reconnect_everything_unconfirmed_is_tried_at_once(town: Town) -> None:
    town.grant("acme")
    town.press()

    async with marking(town) as (marks, writer):
        marks.reconnected()
        await settled(writer)

    assert [told.attempt for told in town.channel.told("acme")] == [1, 2]


@pytest.mark.parametrize(
    ("line", "attempts"),
    [
        (b"1: New client connected from 10.0.0.7:1 as d (p5, c0, k60, u'CN=acme').", [1, 2]),
        (b"1: New client connected from 10.0.0.7:1 as d (p5, c0, k60, u'CN=beta').", [1]),
        (b"\xff\xfe nothing of ours", [1]),
    ],
)
async def test_an_organisation_that_comes_online_is_tried_at_once_and_no_other(
    town: Town, line: bytes, attempts: list[int]
) -> None:
    town.grant("acme")
    town.press()

    async with marking(town) as (marks, writer):
        marks.broker_says(envelope(NOTICE, line))
        await settled(writer)

    assert [told.attempt for told in town.channel.told("acme")] == attempts


async def test_messages_that_the_broker_dropped_are_a_fault(town: Town) -> None:
    async with marking(town) as (marks, writer):
        for total in (b"0", b"", b"x", b"3"):
            marks.broker_says(envelope(presence.DROPPED_TOPIC, total))
        await settled(writer)

    [fault] = status.open_faults(town.connection)
    assert fault.code == auditor.BROKER_DROPPED
    assert fault.message.startswith("The broker has dropped 3 messages")


async def test_old_drops_are_not_told_again_when_something_else_is_noted(
    town: Town, reader: SqliteConnection
) -> None:
    async with marking(town) as (marks, writer):
        marks.broker_says(envelope(presence.DROPPED_TOPIC, b"3"))
        await settled(writer)
        await writer.write(partial(status.end_faults, code=auditor.BROKER_DROPPED, still=set(), at=town.now))
        marks.broker_says(envelope(presence.DROPPED_TOPIC, b"3"))
        marks.receipt_sent("r-1")
        await asyncio.sleep(2 * pacing.SHORTEST_PAUSE.total_seconds())
        await settled(writer)
        ended = status.open_faults(reader)
        marks.broker_says(envelope(presence.DROPPED_TOPIC, b"4"))
        await asyncio.sleep(2 * pacing.SHORTEST_PAUSE.total_seconds())
        await settled(writer)

    assert ended == []
    assert [fault.code for fault in status.open_faults(town.connection)] == [auditor.BROKER_DROPPED]


async def test_an_organisation_that_comes_and_goes_is_told_what_waits_at_once_and_once_more_at_the_end(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pacing, "SAME_ARRIVAL", timedelta(milliseconds=30))
    arrivals: list[str] = []
    line = b"1: New client connected from 10.0.0.7:1 as d (p5, c0, k60, u'CN=acme')."
    writer = Writer(town.connection, town.release)
    marks = Marks(writer, MqttHomes(RecordingSession()), town.clock, on_arrival=arrivals.append)

    for _ in range(5):
        marks.broker_says(envelope(NOTICE, line))
    at_once = list(arrivals)
    await asyncio.sleep(0.06)

    assert (at_once, arrivals) == (["acme"], ["acme", "acme"])


async def test_while_the_lanes_are_not_open_nobody_is_called_silent(
    town: Town, reader: SqliteConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pacing, "SILENCE_EVERY", timedelta(milliseconds=5))
    monkeypatch.setattr(pacing, "LONGEST_PAUSE", timedelta(milliseconds=5))
    town.report("p-1")
    town.clock.advance(timedelta(hours=1))
    asked: list[bool] = []

    def is_open() -> bool:
        asked.append(False)
        return False

    def watch(writer: Writer) -> Awaitable[None]:
        return pacing.watch_silence(
            writer, town.profiles, town.clock, is_open=is_open, find_overdue=nobody_measures(reader)
        )

    async with running(town, watch) as writer:
        while len(asked) < 3:
            await writer.write(nothing)

    assert events.events(reader, limit=9) == []
