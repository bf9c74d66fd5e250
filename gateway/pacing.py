"""What has to happen by itself: timers fire, deliveries repeat, silence is noticed, the auditor looks.

Each is a task of its own with a name. The pacer is the poll that is the truth; everything faster (a commit
of our own or of another process, a partner's coming online) is a shortcut to it. So an alarm that is
acknowledged over HTTP is told over MQTT some 20 ms later, and nothing waits longer than a fifth of a second.
"""

import asyncio
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Final

import structlog

from broker import presence
from broker.session import Envelope
from devices.profiles import Profiles
from gateway.commits import LOOK_EVERY, Commits
from gateway.outgoing import MqttHomes
from services.alarms import chain
from services.delivery.release import Release
from services.domain.clock import Clock
from services.domain.subscriptions import ChannelName
from services.store import answers, deliveries, events, status
from services.store.connection import Connection, StoreUnavailableError, to_micros
from services.store.sqlite import SqliteConnection
from services.store.writer import Writer
from services.supervision import auditor, silence
from services.supervision.silence import Overdue

LONGEST_PAUSE: Final = timedelta(milliseconds=200)
SHORTEST_PAUSE: Final = timedelta(milliseconds=10)
BACKLOG_PAUSE: Final = timedelta(milliseconds=50)
"""Between turns while something is due that could not leave: its channel is away, or there is too much."""

SILENCE_EVERY: Final = timedelta(seconds=10)
SMALLEST_STEP: Final = timedelta(seconds=2)
"""Time servers slew less than this; what is more was set."""

LARGEST_STEP: Final = timedelta(hours=24)
"""A clock that jumps further ahead was wrong when it started (a dead battery): what is stored was right, and
what is due by now is done now."""

SAME_ARRIVAL: Final = timedelta(seconds=1)

CHECKPOINT_EVERY: Final = timedelta(seconds=5)

_log = structlog.get_logger(__name__)


async def pace(writer: Writer, release: Release, clock: Clock, reader: SqliteConnection) -> None:
    """Fire timers and release what is due, exactly when it is due.

    Args:
        writer: The process's writer.
        release: Its epilogue.
        clock: The time.
        reader: A connection of the event loop's thread, to see what other processes commit.
    """
    steady = SteadyClock(clock, _since_boot_s)
    commits = Commits(reader)
    while True:
        step = steady.step()
        if step:
            _log.warning("clock_was_set", by_s=step.total_seconds())
            if step < LARGEST_STEP:
                await writer.write(partial(deliveries.shift_due_times, by=step))
        await writer.write(partial(chain.fire_due, now=clock.now()))
        pause = LONGEST_PAUSE
        if release.next_due_at is not None:
            until_due = release.next_due_at - clock.now()
            pause = min(pause, until_due if until_due > SHORTEST_PAUSE else BACKLOG_PAUSE)
        await _rest(max(pause, SHORTEST_PAUSE), commits, partial(_is_work_waiting, reader, release, clock))


async def _rest(pause: timedelta, commits: Commits, is_work_waiting: Callable[[], bool]) -> None:
    """Wait; no longer than until somebody else's commit has left something to do."""
    loop = asyncio.get_running_loop()
    ends_s = loop.time() + pause.total_seconds()
    while (left_s := ends_s - loop.time()) > 0:
        await asyncio.sleep(min(left_s, LOOK_EVERY.total_seconds()))
        if commits.are_new() and is_work_waiting():
            return


def _is_work_waiting(reader: SqliteConnection, release: Release, clock: Clock) -> bool:
    """Whether anything is due now. After a commit of our own nothing is, so alarms cost no turn more."""
    due_at = release.find_next_due(reader)
    return (due_at is not None and due_at <= clock.now()) or bool(answers.unsent_receipts(reader, limit=1))


