"""The agent's readings against a real Mosquitto: kept until the PUBACK, and always behind the alarms."""

import json
from dataclasses import replace

import pytest

from devices.agent import (
    Agent,
    AgentSettings,
    AgentStoppedError,
    DeviceIdError,
    Measured,
    UnwritableRecordError,
)
from devices.agent.client import RECORDS_PER_PACK
from devices.agent.topics import reading_topic
from devices.codecs.own_json import decode_alarm
from devices.codecs.senml import MAX_BYTES, decode
from devices.kinds import DeviceId
from tests.integration.devices.home_kit import Broker, Hub, stored, wait_until

AT_US = 1_795_507_200_000_000


def humidity(percent: float, *, at_us: int = AT_US) -> Measured:
    return Measured("humidity", "%RH", at_us, percent)


def heard_values(hub: Hub) -> list[float | None]:
    """Every value, in the order in which it was heard."""
    return [one.value for payload in hub.readings() for one in decode(payload, received_us=0)]


def test_readings_arrive_as_senml_with_their_own_time_and_are_then_forgotten(
    hub: Hub, settings: AgentSettings
) -> None:
    said = [humidity(57.5), Measured("temperature", "Cel", AT_US + 1_500_000, 21.25)]
    with Agent(settings) as agent:
        agent.send_readings("m1", said)
        wait_until(lambda: hub.readings() and not agent.packs_waiting(), "the readings and their PUBACK")

    (heard,) = hub.heard
    assert heard.topic == reading_topic(DeviceId("home-1"), DeviceId("m1")) == "up/home-1/m1/reading"
    assert not heard.is_retained
    assert decode(heard.payload, received_us=0) == said
    assert json.loads(heard.payload)[0]["bt"] == AT_US // 1_000_000


def test_many_readings_become_few_packs_that_the_broker_takes(hub: Hub, settings: AgentSettings) -> None:
    name = "n" * 255
    said = [
        Measured(name, "\u00e5" * 32, AT_US + number, 1 / 3) for number in range(2 * RECORDS_PER_PACK + 1)
    ]
    with Agent(settings) as agent:
        agent.send_readings("m1", said)
        wait_until(lambda: not agent.packs_waiting(), "the PUBACKs")
        wait_until(lambda: len(hub.readings()) == 3, "three packs")

    assert len(heard_values(hub)) == len(said)
    assert max(map(len, hub.readings())) < MAX_BYTES


def test_no_readings_are_no_pack(hub: Hub, settings: AgentSettings) -> None:
    with Agent(settings) as agent:
        agent.send_readings("m1", [])

        assert agent.packs_waiting() == 0
    assert hub.heard == []


def test_what_was_measured_while_the_line_was_down_comes_in_order_when_it_is_back(
    broker: Broker, hub: Hub, settings: AgentSettings
) -> None:
    broker.stop()
    with Agent(settings) as agent:
        for number in range(100):
            agent.send_readings("m1", [humidity(number, at_us=AT_US + number)])
        assert agent.packs_waiting() == 100

        broker.start()
        hub.wait_until_listening()
        wait_until(lambda: not agent.packs_waiting(), "the PUBACKs")
        wait_until(lambda: len(hub.readings()) >= 100, "the readings")

    assert heard_values(hub) == list(range(100))


def test_what_waits_outlives_the_agent(broker: Broker, hub: Hub, settings: AgentSettings) -> None:
    broker.stop()
    with Agent(settings) as agent:
        agent.send_readings("m1", [humidity(57.5)])

    broker.start()
    hub.wait_until_listening()
    with Agent(settings) as agent:
        wait_until(lambda: not agent.packs_waiting(), "the PUBACK")
        wait_until(hub.readings, "the readings")

    assert heard_values(hub) == [57.5]


