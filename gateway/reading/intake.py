"""From packets to commits: gather while the disk works, commit, and only then acknowledge.

    on_packet ──> handler ──> Batch ──(40 ms)──> one transaction ──on disk──> PUBACK of all of them

Read ``ReadingIntake.run``: that is all of it. What a packet says is its handler's
(``gateway.reading.lanes``).
"""

import asyncio
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Final

import structlog

from broker.bulk_session import BulkSession, Mark
from devices.codecs.errors import PayloadError
from gateway.intake import INTERNAL
from gateway.reading.noting import Noting
from gateway.reading.redelivery import Redelivery, content_sum
from services.admission import NotAdmittedError
from services.domain.clock import Clock
from services.readings.batch import Batch, Committed
from services.readings.crossings import Crossing, alarm_message
from services.readings.handover import Said
from services.readings.register import Register
from services.readings.rulings import Rulings
from services.readings.states import SeriesStates
from services.readings.taking import refuse
from services.store.connection import to_micros
from services.store.readings.recent import Recent
from services.store.writer import Writer

GATHER: Final = timedelta(milliseconds=40)
"""How long packets gather for one commit: some 25 syncs a second, whatever the load."""

HELD_PACKETS: Final = 20_000
HELD_BYTES: Final = 16 * 1024 * 1024
"""What may gather for one commit; then nothing more is read until that is on disk; the broker keeps it."""

LOOK_EVERY: Final = timedelta(seconds=1)
"""How often rules are asked about what did not arrive."""

Handler = Callable[[Batch, str, bytes, int, int], None]
"""Puts what a packet says into the batch: topic, payload, when we received it in microseconds, ``Mark``s.

Raises:
    PayloadError, NotAdmittedError: It is set aside, with the reason.
"""

_AGAIN: Final = int(Mark.AGAIN)
_log = structlog.get_logger(__name__)


class ReadingIntake:
    """The one way in of the reading lane. ``HELD_PACKETS`` and ``HELD_BYTES`` bound what waits here."""

    def __init__(
        self,
        *,
        handler: Handler,
        writer: Writer,
        recent: Recent,
        register: Register,
        states: SeriesStates,
        rulings: Rulings,
        noting: Noting,
        redelivery: Redelivery,
        clock: Clock,
        on_committed: Callable[[Committed], None],
        has_room: Callable[[], bool] = lambda: True,
    ) -> None:
        self._has_room = has_room
        self._handler = handler
        self._writer = writer
        self._recent = recent
        self._register = register
        self._states = states
        self._rulings = rulings
        self._noting = noting
        self._redelivery = redelivery
        self._clock = clock
        self._on_committed = on_committed
        self._batch = Batch()
        self._held_bytes = 0
        """Payloads of the batch that gathers."""
        self._session: BulkSession | None = None
        self._arrived = asyncio.Event()
        self._is_stopping = False
        self._not_acknowledged = 0
        """How many packets of the batch came by a connection that is gone."""

    def on_connected(self, was_present: bool) -> None:  # noqa: FBT001 - the session's callback
        """Take note of a new connection, before its first packet."""
        self._not_acknowledged = len(self._batch.packet_ids)
        if not was_present:
            self._redelivery.forget()

    def on_packet(self, topic: str, payload: bytes, packet_id: int, marks: int) -> None:
        """Take a packet in. Whatever it is, it is in the next commit: as readings, or set aside."""
        batch = self._batch
        self._arrived.set()
        self._held_bytes += len(payload)
        if self._session is not None and (
            self._held_bytes > HELD_BYTES or len(batch.packet_ids) > HELD_PACKETS
        ):
            self._session.pause()
        if packet_id:
            sum_ = content_sum(topic, payload)
            batch.packet_ids.append(packet_id)
            batch.packet_sums.append(sum_)
            if marks & _AGAIN and self._redelivery.was_taken(packet_id, sum_):
                batch.packs += 1
                batch.packs_again += 1
                return
            self._redelivery.note(packet_id, sum_)
        try:
            self._handler(batch, topic, payload, self._clock.micros(), marks)
        except PayloadError as error:
            refuse(batch, topic, payload, error.reason)
        except NotAdmittedError as error:
            refuse(
                batch, topic, payload, error.reason, home_id=error.client.home_id if error.client else None
            )
        except Exception:  # noqa: BLE001 - one poisonous packet must not hold up the lane for ever
            _log.exception("packet_not_handled", topic=topic)
            refuse(batch, topic, payload, INTERNAL)

    def stop(self) -> None:
        """Commit what has arrived until now, and then end ``run``; the broker keeps what comes later."""
        self._is_stopping = True
        self._arrived.set()

    async def run(self, session: BulkSession) -> None:
        """Commit batch after batch until stopped.

        When the store cannot commit, the error leaves this method, nothing is acknowledged, and the
        supervisor starts us again: the new connection makes the broker hand everything over once more.
        While there is no room on the disk (``gateway.reading.floor``) what has arrived waits, unacknowledged.
        """
        self._session = session
        while not self._is_stopping:
            await self._arrived.wait()
            await asyncio.sleep(GATHER.total_seconds())
            if self._has_room():
                self._arrived.clear()
                await self._commit(session)
        if self._has_room():
            await self._commit(session)

    async def look(self) -> None:
        """Ask rules about what did not arrive, and note last values all the same, until cancelled."""
        while True:
            await asyncio.sleep(LOOK_EVERY.total_seconds())
            self._rulings.look(to_micros(self._clock.now()))
            if self._rulings.changed or self._rulings.found or self._noting.is_due():
                self._arrived.set()

    async def _commit(self, session: BulkSession) -> None:
        batch, self._batch, self._held_bytes = self._batch, Batch(), 0
        skipped, self._not_acknowledged = self._not_acknowledged, 0
        connection = session.connection
        changed, found = self._rulings.take_changes()
        batch.rule_states |= changed
        batch.handovers += [_said(item.device_id, item.crossing) for item in found]
        batch.last_values, batch.noted_to = self._noting.take()
        if batch.is_empty:
            return
        write = partial(batch.write, recent=self._recent, now=self._clock.now())
        committed = await self._writer.write(write, is_urgent=True)
        self._recent.add(committed.columns, number=committed.number)
        self._noting.committed(committed.number)
        self._register.committed(batch.new_series)
        for late in committed.late.rows():
            self._states.note(*late)
        session.acknowledge(committed.packet_ids[skipped:], connection=connection)
        session.resume()
        self._on_committed(committed)


def _said(device_id: str, crossing: Crossing) -> Said:
    message = alarm_message(crossing)
    return Said(
        device_id=device_id,
        id=message.id,
        kind=message.kind,
        signal=message.signal,
        at_us=crossing.at_us,
        text=message.text,
        data=dict(message.data),
    )
