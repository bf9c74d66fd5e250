"""The broker's limits, each with its reason and with what happens when it is reached.

    Limit  ──>  a line of mosquitto.conf   (broker.configuration)
           └──> a row of docs/broker.md    (a test keeps them equal)

Mosquitto's own limits are small and silent: a full queue drops alarms while it tells the sender
that all is well. The figures were taken on two cores with Mosquitto 2.0.11.
"""

from dataclasses import dataclass
from datetime import timedelta
from typing import Final


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """One number of Mosquitto's configuration."""

    option: str
    """Mosquitto's name for it."""
    value: int
    unit: str
    because: str
    at_the_bound: str
    suffix: str = ""
    """What Mosquitto wants behind the number, such as ``m`` for months."""

    @property
    def line(self) -> str:
        """The line of mosquitto.conf."""
        return f"{self.option} {self.value}{self.suffix}"


MAX_QUEUED_MESSAGES: Final = Limit(
    option="max_queued_messages",
    value=500_000,
    unit="messages per client",
    because="What waits for the hub while it restarts: days of alarms, 75 s of a whole city's readings. "
    "480 bytes of memory each.",
    at_the_bound="Further messages are dropped, yet acknowledged to their sender. The log says, once per "
    "client: 'Outgoing messages are being dropped'. Homes repeat alarms until their receipt; readings are "
    "lost.",
)
MAX_QUEUED_BYTES: Final = Limit(
    option="max_queued_bytes",
    value=256 * 1024 * 1024,
    unit="bytes of payload per client",
    because="Keeps 500,000 large messages from taking all memory.",
    at_the_bound="As for max_queued_messages; whichever comes first.",
)
MAX_INFLIGHT_MESSAGES: Final = Limit(
    option="max_inflight_messages",
    value=1_000,
    unit="unacknowledged messages per client",
    because="The hub acknowledges only what is on disk, so a burst of 500 alarms is in flight at once. "
    "MQTT 5 clients, the hub among them, set their own number (Receive Maximum) when they connect; "
    "2.0.11 keeps to it only until the first acknowledgement, so the hub bounds its memory itself.",
    at_the_bound="Further messages wait in the queue. Nothing is lost, but one that is never acknowledged "
    "holds its place until the client reconnects.",
)
MAX_PACKET_BYTES: Final = Limit(
    option="max_packet_size",
    value=64 * 1024,
    unit="bytes per MQTT packet",
    because="An alarm is at most 16 KiB, a reading pack should be less; 64 KiB bounds what a stranger "
    "can make the broker hold.",
    at_the_bound="The sender is disconnected, and again each time it repeats that packet.",
)
MAX_KEEPALIVE: Final = Limit(
    option="max_keepalive",
    value=65_535,
    unit="seconds",
    because="The largest that MQTT has, so that no sleepy device is refused; the hub's supervision notices "
    "silence, not the broker.",
    at_the_bound="From 2.0.12 on, an MQTT 3.1.1 device that asks for no keep-alive (0) is refused with "
    "return code 2; MQTT 5 devices are told to use this value.",
)
PERSISTENT_CLIENT_EXPIRATION: Final = Limit(
    option="persistent_client_expiration",
    value=2,
    unit="months",
    suffix="m",
    because="Sessions of replaced devices end some day; a summer house without power keeps its own.",
    at_the_bound="The session and what waits in it are removed. The client subscribes again when it returns.",
)
AUTOSAVE_INTERVAL: Final = Limit(
    option="autosave_interval",
    value=30,
    unit="seconds",
    because="Sessions and queues are written this often; everything stands still meanwhile (11 ms for 20,000 "
    "idle sessions, 0.4 s for 500,000 queued messages).",
    at_the_bound="A killed broker forgets what came since: not alarms with a receipt, they are in the hub's "
    "database, and homes repeat the others.",
)
SYS_INTERVAL: Final = Limit(
    option="sys_interval",
    value=10,
    unit="seconds",
    because="How often the broker tells the hub of queue depth, dropped messages and clients ($SYS).",
    at_the_bound="-",
)
HOME_CONNECTIONS: Final = Limit(
    option="max_connections",
    value=100_000,
    unit="connections to the homes' listener",
    because="65,000 homes reached today, and room for half as many again.",
    at_the_bound="The next connection is closed at once; its device tries again. 2.0.11 counts too few, so "
    "there the limit of open files is the real bound; Stadsnav raises it as far as the system lets it.",
)
PARTNER_CONNECTIONS: Final = Limit(
    option="max_connections",
    value=1_000,
    unit="connections to the partners' listener",
    because="Dozens of organisations, some with several sessions.",
    at_the_bound="The next connection is closed at once; the partner's client tries again.",
)
HUB_CONNECTIONS: Final = Limit(
    option="max_connections",
    value=100,
    unit="connections to each of the hub's two listeners",
    because="A few sessions per process of the hub.",
    at_the_bound="The next connection is closed at once; that process retries.",
)

GLOBAL_LIMITS: Final = (
    MAX_QUEUED_MESSAGES,
    MAX_QUEUED_BYTES,
    MAX_INFLIGHT_MESSAGES,
    MAX_PACKET_BYTES,
    MAX_KEEPALIVE,
    PERSISTENT_CLIENT_EXPIRATION,
    AUTOSAVE_INTERVAL,
    SYS_INTERVAL,
)
LISTENER_LIMITS: Final = (HOME_CONNECTIONS, PARTNER_CONNECTIONS, HUB_CONNECTIONS)

OWN_FILES: Final = 200
"""Listeners, logs, libraries and the state file, with room."""
OPEN_FILES: Final = sum(limit.value for limit in LISTENER_LIMITS) + HUB_CONNECTIONS.value + OWN_FILES
"""File descriptors that the broker can need; the usual 1,024 would refuse the thousandth home."""

STOP_DEADLINE: Final = timedelta(seconds=10)
"""How long the broker may take to write its state when it is told to stop."""
