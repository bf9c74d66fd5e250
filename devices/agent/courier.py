"""The agent's thread: keeps a connection, says what is due, hears receipts.

    press ──carry──> inbox ──┐                        ┌──> publish ──> broker
                             ├─> Repeats, what is due ┘                  │
    link is back ────────────┘         ^                                 │
                                       └───────── receipt, kept ─────────┘
    readings ──> Packs ──when there is room beside alarms──> publish ──> broker ──PUBACK──> forgotten

Read ``_run``, ``_hold_connection`` and ``_serve``, top to bottom: that is all of it.
"""

from collections import deque
from collections.abc import Callable
from contextlib import closing
from functools import partial
from queue import Empty, SimpleQueue
from random import SystemRandom
from threading import Event, Thread
from time import monotonic
from typing import Final

import structlog

from devices.agent.bell import Bell
from devices.agent.link import Link, LinkError
from devices.agent.outbox import Outbox
from devices.agent.packs import KeptPack, Packs
from devices.agent.retry import Repeats, wait_after
from devices.agent.settings import AgentSettings
from devices.agent.store import KeptAlarm, StoreError, alarm_key
from devices.agent.topics import alarm_topic, reading_topic, receipt_device, receipt_filter, status_topic
from devices.codecs.errors import PayloadError
from devices.codecs.own_json import decode_receipt
from devices.kinds import DeviceId
from devices.messages import Receipt

OnReceipt = Callable[[DeviceId, Receipt], None]

_LONGEST_TURN_SECONDS: Final = 1.0
"""MQTT's keep-alive wants to be looked at."""

_STOP_PATIENCE_SECONDS: Final = 2.0
"""Beyond the connection's own timeout; a name look-up may hang longer than that."""

_log = structlog.get_logger(__name__)


