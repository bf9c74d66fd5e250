"""Receivers of webhooks, each in a bulkhead of its own.

usually            one request at a time, so that events come in the order of their numbers; up to four are
                   leased ahead of it
one takes over 1 s further ones beside it, up to four: what is new does not wait for what hangs
cannot be reached  one at a time, 1, 2, 5 … 30 s apart and whenever something new is due; the lowest number
                   first, and from there on all that was missed, so that it is told in order
"""

import asyncio
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

import structlog

from gateway.outward.signing import Signer
from services.delivery.channel import CatchUp, Room
from services.delivery.retry import schedule_of
from services.domain.errors import RefusedError
from services.domain.subscriptions import ChannelName, Subscription
from services.subscriptions import Sealer

AT_ONCE: Final = 4
SLOW_AFTER_SECONDS: Final = 1.0
REST_SECONDS: Final = 0.5
"""Between two attempts to reach one that could not be reached, however much is new."""

COMMITTED_WITHIN: Final = timedelta(seconds=1)
"""What is new can be seen so much later than it is due."""

_log = structlog.get_logger(__name__)


@dataclass(slots=True, kw_only=True)
class Endpoint:
    """One receiver."""

    subscription: Subscription
    signer: Signer
    old_until: datetime | None
    began_s: dict[str, float] = field(default_factory=dict)
    """What is under way: when each request began, by its delivery."""
    catch_up: CatchUp | None = field(default_factory=CatchUp)
    """At first: a process that ended before us may have left something unsent."""
    failures: int = 0
    """Attempts in a row that have not reached it."""
    rests_until_s: float = 0.0
    turn: asyncio.Event | None = None
    """Set when the request that began last lets the next one begin."""
    served_s: float = 0.0
    """When the last request began."""

    @property
    def url(self) -> str:
        """Where it is."""
        return self.subscription.webhook.url if self.subscription.webhook else ""

    def places(self, now_s: float) -> int:
        """How many more requests may begin."""
        began = list(self.began_s.values())
        if not began:
            ahead = AT_ONCE if self.catch_up is None else 1
            return 0 if now_s < self.rests_until_s else ahead
        if self.failures:
            return 0
        return min(AT_ONCE - len(began), 1) if now_s - max(began) > SLOW_AFTER_SECONDS else 0

    def next_place_in(self, now_s: float) -> float:
        """Seconds until time alone makes a place; 0: it does not, or there is one."""
        began = list(self.began_s.values())
        if not began:
            return max(0.0, self.rests_until_s - now_s)
        is_bound = bool(self.failures) or len(began) >= AT_ONCE
        return 0.0 if is_bound else max(0.0, max(began) + SLOW_AFTER_SECONDS - now_s)


class Endpoints:
    """The receivers that are live, by organisation; a mirror of the store."""

    def __init__(self, sealer: Sealer, *, monotonic_s: Callable[[], float] = time.monotonic) -> None:
        self._sealer = sealer
        self._monotonic_s = monotonic_s
        self._by_organisation: dict[str, Endpoint] = {}

    def follow(self, live: Iterable[Subscription], *, now: datetime) -> None:
        """Take over what the store says; what is under way stays under way."""
        before = self._by_organisation
        self._by_organisation = {
            item.organisation_id: endpoint
            for item in live
            if (endpoint := self._endpoint(before.get(item.organisation_id), item, now)) is not None
        }

    def room(self) -> Mapping[str, Room]:
        """What each receiver takes now."""
        now_s = self._monotonic_s()
        return {
            name: Room(
                places=endpoint.places(now_s),
                is_idle=not endpoint.began_s,
                served_s=endpoint.served_s,
                catch_up=endpoint.catch_up,
            )
            for name, endpoint in self._by_organisation.items()
        }

    def next_place_in(self) -> float | None:
        """Seconds until a receiver without a place now gets one by time alone; None: there is none such."""
        now_s = self._monotonic_s()
        waits = [wait for one in self._by_organisation.values() if (wait := one.next_place_in(now_s)) > 0]
        return min(waits, default=None)

    def of(self, organisation_id: str) -> Endpoint | None:
        """A receiver, if it is live."""
        return self._by_organisation.get(organisation_id)

    def begin(self, endpoint: Endpoint, delivery_id: str) -> None:
        """A request begins."""
        endpoint.served_s = endpoint.began_s[delivery_id] = self._monotonic_s()

    def end(self, endpoint: Endpoint, delivery_id: str, *, was_reached: bool, at: datetime) -> None:
        """A request has ended.

        Args:
            endpoint: Of which receiver.
            delivery_id: Which.
            was_reached: Whether there was a connection; whatever came of it, what waits can go on.
            at: The time.
        """
        endpoint.began_s.pop(delivery_id, None)
        if was_reached:
            endpoint.failures = 0
            if endpoint.catch_up is not None:
                endpoint.catch_up.failed_at = None
            return
        wait = schedule_of(ChannelName.WEBHOOK).wait_after(endpoint.failures)
        endpoint.failures += 1
        endpoint.rests_until_s = self._monotonic_s() + REST_SECONDS
        endpoint.catch_up = CatchUp(failed_at=at - COMMITTED_WITHIN, again_at=at + wait)

    def drop(self, endpoint: Endpoint, delivery_id: str) -> None:
        """A request that had its place is not made."""
        endpoint.began_s.pop(delivery_id, None)

    def caught_up(self, organisation_id: str) -> None:
        """Nothing is left of what a receiver was to catch up with."""
        if (endpoint := self._by_organisation.get(organisation_id)) is not None:
            endpoint.catch_up = None

    def _endpoint(self, known: Endpoint | None, item: Subscription, now: datetime) -> Endpoint | None:
        is_old_over = known is not None and known.old_until is not None and now >= known.old_until
        if known is not None and known.subscription.webhook == item.webhook and not is_old_over:
            known.subscription = item
            return known
        try:
            signer = signer_of(item, self._sealer, now=now)
        except RefusedError as error:
            _log.error("webhook_secret_unreadable", subscription_id=item.id, reason=error.code)
            return None
        assert item.webhook is not None  # noqa: S101 - it has a signer
        old_until = item.webhook.secret.old_until
        old_until = old_until if old_until and now < old_until else None
        if known is None or known.url != item.webhook.url:
            return Endpoint(subscription=item, signer=signer, old_until=old_until)
        known.subscription, known.signer, known.old_until = item, signer, old_until
        return known


def signer_of(subscription: Subscription, sealer: Sealer, *, now: datetime) -> Signer:
    """What signs the requests of a subscription at a moment.

    Raises:
        RefusedError: Its secret cannot be read.
    """
    webhook = subscription.webhook
    assert webhook is not None  # noqa: S101 - only webhooks are asked for
    sealed = [webhook.secret.sealed]
    is_rotating = webhook.secret.old_until is not None and now < webhook.secret.old_until
    if is_rotating and webhook.secret.old_sealed is not None:
        sealed.append(webhook.secret.old_sealed)
    secrets = tuple(sealer.unseal(one, about=subscription.id) for one in sealed)
    return Signer(signature=webhook.signature, secrets=secrets)
