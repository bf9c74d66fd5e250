"""What is remembered of a rule at a position between two readings, and after a restart."""

import json
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from devices.kinds import AlarmKind


class Phase(StrEnum):
    """How far a rule is from an alarm."""

    QUIET = "quiet"
    PENDING = "pending"
    """Wrong, but not for long enough."""
    ACTIVE = "active"


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleState:
    """What a rule goes on from."""

    phase: Phase = Phase.QUIET
    since_us: int = 0
    """When it began to be wrong: by the device's clock, or when something was last heard, by ours."""
    kind: AlarmKind | None = None
    """What the alarm was opened as, while it is active."""
    window: tuple[tuple[int, float], ...] = ()
    """For a rate: the least value in each part of its time, with its moment, oldest first."""


QUIET: Final = RuleState()
"""A rule that was never asked."""


class StateUnreadableError(ValueError):
    """A stored state is none of this version's."""

    def __init__(self, text: str) -> None:
        super().__init__(f"Cannot read {text[:80]!r} as the state of a rule: expected what dump_state wrote")


def dump_state(state: RuleState) -> str:
    """One line of JSON that ``load_state`` reads back, exact."""
    members = [state.phase, state.since_us, state.kind, state.window]
    return json.dumps(members, separators=(",", ":"))


def load_state(text: str) -> RuleState:
    """Read what ``dump_state`` wrote.

    Raises:
        StateUnreadableError: It did not write this.
    """
    try:
        phase, since_us, kind, window = json.loads(text)
        return RuleState(
            phase=Phase(phase),
            since_us=int(since_us),
            kind=None if kind is None else AlarmKind(kind),
            window=tuple(_point(*point) for point in window),
        )
    except (ValueError, TypeError) as error:
        raise StateUnreadableError(text) from error


def _point(at_us: Any, level: Any) -> tuple[int, float]:
    return int(at_us), float(level)
