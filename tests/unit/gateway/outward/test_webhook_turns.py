"""What a webhook's receiver is told, when, and in which order, on good days and on bad ones."""

import json
from dataclasses import dataclass, field

import pytest

from gateway.outward.sending import Failure
from gateway.outward.webhooks import FAULT_AFTER
from services.delivery import replay as replaying
from services.delivery.cloud_events import CareEvent, encode_thin
from services.delivery.retry import CLOSED_NEWS_FOR
from services.domain.alarms import DeliveryState
from services.domain.errors import UnknownError
from services.domain.subscriptions import ChannelName
from services.store import audit, overview, status
from services.store import subscriptions as rows
from services.store.overview import DeliveryRecord
from tests.support.household import ACME, BETA
from tests.support.outward import OPERATOR, Outside, is_away, takes
from tests.support.town import Town

HOUR_SECONDS = 3_600


@pytest.fixture
def outside(town: Town) -> Outside:
    """``acme`` has a grant and a webhook."""
    town.grant("acme")
    outside = Outside(town)
    outside.subscribe("acme")
    return outside


def records(town: Town, channel: str = "webhook") -> list[DeliveryRecord]:
    """Of acme, oldest first."""
    found = overview.deliveries(town.connection, organisation_id="acme", limit=10_000)
    return [record for record in reversed(found) if record.channel == channel]


def attempts_s(outside: Outside) -> list[float]:
    """When attempts were made, in seconds from now on."""
    began, found = outside.town.now, list[float]()
    outside.check = lambda _: found.append((outside.town.now - began).total_seconds())
    return found


@dataclass
class Poison:
    """A receiver that can take everything but one event."""

    number: int
    failure: Failure
    seen: list[int] = field(default_factory=list)

    def __call__(self, event: CareEvent) -> Failure | None:
        self.seen.append(event.sequence)
        return self.failure if event.sequence == self.number else None


def test_what_a_receiver_takes_is_confirmed_and_not_told_again(town: Town, outside: Outside) -> None:
    town.press()

    outside.turn()
    outside.wait(120)

    assert outside.numbers("acme") == [1]
    assert len(outside.tried) == 1
    assert [record.state for record in records(town)] == [DeliveryState.CONFIRMED]


def test_a_thin_event_says_which_and_nothing_of_the_home(town: Town, outside: Outside) -> None:
    town.press()
    outside.turn()
    [event] = outside.reached

    thin = json.loads(encode_thin(event))

    assert thin["data"] == {"alarm": {"id": event.alarm.id}, "attempt": 1}
    assert thin["id"] == event.notice.id
    assert not {"h-1", "p-1", "Storgatan"} & set(json.dumps(thin).replace('"', " ").split())


def test_an_attempt_that_failed_is_made_again_after_1_2_5_10_20_30_and_30_seconds(
    town: Town, outside: Outside
) -> None:
    outside.answers["acme"] = lambda _: Failure.REFUSED
    town.press()
    times = attempts_s(outside)

    outside.turn()
    outside.wait(130)

    assert times == pytest.approx([0, 1, 3, 8, 18, 38, 68, 98, 128], abs=0.1)


def test_one_that_cannot_be_reached_is_tried_at_the_same_times(town: Town, outside: Outside) -> None:
    outside.answers["acme"] = is_away
    town.press()
    times = attempts_s(outside)

    outside.turn()
    outside.wait(130)

    assert times == pytest.approx([0, 1, 3, 8, 18, 38, 68, 98, 128], abs=0.6)


def test_who_was_down_for_an_hour_is_told_everything_in_the_order_of_the_numbers(
    town: Town, outside: Outside
) -> None:
    outside.answers["acme"] = is_away
    for _ in range(60):
        town.press()
        outside.turn()
        outside.wait(HOUR_SECONDS / 60)

    outside.answers["acme"] = takes
    outside.wait(31)

    numbers = outside.numbers("acme")
    assert len(numbers) >= 60
    assert numbers == list(range(1, len(numbers) + 1))
    assert {record.state for record in records(town)} == {DeliveryState.CONFIRMED}
    assert len(outside.tried) < 60 * 6  # one at a time is tried, not all that waits


def test_what_is_new_makes_one_that_was_away_tried_at_once(town: Town, outside: Outside) -> None:
    outside.answers["acme"] = is_away
    town.press()
    outside.turn()
    outside.wait(70)  # the next attempt is some 28 s away
    outside.answers["acme"] = takes

    town.press()
    outside.turn()

    assert outside.numbers("acme") == [1, 2]


@pytest.mark.parametrize("failure", [Failure.REFUSED, Failure.CUT, Failure.LATE, Failure.GONE])
def test_an_event_that_its_receiver_cannot_take_holds_up_no_other(
    town: Town, outside: Outside, failure: Failure
) -> None:
    poison = outside.answers["acme"] = Poison(2, failure)
    for _ in range(5):
        town.press()

    outside.turn()

    assert poison.seen == [1, 2, 3, 4, 5]
    assert [record.state for record in records(town)].count(DeliveryState.CONFIRMED) == 4


def test_one_that_was_away_and_cannot_take_an_event_gets_the_others(town: Town, outside: Outside) -> None:
    outside.answers["acme"] = is_away
    for _ in range(5):
        town.press()
        outside.turn()
        outside.wait(1)

    poison = outside.answers["acme"] = Poison(1, Failure.REFUSED)
    outside.wait(31)

    assert list(dict.fromkeys(poison.seen)) == [1, 2, 3, 4, 5]
    assert [record.state for record in records(town)].count(DeliveryState.CONFIRMED) == 4


