"""The alarm process: the one place that joins its parts, in the order the data flow.

    store ─> sessions ─> release ─> writer ─> intakes (alarm, status, partner) ─> pacing, auditor

Everything that runs is a named task of one group: when one fails, all end, the process ends, and the
supervisor starts it again. That is the only recovery there is, so it is the one that is tested.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable, Coroutine
from contextlib import AsyncExitStack, aclosing, asynccontextmanager, closing
from dataclasses import dataclass
from functools import partial
from typing import Final

from broker import presence, topics
from broker.session import Callbacks, Envelope, Session, SessionPlan
from broker.topics import Lane
from devices.profiles import load_profiles
from gateway import log_heads, pacing
from gateway.data_folder import DataFolder
from gateway.handovers import HandoverDesk, HandoverSource, find_overdue, take_handovers
from gateway.intake import Handler, Intake
from gateway.lanes import AlarmLane, PartnerLane, StatusLane
from gateway.metrics.alarm_path import AlarmPathMetrics
from gateway.outgoing import MqttChannel, MqttHomes, StreamChannel
from gateway.running import HubAccess
from services.delivery.release import Release
from services.domain.clock import Clock
from services.domain.subscriptions import ChannelName
from services.store.migrations import migrate
from services.store.sqlite import SqliteConnection
from services.store.writer import Writer

AT_ONCE: Final = 1_000
"""Messages of a lane that may be unacknowledged at once; the rest waits at the broker, bounded there."""

PER_TRANSACTION: Final[dict[str, int]] = {Lane.ALARM: 100, Lane.STATUS: 3, "partner": 20}
"""Messages per transaction and lane: an alarm waits for at most one transaction of the other lanes."""

_Work = Callable[[], Coroutine[None, None, None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sessions:
    """One session per lane, so that none waits behind another."""

    alarm: Session
    status: Session
    partner: Session
    log: Session
    """The broker's own messages; nothing is lost when it is."""

    def are_connected(self) -> bool:
        """Whether every lane is open now."""
        return self.alarm.is_connected and self.status.is_connected and self.partner.is_connected

    async def wait_until_connected(self) -> None:
        """Return once every lane is open."""
        for session in (self.alarm, self.status, self.partner):
            await session.connected.wait()


@dataclass(frozen=True, slots=True, kw_only=True)
class App:
    """The joined parts of the alarm process."""

    sessions: Sessions
    intakes: dict[str, tuple[Intake, Session]]
    background: dict[str, _Work]

    def are_connected(self) -> bool:
        """Whether every lane is open now."""
        return self.sessions.are_connected()

    async def run(self, *, ready: asyncio.Event, stop: asyncio.Event) -> None:
        """Work until told to stop; then finish what has arrived, and leave the rest to the broker.

        Raises:
            ExceptionGroup: Something failed. What was not committed was not acknowledged either.
        """
        async with asyncio.TaskGroup() as group:
            background = [group.create_task(work(), name=name) for name, work in self.background.items()]
            background.append(group.create_task(self._tell_when(ready), name="readiness"))
            intakes = [
                group.create_task(intake.run(session), name=f"{name} intake")
                for name, (intake, session) in self.intakes.items()
            ]
            await stop.wait()
            for intake, _ in self.intakes.values():
                intake.stop()
            await asyncio.wait(intakes)
            for task in background:
                task.cancel()

    async def _tell_when(self, ready: asyncio.Event) -> None:
        await self.sessions.wait_until_connected()
        ready.set()


