"""A session for floods: every packet costs microseconds, and acknowledgements leave many at a time.

    broker ──PUBLISH──> on_packet(topic, payload, packet_id, mark) ──> … stored … ──> acknowledge(ids)

The same promise as ``broker.session``: nothing is acknowledged before somebody says so. The alarm lane
stays with paho; here a message may cost a fifth of what it costs there (DECISIONS.md, 12).

This is the only module that touches private parts of gmqtt (0.8): the handler of PUBLISH, since the public
one makes a task of each message, and the transport, since the public way writes one PUBACK at a time.
``tests/integration/broker/test_bulk_session.py`` fails when they change.
"""

import asyncio
import logging
import ssl
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from enum import IntFlag
from typing import Any, Final

import gmqtt
import numpy as np
import structlog
from numpy.typing import NDArray

from broker.session import (
    CONNECT_WITHIN,
    KEEP_ALIVE,
    SESSION_EXPIRY_SECONDS,
    BrokerAddress,
    BrokerRefusedError,
    SessionPlan,
)


class Mark(IntFlag):
    """What the broker says of a packet (MQTT 5, 3.3.1)."""

    NONE = 0
    RETAINED = 0x01
    """It was kept, and is told now because we have subscribed."""
    AGAIN = 0x08
    """It was sent before, and not acknowledged."""


OnPacket = Callable[[str, bytes, int, int], None]
"""Topic, payload, packet id (0: nothing to acknowledge) and ``Mark``s, as a plain number.
Called in the event loop for each packet; must be quick and must not raise."""

RECONNECT_WAITS: Final = (0.02, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0)
"""Seconds between attempts; the last one repeats. Short at first: what homes publish to a broker that has
been killed and has no session of ours yet is acknowledged to them and kept for nobody."""

WRITE_BUFFER_BYTES: Final = 8 * 1024 * 1024
"""What is published while more than this waits for the socket is dropped: nobody reads at the other end."""

_PUBLISH: Final = 0x30
_MARK_BITS: Final = int(Mark.RETAINED | Mark.AGAIN)
_PUBACK_HEADER: Final = 0x4002
"""PUBACK with a remaining length of two: success (MQTT 5, 3.4.2.1)."""

logging.getLogger("gmqtt").setLevel(logging.CRITICAL)  # what it has to say, we say ourselves
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class BulkCallbacks:
    """Who is told what happens. Called in the event loop; must not block."""

    on_packet: OnPacket
    on_connected: Callable[[bool], None] = lambda _was_present: None
    """Called before the first packet, with whether the broker still knew the session."""


class BulkSession:
    """A session that is kept up until ``run`` is cancelled."""

    def __init__(self, address: BrokerAddress, plan: SessionPlan) -> None:
        self._address = address
        self._plan = plan
        self._link: _Link | None = None
        self.connected = asyncio.Event()
        self.connection = 0
        """Which connection this is, counted as the broker lets us in: packet ids mean nothing on another."""

    @property
    def is_connected(self) -> bool:
        """Whether the broker has let us in and taken our subscriptions."""
        return self.connected.is_set()

    async def run(self, callbacks: BulkCallbacks) -> None:
        """Connect, and connect again whenever the connection is lost, until cancelled."""
        attempt = 0
        while True:
            try:
                await self._stay_connected(callbacks)
                attempt = 0
            except (OSError, TimeoutError, BrokerRefusedError) as error:
                if attempt == 0:
                    _log.warning("broker_unreachable", client=self._plan.client_id[:12], error=str(error))
            await asyncio.sleep(RECONNECT_WAITS[min(attempt, len(RECONNECT_WAITS) - 1)])
            attempt += 1

    def acknowledge(self, packet_ids: NDArray[np.uint16], *, connection: int) -> None:
        """Send the PUBACKs of many packets at once; those of an earlier connection mean nothing now."""
        if self._link is not None and connection == self.connection and len(packet_ids):
            self._link.write(puback_bytes(packet_ids))

    def publish(self, topic: str, payload: bytes, *, expiry: timedelta) -> bool:
        """Publish with QoS 0; False when it could not leave."""
        if self._link is None or not self.is_connected:
            return False
        return self._link.publish(topic, payload, expiry)

    def pause(self) -> None:
        """Read nothing more from this connection until ``resume``; the broker keeps what comes.

        Mosquitto 2.0.11 does not keep to the receive maximum: this is what bounds our memory.
        """
        if self._link is not None:
            self._link.set_reading(is_on=False)

    def resume(self) -> None:
        """Read on."""
        if self._link is not None:
            self._link.set_reading(is_on=True)

    async def _stay_connected(self, callbacks: BulkCallbacks) -> None:
        def let_in(was_present: bool) -> None:  # noqa: FBT001 - as of on_connected
            self._link = link
            self.connection += 1
            callbacks.on_connected(was_present)

        link = _Link(self._address, self._plan, replace(callbacks, on_connected=let_in))
        try:
            async with asyncio.timeout(CONNECT_WITHIN.total_seconds()):
                was_present = await link.open()
            self.connected.set()
            _log.info("broker_connected", client=self._plan.client_id[:12], was_present=was_present)
            await link.lost
            _log.warning("broker_lost", client=self._plan.client_id[:12])
        finally:
            self.connected.clear()
            self._link = None
            await link.close()


