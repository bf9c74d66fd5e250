"""Which packets the broker has handed over before: what was committed and not acknowledged comes again.

MQTT gives a packet an id and, when it comes again, the mark DUP (MQTT 5, 3.3.1.1). An id is used anew only
after 65,535 others (Mosquitto counts up), so among the last 50,000 packets the same id with the same
content is the same packet. That is how a reading without a time of its own is still stored once.
"""

from collections.abc import Iterable
from typing import Final
from zlib import crc32

WINDOW: Final = 50_000
"""Packets; more than wait unacknowledged (two commits of 20,000), and well below the number of all ids."""


def content_sum(topic: str, payload: bytes) -> int:
    """CRC-32 of topic and payload: tells packets of one id apart, it need not be a secret."""
    return crc32(payload, crc32(topic.encode()))


class Redelivery:
    """The packets of one session that were taken in last."""

    def __init__(self, taken: Iterable[tuple[int, int]] = ()) -> None:
        """Start from the ids and sums of an earlier run, oldest first."""
        self._taken: dict[int, tuple[int, int]] = {}
        self._number = 0
        for packet_id, sum_ in taken:
            self.note(packet_id, sum_)

    def note(self, packet_id: int, sum_: int) -> None:
        """A packet is taken in."""
        self._number += 1
        self._taken[packet_id] = (sum_, self._number)

    def was_taken(self, packet_id: int, sum_: int) -> bool:
        """Of a packet that is marked as sent before: whether it was taken in then."""
        known, number = self._taken.get(packet_id, (None, 0))
        return known == sum_ and self._number - number < WINDOW

    def forget(self) -> None:
        """The broker has begun a new session: its ids mean nothing that they meant."""
        self._taken.clear()
