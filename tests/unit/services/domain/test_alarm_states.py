"""The life of an alarm: what can happen when, what never happens, and that an answer is not lost."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.domain.alarm_states import (
    TRANSITIONS,
    AlarmChange,
    AlarmState,
    ImpossibleChangeError,
    change,
    changes_from,
)

ACTIVE = {AlarmState.RAISED, AlarmState.ACKNOWLEDGED}
RETURNED = {AlarmState.CLEARED, AlarmState.CLEARED_ACKNOWLEDGED}
ANSWERED = {AlarmState.ACKNOWLEDGED, AlarmState.CLEARED_ACKNOWLEDGED}
OPEN = ACTIVE | RETURNED

lives = st.lists(st.sampled_from(AlarmChange), max_size=40)


def reachable(start: AlarmState) -> set[AlarmState]:
    """Every state that some life leads to."""
    found, edge = {start}, [start]
    while edge:
        state = edge.pop()
        for what in changes_from(state):
            after = change("a", state, what)
            if after not in found:
                found.add(after)
                edge.append(after)
    return found


def test_every_state_can_be_reached_from_a_raised_alarm() -> None:
    assert reachable(AlarmState.RAISED) == set(AlarmState)


@pytest.mark.parametrize("state", sorted(OPEN))
def test_every_open_alarm_can_come_to_its_end(state: AlarmState) -> None:
    assert AlarmState.CLOSED in reachable(state)


def test_nothing_happens_to_a_closed_alarm() -> None:
    assert changes_from(AlarmState.CLOSED) == []
    assert reachable(AlarmState.CLOSED) == {AlarmState.CLOSED}


@pytest.mark.parametrize("what", AlarmChange)
def test_a_change_that_the_table_lacks_is_refused_and_names_what_is_allowed(what: AlarmChange) -> None:
    for state in AlarmState:
        if (state, what) in TRANSITIONS:
            continue
        with pytest.raises(ImpossibleChangeError) as caught:
            change("alarm-1", state, what)

        allowed = ", ".join(changes_from(state)) or "nothing, it is over"
        assert str(caught.value) == (
            f"Alarm alarm-1 is {state}, so {what} cannot happen to it; allowed now: {allowed}"
        )
        assert (caught.value.state, caught.value.change, caught.value.code) == (
            state,
            what,
            "impossible_change",
        )


@pytest.mark.parametrize("state", sorted(OPEN - ANSWERED))
def test_nobody_closes_what_nobody_has_answered(state: AlarmState) -> None:
    with pytest.raises(ImpossibleChangeError):
        change("a", state, AlarmChange.CLOSE)


@pytest.mark.parametrize("state", sorted(ACTIVE))
def test_what_is_still_active_is_not_put_away(state: AlarmState) -> None:
    with pytest.raises(ImpossibleChangeError):
        change("a", state, AlarmChange.EXPIRE)


@pytest.mark.parametrize("state", sorted(OPEN))
@pytest.mark.parametrize("what", [AlarmChange.REPEAT, AlarmChange.CALL, AlarmChange.CLEAR])
def test_whatever_a_home_says_is_taken_in_every_open_state(state: AlarmState, what: AlarmChange) -> None:
    after = change("a", state, what)

    assert after in (RETURNED if what is AlarmChange.CLEAR else ACTIVE)


@pytest.mark.parametrize("state", sorted(OPEN))
def test_a_new_call_of_a_person_always_asks_for_an_answer(state: AlarmState) -> None:
    assert change("a", state, AlarmChange.CALL) is AlarmState.RAISED


def test_the_properties_say_what_the_names_say() -> None:
    assert {state for state in AlarmState if state.is_acknowledged} == ANSWERED
    assert {state for state in AlarmState if state.is_open} == OPEN


@given(life=lives)
def test_an_answer_is_lost_only_by_a_new_call_a_return_that_comes_back_or_its_withdrawal(
    life: list[AlarmChange],
) -> None:
    state = AlarmState.RAISED
    for what in life:
        if what not in changes_from(state):
            continue
        before, state = state, change("a", state, what)

        if before in ANSWERED and state in OPEN - ANSWERED:
            came_back = what is AlarmChange.REPEAT and before is AlarmState.CLEARED_ACKNOWLEDGED
            assert came_back or what in {AlarmChange.CALL, AlarmChange.WITHDRAW}
        if before not in ANSWERED and state in ANSWERED:
            assert what is AlarmChange.ACKNOWLEDGE


@given(life=lives)
def test_withdrawing_an_answer_and_giving_one_change_nothing_about_the_cause(
    life: list[AlarmChange],
) -> None:
    state = AlarmState.RAISED
    for what in life:
        if what not in changes_from(state):
            continue
        before, state = state, change("a", state, what)

        if what in {AlarmChange.ACKNOWLEDGE, AlarmChange.WITHDRAW}:
            assert (before in ACTIVE) == (state in ACTIVE)
