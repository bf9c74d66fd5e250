"""The life of an alarm, as one table (states after IEC 62682, clause 5 and annex A).

                     acknowledged: no        acknowledged: yes
    active           raised            ->    acknowledged
    returned         cleared           ->    cleared_acknowledged  ->  closed

An alarm that returned by itself still asks for a person. Only ``change`` assigns a state.
"""

from enum import StrEnum
from typing import Final

from services.domain.errors import RefusedError


class AlarmState(StrEnum):
    """Where an alarm is in its life."""

    RAISED = "raised"
    ACKNOWLEDGED = "acknowledged"
    CLEARED = "cleared"
    CLEARED_ACKNOWLEDGED = "cleared_acknowledged"
    CLOSED = "closed"

    @property
    def is_acknowledged(self) -> bool:
        """Whether a person has said that they are dealing with it."""
        return self in {AlarmState.ACKNOWLEDGED, AlarmState.CLEARED_ACKNOWLEDGED}

    @property
    def is_open(self) -> bool:
        """Whether a further event of the same position and kind joins it."""
        return self is not AlarmState.CLOSED


class AlarmChange(StrEnum):
    """What can happen to an open alarm."""

    REPEAT = "repeat"
    """The home says the same condition again."""
    CALL = "call"
    """A person calls again: an answer given earlier no longer counts."""
    CLEAR = "clear"
    ACKNOWLEDGE = "acknowledge"
    WITHDRAW = "withdraw"
    """The one who answered may no longer know of it: the answer counts no more."""
    CLOSE = "close"
    EXPIRE = "expire"
    """A returned condition of the technique itself is put away by the hub."""


TRANSITIONS: Final[dict[tuple[AlarmState, AlarmChange], AlarmState]] = {
    (AlarmState.RAISED, AlarmChange.REPEAT): AlarmState.RAISED,
    (AlarmState.RAISED, AlarmChange.CALL): AlarmState.RAISED,
    (AlarmState.RAISED, AlarmChange.CLEAR): AlarmState.CLEARED,
    (AlarmState.RAISED, AlarmChange.ACKNOWLEDGE): AlarmState.ACKNOWLEDGED,
    (AlarmState.ACKNOWLEDGED, AlarmChange.REPEAT): AlarmState.ACKNOWLEDGED,
    (AlarmState.ACKNOWLEDGED, AlarmChange.CALL): AlarmState.RAISED,
    (AlarmState.ACKNOWLEDGED, AlarmChange.CLEAR): AlarmState.CLEARED_ACKNOWLEDGED,
    (AlarmState.ACKNOWLEDGED, AlarmChange.WITHDRAW): AlarmState.RAISED,
    (AlarmState.ACKNOWLEDGED, AlarmChange.CLOSE): AlarmState.CLOSED,
    (AlarmState.CLEARED, AlarmChange.REPEAT): AlarmState.RAISED,
    (AlarmState.CLEARED, AlarmChange.CALL): AlarmState.RAISED,
    (AlarmState.CLEARED, AlarmChange.CLEAR): AlarmState.CLEARED,
    (AlarmState.CLEARED, AlarmChange.ACKNOWLEDGE): AlarmState.CLEARED_ACKNOWLEDGED,
    (AlarmState.CLEARED, AlarmChange.EXPIRE): AlarmState.CLOSED,
    (AlarmState.CLEARED_ACKNOWLEDGED, AlarmChange.REPEAT): AlarmState.RAISED,
    (AlarmState.CLEARED_ACKNOWLEDGED, AlarmChange.CALL): AlarmState.RAISED,
    (AlarmState.CLEARED_ACKNOWLEDGED, AlarmChange.CLEAR): AlarmState.CLEARED_ACKNOWLEDGED,
    (AlarmState.CLEARED_ACKNOWLEDGED, AlarmChange.WITHDRAW): AlarmState.CLEARED,
    (AlarmState.CLEARED_ACKNOWLEDGED, AlarmChange.CLOSE): AlarmState.CLOSED,
    (AlarmState.CLEARED_ACKNOWLEDGED, AlarmChange.EXPIRE): AlarmState.CLOSED,
}


class ImpossibleChangeError(RefusedError):
    """The alarm is in a state in which this cannot happen to it."""

    code = "impossible_change"

    def __init__(self, alarm_id: str, state: AlarmState, change: AlarmChange) -> None:
        self.alarm_id = alarm_id
        self.state = state
        self.change = change
        allowed = ", ".join(changes_from(state)) or "nothing, it is over"
        super().__init__(
            f"Alarm {alarm_id} is {state}, so {change} cannot happen to it; allowed now: {allowed}"
        )


def changes_from(state: AlarmState) -> list[AlarmChange]:
    """What can happen to an alarm in this state."""
    return [change for (origin, change) in TRANSITIONS if origin is state]


def change(alarm_id: str, state: AlarmState, what: AlarmChange) -> AlarmState:
    """The state after ``what`` happened.

    Raises:
        ImpossibleChangeError: The table has no such transition.
    """
    try:
        return TRANSITIONS[state, what]
    except KeyError:
        raise ImpossibleChangeError(alarm_id, state, what) from None
