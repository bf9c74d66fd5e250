"""The agent against a real Mosquitto: no alarm is let go of before its receipt."""

import json
import re
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from broker.topics import Lane, parse_home_topic, receipt_topic
from devices.agent import Agent, AgentSettings, AgentStoppedError, CredentialsError, DeviceIdError
from devices.agent.topics import alarm_topic, receipt_device, status_topic
from devices.codecs.errors import PayloadError
from devices.codecs.own_json import decode_alarm, decode_status
from devices.kinds import DeviceId
from devices.messages import AlarmMessage, AlarmSignal, Receipt, ReceiptStatus, StatusMessage
from tests.integration.devices.home_kit import (
    AT,
    QUICK,
    Authority,
    Broker,
    Hub,
    SilentBroker,
    stored,
    wait_until,
)


def test_an_alarm_is_repeated_with_the_same_bytes_until_its_receipt_and_then_no_more(
    hub: Hub, settings: AgentSettings
) -> None:
    with Agent(settings) as agent:
        event_id = agent.raise_alarm("p7", "safety.manual", room="bathroom")
        first = hub.wait_for_alarms(4)
        assert [alarm.id for alarm in agent.pending()] == [event_id]

        hub.send("home-1", "p7", stored(first[0]))
        wait_until(lambda: not agent.pending(), "the receipt")
        said = len(hub.alarms())
        time.sleep(2 * QUICK.limit.total_seconds())

    assert set(hub.alarms()) == {first[0]}
    assert decode_alarm(first[0]).id == event_id
    assert len(hub.alarms()) <= said + 1  # one may have been on its way


def test_a_press_says_what_was_pressed_where_and_when(hub: Hub, settings: AgentSettings) -> None:
    with Agent(settings, clock=lambda: AT) as agent:
        event_id = agent.raise_alarm(
            "p7", "safety.fall", text="fell", room="hall", is_test=True, signal=AlarmSignal.CANCELLED
        )
        (payload, *_) = hub.wait_for_alarms(1)

    assert hub.heard[0].topic == "up/home-1/p7/alarm"
    assert decode_alarm(payload) == AlarmMessage(
        id=event_id,
        kind="safety.fall",
        signal=AlarmSignal.CANCELLED,
        sent_at=AT,
        room="hall",
        text="fell",
        is_test=True,
    )


def test_refused_stops_the_repeats_and_reaches_the_caller_with_its_reason(
    hub: Hub, settings: AgentSettings
) -> None:
    told: list[tuple[str, Receipt]] = []
    with Agent(settings, on_receipt=lambda device_id, receipt: told.append((device_id, receipt))) as agent:
        event_id = agent.raise_alarm("p7", "safety.manual")
        hub.wait_for_alarms(1)

        refusal = Receipt(id=event_id, status=ReceiptStatus.REFUSED, at=AT, reason="p7 is not registered")
        hub.send("home-1", "p7", refusal)
        wait_until(lambda: told, "the refusal")
        said = len(hub.alarms())
        time.sleep(2 * QUICK.limit.total_seconds())

        assert told == [("p7", refusal)]
        assert agent.receipts(event_id) == [refusal]
        assert agent.pending() == []
    assert len(hub.alarms()) <= said + 1


def test_later_receipts_are_told_too_and_each_status_once(hub: Hub, settings: AgentSettings) -> None:
    told: list[ReceiptStatus] = []
    with Agent(settings, on_receipt=lambda _device, receipt: told.append(receipt.status)) as agent:
        event_id = agent.raise_alarm("p7", "safety.manual")
        (payload, *_) = hub.wait_for_alarms(1)

        for status in ("stored", "stored", "acknowledged", "stored", "closed"):
            hub.send("home-1", "p7", replace(stored(payload), status=ReceiptStatus(status)))
        wait_until(lambda: ReceiptStatus.CLOSED in told, "the last receipt")

        assert told == [ReceiptStatus.STORED, ReceiptStatus.ACKNOWLEDGED, ReceiptStatus.CLOSED]
        assert [receipt.status for receipt in agent.receipts(event_id)] == told


