"""What has ended is noted once, with the times of its row, whoever ended it; the alarm path calls nothing."""

from datetime import timedelta

import pytest
from prometheus_client import CollectorRegistry
from prometheus_client.registry import Collector

from gateway.metrics import fates
from gateway.metrics.fates import Fates
from tests.support.town import Town


@pytest.fixture
def town(town: Town) -> Town:
    town.grant("acme")
    return town


def value(found: Collector, name: str, **labels: str) -> float | None:
    registry = CollectorRegistry()
    registry.register(found)
    return registry.get_sample_value(name, labels)


def settled(found: Fates, state: str) -> float:
    return value(found, "stadsnav_deliveries_settled_total", channel="mqtt", state=state) or 0


def test_a_delivery_is_counted_when_it_was_confirmed_with_the_time_that_it_took(town: Town) -> None:
    following = Fates()
    following.look(town.connection)
    town.press()
    following.look(town.connection)
    assert settled(following, "confirmed") == 0
    town.clock.move_to(town.now + timedelta(seconds=3))
    town.confirm_all("acme")

    following.look(town.connection)
    following.look(town.connection)

    assert settled(following, "confirmed") == 1
    assert value(following, "stadsnav_confirm_seconds_sum", channel="mqtt") == 3.0


def test_what_comes_and_goes_between_two_looks_is_counted_too(town: Town) -> None:
    following = Fates()
    following.look(town.connection)
    town.press()
    town.confirm_all("acme")

    following.look(town.connection)

    assert settled(following, "confirmed") == 1


def test_what_was_over_before_the_first_look_is_not_counted_and_what_was_open_is(town: Town) -> None:
    town.press("p-1")
    town.confirm_all("acme")
    alarm = town.press("p-1")
    following = Fates()
    following.look(town.connection)

    town.confirm_all("acme")
    town.acknowledge("acme", alarm)
    following.look(town.connection)

    assert value(following, "stadsnav_acknowledge_seconds_count", **{"class": "safety"}) == 1
    assert settled(following, "confirmed") >= 1


def test_a_right_that_ended_shows_as_withheld(town: Town) -> None:
    following = Fates()
    following.look(town.connection)
    grant = town.grant("beta")
    town.channel.is_up = False
    town.press()
    town.revoke(grant)
    town.channel.is_up = True
    town.turn()

    following.look(town.connection)

    assert settled(following, "withheld") == 1


def test_the_first_answer_counts_and_tests_do_not(town: Town) -> None:
    following = Fates()
    following.look(town.connection)
    alarm = town.press()
    tested = town.alarm_of(town.say("p-1", "safety.manual", is_test=True))
    town.clock.move_to(town.now + timedelta(seconds=40))
    town.acknowledge("acme", alarm)
    town.acknowledge("acme", tested)
    following.look(town.connection)
    town.press()  # calls again: the answer counts no more
    town.clock.move_to(town.now + timedelta(seconds=500))
    town.acknowledge("acme", alarm)

    following.look(town.connection)

    assert value(following, "stadsnav_acknowledge_seconds_sum", **{"class": "safety"}) == 40.0
    assert value(following, "stadsnav_acknowledge_seconds_count", **{"class": "safety"}) == 1


def test_more_than_one_look_can_take_comes_with_the_next(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fates, "AT_ONCE", 2)
    monkeypatch.setattr(fates, "ROUNDS", 1)
    following = Fates()
    following.look(town.connection)
    for kind in ("safety.manual", "safety.fall", "safety.assault", "safety.inactivity", "safety.manual"):
        town.say("p-1", kind)
    town.confirm_all("acme")

    for _ in range(4):
        following.look(town.connection)

    assert settled(following, "confirmed") == 5


def test_what_is_followed_is_bounded(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fates, "HELD", 1)
    following = Fates()
    following.look(town.connection)
    for kind in ("safety.manual", "safety.fall", "safety.assault"):
        town.say("p-1", kind)
    following.look(town.connection)
    town.confirm_all("acme")

    following.look(town.connection)

    assert settled(following, "confirmed") == 1
