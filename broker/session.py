"""One MQTT session of the hub: what arrives is acknowledged when we say so, not before.

    broker ──PUBLISH──> on_message(Envelope) ──> … stored … ──> acknowledge(envelope) ──PUBACK──> broker

One session per lane, since an unacknowledged message holds its place in the broker's window and would
block what stands behind it. Not acknowledging is no retry: MQTT delivers again only on a new connection.
So whoever cannot store ends the session (the process), and the broker hands everything over again.

Runs paho-mqtt on the event loop through its public interface for external loops; no thread of its own.
"""

import asyncio
import contextlib
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from socket import IPPROTO_TCP, TCP_NODELAY, socket
from typing import Any, Final

import structlog
from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode
from paho.mqtt.subscribeoptions import SubscribeOptions

KEEP_ALIVE: Final = timedelta(seconds=15)
CONNECT_WITHIN: Final = timedelta(seconds=10)
SESSION_EXPIRY_SECONDS: Final = 0xFFFFFFFF
"""Never (MQTT 5, 3.1.2.11.2): what homes say while the hub is away waits for it."""

RECONNECT_WAITS: Final = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0)
"""Seconds between attempts; the last one repeats."""

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Envelope:
    """One message as the broker handed it over."""

    topic: str
    payload: bytes
    is_retained: bool
    packet_id: int
    """0 for QoS 0: there is nothing to acknowledge."""
    connection: int
    """Which connection it came by: packet ids mean nothing on another one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokerAddress:
    """Where the broker is and who we are there."""

    host: str
    port: int
    username: str
    password: str
    ca_file: Path | None = None
    """None: plain TCP, for the loopback only."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionPlan:
    """What a session is for."""

    client_id: str
    """Must be unguessable: whoever connects with it takes the session over."""
    subscriptions: tuple[str, ...]
    receive_maximum: int
    """Messages that may be unacknowledged at once; also bounds what we hold in memory."""
    is_kept: bool = True
    """Whether the broker keeps what arrives while we are away."""
    subscriptions_with_retained: tuple[str, ...] = ()
    """Where what is retained is told too (``broker.bulk_session`` only)."""


class BrokerRefusedError(Exception):
    """The broker does not let us in, or not to what we need."""

    def __init__(self, what: str, reason: str) -> None:
        self.reason = reason
        super().__init__(f"The broker refused {what}: {reason}; check its password and access files")


def _ignore(*_: Any) -> None:
    pass


@dataclass(frozen=True, slots=True, kw_only=True)
class Callbacks:
    """Who is told what happens on a session. Called in the event loop; must not block."""

    on_message: Callable[[Envelope], None] = _ignore
    on_connected: Callable[[], None] = _ignore
    on_lost: Callable[[], None] = _ignore
    on_published: Callable[[int], None] = _ignore
    """The broker has confirmed the packet with this id."""


