"""The session for floods against a real broker: nothing is acknowledged before somebody says so."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial
from itertools import count
from typing import Any

import gmqtt
import numpy as np
import pytest
import uvloop
from gmqtt.mqtt.connection import MQTTConnection

from broker import bulk_session
from broker.bulk_session import BulkCallbacks, BulkSession, Mark, puback_bytes
from broker.configuration import LOOPBACK
from broker.session import BrokerAddress, SessionPlan
from tests.integration.broker.client import MqttClient
from tests.integration.broker.running import OBSERVER, OBSERVER_USER, RunningBroker

PATIENCE_SECONDS = 10.0
LOOK_SECONDS = 0.005
QUIET_SECONDS = 0.3
READ_AT_ONCE_BYTES = 1024 * 1024
"""What the event loop may have read before it heard of the pause, with room."""
"""In which the broker would have sent what it does not hold back."""

READINGS = "up/+/+/reading"
EXPIRY = timedelta(seconds=60)


@dataclass(frozen=True, slots=True)
class Packet:
    topic: str
    payload: bytes
    id: int
    mark: int


class Recorder:
    """A session, and what it was handed: packets and connects in their order."""

    def __init__(self, broker: RunningBroker, name: str, **plan: object) -> None:
        address = BrokerAddress(
            host=LOOPBACK,
            port=broker.configuration.bulk_port,
            username=broker.hub.user_name,
            password=str(plan.pop("password", broker.hub.password)),
            ca_file=broker.configuration.paths.root,
        )
        members: dict[str, object] = {"subscriptions": (READINGS,), "receive_maximum": 20_000}
        self.session = BulkSession(
            address,
            SessionPlan(client_id=broker.hub.client_id(name), **members | plan),  # type: ignore[arg-type]
        )
        self.packets: list[Packet] = []
        self.connects: list[bool] = []

    def payloads(self) -> list[str]:
        return [packet.payload.decode() for packet in self.packets]

    def acknowledge(self, *packets: Packet) -> None:
        ids = np.array([packet.id for packet in packets], np.uint16)
        self.session.acknowledge(ids, connection=self.session.connection)

    async def wait_for(self, number: int) -> list[Packet]:
        await wait_until(lambda: len(self.packets) >= number, f"{number} packets, not {len(self.packets)}")
        return self.packets[:number]

    @asynccontextmanager
    async def running(self, *, is_awaited: bool = True) -> AsyncIterator[None]:
        callbacks = BulkCallbacks(
            on_packet=lambda *packet: self.packets.append(Packet(*packet)),
            on_connected=self.connects.append,
        )
        async with asyncio.TaskGroup() as group:
            task = group.create_task(self.session.run(callbacks), name="session")
            if is_awaited:
                await wait_until(lambda: self.session.is_connected, "the session is connected")
            yield
            task.cancel()


async def wait_until(is_so: Callable[[], object], what: str) -> None:
    """Look every 5 ms, for at most ten seconds."""
    async with asyncio.timeout(PATIENCE_SECONDS) as limit:
        while not is_so():  # noqa: ASYNC110 - what is waited for is another program's doing
            await asyncio.sleep(LOOK_SECONDS)
    assert not limit.expired(), what


async def publish(broker: RunningBroker, *payloads: str, **options: object) -> None:
    """A home says these, with QoS 1, in this order."""

    def say() -> None:
        with broker.home_client("hub-1") as home:
            home.publish_all(
                [("up/hub-1/m-1/reading", payload) for payload in payloads],
                **options,  # type: ignore[arg-type]
            )

    await asyncio.to_thread(say)


_names = count(1)


@pytest.fixture
def recorder(broker: RunningBroker) -> Recorder:
    return Recorder(broker, f"bulk-{next(_names)}")


async def test_what_is_not_acknowledged_comes_again_marked_so_and_what_is_acknowledged_does_not(
    broker: RunningBroker, recorder: Recorder
) -> None:
    async with recorder.running():
        await publish(broker, "one", "two", "three")
        first, second, third = await recorder.wait_for(3)
        assert recorder.payloads() == ["one", "two", "three"]
        assert {packet.mark for packet in recorder.packets} == {Mark.NONE}
        recorder.acknowledge(second)
        await asyncio.sleep(QUIET_SECONDS)
    recorder.packets.clear()

    async with recorder.running():
        again = await recorder.wait_for(2)
        assert [(packet.id, packet.payload) for packet in again] == [
            (first.id, b"one"),
            (third.id, b"three"),
        ]
        assert {packet.mark for packet in again} == {Mark.AGAIN}
        recorder.acknowledge(*again)
        await asyncio.sleep(QUIET_SECONDS)
    recorder.packets.clear()

    async with recorder.running():
        await publish(broker, "four")
        await recorder.wait_for(1)

    assert recorder.payloads() == ["four"]
    assert recorder.connects == [False, True, True]


async def test_many_are_acknowledged_in_one_write(
    broker: RunningBroker, recorder: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    writes: list[int] = []
    write = bulk_session._Link.write

    def counted(link: bulk_session._Link, packets: bytes) -> None:
        writes.append(len(packets))
        write(link, packets)

    monkeypatch.setattr(bulk_session._Link, "write", counted)
    async with recorder.running():
        await publish(broker, *[str(number) for number in range(2_000)])
        packets = await recorder.wait_for(2_000)
        recorder.acknowledge(*packets)
        await asyncio.sleep(QUIET_SECONDS)
    recorder.packets.clear()
    async with recorder.running():
        await asyncio.sleep(QUIET_SECONDS)

    assert writes == [4 * 2_000]
    assert recorder.packets == []


async def test_packets_come_in_the_order_in_which_they_were_sent_whatever_their_size(
    broker: RunningBroker, recorder: Recorder
) -> None:
    sizes = [1, 0, 126, 127, 128, 129, 16_382, 16_383, 16_384, 60_000, 2]

    async with recorder.running():
        await publish(broker, *["x" * size for size in sizes])
        packets = await recorder.wait_for(len(sizes))

    assert [len(packet.payload) for packet in packets] == sizes
    assert {packet.topic for packet in packets} == {"up/hub-1/m-1/reading"}


async def test_a_packet_with_properties_is_read_behind_them(
    broker: RunningBroker, recorder: Recorder
) -> None:
    """An expiry of five bytes; a name and value that need a length of two bytes."""
    async with recorder.running():
        for pairs in ([("a", "b")], [("name", "v" * 300)]):
            sender = gmqtt.Client(broker.hub.client_id(f"sender-{len(pairs[0][1])}"))
            sender.set_auth_credentials(broker.hub.user_name, broker.hub.password)
            await sender.connect(LOOPBACK, broker.internal_port)
            options = {"message_expiry_interval": 60, "user_property": pairs[0]}
            sender.publish("up/h/m/reading", b"said", qos=1, **options)
            await recorder.wait_for(len(recorder.packets) + 1)
            await sender.disconnect()

    assert recorder.payloads() == ["said", "said"]


async def test_qos_0_has_nothing_to_acknowledge(broker: RunningBroker, recorder: Recorder) -> None:
    async with recorder.running():
        await publish(broker, "at most once", qos=0)
        await publish(broker, "at least once")
        packets = await recorder.wait_for(2)

    assert [bool(packet.id) for packet in packets] == [False, True]


async def test_a_killed_broker_is_come_back_to_and_its_packets_mean_the_new_connection(
    broker: RunningBroker, recorder: Recorder
) -> None:
    async with recorder.running():
        await publish(broker, "before")
        [before] = await recorder.wait_for(1)
        connection = recorder.session.connection
        await asyncio.to_thread(broker.save_state)
        broker.kill()
        await wait_until(lambda: not recorder.session.is_connected, "the loss is noticed")
        recorder.session.acknowledge(np.array([before.id], np.uint16), connection=connection)
        assert not recorder.session.publish("care/acme/reading", b"{}", expiry=EXPIRY)
        await asyncio.to_thread(broker.start)
        await wait_until(lambda: recorder.session.is_connected, "the session is back")

        assert recorder.session.connection == connection + 1
        again = (await recorder.wait_for(2))[1]
        assert (again.id, again.payload, again.mark) == (before.id, b"before", Mark.AGAIN)
        recorder.session.acknowledge(np.array([before.id], np.uint16), connection=connection)
        await publish(broker, "after")
        await recorder.wait_for(3)
    async with recorder.running():
        await recorder.wait_for(5)

    assert recorder.payloads() == ["before", "before", "after", "before", "after"]
    assert recorder.connects == [False, True, True]


async def test_acknowledging_while_it_connects_or_after_it_was_lost_harms_nobody(
    broker: RunningBroker, recorder: Recorder
) -> None:
    ids = np.array([1, 2, 3], np.uint16)
    connecting = bulk_session._Link.open

    async def acknowledges_first(link: bulk_session._Link) -> bool:
        recorder.session.acknowledge(ids, connection=recorder.session.connection)
        return await connecting(link)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bulk_session._Link, "open", acknowledges_first)
        async with recorder.running():
            link = recorder.session._link
            assert link is not None
            transport = link._client._connection._transport
            transport.abort()
            for _ in range(20):
                recorder.session.acknowledge(ids, connection=recorder.session.connection)
                recorder.session.publish("care/acme/reading", b"{}", expiry=EXPIRY)
                await asyncio.sleep(0)
            await wait_until(lambda: len(recorder.connects) == 2, "it is back")
            await publish(broker, "still here")
            await recorder.wait_for(1)


async def test_a_broker_that_is_away_is_tried_until_it_is_there(
    broker: RunningBroker, recorder: Recorder
) -> None:
    broker.kill()
    async with recorder.running(is_awaited=False):
        await asyncio.sleep(QUIET_SECONDS)
        assert recorder.connects == []
        await asyncio.to_thread(broker.start)
        await wait_until(lambda: recorder.session.is_connected, "the session is up")


def is_past(connects: list[bool], number: int) -> bool:
    return len(connects) > number


async def test_a_broker_that_ends_the_connection_before_it_lets_us_in_is_tried_again_at_once(
    recorder: Recorder,
) -> None:
    knocks = []

    async def slam(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        knocks.append(1)
        writer.close()

    server = await asyncio.start_server(slam, LOOPBACK, 0)
    port = server.sockets[0].getsockname()[1]
    recorder.session._address = replace(recorder.session._address, port=port, ca_file=None)

    async with server, recorder.running(is_awaited=False):
        await wait_until(lambda: len(knocks) >= 3, "it has knocked three times")


async def test_after_each_connection_that_held_the_next_attempt_is_soon(recorder: Recorder) -> None:
    async with asyncio.timeout(PATIENCE_SECONDS / 2), recorder.running():
        for lost in range(1, 12):
            link = recorder.session._link
            assert link is not None
            link._client._connection._transport.abort()
            await wait_until(partial(is_past, recorder.connects, lost), "it is back")
            await wait_until(lambda: recorder.session.is_connected, "and subscribed")

    assert len(recorder.connects) == 12, "with no longer wait after each of them"


async def test_a_refused_password_is_tried_again_and_lets_nobody_in(broker: RunningBroker) -> None:
    stranger = Recorder(broker, "bulk-stranger", password="wrong")  # noqa: S106

    async with stranger.running(is_awaited=False):
        await asyncio.sleep(QUIET_SECONDS)

    assert not stranger.session.is_connected
    assert stranger.connects == []


async def test_a_session_that_is_not_kept_begins_anew_each_time(broker: RunningBroker) -> None:
    recorder = Recorder(broker, "bulk-passing", is_kept=False)
    for _ in range(2):
        async with recorder.running():
            await publish(broker, "unacknowledged")
            await recorder.wait_for(1)

    assert recorder.connects == [False, False]
    assert {packet.mark for packet in recorder.packets} == {Mark.NONE}


async def test_what_is_retained_is_told_apart_and_only_where_it_is_asked_for(broker: RunningBroker) -> None:
    broker.let_observer_in(["acme"], ["z2m"])
    broker.reload()

    def retain(topic: str, payload: str) -> None:
        login = (OBSERVER_USER, str(OBSERVER.password))
        with MqttClient(broker.internal_port, login=login, client_id="retainer") as observer:
            observer.publish(topic, payload, retain=True)

    await asyncio.to_thread(retain, "up/h/m/reading", "old reading")
    await asyncio.to_thread(retain, "in/z2m/leak", "old state")
    recorder = Recorder(broker, "bulk-retained", subscriptions_with_retained=("in/+/#",))

    async with recorder.running():
        [packet] = await recorder.wait_for(1)
        assert (packet.payload, packet.mark) == (b"old state", Mark.RETAINED)
        await asyncio.to_thread(retain, "in/z2m/leak", "new state")
        await asyncio.to_thread(retain, "up/h/m/reading", "new reading")
        packets = (await recorder.wait_for(3))[1:]

    assert [(packet.payload, packet.mark) for packet in packets] == [
        (b"new state", Mark.NONE),
        (b"new reading", Mark.NONE),
    ]


async def test_what_is_published_arrives_once_with_qos_0_and_an_expiry(
    broker: RunningBroker, recorder: Recorder
) -> None:
    heard: list[tuple[str, bytes, int, list[int]]] = []
    broker.let_observer_in(["acme"])
    broker.reload()
    observer = gmqtt.Client("observer")
    observer.set_auth_credentials(OBSERVER_USER, OBSERVER.password)

    async def hear(_client: object, topic: str, payload: bytes, qos: int, properties: Any) -> int:
        heard.append((topic, payload, qos, properties["message_expiry_interval"]))
        return 0

    observer.on_message = hear
    await observer.connect(LOOPBACK, broker.internal_port)
    observer.subscribe("care/acme/reading", qos=1)
    async with recorder.running():
        await asyncio.sleep(QUIET_SECONDS)
        assert recorder.session.publish("care/acme/reading", b"{}", expiry=EXPIRY)
        await wait_until(lambda: heard, "it arrives")
        await asyncio.sleep(QUIET_SECONDS)
    await observer.disconnect()

    assert heard == [("care/acme/reading", b"{}", 0, [60])]


async def test_nothing_is_published_while_more_waits_than_the_bound(
    recorder: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with recorder.running():
        monkeypatch.setattr(bulk_session, "WRITE_BUFFER_BYTES", -1)

        assert not recorder.session.publish("care/acme/reading", b"{}", expiry=EXPIRY)


async def test_until_it_acknowledges_no_more_packets_are_under_way_than_the_receive_maximum(
    broker: RunningBroker,
) -> None:
    """Only until then: Mosquitto 2.0.11 sends as many again for each PUBACK. Nothing rests on this bound."""
    recorder = Recorder(broker, "bulk-few", receive_maximum=5)

    async with recorder.running():
        await publish(broker, *[str(number) for number in range(12)])
        await asyncio.sleep(QUIET_SECONDS)
        assert len(recorder.packets) == 5
        recorder.acknowledge(*recorder.packets)
        await recorder.wait_for(12)

    assert recorder.payloads() == [str(number) for number in range(12)]


async def test_while_it_is_paused_little_more_is_read_and_afterwards_all_of_it_arrives(
    broker: RunningBroker, recorder: Recorder
) -> None:
    """The bound that holds: Mosquitto 2.0.11 keeps neither the receive maximum nor ``max_inflight_bytes``."""
    size, sent = 60_000, 400

    async with recorder.running():
        recorder.session.pause()
        await publish(broker, *[str(number).ljust(size) for number in range(sent)])
        held = len(recorder.packets)
        recorder.session.resume()
        recorder.session.resume()  # the same again changes nothing
        while len(recorder.packets) < sent:
            arrived = len(recorder.packets)
            recorder.acknowledge(*recorder.packets)
            await recorder.wait_for(arrived + 1)

    assert held * size < READ_AT_ONCE_BYTES
    assert [int(payload) for payload in recorder.payloads()] == list(range(sent))


async def test_the_private_parts_of_gmqtt_that_this_rests_on_are_there_and_are_called(
    broker: RunningBroker, recorder: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Fails when gmqtt changes them: then see ``broker.bulk_session`` before anything else."""
    called: list[int] = []
    original = bulk_session._Link._at_publish

    def noted(link: bulk_session._Link, header: int, packet: bytes) -> None:
        called.append(header)
        original(link, header, packet)

    async def no_task_of_its_own(*_: object) -> None:
        raise AssertionError("gmqtt's own handler of PUBLISH ran")

    monkeypatch.setattr(bulk_session._Link, "_at_publish", noted)
    async with recorder.running():
        link = recorder.session._link
        assert link is not None
        link._client.on_message = no_task_of_its_own
        handler = link._client._package_handler
        assert handler._handler_cache[0x30] == link._at_publish
        assert isinstance(link._client._connection, MQTTConnection)
        transport = link._client._connection._transport
        assert not transport.is_closing()
        assert transport.get_write_buffer_size() == 0
        assert link._client._connection.is_closing() is False
        await publish(broker, "one")
        await recorder.wait_for(1)

    assert called == [0x32]
    assert gmqtt.__version__.startswith("0.8.")


def test_pubacks_are_written_as_the_standard_says() -> None:
    assert puback_bytes(np.array([1, 0x1234, 65_535], np.uint16)) == bytes.fromhex(
        "40020001 40021234 4002ffff".replace(" ", "")
    )


@pytest.mark.parametrize(
    "test",
    [
        test_what_is_not_acknowledged_comes_again_marked_so_and_what_is_acknowledged_does_not,
        test_a_killed_broker_is_come_back_to_and_its_packets_mean_the_new_connection,
        test_acknowledging_while_it_connects_or_after_it_was_lost_harms_nobody,
    ],
)
def test_on_the_loop_of_the_reading_process_whose_transports_are_others(
    broker: RunningBroker,
    recorder: Recorder,
    test: Callable[[RunningBroker, Recorder], Coroutine[None, None, None]],
) -> None:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(test(broker, recorder))
