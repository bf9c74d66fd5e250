"""That somebody looks at what is kept about homes: logged before the answer leaves.

    homes ──> by which grant in force, for which purpose ──> a look for each

Of several grants the one that began first is named. Whoever sees the whole city does so by office.
"""

from collections.abc import Iterable
from functools import partial
from typing import Final

from gateway.api.callers import Caller
from gateway.api.parts import Parts
from services import audit
from services.store import scoping
from services.store.connection import Connection

BY_OFFICE: Final = "runs the city's hub"
"""The purpose of looks by those who see the whole."""


async def seen(parts: Parts, caller: Caller, home_ids: Iterable[str], asked: str) -> None:
    """Log a look at each home; on disk when this returns, so that only then the answer may leave.

    Args:
        parts: Where it is logged.
        caller: Who looks.
        home_ids: At which homes; one that is there twice is one look.
        asked: What for, in the words of the question.
    """
    homes = list(dict.fromkeys(home_ids))
    if homes:
        looks = await parts.read(partial(looks_at, caller=caller, parts=parts, home_ids=homes, asked=asked))
        await parts.ledger.looked(looks, at=parts.clock.now())


def looks_at(
    connection: Connection, *, caller: Caller, parts: Parts, home_ids: Iterable[str], asked: str
) -> list[audit.Entry]:
    """The entries for looks, each with the right that it is by."""
    scope = caller.scope(parts.clock.now())
    entries = []
    for home_id in home_ids:
        grant_id, purpose = ("", BY_OFFICE)
        if not scope.is_whole:
            grant_id, purpose = scoping.right_to(connection, scope, home_id) or ("", "")
        entries.append(
            audit.Entry(
                actor=caller.actor,
                action="looked",
                organisation_id=caller.organisation_id,
                home_id=home_id,
                subject=grant_id,
                purpose=purpose,
                details=asked,
            )
        )
    return entries