@asynccontextmanager
async def build(
    folder: DataFolder, access: HubAccess, *, source: str, clock: Clock
) -> AsyncGenerator[App, None]:
    """Open the parts in the order data flows through them; close them in reverse.

    Args:
        folder: Where the data are; its schema is brought up to date.
        access: The broker's internal listener and our account there.
        source: ``urn:stadsnav:{city}``.
        clock: The time.
    """
    async with AsyncExitStack() as stack:
        written, watched, audited, checkpointed, marked, looked = (
            stack.enter_context(closing(SqliteConnection(folder.database))) for _ in range(6)
        )
        migrate(written)
        profiles = load_profiles()
        sessions = _sessions(access)
        homes = MqttHomes(sessions.alarm)
        metrics = AlarmPathMetrics(folder, clock)
        release = Release(
            channels={
                ChannelName.MQTT: metrics.watched(MqttChannel(sessions.partner)),
                ChannelName.STREAM: StreamChannel(),
            },
            homes=homes,
            source=source,
            clock=clock,
        )
        writer = Writer(written, release)
        writer.start()
        await stack.enter_async_context(aclosing(writer))
        marks = pacing.Marks(writer, homes, clock, on_arrival=release.allowance.fill)
        lanes: dict[str, tuple[Handler, Session]] = {
            Lane.ALARM: (AlarmLane(profiles=profiles, clock=clock), sessions.alarm),
            Lane.STATUS: (StatusLane(profiles=profiles, clock=clock), sessions.status),
            "partner": (PartnerLane(clock=clock), sessions.partner),
        }
        intakes = {
            name: (
                Intake(
                    writer,
                    handler,
                    at_once=PER_TRANSACTION[name],
                    is_urgent=name == Lane.ALARM,
                    watch=metrics.lane(name),
                ),
                session,
            )
            for name, (handler, session) in lanes.items()
        }
        background: dict[str, _Work] = {
            "marks": marks.run,
            "pacer": partial(pacing.pace, writer, release, clock, watched),
            "silence": partial(
                pacing.watch_silence,
                writer,
                profiles,
                clock,
                is_open=sessions.are_connected,
                find_overdue=partial(find_overdue, file=folder.readings, reader=looked, profiles=profiles),
            ),
            "auditor": partial(pacing.audit, writer, audited, clock),
            "metrics": metrics.keeping.run,
            "checkpoint": partial(pacing.checkpoint, checkpointed),
            "log heads": partial(log_heads.run, writer, folder, clock),
            "handovers": partial(
                take_handovers,
                HandoverSource(folder.readings, marked),
                writer,
                HandoverDesk(profiles=profiles, clock=clock),
            ),
        }
        for name, (session, callbacks) in _callbacks(sessions, intakes, homes=homes, marks=marks).items():
            background[f"{name} session"] = partial(session.run, callbacks)
        yield App(sessions=sessions, intakes=intakes, background=background)


def _sessions(access: HubAccess) -> Sessions:
    def session(name: str, *filters: str, is_kept: bool = True) -> Session:
        plan = SessionPlan(
            client_id=access.credentials.client_id(name),
            subscriptions=filters,
            receive_maximum=AT_ONCE,
            is_kept=is_kept,
        )
        return Session(access.address, plan)

    return Sessions(
        alarm=session("alarm", topics.lane_filter(Lane.ALARM)),
        status=session("status", topics.lane_filter(Lane.STATUS)),
        partner=session("partner", topics.ACTION_FILTER),
        log=session("log", *presence.LOG_FILTERS, presence.DROPPED_TOPIC, is_kept=False),
    )


def _callbacks(
    sessions: Sessions,
    intakes: dict[str, tuple[Intake, Session]],
    *,
    homes: MqttHomes,
    marks: pacing.Marks,
) -> dict[str, tuple[Session, Callbacks]]:
    def receive_alarm(envelope: Envelope) -> None:
        if envelope.is_retained:
            sessions.alarm.forget_retained(envelope.topic)
        if not (envelope.is_retained and not envelope.payload):  # our own forgetting, come back
            intakes[Lane.ALARM][0].receive(envelope)

    return {
        "alarm": (
            sessions.alarm,
            Callbacks(
                on_message=receive_alarm,
                on_lost=homes.lost,
                on_published=lambda packet_id: marks.receipt_sent(homes.published(packet_id)),
            ),
        ),
        "status": (sessions.status, Callbacks(on_message=intakes[Lane.STATUS][0].receive)),
        "partner": (
            sessions.partner,
            Callbacks(on_message=intakes["partner"][0].receive, on_connected=marks.reconnected),
        ),
        "log": (sessions.log, Callbacks(on_message=marks.broker_says)),
    }
