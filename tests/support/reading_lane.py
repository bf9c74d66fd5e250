"""The reading lane of a small town, joined as the reading process joins it: no threads, sockets or waiting.

    lane.hear("m-1", humidity=55.0)      one packet of a device with its own connection, taken in
    await lane.commit()                  one transaction, and what is acknowledged for it
    lane.handed_over()                   what the alarm path is told
    lane.restart()                       a new process finds what is on disk, and nothing else

``packet`` is the broker handing something over. The writer and the session are fakes; everything between
them, SQL included, is what runs in the product.
"""

import json
from collections.abc import Callable
from datetime import datetime
from typing import Any, Final, TypeVar

from broker.bulk_session import BulkSession, Mark
from devices.codecs.senml import Measured
from gateway.reading.foreign import ForeignLane
from gateway.reading.intake import ReadingIntake
from gateway.reading.lanes import Lanes
from gateway.reading.noting import Noting
from gateway.reading.redelivery import WINDOW, Redelivery
from services.readings import handover
from services.readings.clocks import Clocks
from services.readings.conditions import CONDITION, Conditions
from services.readings.register import Register
from services.readings.rulings import Rulings
from services.readings.states import SeriesStates
from services.readings.taking import Taking
from services.store import events
from services.store.connection import Connection, to_micros
from services.store.events import Quarantined
from services.store.migrations import READINGS, migrate
from services.store.readings import handovers, journal, marks
from services.store.readings import series as series_rows
from services.store.readings.columns import NONE, Columns, latest
from services.store.readings.recent import Recent
from services.store.sqlite import SqliteConnection
from services.store.writer import Writer
from tests.support.stores import IN_MEMORY
from tests.support.town import Town

T = TypeVar("T")

ALL: Final = 1_000_000


def readings_database() -> SqliteConnection:
    """An empty readings' database in memory."""
    connection = SqliteConnection(IN_MEMORY)
    migrate(connection, READINGS)
    return connection


def pack(*records: dict[str, Any]) -> bytes:
    """A SenML pack of these records."""
    return json.dumps(records).encode()


class InstantWriter(Writer):
    """Commits at once, in the caller's turn; ``undone`` times it is undone first and run again."""

    def __init__(self, connection: SqliteConnection) -> None:
        self._store = connection
        self.undone = 0
        self.error: Exception | None = None

    async def write(self, work: Callable[[Connection], T], *, is_urgent: bool = False) -> T:
        del is_urgent
        for _ in range(self.undone):
            with self._store.transaction(), self._store.savepoint():
                work(self._store)
                self._store.run("ROLLBACK TO part")
        if self.error is not None:
            raise self.error
        with self._store.transaction():
            return work(self._store)


class RecordingBulkSession(BulkSession):
    """Keeps what is acknowledged and published."""

    def __init__(self) -> None:
        self.connection = 1
        self.acknowledged: list[int] = []
        self.published: list[tuple[str, bytes]] = []
        self.is_up = True
        self.is_paused = False

    def pause(self) -> None:
        self.is_paused = True

    def resume(self) -> None:
        self.is_paused = False

    @property
    def is_connected(self) -> bool:
        return self.is_up

    def acknowledge(self, packet_ids: Any, *, connection: int) -> None:
        if connection == self.connection:
            self.acknowledged += packet_ids.tolist()

    def publish(self, topic: str, payload: bytes, **_: object) -> bool:
        if self.is_up:
            self.published.append((topic, payload))
        return self.is_up


