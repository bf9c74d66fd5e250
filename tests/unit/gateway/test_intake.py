"""The hinge: acknowledged only when it is on disk, in order, and one poisonous message harms no other."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from pathlib import Path

import pytest

from broker.session import Envelope
from gateway.intake import INTERNAL, Answer, Handler, Intake
from services.store import events
from services.store.connection import Connection, StoreUnavailableError
from services.store.sqlite import SqliteConnection
from services.store.writer import Writer
from tests.support.sessions import Published, RecordingSession, envelope
from tests.support.stores import file_database_maker

AT_MOST_SECONDS = 10


class CountingHandler:
    """Counts each message by its payload; some payloads make trouble."""

    def handle(self, connection: Connection, envelope: Envelope) -> list[Answer]:
        events.count(connection, f"handled {envelope.payload.decode()}")
        if envelope.payload == b"poison":
            raise ZeroDivisionError
        if envelope.payload == b"full disk":
            raise StoreUnavailableError("the disk is full")
        return [Answer(topic="answer", payload=envelope.payload)]

    def set_aside(self, connection: Connection, envelope: Envelope, reason: str) -> list[Answer]:
        events.count(connection, f"set aside: {reason}")
        return [Answer(topic="refusal", payload=envelope.payload)]


class WatchingSession(RecordingSession):
    """Notes, at each acknowledgement, what another process can read by then."""

    def __init__(self, other: SqliteConnection) -> None:
        super().__init__()
        self._other = other
        self.seen_at_acknowledgement: list[set[str]] = []

    def acknowledge(self, envelope: Envelope) -> None:
        self.seen_at_acknowledgement.append(set(events.counters(self._other)))
        super().acknowledge(envelope)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return file_database_maker(tmp_path)()


@asynccontextmanager
async def intake_over(
    path: Path, handler: Handler | None = None, *, at_once: int = 100
) -> AsyncIterator[Intake]:
    connection = SqliteConnection(path)
    writer = Writer(connection)
    writer.start()
    async with asyncio.timeout(AT_MOST_SECONDS), aclosing(writer):
        yield Intake(writer, handler or CountingHandler(), at_once=at_once)
    connection.close()


def arrived(*payloads: str) -> list[Envelope]:
    return [
        envelope("up/p-1/p-1/alarm", payload.encode(), packet_id=number)
        for number, payload in enumerate(payloads, start=1)
    ]


async def finish(intake: Intake, session: RecordingSession, messages: list[Envelope]) -> None:
    """Hand everything over and let the intake come to its end."""
    for message in messages:
        intake.receive(message)
    intake.stop()
    await intake.run(session)


def counters(path: Path) -> dict[str, int]:
    connection = SqliteConnection(path)
    found = events.counters(connection)
    connection.close()
    return found


async def test_nothing_is_acknowledged_before_another_process_could_read_it(path: Path) -> None:
    other = SqliteConnection(path)
    session = WatchingSession(other)
    messages = arrived("a", "b", "c")

    async with intake_over(path, at_once=2) as intake:
        await finish(intake, session, messages)

    assert session.seen_at_acknowledgement == [
        {"handled a", "handled b"},
        {"handled a", "handled b"},
        {"handled a", "handled b", "handled c"},
    ]
    other.close()


async def test_messages_are_acknowledged_in_their_order_each_once(path: Path) -> None:
    session = RecordingSession()
    messages = arrived(*"abcdefghij")

    async with intake_over(path, at_once=3) as intake:
        await finish(intake, session, messages)

    assert session.acknowledged == messages
    assert [item.payload for item in session.published] == [message.payload for message in messages]


async def test_answers_leave_after_the_acknowledgement_of_their_batch_with_qos_1(path: Path) -> None:
    session = RecordingSession()
    [message] = arrived("a")

    async with intake_over(path) as intake:
        await finish(intake, session, [message])

    assert session.sent == [message, Published(topic="answer", payload=b"a", qos=1, expiry=None)]


async def test_a_poisonous_message_is_set_aside_alone_and_acknowledged(path: Path) -> None:
    session = RecordingSession()
    messages = arrived("a", "poison", "b")

    async with intake_over(path) as intake:
        await finish(intake, session, messages)

    assert counters(path) == {"handled a": 1, "handled b": 1, f"set aside: {INTERNAL}": 1}
    assert session.acknowledged == messages
    assert [(item.topic, item.payload) for item in session.published] == [
        ("answer", b"a"),
        ("refusal", b"poison"),
        ("answer", b"b"),
    ]


async def test_when_the_store_fails_nothing_is_acknowledged_and_the_intake_ends(path: Path) -> None:
    session = RecordingSession()

    async with intake_over(path) as intake:
        with pytest.raises(StoreUnavailableError, match="the disk is full"):
            await finish(intake, session, arrived("a", "full disk", "b"))

    assert session.sent == []
    assert counters(path) == {}


async def test_a_full_disk_beside_a_poisonous_message_is_still_a_full_disk(path: Path) -> None:
    session = RecordingSession()

    async with intake_over(path) as intake:
        with pytest.raises(StoreUnavailableError):
            await finish(intake, session, arrived("poison", "full disk"))

    assert session.sent == []
    assert counters(path) == {}


async def test_no_transaction_takes_more_than_it_is_allowed(path: Path) -> None:
    other = SqliteConnection(path)
    session = WatchingSession(other)

    async with intake_over(path, at_once=4) as intake:
        await finish(intake, session, arrived(*"abcdefghij"))

    on_disk = [len(seen) for seen in session.seen_at_acknowledgement]
    assert on_disk == [4, 4, 4, 4, 8, 8, 8, 8, 10, 10]
    other.close()


async def test_stopping_handles_what_has_arrived_and_then_ends(path: Path) -> None:
    session = RecordingSession()
    before, late = arrived("before", "late")

    async with intake_over(path) as intake, asyncio.TaskGroup() as group:
        running = group.create_task(intake.run(session), name="intake")
        intake.receive(before)
        await asyncio.sleep(0)
        intake.receive(late)
        intake.stop()
        await running

    assert session.acknowledged == [before, late]


async def test_what_goes_on_arriving_does_not_put_off_the_end(path: Path) -> None:
    session = RecordingSession()
    before, *after = arrived("before", "after", "and after")

    async with intake_over(path, at_once=1) as intake:
        intake.receive(before)
        intake.stop()
        for message in after:
            intake.receive(message)
        await intake.run(session)

    assert session.acknowledged == [before]


async def test_an_idle_intake_ends_when_it_is_told_to(path: Path) -> None:
    session = RecordingSession()

    async with intake_over(path) as intake, asyncio.TaskGroup() as group:
        running = group.create_task(intake.run(session), name="intake")
        await asyncio.sleep(0)
        intake.stop()
        await running

    assert session.sent == []
