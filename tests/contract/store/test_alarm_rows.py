"""Alarms, notices and timers: one open alarm per position, kind and test; a timer is taken once."""

from dataclasses import replace
from datetime import timedelta
from itertools import product

import pytest

from devices.kinds import AlarmKind, DeviceId, HomeId
from services.domain.alarm_states import AlarmState
from services.domain.alarms import Acknowledgement, Alarm, DeliveryState, NoticeType
from services.domain.homes import Home, Position
from services.domain.ids import PositionId
from services.store import alarms, deliveries, registry
from services.store.alarms import TimerKind
from tests.support.clock import START
from tests.support.rows import (
    ACME,
    DEVICE,
    POSITION,
    add_alarm,
    add_delivery,
    add_event,
    add_notice,
    alarm_of,
)
from tests.support.stores import Database, StoreUnderTest

MINUTE = timedelta(minutes=1)
ANSWER = Acknowledgement(
    organisation_id=ACME.id, organisation_name=ACME.name, person="operator-17", at=START + MINUTE
)
FIRE = AlarmKind.FIRE_SMOKE


def test_an_alarm_comes_back_as_it_was_written(settled: Database) -> None:
    with settled.transaction():
        alarm = add_alarm(settled, voice=("sip:a@b.example", "tel:+46"), is_test=True)

    assert alarms.get(settled, alarm.id) == alarm
    assert alarms.get(settled, "nothing") is None


def test_what_happens_to_an_alarm_is_kept(settled: Database) -> None:
    with settled.transaction():
        alarm = add_alarm(settled)
        later = replace(
            alarm,
            state=AlarmState.CLOSED,
            step=3,
            priority=9,
            acknowledgement=ANSWER,
            escalated_at=START + 2 * MINUTE,
            closed_at=START + 3 * MINUTE,
        )
        alarms.update(settled, later)

    assert alarms.get(settled, alarm.id) == later


def test_an_answer_of_the_hubs_own_operator_has_no_organisation(settled: Database) -> None:
    answer = replace(ANSWER, organisation_id=None, organisation_name="")

    with settled.transaction():
        alarm = add_alarm(settled)
        alarms.update(settled, replace(alarm, state=AlarmState.ACKNOWLEDGED, acknowledgement=answer))

    found = alarms.get(settled, alarm.id)
    assert found is not None
    assert found.acknowledgement == answer


OPEN_STATES = [state for state in AlarmState if state.is_open]


@pytest.mark.parametrize(("old", "new"), list(product(OPEN_STATES, OPEN_STATES)))
def test_a_position_cannot_have_two_open_alarms_of_a_kind(
    settled: Database, store: StoreUnderTest, old: AlarmState, new: AlarmState
) -> None:
    with settled.transaction():
        add_alarm(settled, state=old)

    with pytest.raises(store.rule_broken), settled.transaction():
        add_alarm(settled, state=new)


@pytest.mark.parametrize(
    "other",
    [{"kind": AlarmKind.SAFETY_FALL}, {"is_test": True}, {"position_id": PositionId("position-2")}],
    ids=["kind", "test", "position"],
)
def test_another_kind_a_test_and_another_position_are_alarms_of_their_own(
    settled: Database, other: dict[str, object]
) -> None:
    with settled.transaction():
        registry.add_position(
            settled, Position(id=PositionId("position-2"), home_id=DEVICE.home_id, name="bed")
        )
        first = add_alarm(settled)
        second = add_alarm(settled, **other)

    found = alarms.open_alarm(settled, second.position_id, second.kind, is_test=second.is_test)
    assert (found, alarms.open_alarm(settled, POSITION.id, first.kind, is_test=False)) == (second, first)


def test_a_closed_alarm_makes_room_for_the_next_one(settled: Database) -> None:
    with settled.transaction():
        closed = add_alarm(settled)
        alarms.update(settled, replace(closed, state=AlarmState.CLOSED, closed_at=START))
        none = alarms.open_alarm(settled, POSITION.id, closed.kind, is_test=False)
        successor = add_alarm(settled)

    assert none is None
    assert alarms.open_alarm(settled, POSITION.id, closed.kind, is_test=False) == successor


def test_alarms_can_be_asked_for_newest_first_by_home_device_test_and_openness(settled: Database) -> None:
    with settled.transaction():
        old = add_alarm(settled, state=AlarmState.CLOSED)
        trial = add_alarm(settled, is_test=True)
        new = add_alarm(settled)

    def asked(**which: object) -> list[Alarm]:
        everything = {"home_id": None, "device_id": None, "organisation_id": None, "limit": 9}
        return alarms.alarms(settled, **(everything | which))  # type: ignore[arg-type]

    assert asked() == [new, trial, old]
    assert asked(limit=1) == [new]
    assert asked(home_id="h-9") == []
    assert asked(device_id="p-1", is_test=False) == [new, old]
    assert asked(is_test=True) == [trial]
    assert asked(only_open=True) == [new, trial]
    assert asked(only_open=True, home_id="h-1", is_test=False) == [new]