class Courier:
    """Carries what is in the outbox until each alarm is answered.

    Args:
        settings: Which broker, and how to wait.
        client_name: Our certificate's common name.
        outbox: Where alarms wait; its unanswered ones are said as soon as there is a connection.
        packs: Where readings wait.
        on_receipt: Called in the courier's thread for every receipt that is news.
    """

    def __init__(
        self,
        settings: AgentSettings,
        *,
        client_name: str,
        outbox: Outbox,
        packs: Packs,
        on_receipt: OnReceipt,
    ) -> None:
        self._settings = settings
        self._client_name = client_name
        # Another home that knew it could take the session over: so nobody can guess it.
        self._client_id = f"{client_name}-{outbox.session()}"
        self._outbox = outbox
        self._packs = packs
        self._packs_said_to = 0
        """Number of the pack that was said last on this connection."""
        self._on_receipt = on_receipt
        self._inbox: SimpleQueue[KeptAlarm] = SimpleQueue()
        self._statuses: deque[tuple[DeviceId, bytes]] = deque(maxlen=settings.statuses_waiting)
        self._repeats: Repeats[KeptAlarm] = Repeats(settings.repeat)
        self._bell = Bell()
        self._stopping = Event()
        self._has_link = Event()
        self._is_loss_logged = False
        self._chance = SystemRandom().random
        self._thread = Thread(target=self._run, name=f"agent-{client_name}", daemon=True)

    @property
    def has_link(self) -> bool:
        """Whether the broker has accepted us and is still there."""
        return self._has_link.is_set()

    @property
    def statuses_waiting(self) -> int:
        """Status messages that have not been said yet."""
        return len(self._statuses)

    def start(self) -> None:
        """Start with what the outbox holds from before."""
        for alarm in self._outbox.waiting():
            self._inbox.put(alarm)
        self._thread.start()

    def stop(self) -> None:
        """Take leave of the broker and end the thread; unanswered alarms stay in the outbox."""
        self._stopping.set()
        self._bell.ring()
        self._thread.join(self._settings.connect_timeout.total_seconds() + _STOP_PATIENCE_SECONDS)
        self._bell.close()

    def carry(self, alarm: KeptAlarm) -> None:
        """Say this alarm now, and until it is answered."""
        self._inbox.put(alarm)
        self._bell.ring()

    def say(self, device_id: DeviceId, status: bytes) -> None:
        """Say this status once, when there is a connection and no alarm to say."""
        if len(self._statuses) == self._statuses.maxlen:
            _log.warning("oldest_status_dropped", waiting=len(self._statuses))
        self._statuses.append((device_id, status))
        self._bell.ring()

    def has_packs(self) -> None:
        """Say what readings wait, when there is a connection and nothing more important to say."""
        self._bell.ring()

    def _run(self) -> None:
        failures = 0
        while not self._stopping.is_set():
            started_seconds = monotonic()
            self._hold_connection()
            held_seconds = monotonic() - started_seconds
            # A broker that lets us in and throws us out again gets no quicker tries than one that is away.
            failures = failures + 1 if held_seconds < self._settings.reconnect.limit.total_seconds() else 1
            self._pause(wait_after(failures, self._chance(), self._settings.reconnect).total_seconds())

    def _hold_connection(self) -> None:
        link = Link(
            self._settings,
            client_id=self._client_id,
            receipts=receipt_filter(self._client_name),
            on_message=self._hear,
        )
        try:
            with closing(link):
                link.open(self._bell)
                self._note_link(broker=f"{self._settings.host}:{self._settings.port}")
                self._serve(link)
        except LinkError as error:
            self._note_loss(error)
        except Exception:  # noqa: BLE001 - the supervisor: whatever it was, the next connection gets its chance
            _log.exception("agent_connection_failed", client=self._client_name)
        finally:
            self._has_link.clear()

    def _serve(self, link: Link) -> None:
        self._repeats.make_all_due(monotonic())
        self._packs_said_to = 0
        while not self._stopping.is_set():
            self._take_in()
            self._say_what_is_due(link)
            link.turn(self._seconds_until_due(link), self._bell)

    def _take_in(self) -> None:
        while True:
            try:
                alarm = self._inbox.get_nowait()
            except Empty:
                return
            self._repeats.add(alarm.key, alarm, now_seconds=monotonic())

    def _say_what_is_due(self, link: Link) -> None:
        now_seconds = monotonic()
        for key, alarm in self._repeats.due(now_seconds)[: link.room]:
            link.publish(alarm_topic(self._client_name, alarm.device_id), alarm.body)
            self._repeats.sent(key, now_seconds=now_seconds, random=self._chance())
        while self._statuses and link.has_room_to_spare:
            device_id, status = self._statuses.popleft()
            link.publish(status_topic(self._client_name, device_id), status)
        self._say_packs(link)

    def _say_packs(self, link: Link) -> None:
        try:
            while link.has_room_to_spare and (pack := self._packs.after(self._packs_said_to)):
                self._packs_said_to = pack.number
                topic = reading_topic(self._client_name, pack.device_id)
                link.publish(topic, pack.body, on_taken=partial(self._forget, pack))
        except StoreError as error:
            _log.error("readings_not_read", problem=error.problem)

    def _forget(self, pack: KeptPack) -> None:
        try:
            self._packs.taken(pack)
        except StoreError as error:  # said again after a restart: it is stored once
            _log.error("readings_not_forgotten", problem=error.problem)

    def _seconds_until_due(self, link: Link) -> float:
        due_seconds = self._repeats.next_due_seconds()
        if due_seconds is None or not link.room:
            return _LONGEST_TURN_SECONDS
        return min(due_seconds - monotonic(), _LONGEST_TURN_SECONDS)

    def _hear(self, topic: str, payload: bytes) -> None:
        device_id = receipt_device(topic)
        if device_id is None:
            return
        try:
            receipt = decode_receipt(payload)
        except PayloadError as error:  # of a later version of the contract, perhaps
            _log.warning("receipt_not_read", device_id=device_id, reason=error.reason)
            return
        if self._settle(device_id, receipt):
            self._tell(device_id, receipt)

    def _settle(self, device_id: DeviceId, receipt: Receipt) -> bool:
        self._repeats.answered(alarm_key(device_id, receipt.id))
        try:
            return self._outbox.settle(device_id, receipt)
        except StoreError as error:
            # Said again after a restart, where the hub knows it by its id: harmless.
            _log.error("receipt_not_kept", event_id=receipt.id, problem=error.problem)
            return True

    def _tell(self, device_id: DeviceId, receipt: Receipt) -> None:
        try:
            self._on_receipt(device_id, receipt)
        except Exception:  # noqa: BLE001 - the listener's mistake must not stop the next alarm
            _log.exception("receipt_listener_failed", event_id=receipt.id)

    def _pause(self, seconds: float) -> None:
        """Wait before the next try; a new alarm makes it short, but never a storm of tries."""
        until_seconds = monotonic() + seconds
        soonest_seconds = monotonic() + self._settings.reconnect.first.total_seconds()
        while not self._stopping.is_set() and (left_seconds := until_seconds - monotonic()) > 0:
            if self._bell.wait(left_seconds):
                until_seconds = min(until_seconds, soonest_seconds)

    def _note_link(self, broker: str) -> None:
        self._has_link.set()
        self._is_loss_logged = False
        _log.info("agent_connected", client=self._client_name, broker=broker)

    def _note_loss(self, error: LinkError) -> None:
        if not self._is_loss_logged:
            _log.warning("agent_disconnected", client=self._client_name, problem=str(error))
        self._is_loss_logged = True