def test_a_receipt_for_another_device_settles_nothing(hub: Hub, settings: AgentSettings) -> None:
    with Agent(settings) as agent:
        agent.raise_alarm("p7", "safety.manual")
        (payload, *_) = hub.wait_for_alarms(1)

        hub.send("home-1", "p8", stored(payload))
        hub.wait_for_alarms(4)

        assert len(agent.pending()) == 1


def test_what_is_no_receipt_is_passed_over(hub: Hub, settings: AgentSettings) -> None:
    hub.answer = stored
    with Agent(settings) as agent:
        wait_until(lambda: agent.is_connected, "the connection")
        hub._client.publish("down/home-1/p7/receipt", b'{"id": "x", "status": "of a later version"}', qos=1)
        hub._client.publish("down/home-1/p7/receipt", b"\xff", qos=1)

        agent.raise_alarm("p7", "safety.manual")
        wait_until(lambda: not agent.pending(), "the receipt")


def test_a_listener_that_fails_stops_no_alarm(hub: Hub, settings: AgentSettings) -> None:
    hub.answer = stored

    def fail(_device_id: DeviceId, _receipt: Receipt) -> None:
        raise ZeroDivisionError

    with Agent(settings, on_receipt=fail) as agent:
        for _ in range(3):
            agent.raise_alarm("p7", "safety.manual")
        wait_until(lambda: not agent.pending(), "three receipts")


def test_a_press_while_the_broker_is_down_at_start_arrives_when_it_comes_up(
    broker: Broker, settings: AgentSettings, authority: Authority
) -> None:
    broker.stop()
    with Agent(settings) as agent:
        event_id = agent.raise_alarm("p7", "safety.manual")
        assert not agent.is_connected

        broker.start()
        hub = Hub(broker, authority.credentials("hub"))
        hub.answer = stored
        hub.start()
        wait_until(lambda: not agent.pending(), "the receipt")
        hub.stop()

    assert {decode_alarm(payload).id for payload in hub.alarms()} == {event_id}


def test_after_a_reconnect_an_unanswered_alarm_is_said_at_once(
    broker: Broker, hub: Hub, settings: AgentSettings
) -> None:
    never = replace(QUICK, first=timedelta(hours=1), limit=timedelta(hours=1))
    with Agent(replace(settings, repeat=never)) as agent:
        agent.raise_alarm("p7", "safety.manual")
        hub.wait_for_alarms(1)

        broker.stop()
        wait_until(lambda: not agent.is_connected, "the loss")
        broker.start()

        wait_until(lambda: len(hub.alarms()) >= 2, "the alarm again")

    assert len(set(hub.alarms())) == 1


def test_a_session_outlives_the_connection_so_that_receipts_wait_for_us(
    hub: Hub, settings: AgentSettings
) -> None:
    told: list[Receipt] = []
    with Agent(settings) as agent:
        agent.raise_alarm("p7", "safety.manual")
        (payload, *_) = hub.wait_for_alarms(1)

    hub.send("home-1", "p7", stored(payload))
    with Agent(settings, on_receipt=lambda _device, receipt: told.append(receipt)) as agent:
        wait_until(lambda: told, "the receipt that waited")

    assert told == [stored(payload)]


def test_what_was_unanswered_when_the_agent_stopped_is_said_at_the_next_start(
    hub: Hub, settings: AgentSettings
) -> None:
    with Agent(settings) as agent:
        agent.raise_alarm("p7", "safety.manual")
        (payload, *_) = hub.wait_for_alarms(1)

    said = len(hub.alarms())
    with Agent(settings):
        assert hub.wait_for_alarms(said + 1)[-1] == payload


def test_a_hub_speaks_for_the_devices_behind_it(hub: Hub, settings: AgentSettings) -> None:
    hub.answer = stored
    told: list[str] = []
    with Agent(settings, on_receipt=lambda device_id, _receipt: told.append(device_id)) as agent:
        ids = {agent.raise_alarm(device, "safety.manual") for device in ("p7", "smoke-1", "home-1")}
        wait_until(lambda: len(told) == 3, "three receipts")

    assert sorted(told) == ["home-1", "p7", "smoke-1"]
    assert {decode_alarm(payload).id for payload in hub.alarms()} == ids
    assert {heard.topic for heard in hub.heard} == {f"up/home-1/{device}/alarm" for device in told}


