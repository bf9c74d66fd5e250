"""Whether a device's clock can be believed, by what its packs say and when they come."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.readings.clocks import (
    BEHIND_FOR_MICROS,
    RIGHT,
    TOLERANCE_MICROS,
    ClockPhase,
    Clocks,
    ClockState,
    after_pack,
    clock_of,
)
from services.readings.handover import Said
from services.store.readings import marks
from tests.support.clock import FrozenClock
from tests.support.reading_lane import ReadingLane

NOW = 1_764_000_000_000_000
MINUTE = 60_000_000


def judged(*packs: tuple[int, int]) -> ClockState:
    """What is thought after packs that came so many minutes from now and were so many minutes off."""
    state = RIGHT
    for minutes, off in packs:
        received_us = NOW + minutes * MINUTE
        state = after_pack(state, newest_at_us=received_us + off * MINUTE, received_us=received_us)
    return state


@pytest.mark.parametrize(
    ("packs", "phase"),
    [
        ([(0, 0)], ClockPhase.RIGHT),
        ([(0, 5)], ClockPhase.RIGHT),
        ([(0, -5)], ClockPhase.RIGHT),
        ([(0, 6)], ClockPhase.WRONG),
        ([(0, -6)], ClockPhase.BEHIND),
        ([(0, -120), (14, -120)], ClockPhase.BEHIND),
        ([(0, -120), (15, -120)], ClockPhase.WRONG),
        ([(0, -120), (1, -60), (2, 0)], ClockPhase.RIGHT),
        ([(0, -120), (1, 0), (20, -120)], ClockPhase.BEHIND),
        ([(0, 6), (1, 0)], ClockPhase.RIGHT),
        ([(0, 6), (1, -30)], ClockPhase.WRONG),
        ([(0, -30), (1, 6)], ClockPhase.WRONG),
    ],
)
def test_ahead_is_wrong_at_once_behind_only_when_it_lasts_and_up_to_date_is_right(
    packs: list[tuple[int, int]], phase: ClockPhase
) -> None:
    assert judged(*packs).phase is phase


def test_a_clock_that_is_wrong_for_long_is_wrong_since_it_was_first_seen_so() -> None:
    assert judged((0, -120), (15, -120), (500, -120)).since_us == NOW
    assert judged((0, -120), (1, 9)).since_us == NOW


@given(phase=st.sampled_from(ClockPhase), since_us=st.integers(0, 2**50))
def test_what_is_thought_of_a_clock_is_written_down_and_read_back(phase: ClockPhase, since_us: int) -> None:
    state = ClockState(phase=phase, since_us=since_us) if phase else RIGHT

    assert clock_of(state.as_text()) == state


@given(offs=st.lists(st.integers(-3 * TOLERANCE_MICROS, 3 * TOLERANCE_MICROS), max_size=20))
def test_a_change_is_told_exactly_when_the_opinion_changes_and_only_what_is_not_right_takes_room(
    offs: list[int],
) -> None:
    clocks, state = Clocks({}), RIGHT
    for number, off in enumerate(offs):
        received_us = NOW + number * BEHIND_FOR_MICROS // 3
        before = state
        state = after_pack(state, newest_at_us=received_us + off, received_us=received_us)
        change = clocks.after_pack("d", newest_at_us=received_us + off, received_us=received_us)
        assert (change is None) == (state == before)
        assert clocks.is_wrong("d") == (state.phase is ClockPhase.WRONG)
        assert bool(clocks._states) == bool(state.phase)


def said_of_clocks(lane: ReadingLane) -> list[tuple[str, str]]:
    return [(said.signal, said.text) for said in lane.handed_over(Said) if said.kind == "technical.clock"]


async def hear(lane: ReadingLane, *, off: timedelta, client: str = "m-1") -> None:
    lane.hear("m-1", client=client, at=lane.town.now + off, humidity=40.0)
    await lane.commit()
    lane.town.clock.advance(timedelta(minutes=1))


async def test_a_clock_ahead_is_a_fault_of_the_device_until_it_is_right_again(lane: ReadingLane) -> None:
    for minutes in (0, 10, 10, 0, 0):
        await hear(lane, off=timedelta(minutes=minutes))

    assert said_of_clocks(lane) == [
        ("raised", "its clock is 10 minutes ahead"),
        ("cleared", "its clock is right again"),
    ]
    raised = lane.handed_over(Said)[0]
    assert raised.data == {"off_seconds": 600}
    assert marks.clocks(lane.store) == {}


async def test_a_device_that_was_cut_off_and_sends_what_it_kept_is_at_no_fault(lane: ReadingLane) -> None:
    for minutes in (-120, -90, -60, -30, 0):
        await hear(lane, off=timedelta(minutes=minutes))

    assert said_of_clocks(lane) == []


async def test_a_clock_that_stays_behind_is_a_fault_also_through_a_restart(lane: ReadingLane) -> None:
    for _ in range(10):
        await hear(lane, off=timedelta(hours=-3))
    lane.restart()
    for _ in range(10):
        await hear(lane, off=timedelta(hours=-3))
    lane.restart()
    await hear(lane, off=timedelta(0))

    assert [signal for signal, _ in said_of_clocks(lane)] == ["raised", "cleared"]
    assert len({said.id.rsplit(":", 1)[0] for said in lane.handed_over(Said)}) == 1


async def test_a_device_has_one_clock_though_it_is_known_through_two_clients(lane: ReadingLane) -> None:
    await hear(lane, off=timedelta(minutes=10))
    await hear(lane, off=timedelta(minutes=10), client="hub-1")
    await hear(lane, off=timedelta(0), client="hub-1")
    await hear(lane, off=timedelta(0))

    assert [signal for signal, _ in said_of_clocks(lane)] == ["raised", "cleared"]


async def test_a_change_of_the_home_while_a_fault_is_not_committed_says_it_no_second_time(
    lane: ReadingLane, clock: FrozenClock
) -> None:
    lane.hear("m-1", at=clock.now() + timedelta(minutes=10), humidity=40.0)
    lane.registry_has_changed("h-1")
    lane.hear("m-1", at=clock.now() + timedelta(minutes=11), humidity=40.0)
    await lane.commit()

    assert [signal for signal, _ in said_of_clocks(lane)] == ["raised"]
