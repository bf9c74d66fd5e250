"""Takes what the reading lane has found out, and files it the same way as what homes say themselves.

    readings.db: handovers ──read only──> alarm, status, log ──one transaction with──> how far we came

The alarm process keeps the mark; so a crash on either side repeats nothing and loses nothing, and neither
process ever waits for the other's lock. A readings' file that is missing, unfinished or broken ends nothing
here: what homes say themselves goes on.
"""

import asyncio
import threading
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Final

import structlog

from devices.kinds import DeviceId
from devices.messages import AlarmMessage, AlarmSignal, StatusMessage
from devices.profiles import Profiles
from services import audit
from services.alarms import opening
from services.domain.clock import Clock
from services.domain.homes import Device, DeviceState
from services.readings import handover
from services.readings.handover import Heard, Released, Said, Told
from services.store import events, registry, usage
from services.store.apart import apart
from services.store.connection import Connection, StoreUnavailableError, from_micros
from services.store.migrations import READINGS, schema_version, scripts
from services.store.readings import handovers
from services.store.readings.reader import ReadingsReader
from services.store.sqlite import SqliteConnection
from services.store.writer import Writer
from services.supervision import silence, status
from services.supervision.silence import Overdue

TAKEN_TO: Final = "handovers_taken_to"
"""Counter: the number of the last one that is filed."""

LOOK_EVERY: Final = timedelta(milliseconds=100)
TRY_AGAIN_EVERY: Final = timedelta(seconds=5)
"""How often a readings' file is tried that could not be read."""

AT_ONCE: Final = 20
"""In one transaction: an alarm of the alarm lane waits for at most one."""

BY_READING_LANE: Final = DeviceId("")
"""In place of a client: there is no connection that a receipt could go to."""

_DAY_MICROS: Final = timedelta(days=1) // timedelta(microseconds=1)

_log = structlog.get_logger(__name__)


class HandoverDesk:
    """Files handovers, one transaction's worth at a time."""

    def __init__(self, *, profiles: Profiles, clock: Clock) -> None:
        self._profiles = profiles
        self._clock = clock

    def file(self, connection: Connection, rows: Sequence[tuple[int, str]]) -> None:
        """File some of them, oldest first, in the caller's transaction."""
        for number, body in rows:
            apart(connection, "handover", str(number), partial(self._file_one, connection, body))
        events.set_counter(connection, TAKEN_TO, rows[-1][0])

    def _file_one(self, connection: Connection, body: str) -> None:
        match handover.decode(body):
            case Said() as said:
                self._say(connection, said)
            case Told() as told:
                self._tell(connection, told)
            case Heard(device_id=device_id):
                self._heard(connection, device_id, StatusMessage())
            case Released() as released:
                _note_release(connection, released)

    def _say(self, connection: Connection, said: Said) -> None:
        """File what was found while the device was heard, though it be suspended by now.

        A retired device opens nothing any more, but what it opened may end.
        """
        device = registry.device(connection, said.device_id)
        is_raised = said.signal == AlarmSignal.RAISED
        if device is None or (is_raised and device.state is DeviceState.RETIRED):
            _log.info("handover_passed_over", device_id=said.device_id, kind=said.kind)
            return
        now = self._clock.now()
        message = AlarmMessage(
            id=said.id,
            kind=said.kind,
            signal=AlarmSignal(said.signal),
            sent_at=from_micros(said.at_us),
            text=said.text,
            is_test=said.is_test,
            data=said.data,
        )
        opening.take(connection, message, device=device, client_id=BY_READING_LANE, payload=b"", now=now)
        self._heard(connection, device.id, StatusMessage())

    def _tell(self, connection: Connection, told: Told) -> None:
        device = registry.device(connection, told.device_id)
        if device is None or device.state is not DeviceState.IN_SERVICE:
            return
        message = StatusMessage(
            battery_percent=told.battery_percent, has_mains=told.has_mains, signal_dbm=told.signal_dbm
        )
        profile = self._profiles[device.profile]
        status.take(connection, message, device=device, profile=profile, now=self._clock.now())

    def _heard(self, connection: Connection, device_id: str, message: StatusMessage) -> None:
        device = registry.device(connection, device_id)
        if device is None or device.state is not DeviceState.IN_SERVICE:
            return
        profile = self._profiles[device.profile]
        status.heard(connection, device, profile=profile, message=message, now=self._clock.now())