class Session:
    """A session that is kept up until ``run`` is cancelled."""

    def __init__(self, address: BrokerAddress, plan: SessionPlan) -> None:
        self._address = address
        self._plan = plan
        self._connection = 0
        self._link: _Link | None = None
        self.connected = asyncio.Event()
        self._was_connected_before = False
        self.was_present = False
        """Whether the broker still knew the session at the last connect."""

    @property
    def is_connected(self) -> bool:
        """Whether the broker has let us in and taken our subscriptions."""
        return self.connected.is_set()

    async def run(self, callbacks: Callbacks) -> None:
        """Connect, and connect again whenever the connection is lost, until cancelled."""
        attempt = 0
        while True:
            self._connection += 1
            try:
                await self._stay_connected(callbacks)
                attempt = 0
            except (OSError, TimeoutError, BrokerRefusedError) as error:
                if attempt == 0:
                    _log.warning("broker_unreachable", client=self._plan.client_id[:12], error=str(error))
            await asyncio.sleep(RECONNECT_WAITS[min(attempt, len(RECONNECT_WAITS) - 1)])
            attempt += 1

    def acknowledge(self, envelope: Envelope) -> None:
        """Send the PUBACK. On a newer connection than the message's there is nothing to acknowledge."""
        if self._link is not None and envelope.packet_id and envelope.connection == self._connection:
            self._link.client.ack(envelope.packet_id, 1)

    def publish(self, topic: str, payload: bytes, *, qos: int, expiry: timedelta | None = None) -> int | None:
        """Hand a message to the broker without waiting.

        Returns:
            The packet id, confirmed later through ``on_published`` when QoS is 1; None when the
            connection is down and nothing was sent.
        """
        if self._link is None or not self.is_connected:
            return None
        properties = None
        if expiry is not None:
            properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
            properties.MessageExpiryInterval = int(expiry.total_seconds())
        info = self._link.client.publish(topic, payload, qos=qos, properties=properties)
        return info.mid if info.rc == MQTTErrorCode.MQTT_ERR_SUCCESS else None

    def forget_retained(self, topic: str) -> None:
        """Take a retained message out of the broker."""
        if self._link is not None:
            self._link.client.publish(topic, b"", qos=1, retain=True)

    async def _stay_connected(self, callbacks: Callbacks) -> None:
        link = _Link(self._address, self._plan, connection=self._connection, on_message=callbacks.on_message)
        link.client.on_publish = lambda _client, _data, mid, _reason, _properties: callbacks.on_published(mid)
        self._link = link
        try:
            self.was_present = await link.open()
            self.connected.set()
            _log.info("broker_connected", client=self._plan.client_id[:12], was_present=self.was_present)
            if self._plan.is_kept and not self.was_present and self._was_connected_before:
                _log.error("broker_forgot_session", client=self._plan.client_id[:12])
            self._was_connected_before = True
            callbacks.on_connected()
            reason = await link.lost
            _log.warning("broker_lost", client=self._plan.client_id[:12], reason=reason)
        finally:
            was_connected = self.is_connected
            self.connected.clear()
            self._link = None
            link.close()
            if was_connected:
                callbacks.on_lost()


