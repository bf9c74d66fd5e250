"""How a city's day passes: quiet at night, busy when people get up and when they come home.

    activity(t)  =  seconds of average business that have passed by second t of the run

Whoever does something r times a second on average has done it r · activity(t) times by then.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

READINGS_BY_HOUR: Final = (
    *(0.7, 0.7, 0.7, 0.7, 0.7, 0.8, 1.1, 1.4, 1.3, 1.1, 1.0, 1.0),
    *(1.1, 1.0, 1.0, 1.0, 1.1, 1.2, 1.3, 1.3, 1.2, 1.0, 0.8, 0.8),
)
"""How busy sensors are in each hour from midnight; 1 on average. Most speak by the clock, some when
something changes."""


@dataclass(frozen=True, slots=True)
class Rhythm:
    """Corners of the curve, both ascending; beyond the last one the pace is 1."""

    seconds: NDArray[np.float64]
    activity: NDArray[np.float64]
    day_seconds: float
    """For what is the same every day, such as a temperature."""

    def activity_at(self, second: float) -> float:
        """How much business has passed."""
        beyond = max(0.0, second - self.seconds[-1])
        return float(np.interp(second, self.seconds, self.activity) + beyond)

    def seconds_at(self, activity: NDArray[np.float64]) -> NDArray[np.float64]:
        """When so much business will have passed."""
        beyond = np.maximum(0.0, activity - self.activity[-1])
        seconds: NDArray[np.float64] = np.interp(activity, self.activity, self.seconds) + beyond
        return seconds


def steady() -> Rhythm:
    """Always the same; a day is a real one."""
    return Rhythm(np.zeros(1), np.zeros(1), 86_400.0)


def daily(day_seconds: float, *, length: float) -> Rhythm:
    """Day after day, from midnight, for ``length`` seconds and the day after."""
    hours = len(READINGS_BY_HOUR) * (int(length // day_seconds) + 1)
    hour_seconds = day_seconds / len(READINGS_BY_HOUR)
    by_hour = np.resize(np.array(READINGS_BY_HOUR, np.float64), hours) * hour_seconds
    corners = np.linspace(0.0, hours * hour_seconds, hours + 1)
    return Rhythm(corners, np.append(0.0, np.cumsum(by_hour)), day_seconds)
