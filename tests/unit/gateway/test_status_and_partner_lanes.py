"""What the status and partner lanes make of an envelope: taken, or kept aside with the reason."""

import json
from typing import Any

import pytest

from gateway.lanes import REPLY_EXPIRY, RETAINED, PartnerLane, StatusLane
from services.store import status
from tests.support.lanes import counted, handled, quarantined
from tests.support.sessions import envelope
from tests.support.town import Town


@pytest.fixture
def status_lane(town: Town) -> StatusLane:
    return StatusLane(profiles=town.profiles, clock=town.clock)


@pytest.mark.parametrize("payload", [b"", {"battery_percent": 12}], ids=["heartbeat", "battery"])
def test_a_status_is_stored_without_a_receipt(
    town: Town, status_lane: StatusLane, payload: bytes | dict[str, Any]
) -> None:
    answers = handled(town, status_lane, "up/hub-1/p-1/status", payload)

    known = status.of_device(town.connection, "p-1")
    assert answers == []
    assert known is not None
    assert known.last_seen_at == town.now
    assert counted(town, "status") == {"received": 1, "stored": 1}


@pytest.mark.parametrize(
    ("topic", "payload", "is_retained", "reason"),
    [
        ("up/p-1/p-1/status", b"{", False, "not JSON"),
        ("up/p-1/p-1/status", b'{"battery_percent": 101}', False, "battery_percent is not a number"),
        ("up/hub-1/p-2/status", b"", False, "device p-2 is not registered in this home"),
        ("up/p-1/p-1/status", b"", True, RETAINED),
        ("up/P/p-1/status", b"", False, "Cannot read topic"),
    ],
)
def test_a_status_that_cannot_be_taken_is_kept_and_raises_nothing(
    town: Town,
    status_lane: StatusLane,
    topic: str,
    payload: bytes,
    is_retained: bool,  # noqa: FBT001 - a case
    reason: str,
) -> None:
    answers = handled(town, status_lane, topic, payload, is_retained=is_retained)

    [item] = quarantined(town)
    assert (item.lane, item.topic) == ("status", topic)
    assert reason in item.reason
    assert (answers, town.alarms()) == ([], [])
    assert status.of_device(town.connection, "p-1") is None
    assert counted(town, "status") == {"received": 1, "quarantined": 1}


@pytest.fixture
def partner_lane(town: Town) -> PartnerLane:
    return PartnerLane(clock=town.clock)


def test_an_action_is_answered_on_the_organisations_reply_topic_while_it_is_of_use(
    town: Town, partner_lane: PartnerLane
) -> None:
    town.grant("acme")
    alarm = town.press()
    ask = {"request": "r1", "action": "acknowledge", "alarm": alarm.id, "by": "Eva"}

    [answer] = handled(town, partner_lane, "care/acme/action", ask)

    assert (answer.topic, answer.expiry) == ("care/acme/reply", REPLY_EXPIRY)
    assert json.loads(answer.payload) == {"request": "r1", "ok": True}


def test_a_refused_action_is_answered_too(town: Town, partner_lane: PartnerLane) -> None:
    [answer] = handled(town, partner_lane, "care/acme/action", b"{")

    assert json.loads(answer.payload)["error"]["code"] == "unreadable"


def test_an_organisation_that_is_not_registered_gets_no_answer(town: Town, partner_lane: PartnerLane) -> None:
    assert handled(town, partner_lane, "care/eve/action", {"request": "r", "action": "received"}) == []


def test_every_action_is_counted_stored_duplicate_or_kept_aside(
    town: Town, partner_lane: PartnerLane
) -> None:
    town.grant("acme")
    ask = {"request": "r1", "action": "acknowledge", "alarm": town.press().id}

    for topic, payload in (
        ("care/acme/action", json.dumps(ask).encode()),
        ("care/acme/action", json.dumps(ask).encode()),
        ("care/acme/action", b"{"),
        ("care/eve/action", json.dumps(ask).encode()),
    ):
        handled(town, partner_lane, topic, payload)

    assert counted(town, "action") == {"received": 4, "stored": 1, "duplicate": 1, "quarantined": 2}
    assert [item.client_id for item in quarantined(town)] == ["acme", "eve"]


def test_an_action_set_aside_by_the_intake_is_kept(town: Town, partner_lane: PartnerLane) -> None:
    item = envelope("care/acme/action", b"{}")

    answers = town.commit(lambda connection: partner_lane.set_aside(connection, item, "internal error"))

    [kept] = quarantined(town)
    assert answers == []
    assert (kept.lane, kept.client_id, kept.reason) == ("action", "acme", "internal error")
