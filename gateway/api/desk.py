"""Where requests change something: in a transaction, once.

    work ──> writer: BEGIN · work · [answer kept under the request's key] · COMMIT ──> answer

The answer to a request with an ``Idempotency-Key`` is kept in the transaction of what the request did. So it
cannot have been done without being known, nor be known without having been done, whatever breaks in between,
and the same request again gets the same answer for 24 hours. What was refused is not kept.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from http import HTTPStatus
from typing import Any, Final, TypeVar

from fastapi import Response
from pydantic import BaseModel

from gateway.api.problems import ApiRefusedError
from gateway.api.sealing import LostAnswerError, Seal, seal_of
from services import audit
from services.domain.clock import Clock
from services.domain.ids import OrganisationId
from services.store import api_answers as rows
from services.store.api_answers import KeptAnswer
from services.store.connection import Connection
from services.store.writer import Writer

KEPT_FOR: Final = timedelta(hours=24)
FORGOTTEN_AT_ONCE: Final = 10
"""Old answers that go when a new one is kept: more than come, and never many in one transaction."""

REPLAYED: Final = "Idempotency-Replayed"

T = TypeVar("T")
Work = Callable[[Connection], T]


class KeyReusedError(ApiRefusedError):
    """A key came with one request, and comes with another now."""

    code = "idempotency_key_reused"
    mend = "send each request with a key of its own, and the same one again only when nobody answered"

    def __init__(self) -> None:
        super().__init__("This Idempotency-Key came with another request before")


class AnswerLostError(ApiRefusedError):
    """The request was carried out before; what was answered cannot be read any more."""

    code = "answer_lost"
    status = HTTPStatus.CONFLICT
    mend = "look whether it is there; to do it once more, send it with another key"

    def __init__(self) -> None:
        super().__init__("A request with this Idempotency-Key was carried out; its answer is lost")


@dataclass(frozen=True, slots=True, kw_only=True)
class Once:
    """A request that may come again, and from whom."""

    principal: str
    actor: str
    organisation_id: OrganisationId
    key: str | None
    """None: it is carried out as often as it comes."""
    asked: str
    """Method and path."""
    content: bytes
    """Method, path, query and body: what tells it from another request."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Answer:
    status: int
    body: bytes
    is_replayed: bool = False

    def as_response(self) -> Response:
        headers = {REPLAYED: "true"} if self.is_replayed else {}
        return Response(self.body, status_code=self.status, headers=headers, media_type="application/json")


class Desk:
    """Carries out what requests ask for. What waits is bounded by the requests, each awaits its own."""

    def __init__(self, writer: Writer, clock: Clock, *, secret: bytes) -> None:
        self._writer = writer
        self._clock = clock
        self._secret = secret

    async def carry_out(self, work: Work[T]) -> T:
        """Run ``work`` in a transaction; what it did is on disk when this returns.

        Args:
            work: Called with the open transaction, that it may share with others' work; must bear being
                called twice, since it is when that of another raises.

        Raises:
            StoreUnavailableError: Nothing of it is kept.
            Exception: What ``work`` raised; nothing of it is kept.
        """
        return await self._writer.write(work)

    async def carry_out_once(
        self,
        once: Once,
        work: Work[BaseModel],
        *,
        status: int = HTTPStatus.CREATED,
        may_hear: Work[Any] = lambda _: None,
    ) -> Response:
        """Run ``work`` as ``carry_out`` does, unless the same request was answered before.

        Args:
            once: The request.
            work: Returns what is answered.
            status: What it is answered with.
            may_hear: Raises when the answer that was given before may not be given again now.

        Raises:
            KeyReusedError: The key came with another request.
            AnswerLostError: It was carried out, and nobody knows any more what was answered.
        """
        if once.key is None:
            model = await self.carry_out(work)
            return _Answer(status=status, body=_written(model)).as_response()
        seal = seal_of(self._secret, principal=once.principal, key=once.key)
        answered = await self.carry_out(
            partial(self._once, once=once, seal=seal, work=work, status=status, may_hear=may_hear)
        )
        return answered.as_response()

    def _once(
        self,
        connection: Connection,
        *,
        once: Once,
        seal: Seal,
        work: Work[BaseModel],
        status: int,
        may_hear: Work[Any],
    ) -> _Answer:
        now = self._clock.now()
        fingerprint = seal.fingerprint(once.content)
        kept = rows.find(connection, once.principal, seal.digest, since=now - KEPT_FOR)
        if kept is not None:
            if kept.fingerprint != fingerprint:
                raise KeyReusedError
            may_hear(connection)
            return self._again(connection, once, kept, seal)
        body = _written(work(connection))
        answer = KeptAnswer(
            principal=once.principal,
            key_digest=seal.digest,
            fingerprint=fingerprint,
            status=status,
            body=seal.close(body),
            at=now,
        )
        rows.keep(connection, answer)
        rows.forget(connection, before=now - KEPT_FOR, limit=FORGOTTEN_AT_ONCE)
        return _Answer(status=status, body=body)

    def _again(self, connection: Connection, once: Once, kept: KeptAnswer, seal: Seal) -> _Answer:
        try:
            body = seal.open(kept.body)
        except LostAnswerError:
            raise AnswerLostError from None
        entry = audit.Entry(
            actor=once.actor,
            action="looked",
            organisation_id=once.organisation_id,
            details=f"api again {once.asked}",
        )
        audit.note(connection, entry, at=self._clock.now())
        return _Answer(status=kept.status, body=body, is_replayed=True)


def _written(model: BaseModel) -> bytes:
    return model.model_dump_json(by_alias=True).encode()