def test_an_organisations_alarms_are_those_that_it_was_sent(settled: Database) -> None:
    with settled.transaction():
        sent, routed = add_alarm(settled), add_alarm(settled, kind=FIRE)
        for alarm in (sent, routed):
            delivery = add_delivery(settled, add_notice(settled, alarm))
            if alarm is sent:
                leased = replace(delivery, state=DeliveryState.SENT, sequence=1, attempts=1)
                deliveries.lease(settled, leased, now=START)

    found = alarms.alarms(settled, home_id=None, device_id=None, organisation_id="acme", limit=9)

    assert found == [sent]


def test_the_answered_alarms_are_the_open_ones_that_somebody_acknowledged(settled: Database) -> None:
    kinds = iter(AlarmKind)
    with settled.transaction():
        made = {state: add_alarm(settled, state=state, kind=next(kinds)) for state in AlarmState}

    assert alarms.answered(settled) == [
        made[AlarmState.ACKNOWLEDGED],
        made[AlarmState.CLEARED_ACKNOWLEDGED],
    ]


def test_a_notice_comes_back_as_it_was_written(settled: Database) -> None:
    with settled.transaction():
        alarm = add_alarm(settled)
        event = add_event(settled, alarm)
        raised = add_notice(settled, alarm, event_id=event.id)
        closed = add_notice(settled, alarm, type=NoticeType.CLOSED, by="Eva (Acme)", note="åkte dit")

    assert alarms.notice(settled, closed.id) == closed
    assert alarms.notice(settled, "nothing") is None
    assert alarms.notices(settled, alarm.id) == [raised, closed]
    assert alarms.opening_notice(settled, alarm.id) == raised
    assert alarms.opening_notice(settled, "nothing") is None


def test_a_timer_that_is_set_again_is_moved(settled: Database) -> None:
    with settled.transaction():
        alarm = add_alarm(settled)
        alarms.set_timer(settled, alarm.id, TimerKind.ESCALATE, START)
        alarms.set_timer(settled, alarm.id, TimerKind.ESCALATE, START + MINUTE)

    assert alarms.timers(settled) == [(alarm.id, TimerKind.ESCALATE, START + MINUTE)]


def test_a_timer_that_is_started_while_it_runs_runs_on(settled: Database) -> None:
    with settled.transaction():
        alarm = add_alarm(settled)
        alarms.start_timer(settled, alarm.id, TimerKind.ESCALATE, START)
        alarms.start_timer(settled, alarm.id, TimerKind.ESCALATE, START + MINUTE)

    assert alarms.timers(settled) == [(alarm.id, TimerKind.ESCALATE, START)]


def test_one_timer_of_an_alarm_can_be_stopped_alone(settled: Database) -> None:
    with settled.transaction():
        alarm = add_alarm(settled)
        for kind in TimerKind:
            alarms.set_timer(settled, alarm.id, kind, START)
        alarms.stop_timer(settled, alarm.id, TimerKind.PUT_AWAY)

    assert alarms.timers(settled) == [(alarm.id, TimerKind.ESCALATE, START)]


def test_due_timers_are_taken_once_the_most_overdue_first(settled: Database) -> None:
    with settled.transaction():
        late, due, early = (add_alarm(settled, kind=kind) for kind in list(AlarmKind)[:3])
        alarms.set_timer(settled, due.id, TimerKind.ESCALATE, START)
        alarms.set_timer(settled, late.id, TimerKind.PUT_AWAY, START - MINUTE)
        alarms.set_timer(settled, early.id, TimerKind.ESCALATE, START + timedelta(microseconds=1))

    with settled.transaction():
        taken = alarms.take_due_timers(settled, START, limit=9)
        again = alarms.take_due_timers(settled, START, limit=9)

    assert taken == [(late.id, TimerKind.PUT_AWAY), (due.id, TimerKind.ESCALATE)]
    assert again == []
    assert [alarm_id for alarm_id, _, _ in alarms.timers(settled)] == [early.id]


def test_no_more_timers_are_taken_than_asked_for(settled: Database) -> None:
    with settled.transaction():
        alarm = add_alarm(settled)
        alarms.set_timer(settled, alarm.id, TimerKind.ESCALATE, START)
        alarms.set_timer(settled, alarm.id, TimerKind.PUT_AWAY, START + MINUTE)

    with settled.transaction():
        taken = [alarms.take_due_timers(settled, START + MINUTE, limit=1) for _ in range(3)]

    assert taken == [[(alarm.id, TimerKind.ESCALATE)], [(alarm.id, TimerKind.PUT_AWAY)], []]


