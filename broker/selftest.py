"""What the hub relies on, tried on the broker itself before anything is let in.

    a kept session is still known after a reconnect        (else alarms are lost whenever the hub restarts)
    a home's own topic arrives, a foreign one does not     (else a home can speak for another)

MQTT delivers in order on one connection: when the home's second message, its own, has arrived and the
first, the foreign one, has not, the foreign one was refused. Nothing has to be waited for.
"""

import asyncio
import contextlib
import secrets
from datetime import timedelta
from pathlib import Path
from typing import Final

from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

from broker.session import BrokerAddress, Callbacks, Envelope, Session, SessionPlan

WITHIN: Final = timedelta(seconds=10)
_FOREIGN: Final = "up/stadsnav-selftest-foreign/x/probe"


class BrokerUnfitError(Exception):
    """The broker does not do what the hub's promises stand on."""

    def __init__(self, problem: str, mend: str) -> None:
        self.problem = problem
        super().__init__(f"The broker is not fit: {problem}; {mend}")


async def check(
    address: BrokerAddress, *, homes_host: str, homes_port: int, credentials: Path, client_id: str
) -> None:
    """Try the broker.

    Args:
        address: The internal listener and our account there.
        homes_host: Where homes connect.
        homes_port: Where homes connect.
        credentials: A folder with ``key.pem``, ``cert.pem`` and ``ca.pem`` of a home, made for this test.
        client_id: The CN of that certificate.

    Raises:
        BrokerUnfitError: Says what is wrong and how to mend it.
    """
    try:
        async with asyncio.timeout(WITHIN.total_seconds()):
            await _session_survives(address)
            await _foreign_topic_is_refused(
                address, host=homes_host, port=homes_port, credentials=credentials, client_id=client_id
            )
    except TimeoutError:
        raise BrokerUnfitError(
            f"it did not answer the self-test within {WITHIN.total_seconds():g} s",
            "look at its log, its ports and its access file",
        ) from None


async def _session_survives(address: BrokerAddress) -> None:
    name = f"@selftest-{secrets.token_hex(12)}"
    kept = SessionPlan(client_id=name, subscriptions=("probe/selftest",), receive_maximum=10)
    await _connect_once(address, kept)
    is_known = await _connect_once(address, kept)
    forgotten = SessionPlan(client_id=name, subscriptions=(), receive_maximum=10, is_kept=False)
    await _connect_once(address, forgotten)
    if not is_known:
        raise BrokerUnfitError(
            "a session that should be kept is forgotten when it reconnects",
            "switch its persistence on and give persistent sessions no expiry",
        )


async def _connect_once(address: BrokerAddress, plan: SessionPlan) -> bool:
    session = Session(address, plan)
    run = asyncio.get_running_loop().create_task(session.run(Callbacks()), name="selftest session")
    try:
        await session.connected.wait()
        return session.was_present
    finally:
        await _end(run)


async def _foreign_topic_is_refused(
    address: BrokerAddress, *, host: str, port: int, credentials: Path, client_id: str
) -> None:
    arrived: asyncio.Queue[str] = asyncio.Queue()

    def note(envelope: Envelope) -> None:
        arrived.put_nowait(envelope.topic)

    plan = SessionPlan(
        client_id=f"@selftest-{secrets.token_hex(12)}",
        subscriptions=("up/+/+/probe",),
        receive_maximum=100,
        is_kept=False,
    )
    session = Session(address, plan)
    run = asyncio.get_running_loop().create_task(session.run(Callbacks(on_message=note)), name="selftest hub")
    try:
        await session.connected.wait()
        own = f"up/{client_id}/{client_id}/probe"
        await asyncio.to_thread(_speak_as_home, host, port, credentials, [_FOREIGN, own])
        while (topic := await arrived.get()) != own:
            if topic == _FOREIGN:
                raise BrokerUnfitError(
                    "a home can publish on another home's topic",
                    "give its homes listener the access file that Stadsnav writes",
                )
    finally:
        await _end(run)


def _speak_as_home(host: str, port: int, credentials: Path, topics: list[str]) -> None:
    client = Client(CallbackAPIVersion.VERSION2, protocol=MQTTProtocolVersion.MQTTv311)
    client.tls_set(
        ca_certs=str(credentials / "ca.pem"),
        certfile=str(credentials / "cert.pem"),
        keyfile=str(credentials / "key.pem"),
    )
    client.connect(host, port, keepalive=10)
    client.loop_start()
    try:
        for topic in topics:
            client.publish(topic, b"", qos=1).wait_for_publish(WITHIN.total_seconds())
    finally:
        client.disconnect()
        client.loop_stop()


async def _end(task: asyncio.Task[None]) -> None:
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
