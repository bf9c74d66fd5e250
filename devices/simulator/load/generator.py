"""Sends every pack when it is due, or as soon after as line and window let it.

    elapsed time ──timetable──> packs due of each hub ──window, line──> one block for all hubs ──> lines

It looks at everything in ticks of some milliseconds and sleeps between them: what came and what became due
meanwhile is dealt with at once, which is why a pack costs a few microseconds.
"""

import time
from collections.abc import Callable
from threading import Event
from typing import Final

import numpy as np

from devices.simulator.load.lines import Lines
from devices.simulator.load.packs import Numbers, PackRing
from devices.simulator.load.plan import Ledger, LoadPlan, LoadReport
from devices.simulator.load.timetable import Timetable

SHORTEST_TICK: Final = 0.002
LONGEST_TICK: Final = 0.02
TICK_PER_HUB: Final = 10e-6
"""Seconds."""

BLOCK: Final = 512
"""Packs of one hub in one tick."""

CONNECT_WITHIN: Final = 120.0
REFUSALS_PER_HUB: Final = 5
"""After so many on average nobody will be let in."""

ACKNOWLEDGED_WITHIN: Final = 30.0
"""Seconds that the broker has, at the end, for what it has not acknowledged."""

REPORT_EVERY: Final = 1.0


class NotConnectedError(Exception):
    """The run did not begin, because not all hubs were let in."""

    def __init__(self, connected: int, hubs: int, problem: str) -> None:
        super().__init__(
            f"Only {connected} of {hubs} hubs could connect: {problem}; mend that, or plan fewer hubs"
        )


class Generator:
    """One run of a plan.

    Args:
        plan: What to send.
        tell: Called with a report each second and at the end.
        stop: When it is set, the run ends as if its time had come.
    """

    def __init__(self, plan: LoadPlan, *, tell: Callable[[LoadReport], None], stop: Event) -> None:
        self._plan = plan
        self._tell = tell
        self._stop = stop
        self._ring = PackRing(plan.hubs, plan.seed)
        self._timetable = Timetable(plan)
        self._lines = Lines(plan)
        self._tick = min(LONGEST_TICK, max(SHORTEST_TICK, TICK_PER_HUB * len(plan.hubs)))
        self._furthest: Numbers = np.zeros(len(plan.hubs), np.int64)
        self._started_seconds = self._started_cpu = 0.0
        self._started_at = 0
        self._reported = 0.0

    def run(self) -> None:
        """Connect all hubs, send for the planned time, wait for the last PUBACKs.

        Raises:
            NotConnectedError: Not all hubs were let in.
        """
        try:
            self._connect()
            self._started_seconds, self._started_cpu = time.monotonic(), time.process_time()
            self._started_at = time.time_ns() // 1000
            while (elapsed := self._elapsed()) < self._plan.seconds and not self._stop.is_set():
                self._turn(elapsed, self._timetable.due(elapsed))
            self._drain()
            self._report(is_over=True)
        finally:
            self._lines.close()

    def ledger(self) -> Ledger:
        """Every pack that was acknowledged."""
        acknowledged = self._lines.acknowledged
        hub, number = _runs(np.arange(len(acknowledged)), acknowledged, first=np.zeros_like(acknowledged))
        micros, _ = self._timetable.when(hub, number)
        return Ledger(
            devices=tuple(device for planned in self._plan.hubs for device in planned.devices),
            device=self._ring.device_of(hub, number),
            at=self._started_at + micros,
        )

    def _connect(self) -> None:
        gives_up_at = time.monotonic() + CONNECT_WITHIN
        while (connected := self._lines.connected) < len(self._plan.hubs) and not self._stop.is_set():
            before_start = time.monotonic() - gives_up_at
            if before_start > 0 or self._lines.lost > REFUSALS_PER_HUB * len(self._plan.hubs):
                raise NotConnectedError(connected, len(self._plan.hubs), self._lines.problem)
            self._lines.turn(before_start)
            time.sleep(SHORTEST_TICK)

    def _drain(self) -> None:
        """Send what is late by less than a window, and wait until all that was sent is acknowledged."""
        ended = self._elapsed()
        due = np.minimum(
            self._timetable.due(min(ended, self._plan.seconds)), self._furthest + self._plan.window
        )
        while (elapsed := self._elapsed()) < ended + ACKNOWLEDGED_WITHIN:
            if not (self._lines.acknowledged < due).any():
                return
            self._turn(elapsed, due)

    def _turn(self, elapsed: float, due: Numbers) -> None:
        self._lines.turn(elapsed)
        self._give(due)
        if elapsed - self._reported >= REPORT_EVERY:
            self._reported = elapsed
            self._report()
        time.sleep(max(0.0, self._tick - (self._elapsed() - elapsed)))

    def _give(self, due: Numbers) -> None:
        lines = self._lines
        room = self._plan.window - (lines.sent - lines.acknowledged)
        counts = np.where(lines.can_give, np.minimum(due - lines.sent, room).clip(0, BLOCK), 0)
        hubs = np.flatnonzero(counts)
        if not len(hubs):
            return
        counts = counts[hubs]
        hub, number = _runs(hubs, counts, first=lines.sent[hubs])
        micros, hour = self._timetable.when(hub, number)
        block = self._ring.render(hub, number, self._started_at + micros, hour).reshape(-1).data
        lines.sent[hubs] += counts  # before a line can be lost, which sets it back
        ends = np.cumsum(counts) * self._ring.width
        begins = ends - counts * self._ring.width
        for one, begin, end in zip(hubs.tolist(), begins.tolist(), ends.tolist(), strict=True):
            lines.give(one, block[begin:end])
        np.maximum(self._furthest, lines.sent, out=self._furthest)

    def _report(self, *, is_over: bool = False) -> None:
        elapsed = self._elapsed()
        self._tell(
            LoadReport(
                elapsed_seconds=elapsed,
                due=int(self._timetable.due(min(elapsed, self._plan.seconds)).sum()),
                sent=int(self._furthest.sum()),
                acknowledged=int(self._lines.acknowledged.sum()),
                connected=self._lines.connected,
                lost=self._lines.lost,
                cpu_seconds=time.process_time() - self._started_cpu,
                problem=self._lines.problem,
                is_over=is_over,
            )
        )

    def _elapsed(self) -> float:
        return time.monotonic() - self._started_seconds


def _runs(hubs: Numbers, counts: Numbers, *, first: Numbers) -> tuple[Numbers, Numbers]:
    """``counts[i]`` consecutive packets of ``hubs[i]``, from ``first[i]`` on: a hub and a number for each."""
    ends = np.cumsum(counts)
    number = np.arange(ends[-1]) - np.repeat(ends - counts - first, counts)
    return np.repeat(hubs, counts), number
