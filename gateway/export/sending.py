"""Points to a target, so that one that it does not take keeps no other back.

    refused ──> halves ──> … ──> the one ──> set aside and counted

A batch of which nothing at all is taken says more about the target than about the points: then nothing is
set aside, and an operator is told.
"""

from collections.abc import Sequence
from typing import Final

import structlog

from gateway.export.target import PointsRefusedError, Target, TargetRefusesError

TRIES_IN_VAIN: Final = 128
"""Requests with parts of a batch, some sixty single points among them; then it is not the points."""

NAMED: Final = 3
"""How many of the points of a batch that were refused are named in the log."""

_log = structlog.get_logger(__name__)


async def send(target: Target, lines: Sequence[str], *, at_once: int) -> int:
    """Hand over points; returns how many were set aside.

    Args:
        target: Where to.
        lines: Line protocol, any number.
        at_once: Points in one request.

    Raises:
        TargetUnavailableError: Some may have arrived; all must be sent again.
        TargetRefusesError: It takes nothing.
    """
    waiting = [lines[start : start + at_once] for start in range(0, len(lines), at_once)][::-1]
    left_out, tries, is_any_taken = 0, 0, False
    refused: list[str] = []
    while waiting:
        part = waiting.pop()
        tries += 1
        try:
            left_out += await target.write(part)
            is_any_taken = True
        except PointsRefusedError as error:
            if not is_any_taken and (tries >= TRIES_IN_VAIN or not (waiting or len(part) > 1)):
                raise TargetRefusesError(error.reason) from error
            if len(part) == 1:
                refused += part
            else:
                middle = len(part) // 2
                waiting += [part[middle:], part[:middle]]
    if refused or left_out:
        named = [_without_value(line) for line in refused[:NAMED]]
        _log.warning("points_set_aside", refused=len(refused), left_out=left_out, first=named)
    return len(refused) + left_out


def _without_value(line: str) -> str:
    return line.rpartition(" value=")[0]
