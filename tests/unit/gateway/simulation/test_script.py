"""A script: the same for the same seed, with a bound on who has a line and who has an agent."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from devices.messages import AlarmSignal
from devices.simulator import Press
from gateway.simulation.script import MOST_AGENTS, MOST_CONNECTIONS, Script, agents, speaking

SCRIPT = Script(
    homes=120,
    packs_per_second=100.0,
    alarms_per_second=5.0,
    length=timedelta(seconds=60),
    day=timedelta(seconds=60),
    seed=1,
    has_outage=True,
)


def test_the_same_seed_plays_the_same_and_another_seed_another() -> None:
    other = replace(SCRIPT, seed=2)

    assert SCRIPT.load(1, Path("c")) == SCRIPT.load(1, Path("c")) != other.load(1, Path("c"))
    assert SCRIPT.actions() == SCRIPT.actions() != other.actions()


@pytest.mark.parametrize("homes", [1, MOST_AGENTS, MOST_CONNECTIONS, MOST_CONNECTIONS + 777])
def test_lines_and_agents_are_bounded_and_spread_over_the_city(homes: int) -> None:
    city = replace(SCRIPT, homes=homes).city()

    spoken = speaking(city)

    assert len(spoken) == min(homes, MOST_CONNECTIONS)
    assert len(agents(city)) == min(homes, MOST_AGENTS)
    assert {home.client_id for home in agents(city)} <= {home.home.client_id for home in spoken}
    assert {home.node for home in spoken} == {home.node for home in city}


def test_so_many_alarms_are_pressed_as_were_asked_for() -> None:
    presses = [
        action
        for action in SCRIPT.actions()
        if isinstance(action, Press) and action.signal is AlarmSignal.RAISED
    ]

    assert len(presses) == pytest.approx(5 * 60, rel=0.2)


def test_an_outage_darkens_one_node_and_holds_its_alarms_back() -> None:
    (out,) = SCRIPT.outages()
    dark = {home.home.client_id for home in SCRIPT.city() if home.node == out.node}

    assert {hub.client_id for hub in SCRIPT.load(1, Path("c")).hubs if hub.dark} == dark
    assert not any(
        action.client_id in dark and out.starts_after <= action.after < out.ends_after
        for action in SCRIPT.actions()
    )
    assert replace(SCRIPT, has_outage=False).outages() == ()
