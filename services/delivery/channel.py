"""How events reach receivers: the port that each channel implements, one module a channel.

mqtt, stream   gateway/outgoing.py        webhook   gateway/outward/webhooks.py
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from services.delivery.cloud_events import CareEvent


@dataclass(slots=True, kw_only=True)
class CatchUp:
    """A receiver could not be reached: what it was not told is tried in the order of its numbers.

    Without this each event would come when its own wait is over, and what is new before all that is old.
    """

    reached: int = 0
    """The last number that was tried since."""
    failed_at: datetime | None = None
    """When it could not be reached; None: it can be again, as far as anybody knows."""
    again_at: datetime | None = None
    """When the next attempt is due; what has become due after ``failed_at`` is a reason to try at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Room:
    """What a receiver takes now."""

    places: int
    """So many more events."""
    is_idle: bool = True
    """Nothing is under way to it."""
    served_s: float = 0.0
    """When it was last given something, by any clock of the channel's own."""
    catch_up: CatchUp | None = None
    """None: it has caught up; what is new goes first."""


class Channel(Protocol):
    """How events reach receivers."""

    def is_available(self) -> bool:
        """Whether handing over makes sense now."""

    def room(self) -> Mapping[str, Room] | None:
        """What each receiver takes now, by organisation; None: there are no bounds.

        Asked in the writer's thread.
        """

    def hand_over(self, event: CareEvent) -> None:
        """Take an event without waiting. It counts as told when its receiver confirms, not before."""

    def caught_up(self, organisation_id: str) -> None:
        """Nothing is left of what a receiver was to catch up with. Told in the writer's thread."""
