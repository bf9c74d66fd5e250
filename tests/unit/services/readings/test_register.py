"""Who sends readings: remembered until the registry changes, one series for each position and name."""

from datetime import timedelta
from functools import partial

import pytest

from devices.kinds import DataClass
from services import home_rules
from services.admission import NotAdmittedError
from services.domain.homes import DeviceState
from services.home_rules import NewRule
from services.readings import register as registers
from services.readings.handover import Said
from services.store.readings import series as series_rows
from tests.support.clock import FrozenClock
from tests.support.reading_lane import ReadingLane


def test_a_device_is_looked_up_once_and_again_after_its_home_has_changed(lane: ReadingLane) -> None:
    first = lane.register.known("m-1", "m-1")
    other = lane.register.known("m-2", "m-2")

    lane.registry_has_changed("h-1")

    assert lane.register.known("m-2", "m-2") is other
    assert first.is_stale
    assert lane.register.known("m-1", "m-1") is not first
    assert lane.register.known("m-1", "m-1") is lane.register.known("m-1", "m-1")


def test_a_change_that_nobody_can_name_makes_everybody_be_looked_up_again(lane: ReadingLane) -> None:
    known = [lane.register.known("m-1", "m-1"), lane.register.known("m-2", "m-2")]

    lane.register.forget_homes(None)

    assert all(item.is_stale for item in known)
    assert lane.register.by_topic == {}


@pytest.mark.parametrize("state", [DeviceState.SUSPENDED, DeviceState.RETIRED])
async def test_a_device_that_is_heard_no_more_is_refused_once_the_change_is_known(
    lane: ReadingLane, state: DeviceState
) -> None:
    lane.hear("m-1", humidity=40.0)
    lane.town.set_state("m-1", state)
    lane.registry_has_changed("h-1")

    lane.hear("m-1", humidity=41.0)
    await lane.commit()

    assert [kept.reason for kept in lane.set_aside()] == [f"client m-1 is {state}"]
    assert lane.values("humidity") == [40.0]


def test_a_hub_speaks_for_its_own_home_only(lane: ReadingLane) -> None:
    assert lane.register.known("hub-1", "m-1").device.home_id == "h-1"

    with pytest.raises(NotAdmittedError, match="device m-2 is not registered in this home"):
        lane.register.known("hub-1", "m-2")


async def test_a_device_that_was_refused_is_taken_once_it_is_registered(lane: ReadingLane) -> None:
    lane.hear("late", humidity=1.0)
    lane.town.add_device("late", "h-1", "humidity-meter", "hall")

    lane.hear("late", humidity=2.0)
    await lane.commit()

    assert lane.values("humidity") == [2.0], "no waiting: what is unknown is never remembered"


async def test_one_position_and_name_is_one_series_though_two_clients_speak_before_the_commit(
    lane: ReadingLane, clock: FrozenClock
) -> None:
    for client in ("m-1", "hub-1"):
        lane.hear("m-1", client=client, humidity=40.0)
        clock.advance(timedelta(seconds=1))

    stored = await lane.commit()

    assert stored.series.tolist() == [1, 1]


async def test_and_though_one_client_was_met_before_the_other_had_measured_anything(
    lane: ReadingLane, clock: FrozenClock
) -> None:
    lane.register.known("hub-1", "m-1")
    lane.hear("m-1", humidity=40.0)
    await lane.commit()
    clock.advance(timedelta(seconds=1))

    lane.hear("m-1", client="hub-1", humidity=41.0)
    stored = await lane.commit()

    assert stored.series.tolist() == [1]
    assert lane.values("humidity") == [40.0, 41.0]


async def test_a_series_that_is_not_committed_is_known_when_its_home_changes_meanwhile(
    lane: ReadingLane, clock: FrozenClock
) -> None:
    lane.hear("m-1", humidity=40.0)
    lane.registry_has_changed("h-1")
    clock.advance(timedelta(seconds=1))
    lane.hear("m-1", humidity=41.0)

    stored = await lane.commit()

    assert stored.series.tolist() == [1, 1]


async def test_the_series_belongs_to_the_position_whichever_hardware_stands_there(
    lane: ReadingLane, clock: FrozenClock
) -> None:
    lane.hear("m-1", humidity=40.0)
    await lane.commit()
    lane.town.set_state("m-1", DeviceState.RETIRED)
    lane.town.add_device("m-9", "h-1", "humidity-meter", "bathroom")
    clock.advance(timedelta(minutes=1))

    lane.hear("m-9", humidity=41.0)
    await lane.commit()

    assert lane.values("humidity", lane.town.device("m-9").position_id) == [40.0, 41.0]


async def test_a_series_has_the_unit_and_the_class_of_the_model(lane: ReadingLane) -> None:
    lane.hear("l-1", leak=0.0, temperature=8.0)
    await lane.commit()

    found = {item.name: item for item in series_rows.find(lane.store, home_id="h-1", limit=9)}
    assert (found["leak"].unit, found["leak"].data_class) == ("/", DataClass.PROPERTY)
    assert (found["temperature"].unit, found["temperature"].data_class) == ("Cel", DataClass.CLIMATE)


async def test_no_more_devices_are_remembered_than_the_limit(
    lane: ReadingLane, monkeypatch: pytest.MonkeyPatch, clock: FrozenClock
) -> None:
    monkeypatch.setattr(registers, "KNOWN_LIMIT", 2)
    for _ in range(3):
        for device in ("m-1", "l-1", "e-1", "m-2"):
            lane.hear(device, temperature=20.0, voltage=230.0)
            assert len(lane.register.by_topic) <= 2
        clock.advance(timedelta(seconds=1))

    await lane.commit()

    assert len(lane.values("temperature")) == 9
    assert len(lane.values("voltage")) == 3


async def test_a_rule_that_a_home_sets_holds_from_the_next_reading(
    lane: ReadingLane, clock: FrozenClock
) -> None:
    lane.hear("m-1", humidity=60.0)
    new = NewRule(home_id="h-1", name="damp", reading="humidity", limits={"above": 50, "for_seconds": 0})
    lane.town.write(
        partial(home_rules.set_rule, new=new, profiles=lane.town.profiles, actor="t", now=clock.now())
    )
    lane.registry_has_changed("h-1")
    clock.advance(timedelta(seconds=1))

    lane.hear("m-1", humidity=61.0)
    await lane.commit()

    [said] = lane.handed_over(Said)
    assert (said.kind, said.signal, said.data["limit"]) == ("property.damp", "raised", 50)


def test_a_name_stands_for_a_measure_alone_or_behind_a_base_name(lane: ReadingLane) -> None:
    known = lane.register.known("m-1", "m-1")

    for name in ("humidity", "urn:dev:mac:1:humidity", "home/bath/humidity", "a:b/c:humidity"):
        measure = known.measure(name)
        assert measure is not None
        assert measure.name == "humidity"
    for name in ("xhumidity", "humidity:", "humidity/x", ""):
        assert known.measure(name) is None
