"""Who hears of things, as fakes: a channel to organisations, and the homes.

release ──hand_over──> RecordingChannel.events        ──hand_over_receipt──> RecordingHomes.receipts
"""

from services.delivery.cloud_events import CareEvent
from services.store.answers import HomeReceipt


class RecordingChannel:
    """A ``delivery.release.Channel`` that keeps what it was given."""

    def __init__(self) -> None:
        self.is_up = True
        self.events: list[CareEvent] = []

    def is_available(self) -> bool:
        return self.is_up

    def hand_over(self, event: CareEvent) -> None:
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