class ReadingLane:
    """Everything of the reading process that decides about a packet."""

    def __init__(self, town: Town, store: SqliteConnection) -> None:
        self.town = town
        self.store = store
        self.writer = InstantWriter(store)
        self.session = RecordingBulkSession()
        self.committed: list[Columns] = []
        self._packet_id = 0
        self.restart()

    def restart(self) -> None:
        """Begin as the process begins: with what is on disk."""
        with self.store.transaction():
            after, newest = events.counter(self.store, journal.NOTED_TO), journal.newest(self.store)
            for _number, columns in journal.rows(self.store, after=after, up_to=newest, limit=ALL):
                series_rows.note_newer(self.store, latest(columns).rows())
            events.set_counter(self.store, journal.NOTED_TO, newest)
        self.states = SeriesStates(series_rows.newest_id(self.store), series_rows.all_last(self.store))
        stored = marks.rule_states(self.store)
        self.rulings = Rulings(
            {key: text for key, text in stored.items() if not key[1].startswith(CONDITION)},
            listening_since_us=self.now_us,
        )
        self.register = Register(
            self.town.connection,
            self.store,
            profiles=self.town.profiles,
            states=self.states,
            rulings=self.rulings,
        )
        taking = Taking(
            register=self.register,
            states=self.states,
            rulings=self.rulings,
            clocks=Clocks(marks.clocks(self.store)),
        )
        self.foreign = ForeignLane(
            registry_reader=self.town.connection,
            readings_reader=self.store,
            register=self.register,
            taking=taking,
            alarm_conditions=Conditions(stored),
        )
        lanes = Lanes(register=self.register, taking=taking, foreign=self.foreign)
        self.intake = ReadingIntake(
            handler=lanes.handle,
            writer=self.writer,
            recent=Recent(journal.unflushed(self.store), number=journal.newest(self.store)),
            register=self.register,
            states=self.states,
            rulings=self.rulings,
            noting=Noting(self.states, newest_row=journal.newest(self.store)),
            redelivery=Redelivery(journal.recent_packets(self.store, at_least=WINDOW)),
            clock=self.town.clock,
            on_committed=lambda committed: self.committed.append(committed.columns),
        )

    @property
    def now_us(self) -> int:
        return to_micros(self.town.now)

    # What arrives.

    def hear(
        self, device: str, *, client: str | None = None, at: datetime | None = None, **values: Any
    ) -> int:
        """One pack of a device, measured now or then; returns the packet's id."""
        time = {} if at is None else {"t": to_micros(at) / 1_000_000}
        records = [{"n": name, "v": value, **time} for name, value in values.items()]
        return self.packet(f"up/{client or device}/{device}/reading", pack(*records))

    def packet(
        self, topic: str, payload: bytes | dict[str, Any], *, id_: int | None = None, mark: Mark = Mark.NONE
    ) -> int:
        """The broker hands a packet over, a new one unless ``id_`` says which; returns its id."""
        if id_ is None:
            self._packet_id += 1
            id_ = self._packet_id
        raw = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
        self.intake.on_packet(topic, raw, id_, mark)
        return id_

    async def commit(self) -> Columns:
        """Commit what has arrived; returns the readings that were stored."""
        before = len(self.committed)
        self.intake.stop()
        await self.intake.run(self.session)
        return self.committed[-1] if len(self.committed) > before else NONE

    def registry_has_changed(self, *homes: str) -> None:
        """What the reading process does within a fifth of a second."""
        self.register.forget_homes(set(homes))
        self.foreign.forget(set(homes))

    def look(self) -> None:
        """What the reading process does once a second about what did not arrive."""
        self.rulings.look(self.now_us)

    # What is on disk.

    def values(self, name: str, position: str | None = None) -> list[float]:
        """Every stored reading of one name, in order of time."""
        found = series_rows.find(self.store, position_id=position, name=name, limit=ALL)
        stored = journal.unflushed(self.store).sorted()
        return [value for item in found for value in stored.of_series(item.id).value.tolist()]

    def rows(self) -> list[tuple[int, int, int, float]]:
        """Every stored row, also one that is there twice."""
        return list(journal.unflushed(self.store).rows())

    def handed_over(self, kind: type[T] | None = None) -> list[T]:
        """What the alarm path has to be told, oldest first."""
        every = [handover.decode(body) for _, body in handovers.after(self.store, 0, limit=ALL)]
        return [item for item in every if kind is None or isinstance(item, kind)]  # type: ignore[misc]

    def counted(self, lane: str = "reading") -> dict[str, int]:
        """received, stored, duplicate and quarantined, each where it is not zero."""
        prefix = f"{lane}_"
        names = ("received", "stored", "duplicate", "quarantined")
        every = events.counters(self.store)
        return {name: every[prefix + name] for name in names if every.get(prefix + name)}

    def set_aside(self) -> list[Quarantined]:
        """What could not be taken, oldest first."""
        return events.quarantined(self.store, home_id=None, device_id=None, limit=ALL)[::-1]


def measured(name: str, value: float, at: datetime, unit: str = "") -> Measured:
    """One record as the codec hands it on."""
    return Measured(name, unit, to_micros(at), value)
