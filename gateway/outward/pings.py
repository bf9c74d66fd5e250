"""Trials of webhooks: a signed event that tells of nothing, sent where real ones would be.

Each is a task of its own: one that hangs keeps nobody else's waiting.
"""

import asyncio
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final

import msgspec
import structlog

from devices.codecs.rfc3339 import time_text
from gateway.outward.endpoints import signer_of
from gateway.outward.sending import NotTakenError, Sender
from gateway.outward.webhooks import CONTENT_TYPE
from services import subscriptions
from services.domain.clock import Clock
from services.domain.errors import RefusedError
from services.domain.subscriptions import Ping, PingId, Subscription
from services.store import subscriptions as rows
from services.store.connection import Connection
from services.store.sqlite import SqliteConnection
from services.store.writer import Writer
from services.subscriptions import Sealer

TYPE: Final = "se.stadsnav.ping.v1"
AT_ONCE: Final = 100
"""A receiver has one at a time, so this is more than there are receivers."""

LOOK_EVERY: Final = timedelta(milliseconds=200)

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pings:
    """Sends what is asked for."""

    sender: Sender
    sealer: Sealer
    reader: SqliteConnection
    writer: Writer
    source: str
    """``urn:stadsnav:{city}``."""
    clock: Clock
    _under_way: set[PingId] = field(default_factory=set, init=False)

    async def run(self) -> None:
        """Make every trial that is asked for, until cancelled."""
        async with asyncio.TaskGroup() as group:
            while True:
                for ping in rows.pings_to_send(self.reader, limit=AT_ONCE):
                    if ping.id not in self._under_way:
                        self._under_way.add(ping.id)
                        group.create_task(self._try(ping), name=f"ping {ping.id}")
                await asyncio.sleep(LOOK_EVERY.total_seconds())

    async def _try(self, ping: Ping) -> None:
        try:
            await self._make(ping)
        finally:
            self._under_way.discard(ping.id)

    async def _make(self, ping: Ping) -> None:
        subscription = rows.get(self.reader, ping.subscription_id)
        if subscription is None or subscription.webhook is None:
            return
        url, problem = subscription.webhook.url, ""
        try:
            await self._send(ping, subscription, url)
        except NotTakenError as error:
            problem = error.problem
        except RefusedError:
            problem = "its secret cannot be read here; rotate it"
        except Exception:  # noqa: BLE001 - the guard around each delivery
            _log.exception("ping_not_sent", ping_id=ping.id)
            problem = "the hub could not make the request"

        def answer(connection: Connection) -> None:
            now = self.clock.now()
            subscriptions.ping_answered(connection, ping, problem=problem, url=url, now=now)

        await self.writer.write(answer)

    async def _send(self, ping: Ping, subscription: Subscription, url: str) -> None:
        now = self.clock.now()
        document = {
            "specversion": "1.0",
            "id": ping.id,
            "source": self.source,
            "type": TYPE,
            "subject": subscription.id,
            "time": time_text(now),
            "datacontenttype": "application/json",
            "data": {"organisation": subscription.organisation_id},
        }
        body = msgspec.json.encode(document)
        headers = signer_of(subscription, self.sealer, now=now).headers(ping.id, body, now)
        await self.sender.post(url, body, {**headers, "Content-Type": CONTENT_TYPE})
