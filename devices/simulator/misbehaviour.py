"""Says what no honest agent would: bytes as they stand, on a connection of their own.

Publish ──> connect with the home's certificate ──> publish ──> leave
"""

import secrets
from threading import Event
from typing import Any, Final

from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

from devices.agent import AgentSettings
from devices.agent.topics import alarm_topic
from devices.simulator.actions import Publish

_PATIENCE_SECONDS: Final = 5.0


def publish_past_agent(settings: AgentSettings, action: Publish) -> bool:
    """Publish once; whether the broker took it over.

    Raises:
        OSError: There is no connection to the broker.
    """
    is_over, was_taken = Event(), Event()
    client = Client(
        CallbackAPIVersion.VERSION2,
        client_id=f"{action.client_id}-{secrets.token_hex(16)}",
        protocol=MQTTProtocolVersion.MQTTv5,
        reconnect_on_failure=False,
    )

    def taken(_client: Client, _user: Any, _mid: int, code: Any, _more: Any) -> None:
        if not code.is_failure:
            was_taken.set()
        is_over.set()

    def connected(_client: Client, _user: Any, _flags: Any, _code: Any, _more: Any) -> None:
        topic = alarm_topic(action.client_id, action.device_id)
        client.publish(topic, action.payload, qos=1, retain=action.is_retained)

    client.on_connect = connected
    client.on_publish = taken
    client.on_disconnect = lambda *_: is_over.set()
    client.tls_set_context(settings.credentials.tls_context())
    client.connect(settings.host, settings.port, clean_start=True)
    client.loop_start()
    is_over.wait(_PATIENCE_SECONDS)
    client.disconnect()
    client.loop_stop()
    return was_taken.is_set()
