"""What foreign devices repeat, told once: edges of conditions, presses, and what has moved of status."""

import itertools
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devices.codecs.foreign.values import ForeignAlarm
from devices.kinds import AlarmKind
from devices.messages import StatusMessage
from services.readings import conditions
from services.readings.conditions import Conditions
from services.readings.handover import Said, Told
from services.readings.register import Known
from services.store import status
from tests.support.clock import FrozenClock
from tests.support.reading_lane import ReadingLane
from tests.support.town import Town

NOW = 1_764_000_000_000_000
SMOKE = AlarmKind.FIRE_SMOKE


class Speaker:
    """A foreign device at a position, and what was told of it."""

    def __init__(self, town: Town) -> None:
        self.device = town.device("p-1")
        self.stored: dict[tuple[str, str], str] = {}
        self.told: list[Said] = []
        self._seconds = itertools.count()
        self.restart()

    def restart(self) -> None:
        self.conditions = Conditions(self.stored)

    def says(self, *, message_id: str | None = None, at_us: int = NOW, **alarm: Any) -> None:
        changed = self.conditions.after(
            self.device,
            ForeignAlarm(**{"kind": SMOKE, "is_active": True} | alarm),  # type: ignore[arg-type]
            message_id,
            at_us=at_us,
            received_us=NOW + next(self._seconds),
        )
        self.told += [item for item in changed.handovers if isinstance(item, Said)]
        self.stored |= changed.states
        self.stored = {key: text for key, text in self.stored.items() if text}

    def signals(self) -> list[str]:
        return [("test " if said.is_test else "") + said.signal for said in self.told]


@pytest.fixture
def detector(town: Town) -> Speaker:
    return Speaker(town)


def test_a_condition_that_is_repeated_is_raised_once_and_cleared_once(detector: Speaker) -> None:
    for is_active in (False, True, True, True, False, False, True):
        detector.says(is_active=is_active)

    assert detector.signals() == ["raised", "cleared", "raised"]
    assert len({said.id for said in detector.told}) == 3
    assert all(len(said.id) <= 64 for said in detector.told)


@given(says=st.lists(st.tuples(st.booleans(), st.booleans()), max_size=20))
def test_the_same_is_told_through_restarts(says: list[tuple[bool, bool]]) -> None:
    from tests.support.stores import memory_database  # noqa: PLC0415 - fixtures live longer than examples

    town = Town(memory_database(), FrozenClock())
    town.settle()
    straight, broken = Speaker(town), Speaker(town)
    for is_active, is_restarted in says:
        if is_restarted:
            broken.restart()
        for speaker in (straight, broken):
            speaker.says(is_active=is_active)

    assert broken.told == straight.told
    assert broken.stored == straight.stored


def test_kinds_are_apart(detector: Speaker) -> None:
    detector.says(kind=AlarmKind.FIRE_SMOKE)
    detector.says(kind=AlarmKind.FIRE_HEAT)
    detector.says(kind=AlarmKind.FIRE_SMOKE, is_active=False)

    assert [(said.kind, said.signal) for said in detector.told] == [
        ("fire.smoke", "raised"),
        ("fire.heat", "raised"),
        ("fire.smoke", "cleared"),
    ]


def test_what_is_real_is_raised_though_a_test_is_going_on(detector: Speaker) -> None:
    detector.says(is_test=True)
    detector.says(is_test=True)
    detector.says(is_test=False)

    assert detector.signals() == ["test raised", "raised"]
    assert len({said.id for said in detector.told}) == 2


def test_when_it_is_over_the_test_is_over_too(detector: Speaker) -> None:
    detector.says(is_test=True)
    detector.says(is_test=False)
    detector.says(is_test=False, is_active=False)

    assert sorted(detector.signals()[2:]) == ["cleared", "test cleared"]
    assert detector.stored == {}


def test_each_press_is_an_event_of_its_own_that_nothing_clears(detector: Speaker) -> None:
    for _ in range(3):
        detector.says(kind=AlarmKind.SAFETY_MANUAL, is_press=True)

    assert detector.signals() == ["raised"] * 3
    assert len({said.id for said in detector.told}) == 3
    assert detector.stored == {}


def test_a_press_that_is_heard_twice_is_the_very_same_event(detector: Speaker) -> None:
    for _ in range(2):
        detector.says(kind=AlarmKind.SAFETY_MANUAL, is_press=True, message_id="4711", at_us=NOW - 5)

    first, again = detector.told
    assert first == again, "the same id with another content would be a conflict"


# What a device says of itself.


@pytest.fixture
def known(lane: ReadingLane) -> Known:
    return lane.register.of_device(lane.town.device("m-1"))


def test_a_battery_is_told_when_it_has_moved_by_a_percent(known: Known) -> None:
    levels = [80.0, 80.0, 79.5, 79.0, 79.0, 81.0]

    told = [conditions.told(known, StatusMessage(battery_percent=level)) for level in levels]

    assert [item.battery_percent if item else None for item in told] == [80.0, None, None, 79.0, None, 81.0]


def test_a_battery_that_sinks_slowly_is_told_in_the_end(known: Known) -> None:
    levels = [80 - 0.3 * step for step in range(10)]

    told = [conditions.told(known, StatusMessage(battery_percent=level)) for level in levels]

    assert [item.battery_percent for item in told if item] == pytest.approx([80.0, 78.8, 77.6])


def test_signal_is_told_by_tens_and_mains_at_each_change(known: Known) -> None:
    said = [(-80.0, True), (-85.0, True), (-91.0, True), (-91.0, False), (-91.0, False)]

    told = [conditions.told(known, StatusMessage(signal_dbm=dbm, has_mains=mains)) for dbm, mains in said]

    assert told == [
        Told(device_id="m-1", signal_dbm=-80.0, has_mains=True),
        None,
        Told(device_id="m-1", signal_dbm=-91.0),
        Told(device_id="m-1", has_mains=False),
        None,
    ]


def test_after_a_restart_only_what_has_moved_since_is_told(lane: ReadingLane, known: Known) -> None:
    lane.town.report("m-1", battery_percent=80.0, signal_dbm=-70.0)

    known.told |= conditions.told_before(status.of_device(lane.town.connection, "m-1"))

    assert conditions.told(known, StatusMessage(battery_percent=80.0, signal_dbm=-72.0)) is None
    assert conditions.told(known, StatusMessage(battery_percent=12.0)) == Told(
        device_id="m-1", battery_percent=12.0
    )
    assert not conditions.is_sign_of_life_due(known, received_us=lane.now_us)


def test_a_sign_of_life_is_passed_on_three_times_within_the_silence_that_would_count(known: Known) -> None:
    minute = 60_000_000
    due = [
        conditions.is_sign_of_life_due(known, received_us=NOW + number * minute) for number in range(3 * 60)
    ]

    assert due.count(True) == 3
    assert due[0]
