"""The outward process over a town's store: no threads, no sockets, no waiting.

outside = Outside(town)
outside.subscribe("acme")                    a webhook that is live
outside.turn(), outside.wait(60)             what is due leaves; ``acme`` answers as ``answers`` says
outside.heard("acme")                        what reached it, in this order
"""

from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import Final

from gateway.outward import webhooks
from gateway.outward.endpoints import Endpoints
from gateway.outward.sending import NOT_REACHED, Failure, NotTakenError
from gateway.outward.webhooks import Outcome
from services import subscriptions
from services.delivery.channel import Room
from services.delivery.cloud_events import CareEvent
from services.delivery.release import Release
from services.domain.actors import Actor, Role
from services.domain.ids import OrganisationId
from services.domain.subscriptions import ChannelName, Subscription, SubscriptionState
from services.store import subscriptions as rows
from services.store.connection import Connection
from services.store.sqlite import SqliteConnection
from services.subscriptions import NewSubscription
from tests.support.town import SOURCE, Town

OPERATOR: Final = Actor(
    id="operator:1",
    principal="operator:1",
    name="operator",
    organisation_id=OrganisationId("the-city"),
    is_city=True,
    roles=frozenset({Role.CITY_ADMIN}),
)
TURNS_AT_ONCE: Final = 10_000

Answer = Callable[[CareEvent], Failure | None]


class OpenSealer:
    """Seals nothing."""

    def seal(self, text: bytes, *, about: str) -> bytes:
        return about.encode() + b":" + text

    def unseal(self, sealed: bytes, *, about: str) -> bytes:
        assert sealed.startswith(about.encode() + b":")
        return sealed.removeprefix(about.encode() + b":")


def takes(_event: CareEvent) -> Failure | None:
    return None


def is_away(_event: CareEvent) -> Failure | None:
    return Failure.UNREACHABLE


class Outside:
    """Plays ``gateway.outward.leaving``; it is the channel ``webhook`` as well."""

    def __init__(self, town: Town, connection: SqliteConnection | None = None) -> None:
        self.town = town
        self.connection = connection or town.connection
        self.endpoints = Endpoints(OpenSealer(), monotonic_s=lambda: town.clock.now().timestamp())
        self.answers: defaultdict[str, Answer] = defaultdict(lambda: takes)
        self.tried: list[CareEvent] = []
        """Every attempt, also those that reached nobody."""
        self.reached: list[CareEvent] = []
        self.check: Callable[[CareEvent], None] = lambda _: None
        self._outcomes: list[Outcome] = []
        self.release = Release(
            channels={ChannelName.WEBHOOK: self}, homes=None, source=SOURCE, clock=town.clock
        )

    def subscribe(self, organisation_id: str, channel: str = "webhook", *, after: int = 0) -> Subscription:
        """A channel that is live, without a trial."""
        url = f"https://{organisation_id}.example.org/hook" if channel == ChannelName.WEBHOOK else None
        new = NewSubscription(
            organisation_id=organisation_id, channel=channel, url=url, after=timedelta(seconds=after)
        )
        add = partial(subscriptions.add, new=new, sealer=OpenSealer(), actor=OPERATOR, now=self.town.now)
        added = replace(self.town.write(add).subscription, state=SubscriptionState.LIVE)
        self.town.write(partial(rows.put, subscription=added))
        return added

    def heard(self, organisation_id: str) -> list[CareEvent]:
        return [event for event in self.reached if event.organisation_id == organisation_id]

    def numbers(self, organisation_id: str) -> list[int]:
        """Of what reached it, in the order of the first appearance."""
        return list(dict.fromkeys(event.sequence for event in self.heard(organisation_id)))

    def turn(self) -> None:
        """All that is due at this moment."""
        for _ in range(TURNS_AT_ONCE):
            self._follow()
            due_at = self.release.find_next_due(self.connection)
            if not self._outcomes and (due_at is None or due_at > self.town.now):
                return
            self.step()
        raise AssertionError("it never comes to rest")

    def step(self) -> None:
        """One transaction."""
        self._follow()
        outcomes, self._outcomes = self._outcomes, []
        with self.connection.transaction():
            self._note(self.connection, outcomes)
            prepared = self.release.prepare_carefully(self.connection)
        self.release.committed(prepared)

    def wait(self, seconds: float) -> None:
        """Let time pass for both processes."""
        end = self.town.now + timedelta(seconds=seconds)
        while self.town.now < end:
            moments = [end, self.town.now + timedelta(seconds=1)]
            due_at = self.release.find_next_due(self.connection)
            moments += [due_at] if due_at is not None and due_at > self.town.now else []
            self.town.wait((min(moments) - self.town.now).total_seconds())
            self.turn()

    def _follow(self) -> None:
        self.endpoints.follow(rows.live(self.connection, ChannelName.WEBHOOK), now=self.town.now)

    def _note(self, connection: Connection, outcomes: list[Outcome]) -> None:
        for outcome in outcomes:
            webhooks.note(connection, outcome)

    # The channel.

    def is_available(self) -> bool:
        return True

    def room(self) -> Mapping[str, Room]:
        return self.endpoints.room()

    def caught_up(self, organisation_id: str) -> None:
        self.endpoints.caught_up(organisation_id)

    def hand_over(self, event: CareEvent) -> None:
        self.check(event)
        endpoint = self.endpoints.of(event.organisation_id)
        assert endpoint is not None
        self.endpoints.begin(endpoint, event.delivery_id)
        failure = self.answers[event.organisation_id](event)
        was_reached = failure not in NOT_REACHED
        self.tried.append(event)
        self.reached += [event] if was_reached else []
        self.endpoints.end(endpoint, event.delivery_id, was_reached=was_reached, at=self.town.now)
        outcome = Outcome(
            delivery_id=event.delivery_id,
            subscription_id=endpoint.subscription.id,
            at=self.town.now,
            error=None if failure is None else NotTakenError(failure, f"it is {failure}"),
        )
        self._outcomes.append(outcome)
