"""The hinge: from what the broker handed over to what is stored, and only then acknowledged.

    session ──envelope──> inbox ──all that wait──> one transaction ──on disk──> PUBACK ──> answers

Before it nothing knows who consumes; after it nothing knows MQTT. Read ``Intake.run``: that is all of it.
What a lane makes of an envelope is its handler's (``gateway.lanes``).
"""

import asyncio
from collections import deque
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Final, Protocol

import structlog

from broker.session import Envelope, Session
from services.store.connection import Connection, StoreUnavailableError
from services.store.writer import Writer

INTERNAL: Final = "internal error, kept for the operator"

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """Something to publish once the transaction is on disk."""

    topic: str
    payload: bytes
    expiry: timedelta | None = None


class Handler(Protocol):
    """What a lane makes of an envelope, inside the transaction of its batch."""

    def handle(self, connection: Connection, envelope: Envelope) -> list[Answer]:
        """Store it, or keep it aside; what may be said once that is on disk."""

    def set_aside(self, connection: Connection, envelope: Envelope, reason: str) -> list[Answer]:
        """Keep it aside, whatever it is."""


class Watch(Protocol):
    """Whoever wants to know how long messages take. Called in the order of the messages."""

    def received(self) -> None:
        """Another one came."""

    def stored(self, count: int) -> None:
        """The oldest of them are on disk."""


class Intake:
    """One lane's way in.

    What waits here is bounded by the session's receive maximum: the rest stays at the broker.
    """

    def __init__(
        self,
        writer: Writer,
        handler: Handler,
        *,
        at_once: int,
        is_urgent: bool = False,
        watch: Watch | None = None,
    ) -> None:
        """Join the parts.

        Args:
            writer: The process's one writer, shared by all lanes.
            handler: What the lane makes of an envelope.
            at_once: Envelopes per transaction. The other lanes wait while it runs, so it is small where
                the lane is not urgent.
            is_urgent: It goes before the other lanes.
            watch: Told when messages come and when they are on disk.
        """
        self._handler = handler
        self._watch = watch
        self._at_once = at_once
        self._write = partial(writer.write, is_urgent=is_urgent)
        self._waiting: deque[Envelope] = deque()
        self._arrived = asyncio.Event()
        self._left: int | None = None
        """How many are still to be handled before ``run`` ends; None: it does not end."""

    def receive(self, envelope: Envelope) -> None:
        """Take an envelope from the session (its ``on_message``)."""
        self._waiting.append(envelope)
        self._arrived.set()
        if self._watch is not None:
            self._watch.received()

    def stop(self) -> None:
        """Handle what has arrived until now, and then end ``run``; the broker keeps whatever comes later."""
        self._left = len(self._waiting)
        self._arrived.set()

    async def run(self, session: Session) -> None:
        """Handle envelopes, oldest first, until stopped.

        A message is acknowledged once it is stored or quarantined, never before. When the store cannot
        commit, the error leaves this method, nothing is acknowledged, and the supervisor starts us again:
        the new connection makes the broker hand everything over once more.
        """
        while self._left != 0:
            await self._arrived.wait()
            batch = self._take()
            if not batch:
                continue
            try:
                answers = await self._write(partial(self._store, batch=batch))
            except _PoisonError:
                answers = await self._write(partial(self._carefully, batch=batch))
            for envelope in batch:
                session.acknowledge(envelope)
            for answer in answers:
                session.publish(answer.topic, answer.payload, qos=1, expiry=answer.expiry)
            if self._watch is not None:
                self._watch.stored(len(batch))

    def _take(self) -> list[Envelope]:
        number = min(len(self._waiting), self._at_once)
        if self._left is not None:
            number = min(number, self._left)
            self._left -= number
        batch = [self._waiting.popleft() for _ in range(number)]
        if not self._waiting and self._left is None:
            self._arrived.clear()
        return batch

    def _store(self, connection: Connection, batch: list[Envelope]) -> list[Answer]:
        """Everything of a batch in one transaction."""
        try:
            return [answer for envelope in batch for answer in self._handler.handle(connection, envelope)]
        except StoreUnavailableError:
            raise
        except Exception as error:
            raise _PoisonError from error

    def _carefully(self, connection: Connection, batch: list[Envelope]) -> list[Answer]:
        """The same, one by one: what makes trouble is kept aside, alone."""
        answers: list[Answer] = []
        for envelope in batch:
            try:
                with connection.savepoint():
                    answers += self._handler.handle(connection, envelope)
            except StoreUnavailableError:
                raise
            except Exception:  # noqa: BLE001 - one poisonous message must not hold up the lane for ever
                _log.exception("message_not_handled", topic=envelope.topic)
                answers += self._handler.set_aside(connection, envelope, INTERNAL)
        return answers


class _PoisonError(Exception):
    """Something in a batch could not be handled."""
