"""Since when the reading process listens: whom nobody listened to was not silent."""

from datetime import datetime, timedelta
from typing import Final

from services.store import events
from services.store.connection import Connection, from_micros, to_micros

FRESH: Final = timedelta(seconds=30)
"""A process that has not said so for longer is away."""

SETTLED: Final = timedelta(seconds=60)
"""So long what waited in the broker may take to come in."""

_SINCE: Final = "reading_alive_since"
_AT: Final = "reading_alive_at"


def say(connection: Connection, *, since: datetime, now: datetime) -> None:
    """Note that the reading process listens at this moment, and since when."""
    events.set_counter(connection, _SINCE, to_micros(since))
    events.set_counter(connection, _AT, to_micros(now))


def has_listened(connection: Connection, *, now: datetime) -> bool:
    """Whether it listens now and has done so for a while."""
    since, at = (from_micros(events.counter(connection, name)) for name in (_SINCE, _AT))
    return now - at < FRESH and now - since > SETTLED