class _Link:
    """One connection: a paho client driven by the event loop."""

    def __init__(
        self,
        address: BrokerAddress,
        plan: SessionPlan,
        *,
        connection: int,
        on_message: Callable[[Envelope], None],
    ) -> None:
        self._address = address
        self._plan = plan
        self._loop = asyncio.get_running_loop()
        self._connected: asyncio.Future[bool] = self._loop.create_future()
        self._subscribed: asyncio.Future[None] = self._loop.create_future()
        self.lost: asyncio.Future[str] = self._loop.create_future()
        self._misc: asyncio.TimerHandle | None = None
        self.client = _client(address, plan)
        self.client.on_connect = self._at_connect
        self.client.on_subscribe = self._at_subscribe
        self.client.on_disconnect = self._at_disconnect
        self.client.on_socket_open = self._at_socket_open
        self.client.on_socket_close = self._at_socket_close
        self.client.on_socket_register_write = self._at_register_write
        self.client.on_socket_unregister_write = self._at_unregister_write

        def deliver(_client: Client, _data: Any, message: MQTTMessage) -> None:
            on_message(
                Envelope(
                    topic=message.topic,
                    payload=bytes(message.payload),
                    is_retained=message.retain,
                    packet_id=message.mid if message.qos else 0,
                    connection=connection,
                )
            )

        self.client.on_message = deliver

    async def open(self) -> bool:
        """Connect and subscribe; returns whether the broker knew the session.

        Raises:
            BrokerRefusedError: It said no.
            TimeoutError, OSError: It is not there.
        """
        properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
        properties.SessionExpiryInterval = SESSION_EXPIRY_SECONDS if self._plan.is_kept else 0
        properties.ReceiveMaximum = self._plan.receive_maximum
        async with asyncio.timeout(CONNECT_WITHIN.total_seconds()):
            await self._loop.run_in_executor(
                None,
                lambda: self.client.connect(
                    self._address.host,
                    self._address.port,
                    keepalive=int(KEEP_ALIVE.total_seconds()),
                    clean_start=not self._plan.is_kept,
                    properties=properties,
                ),
            )
            self._tick()
            was_present = await self._connected
            if self._plan.subscriptions:
                self.client.subscribe([(topic, _AS_IT_CAME) for topic in self._plan.subscriptions])
                await self._subscribed
        return was_present

    def close(self) -> None:
        """Leave; the session stays at the broker."""
        if self._misc is not None:
            self._misc.cancel()
        with contextlib.suppress(ValueError, OSError):
            self.client.disconnect()
            self.client.loop_write()
        for future in (self._connected, self._subscribed, self.lost):
            future.cancel()

    def _tick(self) -> None:
        """Keep-alive, once a second."""
        self.client.loop_misc()
        self._misc = self._loop.call_later(1.0, self._tick)

    def _at_connect(
        self, _client: Client, _data: Any, flags: Any, reason: ReasonCode, _properties: Any
    ) -> None:
        if self._connected.done():
            return
        if reason.is_failure:
            self._connected.set_exception(BrokerRefusedError("our connection", str(reason)))
        else:
            self._connected.set_result(bool(flags.session_present))

    def _at_subscribe(
        self, _client: Client, _data: Any, _mid: int, reasons: list[ReasonCode], _properties: Any
    ) -> None:
        if self._subscribed.done():
            return
        refused = [str(reason) for reason in reasons if reason.is_failure]
        if refused:
            self._subscribed.set_exception(BrokerRefusedError("a subscription", ", ".join(refused)))
        else:
            self._subscribed.set_result(None)

    def _at_disconnect(
        self, _client: Client, _data: Any, _flags: Any, reason: ReasonCode, _properties: Any
    ) -> None:
        for future in (self._connected, self._subscribed):
            if not future.done():
                future.set_exception(ConnectionResetError(str(reason)))
                future.exception()  # seen: whoever waits gets it, nobody else need be told
        if not self.lost.done():
            self.lost.set_result(str(reason))

    def _at_socket_open(self, _client: Client, _data: Any, sock: Any) -> None:
        """Runs in the connecting thread."""
        _plain(sock).setsockopt(IPPROTO_TCP, TCP_NODELAY, 1)
        self._loop.call_soon_threadsafe(self._loop.add_reader, sock.fileno(), self._read, sock)

    def _at_socket_close(self, _client: Client, _data: Any, sock: Any) -> None:
        if sock.fileno() >= 0:
            self._loop.remove_reader(sock.fileno())
            self._loop.remove_writer(sock.fileno())

    def _at_register_write(self, _client: Client, _data: Any, sock: Any) -> None:
        if self._connected.done():
            self._loop.add_writer(sock.fileno(), self._write)
        else:  # the connecting thread
            self._loop.call_soon_threadsafe(self._loop.add_writer, sock.fileno(), self._write)

    def _at_unregister_write(self, _client: Client, _data: Any, sock: Any) -> None:
        self._loop.remove_writer(sock.fileno())

    def _read(self, sock: Any) -> None:
        self.client.loop_read()
        while isinstance(sock, ssl.SSLSocket) and sock.fileno() >= 0 and sock.pending():
            self.client.loop_read()

    def _write(self) -> None:
        self.client.loop_write()


def _client(address: BrokerAddress, plan: SessionPlan) -> Client:
    client = Client(
        CallbackAPIVersion.VERSION2,
        client_id=plan.client_id,
        protocol=MQTTProtocolVersion.MQTTv5,
        manual_ack=True,
    )
    client.username_pw_set(address.username, address.password)
    if address.ca_file is not None:
        client.tls_set(ca_certs=str(address.ca_file))
    client.max_queued_messages_set(0)
    client.max_inflight_messages_set(_OUT_IN_FLIGHT)
    return client


def _plain(sock: Any) -> socket:
    assert isinstance(sock, socket)  # noqa: S101 - paho types its sockets loosely
    return sock


_OUT_IN_FLIGHT: Final = 1_000
"""Receipts under way to the broker at once; the rest waits in paho's queue."""

_AS_IT_CAME: Final = SubscribeOptions(
    qos=1, noLocal=True, retainAsPublished=True, retainHandling=SubscribeOptions.RETAIN_DO_NOT_SEND
)
"""Keep the retain flag, so that a retained alarm is recognised; do not replay what is retained."""
