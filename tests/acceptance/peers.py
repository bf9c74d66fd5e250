"""Homes and partners as small clients of the public contract, each with its own ledger.

    Home      says an alarm again, same id, until its receipt     sent, receipts
    Partner   confirms and answers, or does not                   events, replies

They reconnect by themselves, and what is unanswered is said again: that, and nothing else, is what the
contract asks of them.
"""

import json
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Self

from paho.mqtt.client import Client, ConnectFlags, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from tests.support.product import HOST, wait_until

SAY_AGAIN_SECONDS: Final = 0.7
LOOK_SECONDS: Final = 0.1
KEPT_FOR_SECONDS: Final = 3_600
RECONNECT_SECONDS: Final = (0.1, 0.5)

Document = dict[str, Any]


@dataclass(slots=True)
class _Unanswered:
    topic: str
    payload: bytes
    said_at: float
    times: int = 1


class Peer:
    """One connection that comes back by itself, and what was said on it without an answer."""

    def __init__(self, port: int, credentials: Path, *, is_kept: bool = False) -> None:
        """Not connected yet.

        Args:
            port: Where the broker listens for our kind.
            credentials: Holds key.pem, cert.pem and ca.pem; its name is the certificate's CN.
            is_kept: Whether the broker keeps the session while we are away (clean start false).
        """
        self.is_connected = threading.Event()
        self.unanswered: dict[Any, _Unanswered] = {}
        self.says_again = True
        self.times_said: dict[Any, int] = {}
        self._lock = threading.RLock()
        self._leaving = threading.Event()
        self._port = port
        self._is_kept = is_kept
        self._credentials = credentials

    def __enter__(self) -> Self:
        self.connect()
        return self

    def __exit__(self, *_: object) -> None:
        self.leave()

    def topics(self) -> list[str]:
        """What to subscribe to at each connect."""
        raise NotImplementedError

    def hear(self, topic: str, document: Document) -> None:
        """Take a message, in the client's own thread."""
        raise NotImplementedError

    def connect(self) -> None:
        """Connect and return once subscribed."""
        properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
        properties.SessionExpiryInterval = KEPT_FOR_SECONDS if self._is_kept else 0
        self._leaving.clear()
        self._client = self._make_client(self._credentials)
        self._client.connect(HOST, self._port, clean_start=not self._is_kept, properties=properties)
        self._client.loop_start()
        self._repeating = threading.Thread(target=self._say_again, name="say again", daemon=True)
        self._repeating.start()
        wait_until(self.is_connected.is_set, "the peer is connected")

    def leave(self) -> None:
        """Disconnect; a kept session stays at the broker."""
        self._leaving.set()
        self._repeating.join()
        self._client.disconnect()
        self._client.loop_stop()
        self._client._reset_sockets()  # paho leaves them to the garbage collector, which complains
        self.is_connected.clear()

    def say(self, key: Any, topic: str, document: Document) -> None:
        """Publish with QoS 1, and again until ``answered``."""
        payload = json.dumps(document).encode()
        with self._lock:
            self.unanswered[key] = _Unanswered(topic, payload, time.monotonic())
            self.times_said[key] = 1
        self.publish(topic, payload)

    def publish(self, topic: str, payload: bytes) -> None:
        """Publish with QoS 1, once, when there is a connection."""
        if self.is_connected.is_set():
            self._client.publish(topic, payload, qos=1)

    def answered(self, key: Any) -> None:
        """It need not be said again."""
        with self._lock:
            self.unanswered.pop(key, None)

    def _say_again(self) -> None:
        while not self._leaving.wait(LOOK_SECONDS):
            if not self.says_again or not self.is_connected.is_set():
                continue
            now = time.monotonic()
            with self._lock:
                due = [
                    (key, item)
                    for key, item in self.unanswered.items()
                    if now - item.said_at > SAY_AGAIN_SECONDS
                ]
            for key, item in due:
                item.said_at = now
                self.times_said[key] += 1
                self.publish(item.topic, item.payload)

    def _make_client(self, credentials: Path) -> Client:
        common_name = credentials.name
        client = Client(
            CallbackAPIVersion.VERSION2, client_id=f"{common_name}-1", protocol=MQTTProtocolVersion.MQTTv5
        )
        client.tls_set(
            ca_certs=str(credentials / "ca.pem"),
            certfile=str(credentials / "cert.pem"),
            keyfile=str(credentials / "key.pem"),
        )
        client.reconnect_delay_set(*RECONNECT_SECONDS)  # type: ignore[arg-type] # it takes parts of a second too
        client.max_inflight_messages_set(1_000)
        client.on_connect = self._at_connect
        client.on_subscribe = lambda *_: self.is_connected.set()
        client.on_disconnect = lambda *_: self.is_connected.clear()
        client.on_message = self._at_message
        return client

    def _at_connect(
        self, client: Client, _data: Any, _flags: ConnectFlags, reason: Any, _properties: Any
    ) -> None:
        if not reason.is_failure:
            client.subscribe([(topic, 1) for topic in self.topics()])

    def _at_message(self, _client: Client, _data: Any, message: MQTTMessage) -> None:
        with self._lock:
            self.hear(message.topic, json.loads(message.payload))


