"""What is not confirmed is told again: how often, how soon, to whom how much, and when no more."""

from datetime import timedelta
from functools import partial

import pytest

from services.delivery import due as due_module
from services.delivery import retry
from services.delivery.retry import CLOSED_NEWS_FOR
from services.domain.alarms import DeliveryState
from services.store import audit, deliveries, overview
from services.store.overview import DeliveryRecord
from tests.support.town import Town

SECOND = timedelta(seconds=1)
INSTANT = timedelta(microseconds=1)


def records(town: Town, organisation_id: str = "acme") -> list[DeliveryRecord]:
    """An organisation's deliveries, oldest first."""
    found = overview.deliveries(town.connection, organisation_id=organisation_id, limit=1_000)
    return list(reversed(found))


def actions_logged(town: Town, subject: str) -> list[str]:
    return [row.action for row in audit.entries(town.connection) if row.subject == subject]


def waits(town: Town, count: int) -> list[float]:
    """Seconds between the next attempts that acme is handed."""
    found: list[float] = []
    last, already = town.now, len(town.channel.told("acme"))
    while len(found) < count:
        town.wait(1)
        if len(town.channel.told("acme")) > already:
            found.append((town.now - last).total_seconds())
            last, already = town.now, len(town.channel.told("acme"))
    return found


def test_unconfirmed_is_sent_again_every_15_seconds(town: Town) -> None:
    town.grant("acme")
    town.press()

    assert waits(town, 4) == [15, 15, 15, 15]
    attempts = [(told.attempt, told.sequence) for told in town.channel.told("acme")]
    assert attempts == [(1, 1), (2, 1), (3, 1), (4, 1), (5, 1)]


def test_after_a_lost_connection_it_is_tried_at_once_and_then_1_2_5_15_15(town: Town) -> None:
    town.grant("acme")
    town.press()
    town.wait(7)

    town.commit(partial(deliveries.hurry, channel="mqtt", now=town.now))

    assert len(town.channel.told("acme")) == 2
    assert waits(town, 5) == [1, 2, 5, 15, 15]


def test_only_the_first_attempt_of_a_delivery_is_logged(town: Town) -> None:
    town.grant("acme")
    town.press()

    town.wait(60)

    [record] = records(town)
    assert (record.attempts, actions_logged(town, record.id)) == (5, ["released"])


def test_the_news_of_a_close_is_repeated_for_an_hour_and_then_expires(town: Town) -> None:
    town.grant("acme")
    alarm = town.press()
    town.acknowledge("acme", alarm)
    town.close("acme", alarm)

    town.wait(CLOSED_NEWS_FOR.total_seconds())
    before = records(town)[-1].state
    town.wait(15)
    count = len(town.channel.told("acme"))
    town.wait(120)

    assert (before, records(town)[-1].state) == (DeliveryState.SENT, DeliveryState.EXPIRED)
    assert len(town.channel.told("acme")) == count


def test_a_lease_that_was_never_handed_over_is_repeated_with_the_same_number(town: Town) -> None:
    """The process dies between its commit and the hand-over."""
    town.grant("acme")
    town.channel.is_up = False
    town.press()
    town.channel.is_up = True
    with town.connection.transaction():
        town.release.prepare(town.connection)

    town.restart(town.connection)
    town.wait(15)

    [told] = town.channel.told("acme")
    assert (told.sequence, told.attempt) == (1, 2)


def test_what_was_never_told_does_not_wait_behind_what_is_told_again(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(due_module, "REPEATS_AT_ONCE", 1)
    town.grant("acme")
    for _ in range(3):
        town.press()
    town.clock.advance(15 * SECOND)

    town.press()

    told = town.channel.told("acme")[3:]
    assert [(event.attempt, event.sequence) for event in told] == [(1, 4), (2, 1)]


def test_a_receiver_that_confirms_nothing_gets_no_more_repeats_than_its_allowance(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retry.Allowance, "AT_ONCE", 2)
    monkeypatch.setattr(retry.Allowance, "PER_SECOND", 0)
    for name in ("acme", "beta"):
        town.grant(name)
    for _ in range(3):
        town.press()
    town.confirm("beta", town.channel.told("beta")[0].notice.id)

    town.wait(15)
    town.release.allowance.fill("acme")
    town.wait(14.9)
    before = len(town.channel.events)
    town.wait(0.1)

    repeats = [str(event.organisation_id) for event in town.channel.events if event.attempt > 1]
    assert (repeats.count("acme"), repeats.count("beta")) == (4, 2)
    assert before == 6 + 2 + 2


def test_while_its_channel_is_away_a_receiver_uses_nothing_of_its_allowance(town: Town) -> None:
    town.grant("acme")
    town.press()
    town.clock.advance(15 * SECOND)
    town.channel.is_up = False
    for _ in range(retry.Allowance.AT_ONCE + 1):
        town.turn()

    town.channel.is_up = True
    town.commit(partial(deliveries.hurry, channel="mqtt", now=town.now))

    assert [event.attempt for event in town.channel.told("acme")] == [1, 2]
