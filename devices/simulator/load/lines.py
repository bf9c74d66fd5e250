"""The connections of all hubs: opened, cut by outages, opened again, and what has passed over each.

dark from … until …  ──cut──> nothing goes out ──until──> open again, from the first packet that has no PUBACK
"""

import select
from collections import deque
from math import inf
from pathlib import Path
from typing import Final

import numpy as np

from devices.simulator.load.link import HubLink
from devices.simulator.load.plan import LoadPlan
from devices.simulator.load.wire import Data, open_wire

OPENING_AT_ONCE: Final = 64
"""Handshakes under way; a broker's queue of new connections is about this long."""

RETRY_AFTER_SECONDS: Final = 0.5


class Lines:
    """Every hub's line, and two counters for each: columns by the hub's place in the plan."""

    def __init__(self, plan: LoadPlan) -> None:
        self._plan = plan
        self._links: list[HubLink | None] = [None] * len(plan.hubs)
        self._hub_of: dict[int, int] = {}
        self._events = _outages(plan)
        self._dark: set[int] = set()
        self._waiting: deque[tuple[float, int]] = deque((-inf, hub) for hub in range(len(plan.hubs)))
        """From when on which hub may be connected, in order."""
        self._unsent: set[int] = set()
        """Hubs whose link has more than the socket takes, or is being made."""
        self._poll = select.epoll()
        self.sent = np.zeros(len(plan.hubs), np.int64)
        """The next packet to send; goes back to ``acknowledged`` when a line was lost."""
        self.acknowledged = np.zeros(len(plan.hubs), np.int64)
        self.can_give = np.zeros(len(plan.hubs), np.bool_)
        self.lost = 0
        """Connections that ended and were not meant to, or could not be made."""
        self.problem = ""
        """What ended the last of them."""
        self._elapsed_seconds = 0.0

    @property
    def connected(self) -> int:
        """Hubs that the broker has let in."""
        return sum(link is not None and link.is_open for link in self._links)

    def turn(self, elapsed_seconds: float) -> None:
        """Do everything that can be done now, but give nothing; the time is negative before the start."""
        self._elapsed_seconds = elapsed_seconds
        self._follow_outages()
        self._open()
        for hub in tuple(self._unsent):
            self._try(hub, flush=True)
        for descriptor, _ in self._poll.poll(0):
            self._try(self._hub_of[descriptor])

    def give(self, hub: int, packets: Data) -> None:
        """Send a hub's next packets; it must be one that ``can_give``."""
        link = self._links[hub]
        if link is None:
            return
        try:
            link.give(packets)
        except OSError as error:
            self._lose(hub, error)
            return
        self._note(hub, link)

    def close(self) -> None:
        """Cut all lines."""
        for hub in range(len(self._links)):
            self._cut(hub)
        self._poll.close()

    def _follow_outages(self) -> None:
        while self._events and self._events[0][0] <= self._elapsed_seconds:
            at, hub, is_dark = self._events.popleft()
            if is_dark:
                self._dark.add(hub)
                self._cut(hub)
            else:
                self._dark.discard(hub)
                self._waiting.append((at, hub))

    def _open(self) -> None:
        while self._waiting and len(self._unsent) < OPENING_AT_ONCE:
            if self._waiting[0][0] > self._elapsed_seconds:
                return
            _, hub = self._waiting.popleft()
            if hub not in self._dark and self._links[hub] is None:
                self._open_one(hub)

    def _open_one(self, hub: int) -> None:
        plan, client_id = self._plan, self._plan.hubs[hub].client_id
        credentials = None if plan.credentials is None else Path(plan.credentials) / client_id
        self.sent[hub] = self.acknowledged[hub]
        try:
            wire = open_wire(plan.host, plan.port, credentials)
            link = HubLink(client_id, wire, acknowledged=int(self.acknowledged[hub]))
        except OSError as error:
            self.problem = str(error)
            self._try_again(hub)
            return
        self._links[hub] = link
        self._hub_of[link.fileno()] = hub
        self._poll.register(link.fileno(), select.EPOLLIN)
        self._unsent.add(hub)

    def _try(self, hub: int, *, flush: bool = False) -> None:
        link = self._links[hub]
        if link is None:
            return
        try:
            if flush:
                link.flush()
            else:
                self.acknowledged[hub] += link.take()
        except OSError as error:
            self._lose(hub, error)
            return
        self._note(hub, link)

    def _note(self, hub: int, link: HubLink) -> None:
        self.can_give[hub] = link.can_give
        (self._unsent.discard if link.can_give else self._unsent.add)(hub)

    def _lose(self, hub: int, error: OSError) -> None:
        self.lost += 1
        self.problem = str(error)
        self._cut(hub)
        self._try_again(hub)

    def _try_again(self, hub: int) -> None:
        self._waiting.append((self._elapsed_seconds + RETRY_AFTER_SECONDS, hub))

    def _cut(self, hub: int) -> None:
        link = self._links[hub]
        if link is not None:
            del self._hub_of[link.fileno()]
            link.close()
            self._links[hub] = None
        self.can_give[hub] = False
        self._unsent.discard(hub)


def _outages(plan: LoadPlan) -> deque[tuple[float, int, bool]]:
    events = [
        event
        for hub, planned in enumerate(plan.hubs)
        for dark_from, dark_until in planned.dark
        for event in ((dark_from, hub, True), (dark_until, hub, False))
    ]
    return deque(sorted(events))