def test_an_alarm_is_never_overtaken_by_its_own_clearing(
    broker: Broker, hub: Hub, settings: AgentSettings
) -> None:
    broker.stop()
    with Agent(settings) as agent:
        ids = [agent.raise_alarm("p7", "fire.stove", text=str(number)) for number in range(50)]
        broker.start()
        hub.wait_until_listening()
        hub.wait_for_alarms(50)

    firsts = list(dict.fromkeys(decode_alarm(payload).id for payload in hub.alarms()))
    assert firsts == ids


def test_presses_from_several_threads_all_get_ids_of_their_own(hub: Hub, settings: AgentSettings) -> None:
    hub.answer = stored
    ids: list[str] = []
    with Agent(settings) as agent:
        threads = [
            threading.Thread(
                target=lambda: ids.extend(agent.raise_alarm("p7", "safety.manual") for _ in range(50))
            )
            for _ in range(4)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        wait_until(lambda: not agent.pending(), "200 receipts")

    assert len(set(ids)) == 200
    assert {decode_alarm(payload).id for payload in hub.alarms()} == set(ids)


def test_a_status_is_said_once_and_an_empty_one_is_a_heartbeat(hub: Hub, settings: AgentSettings) -> None:
    message = StatusMessage(battery_percent=12.5, has_mains=False, link="fibre")
    with Agent(settings) as agent:
        agent.send_status("p7", message)
        agent.send_status("p7")
        wait_until(lambda: len(hub.heard) == 2, "two status messages")

    assert {heard.topic for heard in hub.heard} == {"up/home-1/p7/status"}
    assert [decode_status(heard.payload) for heard in hub.heard] == [message, StatusMessage()]


def test_too_many_status_messages_push_out_the_oldest_and_never_an_alarm(
    broker: Broker, hub: Hub, settings: AgentSettings
) -> None:
    hub.answer = stored
    broker.stop()
    with Agent(replace(settings, statuses_waiting=3)) as agent:
        event_id = agent.raise_alarm("p7", "safety.manual")
        for percent in range(10):
            agent.send_status("p7", StatusMessage(battery_percent=percent))
        broker.start()
        hub.wait_until_listening()
        wait_until(lambda: not agent.pending() and not agent.statuses_waiting(), "the receipt")
        wait_until(lambda: len(hub.heard) >= 4, "the status messages")

    statuses = [decode_status(heard.payload) for heard in hub.heard if heard.topic.endswith("/status")]
    assert [status.battery_percent for status in statuses] == [7, 8, 9]
    assert {decode_alarm(payload).id for payload in hub.alarms()} == {event_id}


def test_when_the_file_is_full_alarms_are_sent_from_memory_and_none_is_dropped(
    broker: Broker, hub: Hub, settings: AgentSettings
) -> None:
    broker.stop()
    with Agent(replace(settings, store_max_bytes=1)) as agent:
        ids = [agent.raise_alarm("p7", "safety.manual", text="x" * 900) for _ in range(100)]
        assert [alarm.id for alarm in agent.pending()] == ids

        hub.answer = stored
        broker.start()
        wait_until(lambda: not agent.pending(), "all receipts")

    assert {decode_alarm(payload).id for payload in hub.alarms()} == set(ids)


def test_the_client_id_is_the_name_and_128_bits_that_stay_the_same(
    silent_broker: SilentBroker, settings: AgentSettings
) -> None:
    heard = []
    for _ in range(2):
        with Agent(replace(settings, port=silent_broker.port, connect_timeout=timedelta(seconds=0.5))):
            heard.append(silent_broker.next_connect())

    ids = {re.findall(rb"home-1-[0-9a-f]{32}", connect)[0] for connect in heard}
    assert len(ids) == 1


def test_two_homes_never_share_a_session(settings_for: Callable[[str], AgentSettings]) -> None:
    with Agent(settings_for("home-1")) as one, Agent(settings_for("home-2")) as other:
        wait_until(lambda: one.is_connected and other.is_connected, "both connections")


def test_a_broker_with_a_certificate_of_another_authority_hears_nothing(
    tmp_path: Path, hub: Hub, settings: AgentSettings
) -> None:
    stranger = Authority(tmp_path / "stranger").credentials("home-1")
    distrusting = replace(settings.credentials, ca_file=stranger.ca_file)
    with Agent(replace(settings, credentials=distrusting)) as agent:
        agent.raise_alarm("p7", "safety.manual")
        time.sleep(0.5)

        assert not agent.is_connected
        assert hub.heard == []


def test_a_missing_credential_is_named_before_anything_starts(
    tmp_path: Path, settings: AgentSettings
) -> None:
    lacking = replace(settings.credentials, key_file=tmp_path / "key.pem")

    with pytest.raises(CredentialsError, match=r"key\.pem: there is no such file"):
        Agent(replace(settings, credentials=lacking)).start()


def test_a_stopped_agent_says_that_it_keeps_nothing(settings: AgentSettings) -> None:
    with pytest.raises(AgentStoppedError, match="not running"):
        Agent(settings).raise_alarm("p7", "safety.manual")


def test_what_no_hub_could_read_fails_at_the_press_and_is_not_repeated_for_ever(
    settings: AgentSettings,
) -> None:
    with Agent(settings) as agent:
        with pytest.raises(PayloadError, match="kind"):
            agent.raise_alarm("p7", " ")
        with pytest.raises(PayloadError, match="at most 16384"):
            agent.send("p7", AlarmMessage(id="", kind="safety.manual", data={"x": "y" * 20_000}))
        with pytest.raises(DeviceIdError, match=r"p7/\.\./p8"):
            agent.raise_alarm("p7/../p8", "safety.manual")

        assert agent.pending() == []


def test_stopping_is_quick_while_the_broker_is_away(broker: Broker, settings: AgentSettings) -> None:
    broker.stop()
    slow = replace(QUICK, first=timedelta(minutes=1), limit=timedelta(minutes=1), jitter=0.0)
    agent = Agent(replace(settings, reconnect=slow))
    agent.start()
    time.sleep(0.1)

    before = time.monotonic()
    agent.stop()

    assert time.monotonic() - before < 1


def test_a_press_shortens_the_wait_for_the_next_try(broker: Broker, settings: AgentSettings) -> None:
    broker.stop()
    waits_long = replace(QUICK, first=timedelta(seconds=0.2), limit=timedelta(hours=1), jitter=0.0)
    with Agent(replace(settings, reconnect=waits_long)) as agent:
        time.sleep(1.5)  # the next try is now more than a second away
        broker.start()
        agent.raise_alarm("p7", "safety.manual")

        before = time.monotonic()
        wait_until(lambda: agent.is_connected, "the connection")

    assert time.monotonic() - before < 1


def test_a_line_that_takes_bytes_and_says_nothing_is_given_up(settings: AgentSettings) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        patient = replace(settings, host="127.0.0.1", port=port, connect_timeout=timedelta(seconds=0.3))
        with Agent(patient):
            first, _ = silent.accept()
            second, _ = silent.accept()  # it came back
            first.close()
            second.close()


def test_a_broker_that_takes_the_connection_and_says_nothing_is_given_up(
    silent_broker: SilentBroker, settings: AgentSettings
) -> None:
    patience = timedelta(seconds=0.5)
    with Agent(replace(settings, port=silent_broker.port, connect_timeout=patience)):
        assert silent_broker.next_connect() == silent_broker.next_connect()


def test_the_topics_are_those_of_the_contract() -> None:
    home, device = DeviceId("hub-1"), DeviceId("p7")

    for topic, lane in ((alarm_topic(home, device), Lane.ALARM), (status_topic(home, device), Lane.STATUS)):
        read = parse_home_topic(topic)
        assert (read.client_id, read.device_id, read.lane) == (home, device, lane)
    assert receipt_device(receipt_topic(home, device)) == device
    assert receipt_device("down/hub-1/p7/command") is None


def test_every_alarm_of_a_flood_is_answered_and_said_about_once(hub: Hub, settings: AgentSettings) -> None:
    hub.answer = stored
    patient = replace(QUICK, first=timedelta(seconds=20), limit=timedelta(seconds=20))
    with Agent(replace(settings, repeat=patient)) as agent:
        ids = [agent.raise_alarm("p7", "safety.manual") for _ in range(500)]
        wait_until(lambda: not agent.pending(), "500 receipts")

    said = Counter(json.loads(payload)["id"] for payload in hub.alarms())
    assert said == Counter(ids)
