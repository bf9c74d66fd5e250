"""Takes what the reading lane has found out, and files it the same way as what homes say themselves.

    readings.db: handovers ──read only──> alarm, status, log ──one transaction with──> how far we came

The alarm process keeps the mark; so a crash on either side repeats nothing and loses nothing, and neither
process ever waits for the other's lock.
"""

import asyncio
from collections.abc import Sequence
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
from services.store import events, registry
from services.store.apart import apart
from services.store.connection import Connection, from_micros
from services.store.readings import handovers
from services.store.readings.reader import ReadingsReader
from services.store.sqlite import SqliteConnection
from services.store.writer import Writer
from services.supervision import silence, status

TAKEN_TO: Final = "handovers_taken_to"
"""Counter: the number of the last one that is filed."""

LOOK_EVERY: Final = timedelta(milliseconds=100)
AT_ONCE: Final = 20
"""In one transaction: an alarm of the alarm lane waits for at most one."""

BY_READING_LANE: Final = DeviceId("")
"""In place of a client: there is no connection that a receipt could go to."""

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
        device = registry.device(connection, said.device_id)
        if device is None or device.state is DeviceState.RETIRED:
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


async def take_handovers(file: Path, reader: SqliteConnection, writer: Writer, desk: HandoverDesk) -> None:
    """File what the reading lane hands over, until cancelled.

    Args:
        file: The readings' database; it may not be there yet.
        reader: A connection to the alarm path's own database, for its mark.
        writer: The alarm process's writer.
        desk: What becomes of each.
    """
    while not await asyncio.to_thread(file.exists):
        await asyncio.sleep(LOOK_EVERY.total_seconds())
    readings = await asyncio.to_thread(SqliteConnection, file)
    try:
        taken_to = await asyncio.to_thread(_taken_to, reader, readings)
        while True:
            rows = await asyncio.to_thread(handovers.after, readings, taken_to, limit=AT_ONCE)
            if not rows:
                await asyncio.sleep(LOOK_EVERY.total_seconds())
                continue
            await writer.write(partial(desk.file, rows=rows))
            taken_to = rows[-1][0]
    finally:
        readings.close()


def _taken_to(reader: SqliteConnection, readings: SqliteConnection) -> int:
    """How far an earlier run came; from the start when the readings' file is another one."""
    taken_to = events.counter(reader, TAKEN_TO)
    return taken_to if taken_to <= handovers.newest(readings) else 0


def measured(file: Path, reader: SqliteConnection, *, clock: Clock) -> list[tuple[Device, datetime]]:
    """Of the devices that have not been heard for long, those that have sent readings, and when.

    Args:
        file: The readings' database; it may not be there.
        reader: A connection to the alarm path's own database.
        clock: The time.
    """
    overdue = silence.overdue(reader, now=clock.now())
    if not overdue or not file.exists():
        return []
    with ReadingsReader(file) as readings:
        received_at = readings.last_received({device.position_id for device in overdue})
    return [
        (device, received_at[device.position_id]) for device in overdue if device.position_id in received_at
    ]
