"""Many writes beside a running alarm process, which must never wait long for the one write lock.

    200 items ── commit ── pause as long as that took ── 200 items ── commit ── …

SQLite has no queue of writers: whoever waits asks again and again, so a lock that is let go of for a
moment only may be missed. Half of the time is left to others.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from typing import Final, TypeVar

from services.store.connection import Connection
from services.store.sqlite import SqliteConnection

STEP: Final = 200
SHORTEST_PAUSE_SECONDS: Final = 0.01

T = TypeVar("T")
R = TypeVar("R")


def write_in_steps(
    store: SqliteConnection,
    items: Sequence[T],
    write: Callable[[Connection, T], R],
    *,
    pause: Callable[[float], None] = time.sleep,
) -> Iterator[R]:
    """Write every item, at most ``STEP`` of them in one transaction; yields what is on disk.

    Args:
        store: Not in a transaction.
        items: What to write, in this order.
        write: Writes one of them. What it raises undoes its step and ends the whole.
        pause: Waits so many seconds.

    Raises:
        StoreUnavailableError: A step could not be committed; the steps before it are kept.
    """
    held_seconds = 0.0
    for start in range(0, len(items), STEP):
        if start:
            pause(max(SHORTEST_PAUSE_SECONDS, held_seconds))
        began = time.monotonic()
        with store.transaction():
            results = [write(store, item) for item in items[start : start + STEP]]
        held_seconds = time.monotonic() - began
        yield from results