def test_a_process_that_begins_tells_at_once_what_the_one_before_may_not_have_sent(
    town: Town, outside: Outside
) -> None:
    outside.answers["acme"] = lambda _: Failure.LATE
    for _ in range(3):
        town.press()
    outside.turn()

    new = Outside(town)
    new.turn()

    assert new.numbers("acme") == [1, 2, 3]
    assert {event.notice.id for event in new.reached} == {event.notice.id for event in outside.reached}


def test_a_withdrawal_ends_what_waits_for_a_receiver_that_is_away(town: Town) -> None:
    grant = town.grant("acme")
    outside = Outside(town)
    outside.subscribe("acme")
    outside.answers["acme"] = is_away
    town.press()
    town.press()
    outside.turn()
    tried = len(outside.tried)

    town.revoke(grant)
    outside.answers["acme"] = takes
    outside.wait(HOUR_SECONDS)

    assert len(outside.tried) == tried
    assert {record.state for record in records(town)} == {DeliveryState.WITHHELD}


def test_a_second_channel_is_told_when_the_first_is_not_confirmed_by_then(town: Town) -> None:
    town.grant("acme")
    outside = Outside(town)
    outside.subscribe("acme", after=20)
    town.press()

    outside.wait(19)
    before = outside.numbers("acme")
    outside.wait(2)

    assert (before, outside.numbers("acme")) == ([], [1])


def test_a_second_channel_is_not_told_when_the_first_is_confirmed(town: Town) -> None:
    town.grant("acme")
    outside = Outside(town)
    outside.subscribe("acme", after=20)
    town.press()
    [told] = town.channel.told("acme")
    town.ask("acme", {"action": "received", "event": told.notice.id})

    outside.wait(HOUR_SECONDS)

    [record] = records(town)
    assert outside.tried == []
    assert (record.state, record.reason) == (DeliveryState.SUPERSEDED, "confirmed over another channel")
    assert record.sequence is None


def test_a_notice_has_one_number_whichever_channel_tells_it_first(town: Town, outside: Outside) -> None:
    town.channel.is_up = False
    town.press()
    outside.turn()
    town.channel.is_up = True
    town.press()
    town.turn()
    outside.turn()

    over_mqtt = {event.notice.id: event.sequence for event in town.channel.told("acme")}
    over_webhook = {event.notice.id: event.sequence for event in outside.heard("acme")}
    assert over_mqtt == over_webhook
    assert sorted(over_mqtt.values()) == [1, 2]


def test_what_was_never_confirmed_ends_an_hour_after_the_close_and_is_told_again_on_demand(
    town: Town, outside: Outside
) -> None:
    outside.answers["acme"] = is_away
    alarm = town.press()
    town.acknowledge(None, alarm)
    town.close(None, alarm)
    outside.turn()
    outside.wait(CLOSED_NEWS_FOR.total_seconds() + 60)
    dead = next(record for record in records(town) if record.state is DeliveryState.EXPIRED)
    outside.answers["acme"] = takes

    for who in (ACME, OPERATOR):
        with town.connection.transaction():
            if who is ACME:
                replaying.replay(town.connection, dead.id, actor=who, now=town.now)
            else:
                with pytest.raises(replaying.NotDeadError):
                    replaying.replay(town.connection, dead.id, actor=who, now=town.now)
    outside.turn()

    again = next(record for record in records(town) if record.id == dead.id)
    assert (again.state, again.sequence) == (DeliveryState.CONFIRMED, dead.sequence)
    assert "delivery_replayed" in [row.action for row in audit.entries(town.connection)]


def test_what_others_were_not_told_is_nobodys_to_replay(town: Town, outside: Outside) -> None:
    town.press()
    outside.turn()
    [record] = records(town)

    with pytest.raises(UnknownError) as foreign:
        replaying.replay(town.connection, record.id, actor=BETA, now=town.now)
    with pytest.raises(UnknownError) as never:
        replaying.replay(town.connection, "d-0", actor=BETA, now=town.now)

    assert str(foreign.value).replace(record.id, "d-0") == str(never.value)


def test_a_receiver_that_fails_for_long_is_a_fault_until_it_works(town: Town, outside: Outside) -> None:
    outside.answers["acme"] = is_away
    town.press()
    outside.turn()
    outside.wait(FAULT_AFTER.total_seconds() - 30)
    early = status.open_faults(town.connection)
    outside.wait(60)
    late = status.open_faults(town.connection)

    outside.answers["acme"] = takes
    outside.wait(31)

    assert [fault.code for fault in early if fault.code == "webhook_failing"] == []
    assert [fault.code for fault in late if fault.code == "webhook_failing"] == ["webhook_failing"]
    assert [fault for fault in status.open_faults(town.connection) if fault.code == "webhook_failing"] == []
    [subscription] = rows.live(town.connection, ChannelName.WEBHOOK)
    assert (subscription.failing_since, subscription.problem) == (None, "")


@pytest.mark.parametrize("failure", [Failure.GONE, Failure.TLS, Failure.FORBIDDEN])
def test_what_waiting_does_not_mend_is_a_fault_at_once_and_is_tried_on(
    town: Town, outside: Outside, failure: Failure
) -> None:
    outside.answers["acme"] = lambda _: failure
    town.press()
    outside.turn()
    outside.turn()

    faults = [fault for fault in status.open_faults(town.connection) if fault.code == "webhook_failing"]
    tried = len(outside.tried)
    outside.wait(60)

    assert len(faults) == 1
    assert "acme" in faults[0].message
    assert len(outside.tried) > tried
