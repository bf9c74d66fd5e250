"""The home's side of the promise: keep an alarm on disk, and say it until the hub has it.

raise_alarm ──> store (disk) ──> courier (thread) ──> link (MQTT, TLS) ──> broker
                  ^                                                          │
                  └── receipt: stored or refused, no more repeats <──────────┘
send_readings ──> packs ──> courier ──> … ──> broker          until its PUBACK, after the alarms
"""

from devices.agent.client import Agent, AgentStoppedError, DeviceIdError
from devices.agent.retry import Backoff
from devices.agent.settings import AgentSettings, Credentials, CredentialsError
from devices.agent.store import KeptAlarm, StoreError
from devices.codecs.senml import Measured, UnwritableRecordError

__all__ = [
    "Agent",
    "AgentSettings",
    "AgentStoppedError",
    "Backoff",
    "Credentials",
    "CredentialsError",
    "DeviceIdError",
    "KeptAlarm",
    "Measured",
    "StoreError",
    "UnwritableRecordError",
]
