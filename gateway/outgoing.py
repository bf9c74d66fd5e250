"""What leaves by MQTT: events for partners, receipts for homes (ports of ``services.delivery.release``).

Events go out with QoS 0, on purpose. The broker keeps QoS 1 messages for a subscriber that is away, and
a grant that ends meanwhile could not call them back. With QoS 0 it keeps nothing for whoever is away: that
one is told when our own repeat finds it there, if it may still know. What makes a delivery certain is the
receiver's ``received``, which no broker can give in its place.

What is left is a receiver that is connected and does not read: what was handed to its connection before
the grant ended may still reach it, as a letter already posted would. ``delivery.retry.Allowance`` and the
keep-alive bound how much that can be.
"""

from collections.abc import Iterable
from datetime import timedelta
from typing import Final

from broker import topics
from broker.session import Session
from services.delivery.cloud_events import CareEvent, encode
from services.store.answers import HomeReceipt

EVENT_EXPIRY: Final = timedelta(seconds=15)
"""Until the next attempt; any broker that does keep an event drops it then (MQTT 5 message expiry)."""


class MqttChannel:
    """The channel ``mqtt``: ``care/{organisation}/event``."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def is_available(self) -> bool:
        """Whether we are connected to the broker."""
        return self._session.is_connected

    def room(self) -> None:
        """No bounds by receiver: what is not confirmed is bounded by its allowance."""

    def caught_up(self, organisation_id: str) -> None:
        """Nobody catches up where there are no bounds."""

    def hand_over(self, event: CareEvent) -> None:
        """Publish one attempt; what does not leave is tried again like what is not confirmed."""
        topic = topics.event_topic(event.organisation_id)
        self._session.publish(topic, encode(event), qos=0, expiry=EVENT_EXPIRY)


class StreamChannel:
    """The channel ``stream``: that an event was released is all that the live stream waits for.

    The web process reads it from the store, judges it anew and sends it (``gateway.api.live``).
    """

    def is_available(self) -> bool:
        """Always: nothing leaves here."""
        return True

    def room(self) -> None:
        """No bounds."""

    def caught_up(self, organisation_id: str) -> None:
        """Nobody catches up where there are no bounds."""

    def hand_over(self, event: CareEvent) -> None:
        """It has its number; whoever listens finds it by that."""


class MqttHomes:
    """Receipts that follow later than the first: acknowledged, closed."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._under_way: dict[int, str] = {}
        self._handed_over: set[str] = set()

    def hand_over_receipt(self, receipt: HomeReceipt) -> None:
        """Publish a receipt, once per connection, until it is noted as sent."""
        if receipt.id in self._handed_over:
            return
        topic = topics.receipt_topic(receipt.client_id, receipt.device_id)
        packet_id = self._session.publish(topic, receipt.payload, qos=1)
        if packet_id is not None:
            self._under_way[packet_id] = receipt.id
            self._handed_over.add(receipt.id)

    def published(self, packet_id: int) -> str | None:
        """The broker has a packet; returns the id of the receipt in it, if it was one of these."""
        return self._under_way.pop(packet_id, None)

    def noted(self, receipt_ids: Iterable[str]) -> None:
        """These are on disk as sent, and do not come again."""
        self._handed_over.difference_update(receipt_ids)

    def lost(self) -> None:
        """The connection is gone, and what was under way with it."""
        self._handed_over.difference_update(self._under_way.values())
        self._under_way.clear()
