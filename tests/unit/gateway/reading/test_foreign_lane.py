"""Other systems' messages: whose device is meant, and what of it becomes values, alarms and status."""

import json
from datetime import timedelta
from functools import partial
from typing import Any

import pytest

from broker.bulk_session import Mark
from gateway.reading import foreign
from services import integrations
from services.domain.homes import DeviceState, Dialect, ForeignDevice, Integration
from services.domain.ids import IntegrationId
from services.readings.handover import Heard, Said, Told
from services.store import events
from services.store.readings import unknown
from tests.support.clock import FrozenClock
from tests.support.reading_lane import ReadingLane
from tests.support.town import Town

SENSOR = "0x00158d0001"


def integrate(
    town: Town, id_: str = "z2m", dialect: Dialect = Dialect.ZIGBEE2MQTT, home_id: Any = None
) -> None:
    integration = Integration(id=IntegrationId(id_), name=id_, dialect=dialect, home_id=home_id)
    town.write(partial(integrations.add, integration=integration, actor="t", now=town.now))


def adopt(town: Town, device_id: str, external_id: str = SENSOR, integration_id: str = "z2m") -> None:
    named = ForeignDevice(
        integration_id=IntegrationId(integration_id),
        external_id=external_id,
        device_id=town.device(device_id).id,
    )
    town.write(partial(integrations.adopt, foreign=named, actor="t", now=town.now))


@pytest.fixture
def foreigners(lane: ReadingLane) -> ReadingLane:
    """``l-1`` is a leak sensor behind zigbee2mqtt."""
    integrate(lane.town)
    adopt(lane.town, "l-1")
    return lane


def says(lane: ReadingLane, external_id: str = SENSOR, *, mark: Mark = Mark.NONE, **members: Any) -> None:
    lane.packet(f"in/z2m/{external_id}", members, mark=mark)


def said(lane: ReadingLane) -> list[tuple[str, str]]:
    return [(item.kind, item.signal) for item in lane.handed_over(Said)]


async def test_what_an_adopted_device_measures_is_stored_like_a_homes_own(foreigners: ReadingLane) -> None:
    says(foreigners, temperature=21.5, water_leak=False, linkquality=120)

    await foreigners.commit()

    position = foreigners.town.device("l-1").position_id
    assert foreigners.values("temperature", position) == [21.5]
    assert foreigners.values("leak", position) == [0.0]
    assert foreigners.counted() == {"received": 1, "stored": 1}
    assert foreigners.handed_over(Heard) == [Heard(device_id="l-1")]


async def test_what_nobody_has_asked_for_is_passed_over(foreigners: ReadingLane) -> None:
    says(foreigners, humidity=50, water_leak=False)

    await foreigners.commit()

    assert foreigners.values("humidity") == []
    assert foreigners.set_aside() == []


async def test_a_value_that_cannot_be_right_is_set_aside_like_a_homes_own(foreigners: ReadingLane) -> None:
    says(foreigners, temperature=900)

    await foreigners.commit()

    [kept] = foreigners.set_aside()
    assert kept.reason == "temperature: 900 Cel; right would be -40 to 85"


async def test_a_condition_is_told_when_it_changes(foreigners: ReadingLane) -> None:
    for leaks in (False, True, True, False):
        says(foreigners, water_leak=leaks)
        foreigners.town.clock.advance(timedelta(seconds=10))
    await foreigners.commit()

    by_the_sensor = [item for item in foreigners.handed_over(Said) if item.id.startswith("foreign:")]
    assert [item.signal for item in by_the_sensor] == ["raised", "cleared"]


