"""What cannot be taken is kept, as the bytes that came, with the reason; and counted.

received = stored + duplicate + quarantined        per lane, always: counted in one transaction
"""

from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from devices.kinds import HomeId
from services.domain.ids import new_id
from services.store import events
from services.store.connection import Connection
from services.store.events import Quarantined

KEPT_A_DAY: Final = 1_000


class Outcome(StrEnum):
    """What became of a message from a home."""

    STORED = "stored"
    DUPLICATE = "duplicate"
    QUARANTINED = "quarantined"


def count(connection: Connection, lane: str, outcome: Outcome) -> None:
    """Count a message and what became of it."""
    events.count(connection, f"{lane}_received", f"{lane}_{outcome}")


def keep(
    connection: Connection,
    *,
    lane: str,
    topic: str,
    client_id: str,
    device_id: str,
    home_id: HomeId | None,
    external_id: str | None,
    reason: str,
    payload: bytes,
    now: datetime,
    is_counted: bool = True,
) -> None:
    """Keep a message that could not be taken, and count it (not where a part of it was taken).

    Of one client at most ``KEPT_A_DAY``: a device that sends nothing but garbage must not fill the disk
    of all the others. What is over is counted, not kept.
    """
    if is_counted:
        count(connection, lane, Outcome.QUARANTINED)
    oldest = events.quarantined_before(connection, client_id, back=KEPT_A_DAY)
    if oldest is not None and now - oldest < timedelta(days=1):
        return
    item = Quarantined(
        id=new_id(),
        received_at=now,
        lane=lane,
        topic=topic,
        client_id=client_id,
        device_id=device_id,
        home_id=home_id,
        external_id=external_id,
        reason=reason,
        payload=payload,
    )
    events.quarantine(connection, item)
