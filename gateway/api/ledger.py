"""What is written down of every request: who looked at what, and that a token is in use.

looked, used ──> writer ──> a commit, a rest at least as long, a commit, …

What comes at the same time shares a commit; see ``services.store.writer``. The alarm lane needs the same
lock, so it is free at least half of the time however much is asked here.
"""

import asyncio
from collections.abc import Iterable
from datetime import datetime
from functools import partial
from typing import Final

from services import audit
from services.domain.tokens import ApiToken
from services.store import tokens
from services.store.connection import Connection
from services.store.writer import Writer

AT_ONCE: Final = 100
"""Looks in one piece of work: a page's, so that they are one step of the writer's and not a hundred."""


class Ledger:
    """Notes for all requests. What waits is bounded by the requests, each of which awaits its own."""

    def __init__(self, writer: Writer) -> None:
        self._writer = writer

    async def looked(self, looks: Iterable[audit.Entry], *, at: datetime) -> None:
        """Log looks; on disk when this returns, so that only then what was asked for may leave.

        Raises:
            StoreUnavailableError: They are not logged, or not all: nothing may leave.
        """
        entries = list(looks)
        parts = [entries[start : start + AT_ONCE] for start in range(0, len(entries), AT_ONCE)]
        await asyncio.gather(
            *(self._writer.write(partial(_note, looks=part, at=at), units=len(part)) for part in parts)
        )

    async def used(self, token: ApiToken, *, at: datetime) -> None:
        """Note that a token was used."""
        await self._writer.write(partial(tokens.note_use, token_id=token.id, at=at))


def _note(connection: Connection, *, looks: Iterable[audit.Entry], at: datetime) -> None:
    for look in looks:
        audit.note(connection, look, at=at)
