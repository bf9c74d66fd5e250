"""The simulated town on a real Mosquitto: everything planned is said, every press is receipted."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from threading import Event

import pytest

from devices.agent import AgentSettings
from devices.codecs.errors import PayloadError
from devices.codecs.own_json import decode_alarm
from devices.messages import Receipt
from devices.simulator import (
    Action,
    Day,
    Fault,
    Fleet,
    News,
    Press,
    Publish,
    Receipted,
    Sent,
    SimulatedHome,
    Status,
    day_plan,
    settings_in,
    town,
)
from tests.integration.devices.home_kit import QUICK, Authority, Broker, Hub, stored, wait_until

HOMES = town("t", 4)
DAY = Day(
    length=timedelta(seconds=1.5),
    presses_per_home=5,
    faults_per_home=dict.fromkeys((Fault.DUPLICATE, Fault.MALFORMED, Fault.OTHER_BODY, Fault.RETAINED), 1.5),
)


def stored_if_readable(payload: bytes) -> Receipt | None:
    try:
        return stored(payload)
    except PayloadError:
        return None


@pytest.fixture
def news() -> list[News]:
    return []


@pytest.fixture
def fleet(tmp_path: Path, authority: Authority, broker: Broker, news: list[News]) -> Iterator[Fleet]:
    folder = authority.credentials("hub").ca_file.parents[1]
    for home in HOMES:
        authority.credentials(home.client_id)
    from_folder = settings_in(folder, host="localhost", port=broker.port, stores=tmp_path)

    def settings_for(home: SimulatedHome) -> AgentSettings:
        return replace(from_folder(home), repeat=QUICK, reconnect=QUICK)

    with Fleet(HOMES, settings_for=settings_for, on_news=news.append) as fleet:
        yield fleet


def test_every_press_of_a_day_is_sent_and_receipted_and_told(
    hub: Hub, fleet: Fleet, news: list[News]
) -> None:
    hub.answer = stored_if_readable
    plan = list(day_plan("1", HOMES, DAY))

    fleet.play(plan, Event())
    wait_until(lambda: fleet.pending() == 0, "all receipts")

    sent = [one for one in news if isinstance(one, Sent)]
    assert [one.action for one in sent] == plan
    pressed = [(one.action.device_id, one.event_id) for one in sent if isinstance(one.action, Press)]
    receipted = [one for one in news if isinstance(one, Receipted)]
    assert Counter((one.device_id, one.receipt.id) for one in receipted) == Counter(pressed)
    assert all(one.since_press and one.since_press > timedelta(0) for one in receipted)
    assert fleet.connected == len(HOMES)


def test_what_is_published_past_the_agent_arrives_as_it_stands(hub: Hub, fleet: Fleet) -> None:
    hub.answer = stored_if_readable
    plan: list[Action] = [action for action in day_plan("1", HOMES, DAY) if isinstance(action, Publish)]

    fleet.play(plan, Event())
    wait_until(lambda: len(hub.heard) >= len(plan), "every message")

    expected = Counter(action.payload for action in plan if isinstance(action, Publish))
    assert Counter(hub.alarms()) == expected
    assert {action.fault for action in plan} == set(DAY.faults_per_home)


def test_status_messages_are_said_for_every_device(hub: Hub, fleet: Fleet) -> None:
    first_of_each: dict[str, Action] = {}
    for action in day_plan("1", HOMES, Day(length=timedelta(days=1), presses_per_home=0)):
        if isinstance(action, Status):
            first_of_each.setdefault(action.device_id, action)

    for action in first_of_each.values():
        fleet.do(action)
    wait_until(lambda: len(hub.heard) >= len(first_of_each), "every status")

    assert {heard.topic for heard in hub.heard} == {
        f"up/{action.client_id}/{action.device_id}/status" for action in first_of_each.values()
    }


def test_playing_ends_when_it_is_told_to(fleet: Fleet) -> None:
    stop = Event()
    stop.set()

    fleet.play(day_plan("1", HOMES, Day(length=timedelta(days=1))), stop)


def test_without_a_receipt_the_alarm_stays_pending_in_the_count(hub: Hub, fleet: Fleet) -> None:
    (press, *_) = (action for action in day_plan("1", HOMES, DAY) if isinstance(action, Press))

    fleet.do(press)
    hub.wait_for_alarms(2)

    assert fleet.pending() == 1
    assert {decode_alarm(payload).kind for payload in hub.alarms()} == {press.kind}