async def test_an_unknown_device_is_listed_with_an_example_and_counted(foreigners: ReadingLane) -> None:
    for _ in range(2):
        says(foreigners, "0xdead", temperature=5, device={"model": "WSD500A"})
    await foreigners.commit()
    says(foreigners, "0xdead", temperature=6)
    await foreigners.commit()

    [found] = unknown.unknown_devices(foreigners.store, integration_id=None, limit=9)
    assert (found.integration_id, found.external_id, found.model) == ("z2m", "0xdead", "WSD500A")
    assert (found.messages, json.loads(found.example)) == (3, {"temperature": 6})
    assert foreigners.counted() == {"received": 3, "quarantined": 3}
    assert foreigners.set_aside() == []


async def test_once_it_is_adopted_it_is_stored(foreigners: ReadingLane) -> None:
    says(foreigners, "0xdead", temperature=5)
    adopt(foreigners.town, "m-1", "0xdead")
    foreigners.registry_has_changed("h-1")

    says(foreigners, "0xdead", temperature=6)
    await foreigners.commit()

    assert foreigners.values("temperature") == [6.0]


async def test_no_more_strangers_are_listed_than_the_limit(
    foreigners: ReadingLane, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(foreign, "STRANGERS_LIMIT", 3)
    for number in range(10):
        says(foreigners, f"0x{number}", temperature=5)
        await foreigners.commit()

    assert unknown.count(foreigners.store, "z2m") == 3
    assert foreigners.counted() == {"received": 10, "quarantined": 10}


@pytest.mark.parametrize("state", [DeviceState.SUSPENDED, DeviceState.RETIRED])
async def test_a_device_that_is_heard_no_more_is_set_aside(
    foreigners: ReadingLane, state: DeviceState
) -> None:
    foreigners.town.set_state("l-1", state)
    foreigners.registry_has_changed("h-1")

    says(foreigners, water_leak=True)
    await foreigners.commit()

    [kept] = foreigners.set_aside()
    assert (kept.reason, kept.home_id, kept.client_id) == (f"device l-1 is {state}", "h-1", "z2m")
    assert said(foreigners) == []


async def test_an_integration_that_is_heard_no_more_is_set_aside(foreigners: ReadingLane) -> None:
    town = foreigners.town
    suspend = partial(integrations.set_state, integration_id="z2m", state=DeviceState.SUSPENDED)
    town.write(lambda connection: suspend(connection, actor="t", now=town.now))
    foreigners.registry_has_changed("")

    says(foreigners, water_leak=True)
    foreigners.packet("in/nobody/x", {"water_leak": True})
    await foreigners.commit()

    assert [kept.reason for kept in foreigners.set_aside()] == [
        "integration z2m is suspended",
        "integration nobody is not registered",
    ]


async def test_an_integration_of_one_home_cannot_speak_for_another(foreigners: ReadingLane) -> None:
    town = foreigners.town
    integrate(town, "z-2")
    adopt(town, "m-2", "0x2", "z-2")
    with town.connection.transaction():
        town.connection.run("UPDATE integrations SET home_id = 'h-1' WHERE id = 'z-2'")

    foreigners.packet("in/z-2/0x2", {"temperature": 5})
    await foreigners.commit()

    [kept] = foreigners.set_aside()
    assert kept.reason == "integration z-2 belongs to another home than device m-2"
    assert foreigners.rows() == []


async def test_what_was_retained_tells_conditions_and_neither_values_nor_presses_nor_life(
    foreigners: ReadingLane,
) -> None:
    says(foreigners, mark=Mark.RETAINED, water_leak=True, temperature=5, battery=80, action="sos")
    says(foreigners, mark=Mark.RETAINED, water_leak=True, temperature=5, battery=70, action="sos")
    await foreigners.commit()

    assert foreigners.rows() == []
    assert said(foreigners) == [("property.leak", "raised")]
    assert foreigners.handed_over(Told) == []
    assert foreigners.handed_over(Heard) == []
    assert foreigners.counted() == {"received": 2, "stored": 2}


async def test_a_press_that_is_not_retained_calls(foreigners: ReadingLane) -> None:
    says(foreigners, action="sos")
    says(foreigners, action="sos")
    await foreigners.commit()

    assert said(foreigners) == [("safety.manual", "raised")] * 2


async def test_what_the_bridge_says_of_itself_is_nothing(foreigners: ReadingLane) -> None:
    for topic in ("bridge/state", "bridge/devices", f"{SENSOR}/availability", f"{SENSOR}/set"):
        foreigners.packet(f"in/z2m/{topic}", {"state": "online"})
    await foreigners.commit()

    assert unknown.count(foreigners.store, "z2m") == 0
    assert foreigners.set_aside() == []
    assert events.counters(foreigners.store).get("reading_stored", 0) == 0


async def test_what_cannot_be_read_is_set_aside(foreigners: ReadingLane) -> None:
    foreigners.packet(f"in/z2m/{SENSOR}", b"{")
    foreigners.packet("in/z2m", b"{}")
    await foreigners.commit()

    not_json, no_topic = (kept.reason for kept in foreigners.set_aside())
    assert not_json.startswith("not JSON")
    assert no_topic.startswith("Cannot read topic 'in/z2m'")


async def test_a_message_about_several_devices_is_taken_for_those_that_may_be_heard(
    lane: ReadingLane,
) -> None:
    integrate(lane.town, "ha", Dialect.HOME_ASSISTANT)
    for device, position in (("m-1", "one"), ("m-2", "two")):
        config = {
            "unique_id": position,
            "state_topic": "shared/state",
            "value_template": f"{{{{ value_json.{position} }}}}",
            "device_class": "humidity",
            "unit_of_measurement": "%",
            "device": {"identifiers": [position]},
        }
        lane.packet(f"in/ha/homeassistant/sensor/{position}/config", config)
        adopt(lane.town, device, position, "ha")
    lane.town.set_state("m-1", DeviceState.SUSPENDED)
    lane.registry_has_changed("h-1", "h-2")

    lane.packet("in/ha/shared/state", {"one": 40, "two": 41})
    await lane.commit()

    assert lane.values("humidity") == [41.0]
    assert [kept.reason for kept in lane.set_aside()] == ["device m-1 is suspended"]


async def test_status_is_told_when_it_has_moved_and_not_again_after_a_restart(
    foreigners: ReadingLane,
) -> None:
    says(foreigners, battery=80, water_leak=False)
    says(foreigners, battery=80, water_leak=False)
    await foreigners.commit()
    assert foreigners.handed_over(Told) == [Told(device_id="l-1", battery_percent=80.0)]
    foreigners.town.report("l-1", battery_percent=80.0)

    foreigners.restart()
    says(foreigners, battery=80, water_leak=False)
    await foreigners.commit()

    assert len(foreigners.handed_over(Told)) == 1
    assert len(foreigners.handed_over(Heard)) == 1, "when it was first heard"


async def test_a_message_without_readings_is_a_sign_of_life_now_and_then(
    foreigners: ReadingLane, clock: FrozenClock
) -> None:
    for _ in range(7 * 60):
        says(foreigners, linkquality=80)
        clock.advance(timedelta(minutes=1))
    await foreigners.commit()

    assert len(foreigners.handed_over(Heard)) == 4, "a leak sensor may be silent for six hours"


@pytest.mark.parametrize("last_seen", [0, 5, 1_000_000, "1970-01-01T00:00:00Z"])
async def test_a_foreign_clock_that_tells_no_time_of_ours_is_passed_over(
    foreigners: ReadingLane, last_seen: Any
) -> None:
    says(foreigners, temperature=5, last_seen=last_seen)

    stored = await foreigners.commit()

    assert stored.at.tolist() == [foreigners.now_us]


async def test_a_foreign_clock_that_makes_sense_is_when_it_was_measured(
    foreigners: ReadingLane, clock: FrozenClock
) -> None:
    then = clock.now() - timedelta(minutes=2)
    says(foreigners, temperature=5, last_seen=then.isoformat())

    stored = await foreigners.commit()

    assert stored.at.tolist() == [foreigners.now_us - 120_000_000]
