"""One connection to the broker, from CONNECT until it is lost; a new one is made each time.

    open ──> turn, turn, turn … (publish between turns) ──> LinkError, or close

Nothing waits in here for the next connection: what was not answered is in the store, and is said
again from there. So paho only speaks MQTT; when to connect, wait and repeat is the courier's.
"""

import select
import socket
import ssl
from collections.abc import Callable
from time import monotonic
from typing import Any, Final

import structlog
from paho.mqtt.client import Client, ConnectFlags, DisconnectFlags, MQTTMessage, error_string
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from devices.agent.bell import Bell
from devices.agent.settings import AgentSettings

WINDOW: Final = 20
"""Messages sent and not yet taken over by the broker; fewer when the broker wants fewer."""

_UNHEARD: Final = 10_000
"""Milliseconds that the other end may leave our bytes unconfirmed before the line is dead."""

_log = structlog.get_logger(__name__)


class LinkError(Exception):
    """There is no connection to the broker, or there is one no longer."""

    def __init__(self, host: str, port: int, problem: str) -> None:
        self.problem = problem
        super().__init__(f"No connection to {host}:{port}: {problem}")


class Link:
    """One MQTT 5 session over TLS, driven by ``turn`` from a single thread.

    Args:
        settings: Which broker, and who we are.
        client_id: The same every time, so that the broker knows the session again.
        receipts: The topic filter to hear.
        on_message: Called with topic and payload; the broker is told after it has returned.
    """

    def __init__(
        self,
        settings: AgentSettings,
        *,
        client_id: str,
        receipts: str,
        on_message: Callable[[str, bytes], None],
    ) -> None:
        self._settings = settings
        self._receipts = receipts
        self._on_message = on_message
        self._is_accepted = False
        self._problem = ""
        self._window = WINDOW
        self._in_flight = 0
        self._on_taken: dict[int, Callable[[], None]] = {}
        """By MQTT's message id."""
        self._client = Client(
            CallbackAPIVersion.VERSION2,
            client_id=client_id,
            protocol=MQTTProtocolVersion.MQTTv5,
            reconnect_on_failure=False,
        )
        self._client.on_connect = self._connected
        self._client.on_disconnect = self._disconnected
        self._client.on_subscribe = self._subscribed
        self._client.on_publish = self._published
        self._client.on_message = self._received

    @property
    def room(self) -> int:
        """How many messages may be published now."""
        return max(0, self._window - self._in_flight)

    @property
    def has_room_to_spare(self) -> bool:
        """Half of the window is kept for alarms."""
        return self.room > self._window // 2

    def open(self, bell: Bell) -> None:
        """Connect, and ask for receipts.

        Raises:
            LinkError: Nobody answered in time, or not as a broker that knows us.
        """
        deadline = monotonic() + self._settings.connect_timeout.total_seconds()
        try:
            self._connect()
        except (OSError, ValueError) as error:  # ValueError: a host name that cannot be one
            raise self._lost(str(error)) from error
        while not self._is_accepted:
            if monotonic() > deadline:
                raise self._lost("the broker took the connection and said nothing")
            self.turn(deadline - monotonic(), bell)

    def turn(self, wait_seconds: float, bell: Bell) -> None:
        """Wait for the broker or the bell, no longer than told; read and write what there is.

        Raises:
            LinkError: The connection is lost.
        """
        line = self._line()
        poller = select.poll()
        poller.register(bell, select.POLLIN)
        poller.register(line, select.POLLIN | (select.POLLOUT if self._client.want_write() else 0))
        has_pending = line.pending() > 0  # decrypted already: poll would not see it
        ready = dict(poller.poll(0 if has_pending else max(0.0, wait_seconds) * 1000))
        if bell.fileno() in ready:
            bell.hush()
        events = ready.get(line.fileno(), 0)
        if has_pending or events & ~select.POLLOUT:
            self._check(self._client.loop_read())
        if events & select.POLLOUT:
            self._check(self._client.loop_write())
        self._check(self._client.loop_misc())

    def publish(self, topic: str, payload: bytes, *, on_taken: Callable[[], None] | None = None) -> None:
        """Say something, QoS 1.

        Args:
            topic: Where.
            payload: What.
            on_taken: Called once the broker has it, or has refused it for good, which the log says.

        Raises:
            LinkError: The connection is lost.
        """
        self._in_flight += 1
        said = self._client.publish(topic, payload, qos=1)
        self._check(said.rc)
        if on_taken is not None:
            self._on_taken[said.mid] = on_taken

    def close(self) -> None:
        """Take leave of the broker; it keeps the session."""
        self._client.disconnect()
        if line := self._client.socket():
            line.close()

    def _connect(self) -> None:
        settings = self._settings
        wishes = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
        wishes.SessionExpiryInterval = int(settings.session_expiry.total_seconds())
        self._client.connect_timeout = settings.connect_timeout.total_seconds()
        self._client.tls_set_context(settings.credentials.tls_context())
        self._client.connect(
            settings.host,
            settings.port,
            keepalive=int(settings.keepalive.total_seconds()),
            clean_start=False,  # a session that began clean is not saved by Mosquitto
            properties=wishes,
        )
        line = self._line()
        line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        line.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, _UNHEARD)

    def _line(self) -> ssl.SSLSocket:
        line = self._client.socket()
        if not isinstance(line, ssl.SSLSocket):
            raise self._lost("closed")
        return line

    def _check(self, code: MQTTErrorCode) -> None:
        if code != MQTTErrorCode.MQTT_ERR_SUCCESS:
            raise self._lost(error_string(code))

    def _lost(self, problem: str) -> LinkError:
        return LinkError(self._settings.host, self._settings.port, self._problem or problem)

    def _connected(
        self, client: Client, _user: Any, _flags: ConnectFlags, code: ReasonCode, wishes: Properties | None
    ) -> None:
        if code.is_failure:
            self._problem = f"the broker refuses us: {code}"
            return
        self._window = min(WINDOW, getattr(wishes, "ReceiveMaximum", WINDOW))
        self._is_accepted = True
        client.subscribe(self._receipts, qos=1)  # before anything is said: no receipt goes unheard

    def _disconnected(
        self,
        _client: Client,
        _user: Any,
        flags: DisconnectFlags,
        code: ReasonCode,
        _wishes: Properties | None,
    ) -> None:
        if flags.is_disconnect_packet_from_server:
            self._problem = f"the broker ended it: {code}"

    def _subscribed(
        self, _client: Client, _user: Any, _mid: int, codes: list[ReasonCode], _wishes: Properties | None
    ) -> None:
        for code in codes:
            if code.is_failure:
                _log.error("receipts_not_granted", topic=self._receipts, reason=str(code))

    def _published(
        self, _client: Client, _user: Any, mid: int, code: ReasonCode, _wishes: Properties | None
    ) -> None:
        self._in_flight -= 1
        if code.is_failure:
            _log.warning("publish_refused_by_broker", reason=str(code))
        if on_taken := self._on_taken.pop(mid, None):
            on_taken()

    def _received(self, _client: Client, _user: Any, message: MQTTMessage) -> None:
        self._on_message(message.topic, bytes(message.payload))