class Home(Peer):
    """A home hub, or a device with its own connection: one certificate, some devices."""

    def __init__(self, port: int, credentials: Path, *, is_kept: bool = False) -> None:
        super().__init__(port, credentials, is_kept=is_kept)
        self.client_id = credentials.name
        self.sent: list[tuple[str, str]] = []
        """Device and id of every alarm."""
        self.receipts: list[Document] = []

    def topics(self) -> list[str]:
        return [f"down/{self.client_id}/+/receipt"]

    def raise_alarm(self, device: str, alarm_id: str, kind: str = "safety.manual", **members: Any) -> None:
        """Say an alarm, and again until it has a receipt."""
        self.sent.append((device, alarm_id))
        document = {"id": alarm_id, "kind": kind, **members}
        self.say((device, alarm_id), f"up/{self.client_id}/{device}/alarm", document)

    def hear(self, topic: str, document: Document) -> None:
        device = topic.split("/")[2]
        self.receipts.append({"device": device, **document})
        self.answered((device, document["id"]))

    def has(self, status: str, alarm_id: str) -> bool:
        """Whether a receipt with this status has come."""
        with self._lock:
            return any(r["id"] == alarm_id and r["status"] == status for r in self.receipts)

    def receipted(self) -> set[tuple[str, str]]:
        """Device and id of every alarm that the hub has answered for; a later receipt says it as well."""
        with self._lock:
            return {(r["device"], r["id"]) for r in self.receipts if r["status"] != "refused"}


Reaction = Callable[["Partner", Document], None]


def confirms(partner: "Partner", event: Document) -> None:
    """The least that the contract asks of a receiver."""
    partner.ask("received", event=event["id"], is_repeated=False)


def stays_silent(_partner: "Partner", _event: Document) -> None:
    """Never confirm anything."""


class Partner(Peer):
    """A care provider's system; ``reaction`` is what it does with each event."""

    def __init__(
        self,
        port: int,
        credentials: Path,
        *,
        reaction: Reaction = confirms,
        subscriptions: Iterable[str] = (),
        is_kept: bool = False,
    ) -> None:
        super().__init__(port, credentials, is_kept=is_kept)
        self.organisation = credentials.name
        self.events: list[Document] = []
        """Every attempt that arrived, in this order."""
        self.times_seen: Counter[str] = Counter()
        """How many attempts of each event arrived."""
        self.replies: dict[str, Document] = {}
        self.elsewhere: list[str] = []
        """Topics of what arrived and is not for this partner."""
        self._reaction = reaction
        self._subscriptions = list(subscriptions)
        self._number = 0

    def topics(self) -> list[str]:
        own = [f"care/{self.organisation}/event", f"care/{self.organisation}/reply"]
        return self._subscriptions or own

    def ask(self, action: str, *, is_repeated: bool = True, **members: Any) -> str:
        """Publish an action, again until its reply when ``is_repeated``; returns the request's id."""
        with self._lock:
            self._number += 1
            request = f"{self.organisation}-{self._number}"
        topic, document = (
            f"care/{self.organisation}/action",
            {"request": request, "action": action, **members},
        )
        if is_repeated:
            self.say(request, topic, document)
        else:
            self.publish(topic, json.dumps(document).encode())
        return request

    def reply_to(self, request: str) -> Document:
        """Wait for the outcome of an action."""
        wait_until(lambda: request in self.replies, f"request {request} is answered")
        return self.replies[request]

    def hear(self, topic: str, document: Document) -> None:
        match topic.split("/"):
            case ["care", self.organisation, "event"]:
                self.events.append(document)
                self.times_seen[document["id"]] += 1
                self._reaction(self, document)
            case ["care", self.organisation, "reply"]:
                self.replies[str(document["request"])] = document
                self.answered(document["request"])
            case _:
                self.elsewhere.append(topic)

    def of_type(self, kind: str) -> list[Document]:
        """The events of one type that arrived so far, each attempt."""
        with self._lock:
            return [event for event in self.events if event["type"] == f"se.stadsnav.alarm.{kind}.v1"]

    def has(self, kind: str, *, home_event: str) -> bool:
        """Whether an event of this type about the home's own id has come."""
        return any((event["data"]["event"] or {}).get("id") == home_event for event in self.of_type(kind))
