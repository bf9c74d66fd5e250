"""Whether a device's clock can be believed (within five minutes), from when it says it measured.

    ahead of us                              wrong at once: nothing can have been measured in the future
    behind us, and never up to date          wrong after a quarter of an hour in which no pack was newer
    behind us for a moment                   a home that was cut off sends what it has kept: not wrong

While it is wrong, what the device measures counts for its rules from our clock: a leak under a sensor whose
clock stands in 1999 is a leak now.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Final

from services.domain.readings import CLOCK_TOLERANCE

_MICROSECOND: Final = timedelta(microseconds=1)
TOLERANCE_MICROS: Final = CLOCK_TOLERANCE // _MICROSECOND
BEHIND_FOR_MICROS: Final = timedelta(minutes=15) // _MICROSECOND


class ClockPhase(StrEnum):
    """What is thought of a clock."""

    RIGHT = ""
    BEHIND = "behind"
    """Behind for now; perhaps only late."""
    WRONG = "wrong"


@dataclass(frozen=True, slots=True, kw_only=True)
class ClockState:
    """A device's clock, as far as its packs have told."""

    phase: ClockPhase = ClockPhase.RIGHT
    since_us: int = 0
    """Since when it is behind."""

    def as_text(self) -> str:
        """For the store; empty when all is well."""
        return f"{self.phase}:{self.since_us}" if self.phase else ""


RIGHT: Final = ClockState()


@dataclass(frozen=True, slots=True, kw_only=True)
class ClockChange:
    """What is thought of a clock now, and what was before."""

    before: ClockState
    after: ClockState


class Clocks:
    """What is thought of the clocks of all devices. Only those that are not right take room."""

    def __init__(self, stored: Mapping[str, str]) -> None:
        """Start from what an earlier run kept: texts by device."""
        self._states = {device_id: clock_of(text) for device_id, text in stored.items()}

    def is_wrong(self, device_id: str) -> bool:
        """Whether a device's clock cannot be believed."""
        state = self._states.get(device_id)
        return state is not None and state.phase is ClockPhase.WRONG

    def after_pack(self, device_id: str, *, newest_at_us: int, received_us: int) -> ClockChange | None:
        """Judge a clock by a pack, as of ``after_pack`` below; None: nothing new."""
        before = self._states.get(device_id)
        if before is None and -TOLERANCE_MICROS <= received_us - newest_at_us <= TOLERANCE_MICROS:
            return None
        before = before or RIGHT
        after = after_pack(before, newest_at_us=newest_at_us, received_us=received_us)
        if after == before:
            return None
        if after.phase:
            self._states[device_id] = after
        else:
            del self._states[device_id]
        return ClockChange(before=before, after=after)


def clock_of(text: str) -> ClockState:
    """What ``as_text`` wrote."""
    phase, _, since = text.partition(":")
    return ClockState(phase=ClockPhase(phase), since_us=int(since)) if phase else RIGHT


def after_pack(state: ClockState, *, newest_at_us: int, received_us: int) -> ClockState:
    """What to think of a clock after a pack.

    Args:
        state: What was thought of it.
        newest_at_us: The newest time in the pack, by the device's clock.
        received_us: When we received it, by ours.
    """
    behind_us = received_us - newest_at_us
    if abs(behind_us) <= TOLERANCE_MICROS:
        return RIGHT
    if behind_us < 0 or state.phase is ClockPhase.WRONG:
        return ClockState(phase=ClockPhase.WRONG, since_us=state.since_us or received_us)
    if state.phase is ClockPhase.RIGHT:
        return ClockState(phase=ClockPhase.BEHIND, since_us=received_us)
    is_lasting = received_us - state.since_us >= BEHIND_FOR_MICROS
    return ClockState(phase=ClockPhase.WRONG, since_us=state.since_us) if is_lasting else state
