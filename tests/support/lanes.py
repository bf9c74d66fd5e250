"""One envelope through one lane, and what became of it."""

import json
from typing import Any

from devices.codecs.own_json import decode_receipt
from devices.messages import Receipt
from gateway.intake import Answer
from gateway.lanes import AlarmLane, PartnerLane, StatusLane
from services.store import events
from services.store.events import Quarantined
from tests.support.sessions import envelope
from tests.support.town import Town


def handled(
    town: Town,
    lane: AlarmLane | StatusLane | PartnerLane,
    topic: str,
    payload: bytes | dict[str, Any],
    *,
    is_retained: bool = False,
) -> list[Answer]:
    raw = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    item = envelope(topic, raw, is_retained=is_retained)
    return town.commit(lambda connection: lane.handle(connection, item))


def receipt_of(answers: list[Answer]) -> Receipt:
    [answer] = answers
    assert answer.topic.startswith("down/")
    assert answer.topic.endswith("/receipt")
    return decode_receipt(answer.payload)


def quarantined(town: Town) -> list[Quarantined]:
    """Oldest first."""
    found = events.quarantined(town.connection, home_id=None, device_id=None, limit=1_000)
    return list(reversed(found))


def counted(town: Town, lane: str = "alarm") -> dict[str, int]:
    prefix = f"{lane}_"
    every = events.counters(town.connection)
    return {name.removeprefix(prefix): value for name, value in every.items() if name.startswith(prefix)}
