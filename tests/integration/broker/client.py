"""A small synchronous MQTT client for tests: every call returns when the broker has answered it."""

import ssl
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from broker.configuration import LOOPBACK

PATIENCE_SECONDS = 10.0
MQTT_311 = MQTTProtocolVersion.MQTTv311
MQTT_5 = MQTTProtocolVersion.MQTTv5
PROTOCOLS = (MQTT_311, MQTT_5)
KEPT_FOR_SECONDS = 3600


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """One message as a client got it."""

    topic: str
    payload: str
    is_retained: bool


class NotLetInError(ConnectionError):
    """The broker, or TLS before it, refused the connection."""


class MqttClient:
    """One client; use it as a context manager."""

    def __init__(
        self,
        port: int,
        *,
        folder: Path | None = None,
        login: tuple[str, str] | None = None,
        client_id: str = "",
        protocol: MQTTProtocolVersion = MQTT_5,
        keeps_session: bool = False,
    ) -> None:
        """Args:
        folder: key.pem, cert.pem and ca.pem, for the listeners with TLS.
        login: User name and password, for the internal one.
        """
        self.arrivals: list[Arrival] = []
        self.session_was_kept = False
        self._port = port
        self._keeps_session = keeps_session
        self._protocol = protocol
        self._answers: set[tuple[str, int]] = set()
        self._changed = threading.Condition()
        self._client_id = client_id
        self._login = login
        self._tls = client_context(folder) if folder is not None else None

    def __enter__(self) -> Self:
        self.connect()
        return self

    def __exit__(self, *_: object) -> None:
        self.disconnect()

    def use_tls(self, context: ssl.SSLContext) -> None:
        self._tls = context

    def connect(self) -> None:
        """Raises NotLetInError unless the broker says welcome."""
        self._answers.clear()
        self._client = self._make_client()
        try:
            self._client.connect(LOOPBACK, self._port, **self._session_options())
        except OSError as error:  # TLS errors are OSErrors
            raise NotLetInError(str(error)) from error
        self._client.loop_start()
        self._wait(lambda: {("in", 0), ("out", 0)} & self._answers, "connected")
        if ("out", 0) in self._answers:
            self.disconnect()
            raise NotLetInError

    def disconnect(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def subscribe(self, *filters: str, qos: int = 1) -> None:
        _, number = self._client.subscribe([(topic_filter, qos) for topic_filter in filters])
        self._wait_for("subscribed", number)

    def unsubscribe(self, *filters: str) -> None:
        """Also a barrier: what was to arrive before the broker's answer has arrived."""
        _, number = self._client.unsubscribe(list(filters))
        self._wait_for("unsubscribed", number)

    def publish(self, topic: str, payload: str, *, qos: int = 1, retain: bool = False) -> None:
        self.publish_all([(topic, payload)], qos=qos, retain=retain)

    def publish_all(self, messages: list[tuple[str, str]], *, qos: int = 1, retain: bool = False) -> None:
        """Send them, and return when the broker has answered the last one (with whatever answer)."""
        sent = [self._client.publish(topic, payload, qos, retain) for topic, payload in messages]
        for message in sent:
            self._wait_for("published", message.mid)

    def send(self, topic: str, payload: str) -> None:
        """Publish without waiting for the broker's answer."""
        self._client.publish(topic, payload, 1)

    def wait_until_lost(self) -> None:
        self._wait(lambda: ("out", 0) in self._answers, "the broker closed the connection")

    def wait_for_payload(self, payload: str) -> None:
        self._wait(lambda: any(a.payload == payload for a in self.arrivals), f"{payload!r} arrived")

    def payloads(self) -> list[str]:
        return [arrival.payload for arrival in self.arrivals]

    def _make_client(self) -> Client:
        has_flag = self._protocol == MQTT_311
        client = Client(
            CallbackAPIVersion.VERSION2,
            self._client_id,
            protocol=self._protocol,
            clean_session=not self._keeps_session if has_flag else None,
            reconnect_on_failure=False,
        )
        if self._tls is not None:
            client.tls_set_context(self._tls)
        if self._login is not None:
            client.username_pw_set(*self._login)
        client.max_inflight_messages_set(1000)
        client.on_message = self._on_message
        client.on_connect = self._on_connect
        client.on_disconnect = lambda *_: self._answered("out", 0)
        client.on_subscribe = lambda _c, _u, number, *_: self._answered("subscribed", number)
        client.on_unsubscribe = lambda _c, _u, number, *_: self._answered("unsubscribed", number)
        client.on_publish = lambda _c, _u, number, *_: self._answered("published", number)
        return client

    def _session_options(self) -> dict[str, Any]:
        if self._protocol == MQTT_311:
            return {}
        properties = Properties(PacketTypes.CONNECT)
        if self._keeps_session:
            properties.SessionExpiryInterval = KEPT_FOR_SECONDS
        return {"clean_start": not self._keeps_session, "properties": properties}

    def _on_connect(
        self, _client: Client, _data: object, flags: Any, reason: Any, _properties: object
    ) -> None:
        self.session_was_kept = flags.session_present
        self._answered("out" if reason.is_failure else "in", 0)

    def _on_message(self, _client: Client, _data: object, message: MQTTMessage) -> None:
        arrival = Arrival(
            topic=message.topic, payload=message.payload.decode(), is_retained=bool(message.retain)
        )
        with self._changed:
            self.arrivals.append(arrival)
            self._changed.notify_all()

    def _answered(self, what: str, number: int) -> None:
        with self._changed:
            self._answers.add((what, number))
            self._changed.notify_all()

    def _wait_for(self, what: str, number: int | None) -> None:
        self._wait(lambda: (what, number) in self._answers, f"{what} {number}")

    def _wait(self, is_so: Callable[[], object], what: str) -> None:
        with self._changed:
            assert self._changed.wait_for(is_so, PATIENCE_SECONDS), f"waited in vain until {what}"


def client_context(folder: Path) -> ssl.SSLContext:
    """TLS as a device does it: trusts the city's root, checks the name, shows its certificate."""
    context = ssl.create_default_context(cafile=folder / "ca.pem")
    context.load_cert_chain(folder / "cert.pem", folder / "key.pem")
    return context