def test_too_many_readings_push_out_the_oldest_and_never_an_alarm(
    broker: Broker, hub: Hub, settings: AgentSettings
) -> None:
    hub.answer = stored
    broker.stop()
    with Agent(replace(settings, packs_max_bytes=1_000)) as agent:
        event_id = agent.raise_alarm("p7", "safety.manual")
        for number in range(50):
            agent.send_readings("m1", [humidity(number)])
        waiting, dropped = agent.packs_waiting(), agent.packs_dropped()
        broker.start()
        hub.wait_until_listening()
        wait_until(lambda: not agent.pending() and not agent.packs_waiting(), "the receipt and the PUBACKs")

    assert waiting + dropped == 50
    assert 3 < waiting < 10
    assert heard_values(hub) == list(range(50 - waiting, 50))
    assert {decode_alarm(payload).id for payload in hub.alarms()} == {event_id}


def test_an_alarm_goes_before_the_readings_that_waited_longer(
    broker: Broker, hub: Hub, settings: AgentSettings
) -> None:
    hub.answer = stored
    broker.stop()
    with Agent(settings) as agent:
        for number in range(500):
            agent.send_readings("m1", [humidity(number)])
        agent.raise_alarm("p7", "safety.manual")
        broker.start()
        hub.wait_until_listening()
        wait_until(lambda: not agent.pending() and not agent.packs_waiting(), "the receipt and the PUBACKs")

    assert hub.heard[0].topic.endswith("/alarm")


def test_an_alarm_amid_a_flood_of_readings_does_not_wait_for_its_end(
    broker: Broker, hub: Hub, settings: AgentSettings
) -> None:
    hub.answer = stored
    broker.stop()
    with Agent(settings) as agent:
        for number in range(3_000):
            agent.send_readings("m1", [humidity(number)])
        broker.start()
        hub.wait_until_listening()
        wait_until(hub.readings, "the first of the flood")
        agent.raise_alarm("p7", "safety.manual")
        wait_until(lambda: not agent.pending(), "the receipt")
        still_waiting = agent.packs_waiting()
        wait_until(lambda: not agent.packs_waiting(), "the PUBACKs")

    assert still_waiting > 0
    assert len(set(heard_values(hub))) == 3_000


def test_readings_that_the_broker_refuses_do_not_hold_up_the_others(
    hub: Hub, settings: AgentSettings
) -> None:
    with Agent(settings) as agent:
        agent.send_readings("m1", [humidity(1)])
        wait_until(lambda: not agent.packs_waiting(), "the first")
        agent._running().packs.add(DeviceId("m1/no"), b"[]")
        agent.send_readings("m1", [humidity(2)])
        wait_until(lambda: not agent.packs_waiting(), "the others")
        wait_until(lambda: len(hub.readings()) == 2, "what is allowed")

    assert heard_values(hub) == [1, 2]


def test_alarms_are_carried_though_the_readings_file_is_damaged(hub: Hub, settings: AgentSettings) -> None:
    hub.answer = stored
    settings.packs_file.write_bytes(b"not a database" * 1000)

    with Agent(settings) as agent:
        agent.raise_alarm("p7", "safety.manual")
        agent.send_readings("m1", [humidity(57.5)])
        wait_until(lambda: not agent.pending() and not agent.packs_waiting(), "both")
        wait_until(hub.readings, "the readings")

    assert heard_values(hub) == [57.5]


def test_what_cannot_be_said_is_refused_to_whoever_says_it_and_nothing_is_kept(
    settings: AgentSettings,
) -> None:
    with Agent(settings) as agent:
        with pytest.raises(UnwritableRecordError, match="finite number"):
            agent.send_readings("m1", [humidity(1), humidity(float("nan"))])
        with pytest.raises(DeviceIdError, match="no device id"):
            agent.send_readings("M1", [humidity(1)])

        assert agent.packs_waiting() == 0


def test_an_agent_that_does_not_run_takes_no_readings(settings: AgentSettings) -> None:
    with pytest.raises(AgentStoppedError):
        Agent(settings).send_readings("m1", [humidity(1)])