def _note_release(connection: Connection, released: Released) -> None:
    entry = audit.Entry(
        actor="hub",
        action="readings_released",
        organisation_id=released.organisation_id,
        home_id=released.home_id,
        subject=released.grant_id,
        purpose=released.purpose,
        details=f"{released.count} readings of {released.data_class}",
    )
    audit.note(connection, entry, at=from_micros(released.last_at_us))
    usage.add_readings(
        connection,
        released.organisation_id,
        released.data_class,
        day=released.last_at_us // _DAY_MICROS,
        count=released.count,
    )


class HandoverSource:
    """The rows that the reading process has left, and how far they are filed."""

    def __init__(self, file: Path, reader: Connection) -> None:
        """Open nothing yet.

        Args:
            file: The readings' database; it may be missing, unfinished or broken.
            reader: A connection to the alarm path's own database, for its mark.
        """
        self._file = file
        self._reader = reader
        self._readings: SqliteConnection | None = None
        self._taken_to = 0
        self._lock = threading.RLock()
        """A thread may still read when the task that waits for it is cancelled, and closes."""
        self.is_lost = False
        """Whether the file is there and cannot be read."""

    def next(self) -> list[tuple[int, str]]:
        """Number and body of the next ones, oldest first; nothing while the file cannot be read."""
        with self._lock:
            try:
                rows = self._next()
            except StoreUnavailableError as error:
                if not self.is_lost:
                    _log.error("readings_unreadable", reason=str(error))
                self.is_lost = True
                self.close()
                return []
            self.is_lost = False
            return rows

    def filed(self, number: int) -> None:
        """Everything up to this number is filed."""
        self._taken_to = number

    def close(self) -> None:
        """Let go of the file."""
        with self._lock:
            if self._readings is not None:
                self._readings.close()
                self._readings = None

    def _next(self) -> list[tuple[int, str]]:
        if self._readings is None:
            self._open()
        if self._readings is None:
            return []
        return handovers.after(self._readings, self._taken_to, limit=AT_ONCE)

    def _open(self) -> None:
        """Open the file when it is there, in the form that this version writes."""
        if not self._file.exists():
            return
        readings = SqliteConnection(self._file)
        if schema_version(readings) < len(scripts(READINGS)):  # the reading process is about to make it
            readings.close()
            return
        self._readings = readings
        self._taken_to = how_far(self._reader, readings)


async def take_handovers(source: HandoverSource, writer: Writer, desk: HandoverDesk) -> None:
    """File what the reading lane hands over, until cancelled.

    Args:
        source: Where the rows are; closed at the end.
        writer: The alarm process's writer.
        desk: What becomes of each.
    """
    try:
        while True:
            rows = await asyncio.to_thread(source.next)
            if rows:
                await writer.write(partial(desk.file, rows=rows))
                source.filed(rows[-1][0])
            else:
                pause = TRY_AGAIN_EVERY if source.is_lost else LOOK_EVERY
                await asyncio.sleep(pause.total_seconds())
    finally:
        source.close()


def how_far(reader: Connection, readings: Connection) -> int:
    """How far an earlier run came; from the start when the readings' file is another one."""
    taken_to = events.counter(reader, TAKEN_TO)
    return taken_to if taken_to <= handovers.newest(readings) else 0


def find_overdue(now: datetime, *, file: Path, reader: Connection, profiles: Profiles) -> Overdue:
    """The devices that have not been heard for long, and which of them have sent readings.

    While the readings cannot be read, or their process was away until now, only devices that measure
    nothing are named: of the others nobody knows whether they have spoken.

    Args:
        now: The moment.
        file: The readings' database; it may not be there.
        reader: A connection to the alarm path's own database.
        profiles: What device models measure.
    """
    devices = silence.overdue(reader, now=now)
    try:
        spoken_at = _spoken_at(file, devices, now=now)
    except StoreUnavailableError as error:
        _log.error("readings_unreadable", reason=str(error))
        spoken_at = None
    if spoken_at is not None:
        return Overdue(devices=devices, spoken_at=spoken_at)
    measure_nothing = [device for device in devices if not profiles[device.profile].readings]
    return Overdue(devices=measure_nothing, spoken_at={})


def _spoken_at(file: Path, devices: Sequence[Device], *, now: datetime) -> Mapping[DeviceId, datetime] | None:
    """When devices last sent a reading; None: nobody has listened to them of late."""
    if not devices or not file.exists():
        return {}
    with ReadingsReader(file) as readings:
        if not readings.has_listened(now=now):
            return None
        received_at = readings.last_received({device.position_id for device in devices})
    return {
        device.id: received_at[device.position_id] for device in devices if device.position_id in received_at
    }
