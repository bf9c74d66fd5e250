"""Who hears of things, as fakes: a channel to organisations, and the homes.

release ──hand_over──> RecordingChannel.events        ──hand_over_receipt──> RecordingHomes.receipts
"""

from collections.abc import Callable

from services.delivery.cloud_events import CareEvent
from services.store.answers import HomeReceipt


class RecordingChannel:
    """A ``delivery.release.Channel`` that keeps what it was given."""

    check: Callable[[CareEvent], None]
    """Raises where something must not be told."""

    def __init__(self) -> None:
        self.is_up = True
        self.events: list[CareEvent] = []
        self.check = lambda _: None

    def is_available(self) -> bool:
        return self.is_up

    def room(self) -> None:
        """No bounds."""

    def caught_up(self, organisation_id: str) -> None:
        """Nobody catches up where there are no bounds."""

    def hand_over(self, event: CareEvent) -> None:
        self.check(event)
        self.events.append(event)

    def told(self, organisation_id: str) -> list[CareEvent]:
        """What one organisation was handed, oldest first, repeats included."""
        return [event for event in self.events if event.organisation_id == organisation_id]


class RecordingHomes:
    """A ``delivery.release.Homes`` that passes over what is under way already."""

    def __init__(self) -> None:
        self.receipts: list[HomeReceipt] = []

    def hand_over_receipt(self, receipt: HomeReceipt) -> None:
        if receipt not in self.receipts:
            self.receipts.append(receipt)
