"""Many homes that speak as real ones do, the same way each time for the same seed.

town, day_plan (pure, from a seed) ──> Fleet (one agent for each home) ──> broker
                                         └──> on_news: what was sent, what was receipted
"""

from devices.simulator.actions import Action, Fault, Measure, Press, Publish, Silence, Status
from devices.simulator.fleet import Fleet, News, Receipted, Sent, settings_in
from devices.simulator.plan import Day, day_plan
from devices.simulator.town import SimulatedDevice, SimulatedHome, town

__all__ = [
    "Action",
    "Day",
    "Fault",
    "Fleet",
    "Measure",
    "News",
    "Press",
    "Publish",
    "Receipted",
    "Sent",
    "Silence",
    "SimulatedDevice",
    "SimulatedHome",
    "Status",
    "day_plan",
    "settings_in",
    "town",
]
