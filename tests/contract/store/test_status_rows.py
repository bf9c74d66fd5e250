"""The last that is known of a device, who is overdue, and the faults that an operator must know of."""

from datetime import timedelta

import pytest

from devices.messages import StatusMessage
from services.domain.homes import DeviceState
from services.store import registry, status
from services.store.status import DeviceStatus, Fault
from tests.support.clock import START
from tests.support.rows import DEVICE
from tests.support.stores import Database

MINUTE = timedelta(minutes=1)
FULL = StatusMessage(battery_percent=81.5, has_mains=False, link="mobile", signal_dbm=-101, firmware="2.1")


def heard(db: Database, message: StatusMessage = StatusMessage(), *, after: timedelta = timedelta(0)) -> bool:  # noqa: B008 - frozen
    at = START + after
    return status.heard(db, DEVICE.id, message, at=at, silent_at=at + MINUTE)


def test_what_a_device_said_of_itself_comes_back(settled: Database) -> None:
    before = status.of_device(settled, DEVICE.id)

    with settled.transaction():
        heard(settled, FULL)

    assert before is None
    assert status.of_device(settled, DEVICE.id) == DeviceStatus(
        device_id=DEVICE.id,
        last_seen_at=START,
        battery_percent=81.5,
        has_mains=False,
        link="mobile",
        signal_dbm=-101,
        firmware="2.1",
    )


def test_what_a_device_leaves_out_keeps_its_last_value(settled: Database) -> None:
    with settled.transaction():
        heard(settled, FULL)
        heard(settled, StatusMessage(has_mains=True), after=MINUTE)

    known = status.of_device(settled, DEVICE.id)
    assert known is not None
    assert (known.last_seen_at, known.has_mains, known.battery_percent) == (START + MINUTE, True, 81.5)


def test_a_device_is_overdue_from_the_moment_that_was_set(settled: Database) -> None:
    with settled.transaction():
        heard(settled)

    just_before = START + MINUTE - timedelta(microseconds=1)
    assert status.silent(settled, just_before, limit=9) == []
    assert status.silent(settled, START + MINUTE, limit=9) == [DEVICE.id]
    assert status.silent(settled, START + MINUTE, limit=0) == []


def test_a_device_that_was_never_heard_is_not_overdue(settled: Database) -> None:
    assert status.silent(settled, START + timedelta(days=365), limit=9) == []


@pytest.mark.parametrize("state", [DeviceState.SUSPENDED, DeviceState.RETIRED])
def test_a_device_out_of_service_is_not_overdue(settled: Database, state: DeviceState) -> None:
    with settled.transaction():
        heard(settled)
        registry.set_device_state(settled, DEVICE.id, state)

    assert status.silent(settled, START + timedelta(days=365), limit=9) == []


def test_hearing_a_device_says_whether_it_counted_as_silent(settled: Database) -> None:
    with settled.transaction():
        first = heard(settled)
        status.set_silent(settled, DEVICE.id, is_silent=True)
        second = heard(settled)
        status.set_silent(settled, DEVICE.id, is_silent=False)
        third = heard(settled)

    assert (first, second, third) == (False, True, False)


def test_looking_again_later_moves_the_moment(settled: Database) -> None:
    with settled.transaction():
        heard(settled)
        status.look_again(settled, DEVICE.id, at=START + 5 * MINUTE)

    assert status.silent(settled, START + 4 * MINUTE, limit=9) == []
    assert status.silent(settled, START + 5 * MINUTE, limit=9) == [DEVICE.id]


def test_shifting_gives_every_device_that_much_more_time(settled: Database) -> None:
    with settled.transaction():
        heard(settled)
        status.shift_silence(settled, by=3 * MINUTE)

    assert status.silent(settled, START + 4 * MINUTE - timedelta(microseconds=1), limit=9) == []
    assert status.silent(settled, START + 4 * MINUTE, limit=9) == [DEVICE.id]


def test_a_fault_is_opened_once_per_subject(db: Database) -> None:
    with db.transaction():
        opened = [
            status.open_fault(db, "late_timer", subject, "The timer is late", at=START)
            for subject in ("a", "a", "b")
        ]

    assert opened == [True, False, True]
    assert [fault.subject for fault in status.open_faults(db)] == ["a", "b"]


def test_a_fault_comes_back_as_it_was_written(db: Database) -> None:
    with db.transaction():
        status.open_fault(db, "late_timer", "a", "The timer is late", at=START)

    assert status.open_faults(db) == [
        Fault(code="late_timer", subject="a", message="The timer is late", opened_at=START, ended_at=None)
    ]


def test_faults_end_when_their_subject_is_well_and_may_come_again(db: Database) -> None:
    with db.transaction():
        for code, subject in (("late_timer", "a"), ("late_timer", "b"), ("other", "a")):
            status.open_fault(db, code, subject, "x", at=START)
        status.end_faults(db, "late_timer", still={"b"}, at=START + MINUTE)
        left = [(fault.code, fault.subject) for fault in status.open_faults(db)]
        again = status.open_fault(db, "late_timer", "a", "x", at=START + MINUTE)

    assert left == [("late_timer", "b"), ("other", "a")]
    assert again


def test_one_fault_can_be_ended_alone(db: Database) -> None:
    with db.transaction():
        for code, subject in (("late_timer", "a"), ("late_timer", "b"), ("other", "a")):
            status.open_fault(db, code, subject, "x", at=START)
        status.end_fault(db, "late_timer", "a", at=START + MINUTE)

    left = [(fault.code, fault.subject) for fault in status.open_faults(db)]
    assert left == [("late_timer", "b"), ("other", "a")]


def test_faults_that_only_tell_of_something_end_once_they_are_old(db: Database) -> None:
    with db.transaction():
        status.open_fault(db, "news", "old", "x", at=START)
        status.open_fault(db, "news", "fresh", "x", at=START + MINUTE)
        status.open_fault(db, "other", "old", "x", at=START)
        status.end_news(db, "news", before=START + MINUTE, at=START + MINUTE)

    assert [(fault.code, fault.subject) for fault in status.open_faults(db)] == [
        ("other", "old"),
        ("news", "fresh"),
    ]
