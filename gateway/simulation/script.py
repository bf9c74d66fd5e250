"""What is to be played: how large a city, how much it says, for how long, and what goes wrong."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Final

from devices.simulator.actions import Action
from devices.simulator.city import CityHome, Outage, city, days, held_back, load_hubs, outage
from devices.simulator.load import LoadPlan
from devices.simulator.plan import Day
from devices.simulator.town import SimulatedHome

MOST_CONNECTIONS: Final = 2_000
"""Homes with a line of their own to the broker; more are registered and stay silent. With so many lines the
load needs two thirds of a core for 25,000 packs/s, and it has a tenth of that to do with twenty."""

MOST_AGENTS: Final = 40
"""Homes whose alarms are carried by an agent each, with two threads."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Script:
    """One run."""

    homes: int
    packs_per_second: float
    alarms_per_second: float
    length: timedelta
    day: timedelta
    """How long a simulated day is."""
    seed: int
    has_outage: bool

    def city(self) -> tuple[CityHome, ...]:
        """Every home."""
        return city(str(self.seed), self.homes)

    def outages(self) -> tuple[Outage, ...]:
        """What goes dark."""
        return (outage(str(self.seed), speaking(self.city()), self.length),) if self.has_outage else ()

    def load(self, port: int, credentials: Path) -> LoadPlan:
        """Who sends readings."""
        return LoadPlan(
            host="localhost",
            port=port,
            credentials=str(credentials),
            seed=str(self.seed),
            hubs=load_hubs(speaking(self.city()), self.outages()),
            packs_per_second=self.packs_per_second,
            seconds=self.length.total_seconds(),
            day_seconds=self.day.total_seconds(),
        )

    def actions(self) -> list[Action]:
        """Presses and heartbeats of the homes with an agent."""
        homes = with_agents(self.city())
        day = Day(
            length=self.day,
            presses_per_home=self.alarms_per_second * self.day.total_seconds() / len(homes),
        )
        plan = days(str(self.seed), [home.home for home in homes], day, length=self.length)
        return list(held_back(plan, homes, self.outages()))


def speaking(homes: Sequence[CityHome]) -> Sequence[CityHome]:
    """Those with a line, from all over the city."""
    return _spread(homes, MOST_CONNECTIONS)


def with_agents(homes: Sequence[CityHome]) -> Sequence[CityHome]:
    """Those among them that press for help."""
    return _spread(speaking(homes), MOST_AGENTS)


def agents(homes: Sequence[CityHome]) -> list[SimulatedHome]:
    """What the fleet wants to know of them."""
    return [home.home for home in with_agents(homes)]


def _spread(homes: Sequence[CityHome], most: int) -> Sequence[CityHome]:
    if len(homes) <= most:
        return homes
    return [homes[number * len(homes) // most] for number in range(most)]
