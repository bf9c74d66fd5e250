"""Where a stream begins, by what its receiver has seen last. Pure.

nothing          start   from now
a number kept    resume  behind it
anything else    reset   says why, then from now
"""

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from gateway.api.live import frames

_NUMBER: Final = re.compile(r"\d{1,20}", re.ASCII)


class ResetReason(StrEnum):
    """Why a stream cannot go on where its receiver was."""

    MALFORMED = "malformed"
    """It is not a number."""
    FUTURE = "future"
    """No such number was given yet: another hub, or one that was set back."""
    TOO_OLD = "too_old"
    """What came next is not kept any more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Beginning:
    """The first that a stream says, and behind which number it goes on."""

    position: int
    newest: int
    """The number that the organisation was given last, by now."""
    frame: bytes = b""
    resumes: bool = False
    reset: ResetReason | None = None


def beginning(last: str | None, *, oldest: int | None, newest: int) -> Beginning:
    """How a stream begins.

    Args:
        last: The number that the receiver has seen last, with leading zeros or without; None or empty: none.
        oldest: The lowest number that is kept; None: none is.
        newest: The number that was given last.
    """
    if not last:
        return Beginning(position=newest, newest=newest, frame=frames.start(newest))
    first = newest + 1 if oldest is None else oldest
    reason = _obstacle(last, oldest=first, newest=newest)
    if reason is None:
        return Beginning(position=int(last), newest=newest, resumes=True)
    frame = frames.reset(reason, oldest=first, newest=newest)
    return Beginning(position=newest, newest=newest, frame=frame, reset=reason)


def _obstacle(last: str, *, oldest: int, newest: int) -> ResetReason | None:
    if not _NUMBER.fullmatch(last):
        return ResetReason.MALFORMED
    if int(last) > newest:
        return ResetReason.FUTURE
    return ResetReason.TOO_OLD if int(last) < oldest - 1 else None
