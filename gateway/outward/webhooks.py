"""The channel ``webhook``: events POSTed to receivers, each confirmed by its 2xx.

    due ──leased, the right judged──> hand_over ──> request ──> outcome ──> the next commit
                                                                 2xx: confirmed
                                                             else: tried again, and a fault
                                                             that people see when it lasts

What waits for a receiver waits in the store, where a right that ends is seen; nothing is leased that cannot
be sent at once.
"""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Final

import structlog

from gateway.outward.endpoints import SLOW_AFTER_SECONDS, Endpoint, Endpoints
from gateway.outward.sending import LASTING, NOT_REACHED, Failure, NotTakenError, Sender, WithheldError
from services.delivery.channel import Room
from services.delivery.cloud_events import CareEvent, encode, encode_thin
from services.delivery.retry import schedule_of
from services.domain.alarms import DeliveryState
from services.domain.clock import Clock
from services.domain.subscriptions import ChannelName, Payload, Webhook
from services.store import deliveries, status
from services.store import subscriptions as rows
from services.store.connection import Connection
from services.subscriptions import FAILING

CONTENT_TYPE: Final = "application/cloudevents+json; charset=utf-8"

FAULT_AFTER: Final = timedelta(minutes=2)
"""A receiver that fails for so long is told of; what waiting does not mend is told of at once."""

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What came of one request."""

    delivery_id: str
    subscription_id: str
    at: datetime
    error: NotTakenError | None
    """None: the receiver has it."""


class WebhookChannel:
    """A ``services.delivery.channel.Channel``."""

    def __init__(
        self,
        sender: Sender,
        endpoints: Endpoints,
        group: asyncio.TaskGroup,
        clock: Clock,
        *,
        may_leave: Callable[[CareEvent], bool],
        on_outcome: Callable[[Outcome], None],
    ) -> None:
        """Join the parts.

        Args:
            sender: Makes the requests.
            endpoints: The receivers.
            group: Owns the requests.
            clock: The time.
            may_leave: Judges the right once more, when there is a connection.
            on_outcome: Hears what came of each request.
        """
        self._sender = sender
        self._endpoints = endpoints
        self._group = group
        self._clock = clock
        self._may_leave = may_leave
        self._on_outcome = on_outcome

    def is_available(self) -> bool:
        """Always; each receiver is judged by itself."""
        return True

    def room(self) -> Mapping[str, Room]:
        """What each live receiver takes now."""
        return self._endpoints.room()

    def caught_up(self, organisation_id: str) -> None:
        """Nothing is left of what a receiver was to catch up with."""
        self._endpoints.caught_up(organisation_id)

    def hand_over(self, event: CareEvent) -> None:
        """Begin a request. One for a receiver that is not live any more waits for its next turn."""
        endpoint = self._endpoints.of(event.organisation_id)
        if endpoint is not None and event.delivery_id not in endpoint.began_s:
            self._endpoints.begin(endpoint, event.delivery_id)
            before, endpoint.turn = endpoint.turn, asyncio.Event()
            sending = self._send_in_turn(
                endpoint, event, before=before, turn=endpoint.turn, failures=endpoint.failures
            )
            self._group.create_task(sending, name=f"webhook {event.delivery_id}")

    async def _send_in_turn(
        self,
        endpoint: Endpoint,
        event: CareEvent,
        *,
        before: asyncio.Event | None,
        turn: asyncio.Event,
        failures: int,
    ) -> None:
        """Send when the one before has been answered, or takes long; not when that reached nobody."""
        try:
            if before is not None:
                await before.wait()
            if endpoint.failures > failures:  # then its number says when it comes, see CatchUp
                self._endpoints.drop(endpoint, event.delivery_id)
                return
            asyncio.get_running_loop().call_later(SLOW_AFTER_SECONDS, turn.set)
            await self._send(endpoint, event)
        finally:
            turn.set()

    async def _send(self, endpoint: Endpoint, event: CareEvent) -> None:
        webhook = endpoint.subscription.webhook
        assert webhook is not None  # noqa: S101 - an endpoint has one
        error: NotTakenError | None = None
        try:
            await self._post(endpoint, webhook, event)
        except NotTakenError as found:
            error = found
        except WithheldError:
            return  # a withdrawal makes it due, and its next turn ends it
        except Exception:  # noqa: BLE001 - the guard around each delivery
            _log.exception("webhook_not_sent", delivery_id=event.delivery_id)
            error = NotTakenError(Failure.CUT, "the hub could not make the request")
        finally:
            was_reached = error is None or error.failure not in NOT_REACHED
            self._endpoints.end(endpoint, event.delivery_id, was_reached=was_reached, at=self._clock.now())
        outcome = Outcome(
            delivery_id=event.delivery_id,
            subscription_id=endpoint.subscription.id,
            at=self._clock.now(),
            error=error,
        )
        self._on_outcome(outcome)

    async def _post(self, endpoint: Endpoint, webhook: Webhook, event: CareEvent) -> None:
        body = encode(event) if webhook.payload is Payload.FULL else encode_thin(event)
        headers = endpoint.signer.headers(event.notice.id, body, self._clock.now())
        await self._sender.post(
            webhook.url,
            body,
            {**headers, "Content-Type": CONTENT_TYPE},
            may_leave=partial(self._may_leave, event),
        )


def note(connection: Connection, outcome: Outcome) -> None:
    """Write down what came of a request: confirmed, or when it is tried again."""
    subscription = rows.get(connection, outcome.subscription_id)
    if outcome.error is None:
        deliveries.settle(connection, outcome.delivery_id, DeliveryState.CONFIRMED, now=outcome.at)
        if subscription is not None and subscription.failing_since is not None:
            rows.note_attempt(connection, subscription.id, failing_since=None, problem="")
            status.end_fault(connection, FAILING, subscription.id, at=outcome.at)
            _log.info("webhook_works_again", subscription_id=subscription.id)
        return
    delivery = deliveries.get(connection, outcome.delivery_id)
    if delivery is not None and delivery.state is DeliveryState.SENT:
        wait = schedule_of(ChannelName.WEBHOOK).wait_after(delivery.hurry - 1)
        deliveries.postpone(connection, delivery.id, until=outcome.at + wait)
    if subscription is None:
        return
    since = subscription.failing_since or outcome.at
    if subscription.failing_since is None:
        _log.warning("webhook_failed", subscription_id=subscription.id, failure=outcome.error.failure)
    rows.note_attempt(connection, subscription.id, failing_since=since, problem=outcome.error.problem)
    if outcome.error.failure in LASTING or outcome.at - since >= FAULT_AFTER:
        message = (
            f"The webhook of {subscription.organisation_id} does not take its events: "
            f"{outcome.error.problem}; its receiver must mend that, or another channel be opened"
        )
        status.open_fault(connection, FAILING, subscription.id, message, at=outcome.at)
