"""``stadsnav simulate``: a city's worth of readings and alarms on the whole product, and what became of them.

    city (devices.simulator) ──load, in a process of its own──> product <── partners
                             ──agents, for the alarms──────────>    └──> counters of the reading store
                                                 tally: sent, acknowledged, stored, how late alarms were

Nothing of the product knows that it is a simulation.
"""

from gateway.simulation.script import Script
from gateway.simulation.stage import run

__all__ = ["Script", "run"]
