"""How the stream is written: Server-Sent Events (WHATWG HTML, 9.2). Pure.

id:     the sequence, 20 digits, for ``Last-Event-ID``
event:  the CloudEvents type, or ours: start, withheld, reset
data:   one line of JSON
"""

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from services.delivery.cloud_events import SEQUENCE_DIGITS, TYPE_PREFIX, CareEvent, encode

RETRY: Final = b"retry: 1000\n\n"
"""How long a browser waits before it connects anew, in milliseconds."""

PING: Final = b": ping\n\n"
"""A comment: programs do not see it, proxies and firewalls do."""


def event(told: CareEvent) -> bytes:
    """What was told, as over every other channel."""
    return _frame(told.sequence, f"{TYPE_PREFIX}.{told.notice.type}.v1", encode(told))


def withheld(sequence: int) -> bytes:
    """That a number stands for what may not be known any more, and nothing of it."""
    return _frame(sequence, "withheld", _json({"sequence": sequence_text(sequence)}))


def start(newest: int) -> bytes:
    """Where a stream without ``Last-Event-ID`` begins."""
    return _frame(newest, "start", _json({"sequence": sequence_text(newest)}))


def reset(reason: str, *, oldest: int, newest: int) -> bytes:
    """That a stream cannot go on where its receiver was: it goes on behind ``newest``."""
    numbers = {"oldest": sequence_text(oldest), "newest": sequence_text(newest)}
    return _frame(newest, "reset", _json({"reason": reason, **numbers}))


def sequence_text(sequence: int) -> str:
    """A number as it stands in the document too."""
    return f"{sequence:0{SEQUENCE_DIGITS}d}"


def _json(members: Mapping[str, Any]) -> bytes:
    return msgspec.json.encode(members)


def _frame(sequence: int, name: str, data: bytes) -> bytes:
    return b"id: %s\nevent: %s\ndata: %s\n\n" % (sequence_text(sequence).encode(), name.encode(), data)
