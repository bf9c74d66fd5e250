"""The observers on a message's way: they note times, and change nothing of what they watch."""

from dataclasses import replace
from datetime import timedelta

import pytest
from prometheus_client import CollectorRegistry
from prometheus_client.registry import Collector

from gateway.metrics.times import Times
from gateway.metrics.watching import LaneWatch, WatchedChannel, made_at_s
from services.delivery.cloud_events import CareEvent
from services.domain.ids import new_id
from tests.support.clock import FrozenClock
from tests.support.receivers import RecordingChannel
from tests.support.town import Town


@pytest.fixture
def times() -> Times:
    return Times("took_seconds", "how long", label="of")


def count(found: Collector, of: str) -> float:
    registry = CollectorRegistry()
    registry.register(found)
    return registry.get_sample_value("took_seconds_count", {"of": of}) or 0


def test_every_message_of_a_lane_is_noted_once_however_they_are_grouped(times: Times) -> None:
    watch = LaneWatch(times, "alarm")
    for _ in range(5):
        watch.received()

    watch.stored(2)
    assert count(times, "alarm") == 2
    watch.stored(3)

    assert count(times, "alarm") == 5


def test_an_id_tells_when_it_was_made() -> None:
    before = made_at_s(new_id())
    after = made_at_s(new_id())

    assert before <= after < before + 1
    assert made_at_s("017f22e2-79b0-7cc3-98c4-dc0c0c07398f") == 1_645_557_742.0  # RFC 9562, A.6


def events_of(town: Town) -> list[CareEvent]:
    town.grant("acme")
    town.press()
    return town.channel.told("acme")


def test_the_first_attempt_is_noted_and_handed_on_and_a_repeat_only_handed_on(
    town: Town, times: Times
) -> None:
    event = events_of(town)[0]
    inner = RecordingChannel()
    watched = WatchedChannel(inner, times, FrozenClock(event.notice.at + timedelta(milliseconds=4)))
    at = f"{int(event.notice.at.timestamp() * 1_000):012x}"
    made_with_it = f"{at[:8]}-{at[8:]}-7000-8000-000000000000"

    for attempt in (1, 2, 3):
        watched.hand_over(replace(event, attempt=attempt, delivery_id=made_with_it))

    assert len(inner.told("acme")) == 3
    assert count(times, "mqtt") == 1


def test_a_later_step_of_the_chain_was_meant_to_wait_and_is_not_noted(town: Town, times: Times) -> None:
    event = events_of(town)[0]
    at = f"{int(event.notice.at.timestamp() * 1_000) + 60_000:012x}"
    later = f"{at[:8]}-{at[8:]}-7000-8000-000000000000"

    WatchedChannel(RecordingChannel(), times, FrozenClock()).hand_over(replace(event, delivery_id=later))

    assert count(times, "mqtt") == 0


def test_a_channel_that_is_away_is_away(times: Times) -> None:
    inner = RecordingChannel()
    inner.is_up = False

    assert not WatchedChannel(inner, times, FrozenClock()).is_available()
