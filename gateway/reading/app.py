"""The reading process: the one place that joins its parts, in the order the data flow.

    store ─> what is remembered ─> intake ─> upkeep, sharing ─> session

Everything that runs is a named task of one group: when one fails, all end, the process ends, and the
supervisor starts it again.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable, Coroutine
from contextlib import AsyncExitStack, aclosing, asynccontextmanager, closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

from broker import topics
from broker.bulk_session import BulkCallbacks, BulkSession
from broker.session import SessionPlan
from broker.topics import Lane
from devices.profiles import load_profiles
from gateway import pacing
from gateway.data_folder import DataFolder
from gateway.metrics.readings import ReadingMetrics
from gateway.reading import redelivery
from gateway.reading.floor import DiskFloor
from gateway.reading.followers import follow_registry, look_again, wake_rules
from gateway.reading.foreign import ForeignLane
from gateway.reading.intake import ReadingIntake
from gateway.reading.lanes import Lanes
from gateway.reading.noting import Noting
from gateway.reading.redelivery import Redelivery
from gateway.reading.releasing import Releasing
from gateway.reading.upkeep import Upkeep
from gateway.running import HubAccess
from services.domain.clock import Clock
from services.readings.clocks import Clocks
from services.readings.conditions import CONDITION, Conditions
from services.readings.register import Register
from services.readings.rulings import Rulings
from services.readings.sharing import Sharing
from services.readings.states import SeriesStates
from services.readings.taking import Taking
from services.readings.upkeep.expire import Retention
from services.store import changes, events
from services.store.connection import Connection, to_micros
from services.store.migrations import READINGS, migrate
from services.store.readings import erasures, journal, marks, segments
from services.store.readings import series as series_rows
from services.store.readings.columns import latest
from services.store.readings.recent import Recent
from services.store.sqlite import SqliteConnection
from services.store.writer import Writer

AT_ONCE: Final = 20_000
"""Packets that may be unacknowledged at once: under a second of the fastest flood that was measured."""

ROWS_AT_ONCE: Final = 1_000

_Work = Callable[[], Coroutine[None, None, None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class App:
    """The joined parts of the reading process."""

    session: BulkSession
    intake: ReadingIntake
    releasing: Releasing
    background: dict[str, _Work]

    def are_connected(self) -> bool:
        """Whether readings can come in now."""
        return self.session.is_connected

    async def run(self, *, ready: asyncio.Event, stop: asyncio.Event) -> None:
        """Work until told to stop; then finish what has arrived, and leave the rest to the broker."""
        async with asyncio.TaskGroup() as group:
            background = [group.create_task(work(), name=name) for name, work in self.background.items()]
            background.append(group.create_task(self._tell_when(ready), name="readiness"))
            intake = group.create_task(self.intake.run(self.session), name="intake")
            await stop.wait()
            self.intake.stop()
            await asyncio.wait({intake})
            for task in background:
                task.cancel()
            await self.releasing.settle()

    async def _tell_when(self, ready: asyncio.Event) -> None:
        await self.session.connected.wait()
        ready.set()


@asynccontextmanager
async def build(
    folder: DataFolder,
    access: HubAccess,
    *,
    source: str,
    retention: Retention,
    disk_floor_mib: int,
    clock: Clock,
) -> AsyncGenerator[App, None]:
    """Open the parts in the order data flows through them; close them in reverse.

    Args:
        folder: Where the data are; the readings' schema is brought up to date.
        access: The broker's internal listener and our account there.
        source: ``urn:stadsnav:{city}``.
        retention: How long readings are kept.
        disk_floor_mib: What of the disk readings leave to alarms.
        clock: The time.
    """
    async with AsyncExitStack() as stack:

        def opened(path: Path) -> SqliteConnection:
            return stack.enter_context(closing(SqliteConnection(path)))

        written = opened(folder.readings)
        migrate(written, READINGS)
        states = _remembered(written)
        registry, readings = opened(folder.database), opened(folder.readings)
        registered = changes.newest(registry)  # before anything of it is read: what follows is followed
        stored_rules = marks.rule_states(written)
        rulings = Rulings(
            {key: state for key, state in stored_rules.items() if not key[1].startswith(CONDITION)},
            listening_since_us=to_micros(clock.now()),
        )
        profiles = load_profiles()
        register = Register(registry, readings, profiles=profiles, states=states, rulings=rulings)
        taking = Taking(
            register=register, states=states, rulings=rulings, clocks=Clocks(marks.clocks(written))
        )
        foreign = ForeignLane(
            registry_reader=registry,
            readings_reader=readings,
            register=register,
            taking=taking,
            alarm_conditions=Conditions(stored_rules),
        )
        writer = Writer(written)
        writer.start()
        await stack.enter_async_context(aclosing(writer))
        recent = Recent(journal.unflushed(written), number=journal.newest(written))
        sharing = Sharing(opened(folder.database), opened(folder.readings), source=source)
        floor = DiskFloor(folder.path, floor_mib=disk_floor_mib)
        releasing = Releasing(sharing, writer, clock)
        metrics = ReadingMetrics(folder, clock)
        intake = ReadingIntake(
            handler=Lanes(register=register, taking=taking, foreign=foreign).handle,
            writer=writer,
            recent=recent,
            register=register,
            states=states,
            rulings=rulings,
            noting=Noting(states, newest_row=journal.newest(written)),
            redelivery=Redelivery(journal.recent_packets(written, at_least=redelivery.WINDOW)),
            clock=clock,
            on_committed=metrics.noted(releasing.committed),
            has_room=lambda: not floor.is_reached(),
        )
        upkeep = Upkeep(
            folder=folder,
            writer=writer,
            reader=opened(folder.readings),
            registry_reader=opened(folder.database),
            recent=recent,
            states=states,
            register=register,
            rulings=rulings,
            retention=retention,
            floor=floor,
            clock=clock,
        )
        session = _session(access)
        callbacks = BulkCallbacks(on_packet=intake.on_packet, on_connected=intake.on_connected)
        wake_rules(registry, register, rulings, profiles)
        follower = opened(folder.database)
        look = partial(
            look_again, registry_reader=follower, register=register, rulings=rulings, profiles=profiles
        )
        yield App(
            session=session,
            intake=intake,
            releasing=releasing,
            background={
                "session": partial(session.run, callbacks),
                "rules": intake.look,
                "metrics": metrics.keeping.run,
                "registry": partial(
                    follow_registry, follower, register, after=registered, on_change=[foreign.forget, look]
                ),
                "upkeep": upkeep.run,
                "sharing": partial(releasing.run, session),
                "checkpoint": partial(pacing.checkpoint, opened(folder.readings)),
            },
        )


def _session(access: HubAccess) -> BulkSession:
    plan = SessionPlan(
        client_id=access.credentials.client_id("reading"),
        subscriptions=(topics.lane_filter(Lane.READING),),
        subscriptions_with_retained=(topics.INTEGRATION_FILTER,),
        receive_maximum=AT_ONCE,
    )
    return BulkSession(access.bulk, plan)


def _remembered(written: SqliteConnection) -> SeriesStates:
    """What an earlier run knew of every series; what a crash left half done is cleared away."""
    erasures.overwrite_deleted(written)  # a page that is deleted now may hold what is erased later
    with written.transaction():
        segments.drop_unready(written)
        _note_journal(written)
    return SeriesStates(series_rows.newest_id(written), series_rows.all_last(written))


def _note_journal(connection: Connection) -> None:
    """Bring ``last_values`` up to the journal's newest row."""
    after, newest = events.counter(connection, journal.NOTED_TO), journal.newest(connection)
    while rows := journal.rows(connection, after=after, up_to=newest, limit=ROWS_AT_ONCE):
        after = rows[-1][0]
        for _number, columns in rows:
            series_rows.note_newer(connection, latest(columns).rows())
    events.set_counter(connection, journal.NOTED_TO, newest)
