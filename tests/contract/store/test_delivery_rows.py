"""Deliveries carry their own state: due, leased, settled; the sequence of an organisation has no gaps."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from devices.kinds import AlarmKind
from devices.messages import StatusMessage
from services.domain.alarms import Alarm, Delivery, DeliveryState, Notice
from services.domain.homes import Organisation
from services.store import alarms, deliveries, overview, registry, status
from services.store.alarms import TimerKind
from services.store.overview import DeliveryRecord
from tests.support.clock import START
from tests.support.rows import (
    ACME,
    BETA,
    add_alarm,
    add_delivery,
    add_notice,
    delivery_of,
    grant_of,
)
from tests.support.stores import Database, StoreUnderTest

SECOND = timedelta(seconds=1)
UNSETTLED = [DeliveryState.PENDING, DeliveryState.SENT]
TURN_ENDS = ["keep", "undo", "undo part"]
ENDS = [state for state in DeliveryState if state not in UNSETTLED]


@pytest.fixture
def alarm(settled: Database) -> Alarm:
    with settled.transaction():
        return add_alarm(settled)


@pytest.fixture
def notice(settled: Database, alarm: Alarm) -> Notice:
    with settled.transaction():
        return add_notice(settled, alarm)


def waiting(db: Database) -> list[Delivery]:
    """Every delivery that is not settled, oldest first."""
    return sorted(due(db, START + timedelta(days=365), limit=1_000), key=lambda delivery: delivery.id)


def due(db: Database, at: datetime, *, limit: int = 9) -> list[Delivery]:
    """What is due over any channel, whether it was told before or not; the longest waiting first."""
    found = [
        delivery
        for channel in ("mqtt", "webhook")
        for state in (DeliveryState.PENDING, DeliveryState.SENT)
        for delivery in deliveries.due(db, channel, at, limit=limit, state=state)
    ]
    return sorted(found, key=lambda delivery: delivery.next_attempt_at)


def recorded(db: Database) -> list[DeliveryRecord]:
    """Every delivery, settled or not, oldest first."""
    return list(reversed(overview.deliveries(db, limit=1_000)))


def lease(db: Database, delivery: Delivery, *, sequence: int, next_attempt_at: datetime = START) -> Delivery:
    leased = replace(
        delivery,
        state=DeliveryState.SENT,
        sequence=sequence,
        attempts=delivery.attempts + 1,
        next_attempt_at=next_attempt_at,
    )
    deliveries.lease(db, leased, now=START)
    return leased


def test_a_fresh_delivery_is_pending_without_number_or_attempt(settled: Database, notice: Notice) -> None:
    with settled.transaction():
        delivery = add_delivery(settled, notice, step=2)

    assert waiting(settled) == [delivery]
    assert (delivery.state, delivery.sequence, delivery.attempts) == (DeliveryState.PENDING, None, 0)


def test_a_notice_goes_to_a_receiver_over_a_channel_once(settled: Database, notice: Notice) -> None:
    with settled.transaction():
        first = add_delivery(settled, notice)
        add_delivery(settled, notice)
        other = add_delivery(settled, notice, BETA)
        webhook = add_delivery(settled, notice, channel="webhook")

    assert waiting(settled) == [first, other, webhook]


@pytest.mark.parametrize("end", ENDS)
def test_only_what_was_withheld_from_a_receiver_waits_again_when_it_is_routed_anew(
    settled: Database, notice: Notice, end: DeliveryState
) -> None:
    with settled.transaction():
        first = add_delivery(settled, notice)
        lease(settled, first, sequence=7)
        deliveries.settle(settled, first.id, end, now=START, reason="x")
        anew = add_delivery(settled, notice, step=2, next_attempt_at=START + SECOND)

    expected = replace(anew, id=first.id, sequence=7, attempts=1)
    assert waiting(settled) == ([expected] if end is DeliveryState.WITHHELD else [])


def test_due_is_what_is_unsettled_and_whose_time_has_come_the_longest_waiting_first(
    settled: Database, alarm: Alarm
) -> None:
    with settled.transaction():
        now, later, earlier = (
            add_delivery(settled, add_notice(settled, alarm), next_attempt_at=moment)
            for moment in (START, START + timedelta(microseconds=1), START - SECOND)
        )
        for state in ENDS:
            ended = add_delivery(settled, add_notice(settled, alarm))
            deliveries.settle(settled, ended.id, state, now=START)

    assert due(settled, START) == [earlier, now]
    assert due(settled, START, limit=1) == [earlier]
    assert due(settled, later.next_attempt_at) == [earlier, now, later]


def test_what_was_never_told_and_what_is_told_again_are_due_apart(settled: Database, alarm: Alarm) -> None:
    with settled.transaction():
        sent = lease(settled, add_delivery(settled, add_notice(settled, alarm)), sequence=1)
        fresh = add_delivery(settled, add_notice(settled, alarm))

    assert deliveries.due(settled, "mqtt", START, limit=9, state=DeliveryState.PENDING) == [fresh]
    assert deliveries.due(settled, "mqtt", START, limit=9, state=DeliveryState.SENT) == [sent]


def test_a_lease_is_on_disk_and_due_again_at_its_next_attempt(store: StoreUnderTest, notice: Notice) -> None:
    with store.database.transaction():
        delivery = add_delivery(store.database, notice)
        leased = lease(store.database, delivery, sequence=1, next_attempt_at=START + 15 * SECOND)

    reopened = store.reopen()

    assert due(reopened, START + 14 * SECOND) == []
    assert due(reopened, START + 15 * SECOND) == [leased]


def test_the_time_of_the_first_attempt_stays(settled: Database, notice: Notice) -> None:
    with settled.transaction():
        leased = lease(settled, add_delivery(settled, notice), sequence=1)
        deliveries.lease(settled, replace(leased, attempts=2), now=START + SECOND)
        deliveries.settle(settled, leased.id, DeliveryState.CONFIRMED, now=START + 2 * SECOND, reason="x")

    [record] = recorded(settled)
    assert (record.attempts, record.first_sent_at) == (2, START)
    assert (record.settled_at, record.reason) == (START + 2 * SECOND, "x")


@pytest.mark.parametrize("first", ENDS)
@pytest.mark.parametrize("second", ENDS)
def test_an_ended_delivery_stays_as_it_ended(
    settled: Database, notice: Notice, first: DeliveryState, second: DeliveryState
) -> None:
    with settled.transaction():
        delivery = add_delivery(settled, notice)
        deliveries.settle(settled, delivery.id, first, now=START)
        deliveries.settle(settled, delivery.id, second, now=START)
        deliveries.supersede(settled, notice.alarm_id, now=START)
        deliveries.confirm_of_alarm(settled, notice.alarm_id, "acme", now=START)

    assert [record.state for record in recorded(settled)] == [first]
    assert waiting(settled) == []


def test_the_next_due_moment_of_a_channel_is_that_of_its_own_deliveries(
    settled: Database, alarm: Alarm
) -> None:
    before = deliveries.next_due_at(settled, "mqtt")
    with settled.transaction():
        delivery = add_delivery(settled, add_notice(settled, alarm), next_attempt_at=START + SECOND)
        during = [deliveries.next_due_at(settled, channel) for channel in ("mqtt", "webhook")]
        deliveries.settle(settled, delivery.id, DeliveryState.CONFIRMED, now=START)

    assert (before, during) == (None, [START + SECOND, None])
    assert deliveries.next_due_at(settled, "mqtt") is None


def test_the_next_timer_is_the_earliest(settled: Database, alarm: Alarm) -> None:
    before = alarms.next_timer_at(settled)
    with settled.transaction():
        alarms.set_timer(settled, alarm.id, TimerKind.ESCALATE, START)

    assert (before, alarms.next_timer_at(settled)) == (None, START)


def test_each_organisation_counts_for_itself_from_one(settled: Database) -> None:
    with settled.transaction():
        numbers = [deliveries.next_sequence(settled, name) for name in ("acme", "acme", "beta", "acme")]

    assert numbers == [1, 2, 1, 3]


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    turns=st.lists(st.tuples(st.sampled_from([ACME, BETA]), st.sampled_from(["keep", "undo", "undo part"])))
)
def test_the_sequence_has_no_gaps_whatever_is_rolled_back_between(
    settled: Database, turns: list[tuple[Organisation, str]]
) -> None:
    for organisation, end in turns:
        _take_a_number(settled, organisation, end)

    for organisation in (ACME, BETA):
        numbers = sorted(
            item.sequence or 0 for item in recorded(settled) if item.organisation_id == organisation.id
        )
        assert numbers == list(range(1, len(numbers) + 1))


def _take_a_number(db: Database, organisation: Organisation, end: str) -> None:
    def take() -> None:
        closed = add_alarm(db, state="closed")
        delivery = add_delivery(db, add_notice(db, closed), organisation)
        lease(db, delivery, sequence=deliveries.next_sequence(db, organisation.id))

    def take_and_fail() -> None:
        take()
        raise ZeroDivisionError

    match end:
        case "keep":
            with db.transaction():
                take()
        case "undo":
            with pytest.raises(ZeroDivisionError), db.transaction():
                take_and_fail()
        case _:
            with db.transaction(), pytest.raises(ZeroDivisionError), db.savepoint():
                take_and_fail()


def test_a_number_cannot_be_used_twice(settled: Database, alarm: Alarm, store: StoreUnderTest) -> None:
    with settled.transaction():
        first, second = (add_delivery(settled, add_notice(settled, alarm)) for _ in range(2))
        other = add_delivery(settled, add_notice(settled, alarm), BETA)
        lease(settled, first, sequence=1)
        lease(settled, other, sequence=1)

    with pytest.raises(store.rule_broken), settled.transaction():
        lease(settled, second, sequence=1)


def test_a_notice_was_sent_to_whom_it_has_a_number_for(settled: Database, alarm: Alarm) -> None:
    with settled.transaction():
        notice = add_notice(settled, alarm)
        leased = lease(settled, add_delivery(settled, notice), sequence=1)
        add_delivery(settled, notice, BETA)

    assert deliveries.sent_to(settled, "acme", notice.id) == [leased]
    assert deliveries.sent_to(settled, "beta", notice.id) == []
    assert deliveries.was_sent(settled, "acme", alarm.id)
    assert not deliveries.was_sent(settled, "beta", alarm.id)


def test_who_evidently_received_has_confirmed_what_it_was_sent_and_nothing_else(
    settled: Database, alarm: Alarm
) -> None:
    with settled.transaction():
        elsewhere = add_alarm(settled, kind=AlarmKind.FIRE_SMOKE)
        sent = [
            lease(settled, add_delivery(settled, add_notice(settled, about), organisation), sequence=number)
            for about, organisation, number in ((alarm, ACME, 1), (alarm, BETA, 1), (elsewhere, ACME, 2))
        ]
        pending = add_delivery(settled, add_notice(settled, alarm))
        deliveries.confirm_of_alarm(settled, alarm.id, ACME.id, now=START + SECOND)

    assert waiting(settled) == [*sent[1:], pending]
    assert (recorded(settled)[0].state, recorded(settled)[0].settled_at) == (
        DeliveryState.CONFIRMED,
        START + SECOND,
    )


def test_what_is_on_its_way_of_an_alarm_is_superseded_together(settled: Database, alarm: Alarm) -> None:
    with settled.transaction():
        elsewhere = add_delivery(settled, add_notice(settled, add_alarm(settled, kind=AlarmKind.FIRE_SMOKE)))
        notice = add_notice(settled, alarm)
        add_delivery(settled, notice)
        add_delivery(settled, notice, BETA)
        lease(settled, add_delivery(settled, add_notice(settled, alarm)), sequence=1)
        deliveries.supersede(settled, alarm.id, now=START)

    states = [record.state for record in recorded(settled) if record.id != elsewhere.id]
    assert states == [DeliveryState.SUPERSEDED] * 3
    assert waiting(settled) == [elsewhere]


def test_what_waits_under_a_grant_is_due_at_once_when_it_is_reconsidered(
    settled: Database, alarm: Alarm
) -> None:
    ended, other = grant_of(), grant_of(step=2)
    far = START + timedelta(hours=1)

    with settled.transaction():
        for grant in (ended, other):
            registry.add_grant(settled, grant)
        under = add_delivery(settled, add_notice(settled, alarm), grant_id=ended.id, next_attempt_at=far)
        beside = add_delivery(settled, add_notice(settled, alarm), grant_id=other.id, next_attempt_at=far)
        deliveries.reconsider(settled, ended.id, now=START)

    assert waiting(settled) == [replace(under, next_attempt_at=START), beside]


def test_an_organisation_is_kept_told_from_its_first_step_on(settled: Database, alarm: Alarm) -> None:
    with settled.transaction():
        deliveries.keep_told(settled, alarm.id, BETA.id, step=2)
        deliveries.keep_told(settled, alarm.id, ACME.id, step=1)
        deliveries.keep_told(settled, alarm.id, ACME.id, step=3)

    assert deliveries.told(settled, alarm.id) == [ACME.id, BETA.id]
    assert deliveries.told(settled, "nothing") == []


def test_after_a_lost_connection_everything_unsettled_is_hurried(settled: Database, alarm: Alarm) -> None:
    with settled.transaction():
        delivery = add_delivery(settled, add_notice(settled, alarm), next_attempt_at=START + 15 * SECOND)
        ended = add_delivery(settled, add_notice(settled, alarm), BETA)
        deliveries.settle(settled, ended.id, DeliveryState.CONFIRMED, now=START)
        deliveries.hurry(settled, "mqtt", START)

    assert waiting(settled) == [replace(delivery, next_attempt_at=START, hurry=0)]


def test_only_the_organisation_that_seems_to_listen_is_brought_forward(
    settled: Database, notice: Notice
) -> None:
    with settled.transaction():
        acme, beta = (
            add_delivery(settled, notice, organisation, next_attempt_at=START + SECOND)
            for organisation in (ACME, BETA)
        )
        deliveries.bring_forward(settled, "mqtt", ACME.id, now=START)

    assert waiting(settled) == [replace(acme, next_attempt_at=START), beta]


def test_a_postponed_delivery_waits_and_keeps_its_state(settled: Database, notice: Notice) -> None:
    with settled.transaction():
        delivery = add_delivery(settled, notice)
        deliveries.postpone(settled, delivery.id, until=START + SECOND)

    assert waiting(settled) == [replace(delivery, next_attempt_at=START + SECOND)]


@pytest.mark.parametrize("by", [timedelta(hours=1), timedelta(hours=-1)], ids=["forward", "back"])
def test_when_the_clock_is_set_everything_that_is_due_moves_with_it(
    settled: Database, alarm: Alarm, by: timedelta
) -> None:
    with settled.transaction():
        delivery = add_delivery(settled, add_notice(settled, alarm))
        alarms.set_timer(settled, alarm.id, TimerKind.ESCALATE, START)
        status.heard(settled, "p-1", StatusMessage(), at=START, silent_at=START)
        deliveries.shift_due_times(settled, by=by)

    assert waiting(settled) == [replace(delivery, next_attempt_at=START + by)]
    assert alarms.timers(settled) == [(alarm.id, TimerKind.ESCALATE, START + by)]
    assert status.silent(settled, START + by, limit=9) == ["p-1"]
    assert status.silent(settled, START + by - SECOND, limit=9) == []


def test_a_delivery_hangs_on_a_notice_that_exists(
    settled: Database, alarm: Alarm, store: StoreUnderTest
) -> None:
    ghost = Notice(id=alarm.id, alarm_id=alarm.id, event_id=None, type="raised", at=START)  # type: ignore[arg-type]

    with pytest.raises(store.rule_broken), settled.transaction():
        deliveries.insert(settled, delivery_of(ghost), at=START)
