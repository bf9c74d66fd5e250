"""How far a target is, when it is trusted to keep what it took, and where to go on after it was away.

    sent ──> acknowledged ──30 s later it answers still──> settled (never sent again)
    lost ──> back to what is settled

Some databases answer before they have written to their disk: VictoriaMetrics does so every five seconds. So
what was acknowledged in the 30 seconds before a target went away is sent once more when it is back. Pure.
"""

from collections import deque
from typing import Final

SETTLES_AFTER_S: Final = 30.0


class Progress:
    """Rows of the journal at one target, by number."""

    def __init__(self, settled_to: int) -> None:
        self.settled_to = self.sent_to = settled_to
        self._acknowledged: deque[tuple[float, int]] = deque()
        """When rows were first acknowledged, the newest last; none of them is settled."""

    def acknowledged(self, number: int, *, now_s: float) -> None:
        """The target has every row up to a number."""
        self.sent_to = number
        if not self._acknowledged or number > self._acknowledged[-1][1]:
            self._acknowledged.append((now_s, number))
        while self._acknowledged:
            first_s, row = self._acknowledged[0]
            if row > number or first_s > now_s - SETTLES_AFTER_S:
                break
            self.settled_to = row
            self._acknowledged.popleft()

    def step_back(self) -> None:
        """The target is away: nobody knows whether it kept what is not settled."""
        self.sent_to = self.settled_to

    def start_over(self, number: int) -> None:
        """Go on after a number, whatever was before."""
        self.settled_to = self.sent_to = number
        self._acknowledged.clear()
