"""A simulated city: the same for the same seed, and what an outage does to its homes."""

from datetime import timedelta
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from devices.profiles import load_profiles
from devices.simulator import Action, Day, day_plan
from devices.simulator.city import CityHome, Outage, city, days, held_back, load_hubs, outage

MINUTE = timedelta(minutes=1)
CITY = city("c", 30, homes_per_node=10)
DARK = Outage(node="node-002", starts_after=MINUTE, ends_after=2 * MINUTE)


def a_day(homes: tuple[CityHome, ...], length: timedelta = 3 * MINUTE) -> list[Action]:
    return list(day_plan("1", [home.home for home in homes], Day(length=length, presses_per_home=20)))


@settings(deadline=None, max_examples=20)
@given(seed=st.text(max_size=5), homes=st.integers(1, 40))
def test_a_home_is_the_same_in_a_larger_city(seed: str, homes: int) -> None:
    assert city(seed, homes) == city(seed, homes + 5)[:homes]


def test_another_seed_gives_another_city() -> None:
    assert city("1", 30) != city("2", 30)


def test_every_home_has_a_safety_alarm_and_meters_and_no_id_twice() -> None:
    ids = [device.device_id for home in CITY for device in home.home.devices]

    assert len(set(ids)) == len(ids)
    assert {device.profile for home in CITY for device in home.home.devices} <= set(load_profiles())
    for home in CITY:
        assert home.home.devices[0].profile == "safety-alarm"
        assert set(home.meters) == {device.device_id for device in home.home.devices[1:]} != set()


def test_meters_of_a_home_stand_in_different_rooms() -> None:
    for home in CITY:
        rooms = [device.room for device in home.home.devices if device.device_id in home.meters]
        assert len(set(rooms)) == len(rooms)


def test_homes_are_spread_over_nodes() -> None:
    assert [home.node for home in CITY] == ["node-001"] * 10 + ["node-002"] * 10 + ["node-003"] * 10


def test_an_outage_is_of_one_node_of_the_city_and_over_before_the_end() -> None:
    found = outage("1", CITY, MINUTE)

    assert found == outage("1", CITY, MINUTE)
    assert found.node in {home.node for home in CITY}
    assert timedelta(0) < found.starts_after < found.ends_after < MINUTE


def test_only_the_homes_of_a_dark_node_lose_their_lines() -> None:
    hubs = load_hubs(CITY, [DARK])

    assert [hub.dark for hub in hubs] == [()] * 10 + [((60.0, 120.0),)] * 10 + [()] * 10
    assert [hub.devices for hub in hubs] == [home.meters for home in CITY]


@settings(deadline=None, max_examples=20)
@given(starts=st.integers(0, 150), lasts=st.integers(1, 60))
def test_what_is_held_back_comes_in_order_when_the_node_is_back_and_nothing_is_lost(
    starts: int, lasts: int
) -> None:
    dark = Outage(
        node="node-002",
        starts_after=timedelta(seconds=starts),
        ends_after=timedelta(seconds=starts + lasts),
    )
    of_the_node = {home.home.client_id for home in CITY if home.node == dark.node}

    actions = a_day(CITY)
    played = list(held_back(actions, CITY, [dark]))

    assert len(played) == len(actions)
    assert all(earlier.after <= later.after for earlier, later in pairwise(played))
    for action in played:
        if action.client_id in of_the_node:
            assert not dark.starts_after <= action.after < dark.ends_after


def test_homes_of_other_nodes_do_not_notice_an_outage() -> None:
    others = {home.home.client_id for home in CITY if home.node != DARK.node}
    actions = a_day(CITY)

    played = list(held_back(actions, CITY, [DARK]))

    assert [a for a in played if a.client_id in others] == [a for a in actions if a.client_id in others]


@settings(deadline=None, max_examples=20)
@given(seconds=st.integers(1, 300))
def test_days_follow_each_other_in_order_until_the_end(seconds: int) -> None:
    length, homes = timedelta(seconds=seconds), [home.home for home in CITY[:5]]

    actions = list(days("1", homes, Day(length=MINUTE, presses_per_home=20), length=length))

    assert all(earlier.after <= later.after for earlier, later in pairwise(actions))
    assert all(action.after < length for action in actions)


def test_every_day_of_a_run_is_played() -> None:
    homes = [home.home for home in CITY]

    actions = days("1", homes, Day(length=MINUTE, presses_per_home=20), length=3 * MINUTE)

    assert {action.after // MINUTE for action in actions} == {0, 1, 2}


def test_one_day_is_not_like_the_other() -> None:
    homes = [home.home for home in CITY]
    first_day = [a for a in days("1", homes, Day(length=MINUTE), length=2 * MINUTE) if a.after < MINUTE]
    second_day = [a for a in days("1", homes, Day(length=MINUTE), length=2 * MINUTE) if a.after >= MINUTE]

    assert [a.after for a in first_day] != [a.after - MINUTE for a in second_day]
