"""When each pack of each hub is due: a function of the plan alone.

    pack k of a hub is due when   activity(t) · pace  =  k + 1 - phase

The hubs' phases differ, so that homes do not speak in step.
"""

from typing import Final

import numpy as np

from devices.simulator.load.packs import HOURS, Numbers
from devices.simulator.load.plan import LoadPlan, LoadPlanError

FASTEST_HUB: Final = 500_000.0
"""Packs per second: times are whole microseconds and must differ, in the busiest hour too."""


class Timetable:
    """Seconds of the run, for numbers of packs and back.

    Raises:
        LoadPlanError: No pack would be due, or two in one microsecond.
    """

    def __init__(self, plan: LoadPlan) -> None:
        devices = np.array([len(hub.devices) for hub in plan.hubs])
        self._pace = devices * (plan.packs_per_second / devices.sum())
        self._phase = np.random.default_rng(list(f"{plan.seed}/phase".encode())).random(len(devices))
        self._rhythm = plan.rhythm()
        if not 0 < self._pace.max() <= FASTEST_HUB:
            raise LoadPlanError(
                f"a hub would send {self._pace.max():g} packs/s, expected 0 to {FASTEST_HUB:g}"
            )

    def due(self, second: float) -> Numbers:
        """How many packs each hub should have sent."""
        wanted = self._rhythm.activity_at(second) * self._pace + self._phase
        whole: Numbers = wanted.astype(np.int64)
        return whole

    def when(self, hub: Numbers, number: Numbers) -> tuple[Numbers, Numbers]:
        """For each pack: its microsecond of the run, and the hour of the simulated day, 0 to 23."""
        seconds = self._rhythm.seconds_at((number + 1 - self._phase[hub]) / self._pace[hub])
        day_seconds = self._rhythm.day_seconds
        hour = (seconds % day_seconds) * (HOURS / day_seconds)
        return (seconds * 1_000_000).astype(np.int64), np.minimum(hour, HOURS - 1).astype(np.int64)