def puback_bytes(packet_ids: NDArray[np.uint16]) -> bytes:
    """The PUBACK packets of these ids, one after the other, in their order (MQTT 5, 3.4)."""
    packets = np.empty((len(packet_ids), 2), ">u2")
    packets[:, 0] = _PUBACK_HEADER
    packets[:, 1] = packet_ids
    return packets.tobytes()


class _OneConnection(gmqtt.Client):  # type: ignore[misc]
    """A gmqtt client that leaves coming back to us."""

    async def reconnect(self, delay: bool = False) -> None:  # noqa: FBT001, FBT002 - gmqtt's signature
        """Do nothing; ``BulkSession.run`` opens a new one."""


class _Link:
    """One connection."""

    def __init__(self, address: BrokerAddress, plan: SessionPlan, callbacks: BulkCallbacks) -> None:
        loop = asyncio.get_running_loop()
        self._address = address
        self._plan = plan
        self._on_packet = callbacks.on_packet
        self._on_connected = callbacks.on_connected
        self._subscribed: asyncio.Future[None] = loop.create_future()
        self.lost: asyncio.Future[None] = loop.create_future()
        self._client = _OneConnection(
            plan.client_id,
            clean_session=not plan.is_kept,
            session_expiry_interval=SESSION_EXPIRY_SECONDS if plan.is_kept else 0,
            receive_maximum=plan.receive_maximum,
        )
        self._client.set_auth_credentials(address.username, address.password)
        self._was_present = False
        self._is_reading = True
        self._client.on_connect = self._at_connect
        self._client.on_subscribe = self._at_subscribe
        self._client.on_disconnect = self._at_disconnect
        self._client._package_handler._handler_cache[_PUBLISH] = self._at_publish  # noqa: SLF001

    async def open(self) -> bool:
        """Connect and subscribe; returns whether the broker knew the session.

        Raises:
            BrokerRefusedError: It said no.
            OSError: It is not there.
        """
        try:
            await self._let_in()
        except gmqtt.mqtt.handler.MQTTConnectError as error:
            raise BrokerRefusedError("our connection", str(error)) from error
        wanted = [_fresh_only(topic) for topic in self._plan.subscriptions]
        wanted += [_with_retained(topic) for topic in self._plan.subscriptions_with_retained]
        if wanted:
            self._client.subscribe(wanted)
            await self._subscribed
        return self._was_present

    async def _let_in(self) -> None:
        """Connect; gmqtt alone waits for ever for a broker that ends the connection before its CONNACK."""
        connecting = asyncio.get_running_loop().create_task(
            self._client.connect(
                self._address.host,
                self._address.port,
                ssl=_tls(self._address),
                keepalive=int(KEEP_ALIVE.total_seconds()),
            ),
            name="bulk connect",
        )
        try:
            await asyncio.wait({connecting, self.lost}, return_when=asyncio.FIRST_COMPLETED)
            if not connecting.done():
                message = "the broker ended the connection before it let us in"
                raise ConnectionResetError(message)
            await connecting
        finally:
            connecting.cancel()

    def write(self, packets: bytes) -> None:
        """Write ready-made packets; into a connection that ends they are not, and need not be, written."""
        transport = self._client._connection._transport  # noqa: SLF001
        if not transport.is_closing():
            transport.write(packets)

    def set_reading(self, *, is_on: bool) -> None:
        """Have the socket read, or not; the same again changes nothing."""
        transport = self._client._connection._transport  # noqa: SLF001
        if is_on is self._is_reading or transport.is_closing():
            return
        self._is_reading = is_on
        if is_on:
            transport.resume_reading()
        else:
            transport.pause_reading()

    def publish(self, topic: str, payload: bytes, expiry: timedelta) -> bool:
        """Publish with QoS 0, unless too much waits already."""
        transport = self._client._connection._transport  # noqa: SLF001
        if transport.is_closing() or transport.get_write_buffer_size() > WRITE_BUFFER_BYTES:
            return False
        seconds = int(expiry.total_seconds())
        self._client.publish(topic, payload, qos=0, message_expiry_interval=seconds)
        return True

    async def close(self) -> None:
        """Leave; a session that is kept stays at the broker."""
        for future in (self._subscribed, self.lost):
            future.cancel()
        connection = self._client._connection  # noqa: SLF001 - None: it never connected
        if connection is not None and not connection.is_closing():
            await self._client.disconnect()

    def _at_connect(self, _client: Any, flags: int, _result: int, _properties: Any) -> None:
        self._was_present = bool(flags)
        self._on_connected(self._was_present)

    def _at_subscribe(self, _client: Any, _mid: int, granted: tuple[int, ...], _properties: Any) -> None:
        if self._subscribed.done():
            return
        if any(code >= 0x80 for code in granted):  # noqa: PLR2004 - MQTT 5, 3.9.3: a refusal
            self._subscribed.set_exception(BrokerRefusedError("a subscription", str(granted)))
        else:
            self._subscribed.set_result(None)

    def _at_disconnect(self, _client: Any, _packet: Any, _error: Any = None) -> None:
        if not self._subscribed.done():
            self._subscribed.set_exception(ConnectionResetError("the connection ended"))
            self._subscribed.exception()  # seen: whoever waits gets it, nobody else need be told
        if not self.lost.done():
            self.lost.set_result(None)

    def _at_publish(self, header: int, packet: bytes) -> None:
        """Take one PUBLISH apart (MQTT 5, 3.3); this runs for every packet."""
        at = 2 + (packet[0] << 8 | packet[1])
        topic = packet[2:at].decode()
        packet_id = 0
        if header & 0x06:
            packet_id = packet[at] << 8 | packet[at + 1]
            at += 2
        length = packet[at]
        if length & 0x80:
            length, at = _long_length(packet, at)
        self._on_packet(topic, packet[at + 1 + length :], packet_id, header & _MARK_BITS)


def _long_length(packet: bytes, at: int) -> tuple[int, int]:
    """A length of properties that takes several bytes, and where its last byte is (MQTT 5, 1.5.5)."""
    length = shift = 0
    while True:
        length |= (packet[at] & 0x7F) << shift
        if not packet[at] & 0x80:
            return length, at
        at, shift = at + 1, shift + 7


def _fresh_only(topic: str) -> Any:
    """What is published from now on; what is retained is not told."""
    return gmqtt.Subscription(
        topic, qos=1, no_local=True, retain_as_published=False, retain_handling_options=2
    )


def _with_retained(topic: str) -> Any:
    """What is retained too, marked so; what is published from now on is not, though it be retained."""
    return gmqtt.Subscription(
        topic, qos=1, no_local=True, retain_as_published=False, retain_handling_options=0
    )


def _tls(address: BrokerAddress) -> Any:
    return ssl.create_default_context(cafile=str(address.ca_file)) if address.ca_file is not None else False
