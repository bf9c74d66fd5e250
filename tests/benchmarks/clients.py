"""Light MQTT clients for the benchmarks: the same for the product and for the bare broker."""

import ssl
import threading
from collections.abc import Callable
from pathlib import Path
from socket import IPPROTO_TCP, TCP_NODELAY

from paho.mqtt.client import Client, MQTTMessage, MQTTv5
from paho.mqtt.enums import CallbackAPIVersion


def connect(
    name: str,
    port: int,
    *,
    credentials: Path | None = None,
    topic: str | None = None,
    on_message: Callable[[MQTTMessage], None] | None = None,
) -> Client:
    """Connect, subscribe and return once both are done; paho's own thread does the rest."""
    client = Client(CallbackAPIVersion.VERSION2, client_id=name, protocol=MQTTv5)
    if credentials is not None:
        context = ssl.create_default_context(cafile=str(credentials / "ca.pem"))
        context.load_cert_chain(credentials / "cert.pem", credentials / "key.pem")
        client.tls_set_context(context)
    client.max_inflight_messages_set(0)
    done = threading.Event()
    if topic is None:
        client.on_connect = lambda *_: done.set()
    else:
        client.on_connect = lambda found, *_: found.subscribe(topic, 1)
        client.on_subscribe = lambda *_: done.set()
    if on_message is not None:
        client.on_message = lambda _client, _data, message: on_message(message)
    client.connect("localhost", port)
    sock = client.socket()
    assert sock is not None
    sock.setsockopt(IPPROTO_TCP, TCP_NODELAY, 1)
    client.loop_start()
    if not done.wait(10):
        message = f"{name} could not connect to port {port}"
        raise TimeoutError(message)
    return client


def leave(*clients: Client) -> None:
    for client in clients:
        client.disconnect()
        client.loop_stop()