def test_a_timer_taken_in_a_transaction_that_fails_is_still_there(settled: Database) -> None:
    with settled.transaction():
        alarm = add_alarm(settled)
        alarms.set_timer(settled, alarm.id, TimerKind.ESCALATE, START)

    with pytest.raises(ZeroDivisionError), settled.transaction():
        _ = len(alarms.take_due_timers(settled, START, limit=9)) / 0

    assert len(alarms.timers(settled)) == 1


def test_stopping_takes_every_timer_of_an_alarm_and_no_others(settled: Database) -> None:
    with settled.transaction():
        stopped, other = add_alarm(settled), add_alarm(settled, kind=FIRE)
        alarms.set_timer(settled, stopped.id, TimerKind.ESCALATE, START)
        alarms.set_timer(settled, stopped.id, TimerKind.PUT_AWAY, START)
        alarms.set_timer(settled, other.id, TimerKind.ESCALATE, START)
        alarms.stop_timers(settled, stopped.id)

    assert [alarm_id for alarm_id, _, _ in alarms.timers(settled)] == [other.id]


def test_only_an_open_unanswered_alarm_without_timer_that_the_city_does_not_know_lacks_a_next_step(
    settled: Database,
) -> None:
    kinds = iter(AlarmKind)
    with settled.transaction():
        made = {state: add_alarm(settled, state=state, kind=next(kinds)) for state in AlarmState}
        watched = add_alarm(settled, kind=next(kinds))
        alarms.set_timer(settled, watched.id, TimerKind.ESCALATE, START)
        escalated = add_alarm(settled, kind=next(kinds))
        alarms.update(settled, replace(escalated, escalated_at=START))

    found = alarms.without_next_step(settled)

    assert set(found) == {made[AlarmState.RAISED].id, made[AlarmState.CLEARED].id}


def test_a_late_timer_is_one_that_was_due_before_and_is_still_there(settled: Database) -> None:
    with settled.transaction():
        late, on_time = add_alarm(settled), add_alarm(settled, kind=FIRE)
        alarms.set_timer(settled, late.id, TimerKind.ESCALATE, START - timedelta(microseconds=1))
        alarms.set_timer(settled, on_time.id, TimerKind.ESCALATE, START)

    assert alarms.with_late_timer(settled, START) == [late.id]


def test_an_alarm_hangs_on_a_device_that_exists(db: Database, store: StoreUnderTest) -> None:
    registry.add_home(db, Home(id=HomeId("h-1"), address="x"))

    with pytest.raises(store.rule_broken), db.transaction():
        alarms.insert(db, alarm_of(replace(DEVICE, id=DeviceId("ghost"))))


def test_the_unanswered_are_open_not_acknowledged_and_not_yet_the_citys(settled: Database) -> None:
    kinds = iter(AlarmKind)
    with settled.transaction():
        made = {state: add_alarm(settled, state=state, kind=next(kinds)) for state in AlarmState}
        escalated = add_alarm(settled, kind=next(kinds))
        alarms.update(settled, replace(escalated, escalated_at=START))

    assert alarms.unanswered(settled) == [made[AlarmState.RAISED], made[AlarmState.CLEARED]]


def test_the_city_has_not_heard_of_an_unanswered_alarm_whose_escalation_it_does_not_confirm(
    settled: Database,
) -> None:
    with settled.transaction():
        alarm = add_alarm(settled)
        raised, escalated = add_notice(settled, alarm), add_notice(settled, alarm, type=NoticeType.ESCALATED)
        add_delivery(settled, raised)
        before = alarms.unheard_by_city(settled, START + MINUTE)
        delivery = add_delivery(settled, escalated)
        at_once = alarms.unheard_by_city(settled, START)
        later = alarms.unheard_by_city(settled, START + MINUTE)
        deliveries.settle(settled, delivery.id, DeliveryState.CONFIRMED, now=START)

    assert (before, at_once, later) == ([], [], [alarm.id])
    assert alarms.unheard_by_city(settled, START + MINUTE) == []


def test_the_time_of_an_earlier_notice_is_known_by_how_many_came_after_it(settled: Database) -> None:
    with settled.transaction():
        alarm = add_alarm(settled)
        for minutes in range(3):
            add_notice(settled, alarm, at=START + minutes * MINUTE)

    found = [alarms.notice_before(settled, alarm.id, back=back) for back in range(4)]
    assert found == [START + 2 * MINUTE, START + MINUTE, START, None]


def test_what_later_steps_are_told_is_that_it_was_raised(settled: Database) -> None:
    with settled.transaction():
        alarm = add_alarm(settled)
        add_notice(settled, alarm, type=NoticeType.UPDATED)
        raised = add_notice(settled, alarm)

    assert alarms.opening_notice(settled, alarm.id) == raised