def _since_boot_s() -> float:
    """Seconds that nobody can set, and that go on while the machine sleeps."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


class SteadyClock:
    """Notices when somebody sets the wall clock, by one that nobody can set.

    Due times are stored as wall-clock times, so that they survive a restart. When the clock is set they
    move with it: an escalation neither comes an hour late nor do all of them come at once.
    """

    def __init__(self, clock: Clock, monotonic_s: Callable[[], float]) -> None:
        self._clock = clock
        self._monotonic_s = monotonic_s
        self._offset = self._measure()

    def step(self) -> timedelta:
        """How far the wall clock was set since the last call; nothing for what is ordinary drift."""
        offset = self._measure()
        step = offset - self._offset
        if abs(step) < SMALLEST_STEP:
            return timedelta(0)
        self._offset = offset
        return step

    def _measure(self) -> timedelta:
        since_1970 = self._clock.now() - datetime.fromtimestamp(0, tz=UTC)
        return since_1970 - timedelta(seconds=self._monotonic_s())


async def watch_silence(
    writer: Writer,
    profiles: Profiles,
    clock: Clock,
    *,
    is_open: Callable[[], bool],
    find_overdue: Callable[[datetime], Overdue],
) -> None:
    """Notice devices that have fallen silent; while the lanes are not open, nobody can be heard.

    Args:
        writer: The alarm process's writer.
        profiles: How long a silence each device may keep.
        clock: The time.
        is_open: Whether every lane is open.
        find_overdue: Which devices would be called silent at a moment, and which of them have sent readings.
            Asked in a thread of its own, since it looks at another database. Only whom it names is
            called silent, by the same moment: of all others nobody knows whether they have spoken.
    """
    while True:
        pause = LONGEST_PAUSE
        if is_open():
            now = clock.now()
            overdue = await asyncio.to_thread(find_overdue, now)
            await writer.write(partial(_look_for_silence, profiles=profiles, overdue=overdue, now=now))
            if len(overdue.devices) < silence.DEVICES_PER_TURN:
                pause = SILENCE_EVERY
        await asyncio.sleep(pause.total_seconds())


async def audit(writer: Writer, reader: SqliteConnection, clock: Clock) -> None:
    """Look whether every open alarm has a next step; say so out loud when not."""
    while True:
        try:
            findings = await asyncio.to_thread(auditor.look, reader, now=clock.now())
        except StoreUnavailableError:
            raise
        except Exception:  # noqa: BLE001 - a row that it cannot read: alarms go on, and /readyz says that nobody looks
            _log.exception("auditor_cannot_look")
        else:
            for sentence in await writer.write(partial(_report, findings=findings, clock=clock)):
                _log.error("auditor_found", finding=sentence)
        await asyncio.sleep(auditor.EVERY.total_seconds())


async def checkpoint(connection: SqliteConnection) -> None:
    """Keep the write-ahead log short, beside the writer and not in its way."""
    while True:
        await asyncio.sleep(CHECKPOINT_EVERY.total_seconds())
        await asyncio.to_thread(connection.checkpoint)


class Marks:
    """Small facts that become rows together: receipts sent, partners that may be listening, drops."""

    def __init__(
        self,
        writer: Writer,
        homes: MqttHomes,
        clock: Clock,
        *,
        on_arrival: Callable[[str], None] = lambda _organisation_id: None,
    ) -> None:
        self._writer = writer
        self._homes = homes
        self._on_arrival = on_arrival
        self._told_at_s: dict[str, float] = {}
        self._arriving: set[str] = set()
        self._clock = clock
        self._sent: list[str] = []
        self._listening: set[str | None] = set()
        self._dropped = 0
        self._newly_dropped = False
        self._arrived = asyncio.Event()

    def receipt_sent(self, receipt_id: str | None) -> None:
        """The broker has a receipt; None: something else, that nobody waits for."""
        if receipt_id is not None:
            self._sent.append(receipt_id)
            self._arrived.set()

    def reconnected(self) -> None:
        """The connection was lost and is back: nobody knows what arrived of what was under way."""
        self._listening.add(None)
        self._arrived.set()

    def broker_says(self, envelope: Envelope) -> None:
        """Take one of the broker's own messages (``broker.presence``)."""
        text = envelope.payload.decode("utf-8", "replace")
        if envelope.topic == presence.DROPPED_TOPIC:
            self._note_dropped(int(text) if text.isdecimal() else 0)
        elif (organisation_id := presence.organisation_in(text)) is not None:
            self._may_listen(organisation_id)

    async def run(self) -> None:
        """Write what has come together, until cancelled."""
        while True:
            await self._arrived.wait()
            self._arrived.clear()
            sent, self._sent = self._sent, []
            listening, self._listening = self._listening, set()
            dropped, self._newly_dropped = self._dropped if self._newly_dropped else 0, False
            await self._writer.write(partial(self._write, sent=sent, listening=listening, dropped=dropped))
            self._homes.noted(sent)
            await asyncio.sleep(SHORTEST_PAUSE.total_seconds())  # a storm of hints is one transaction

    def _may_listen(self, organisation_id: str) -> None:
        """Have it told what waits, at most once a second: coming and going must not cost the others."""
        if organisation_id in self._arriving:
            return  # it is told at the end of the second
        now_s = time.monotonic()
        wait_s = self._told_at_s.get(organisation_id, 0.0) + SAME_ARRIVAL.total_seconds() - now_s
        if wait_s <= 0:
            self._arrives(organisation_id)
        else:
            self._arriving.add(organisation_id)
            asyncio.get_running_loop().call_later(wait_s, self._arrives, organisation_id)

    def _arrives(self, organisation_id: str) -> None:
        self._arriving.discard(organisation_id)
        self._told_at_s[organisation_id] = time.monotonic()
        self._on_arrival(organisation_id)
        self._listening.add(organisation_id)
        self._arrived.set()

    def _note_dropped(self, total: int) -> None:
        if total > self._dropped:
            _log.error("broker_dropped_messages", total=total)
            self._newly_dropped = True
            self._arrived.set()
        self._dropped = total

    def _write(
        self, connection: Connection, *, sent: list[str], listening: set[str | None], dropped: int
    ) -> None:
        now = self._clock.now()
        for receipt_id in sent:
            answers.mark_sent(connection, receipt_id, at=now)
        if None in listening:
            deliveries.hurry(connection, ChannelName.MQTT, now)
        for organisation_id in listening - {None}:
            deliveries.bring_forward(connection, ChannelName.MQTT, str(organisation_id), now=now)
        if dropped:
            message = f"The broker has dropped {dropped} messages, a queue was full: see docs/broker.md"
            status.open_fault(connection, auditor.BROKER_DROPPED, "broker", message, at=now)


def _look_for_silence(connection: Connection, *, profiles: Profiles, overdue: Overdue, now: datetime) -> None:
    for device in overdue.devices:
        if (at := overdue.spoken_at.get(device.id)) is not None:
            silence.heard_elsewhere(connection, device, profiles=profiles, at=at)
    away = silence.welcome_back(connection, now=now)
    if away > silence.AWAY_AFTER:
        _log.warning("hub_was_away", seconds=round(away.total_seconds()))
    asked = {device.id for device in overdue.devices}
    found = silence.look(connection, profiles=profiles, now=now, among=asked)
    if found:
        _log.info("devices_silent", count=found)


def _report(connection: Connection, *, findings: auditor.Findings, clock: Clock) -> list[str]:
    now = clock.now()
    events.set_counter(connection, auditor.AUDITED_AT, to_micros(now))
    return auditor.report(connection, findings, now=now)
