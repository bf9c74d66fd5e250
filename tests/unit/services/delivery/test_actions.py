"""What partners ask for is carried out once, and answered the same way every time."""

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.delivery.actions import ACTION_MAX_BYTES
from services.domain.alarm_states import AlarmState
from services.domain.alarms import Alarm
from tests.support.town import Town

NOT_GRANTED = {
    "code": "not_granted",
    "message": "Organisation 'acme' has no grant for this alarm, or it does not exist",
}


@pytest.fixture
def alarm(town: Town) -> Alarm:
    """An alarm that acme and beta have been told of."""
    town.grant("acme")
    town.grant("beta")
    return town.press()


def asking(alarm: Alarm, action: str = "acknowledge", request: str = "r1", **more: Any) -> dict[str, Any]:
    return {"request": request, "action": action, "alarm": alarm.id, "by": "operator-17", **more}


def test_a_case_goes_from_received_to_closed(town: Town, alarm: Alarm) -> None:
    [told] = town.channel.told("acme")

    replies = [
        town.ask("acme", {"request": "r1", "action": "received", "event": told.notice.id}),
        town.ask("acme", asking(alarm, request="r2")),
        town.ask("acme", asking(alarm, "comment", "r3", note="on our way")),
        town.ask("acme", asking(alarm, "close", "r4")),
    ]

    assert replies == [{"request": f"r{number}", "ok": True} for number in range(1, 5)]
    assert town.types_told("beta") == ["raised", "acknowledged", "updated", "closed"]


def test_the_same_request_again_gets_the_same_reply_and_has_no_second_effect(
    town: Town, alarm: Alarm
) -> None:
    first = town.ask_raw("acme", asking(alarm, "comment", note="x"))
    told = len(town.channel.events)

    again = town.ask_raw("acme", asking(alarm, "comment", note="x"))

    assert (again, len(town.channel.events)) == (first, told)


def test_a_request_keeps_its_reply_also_when_the_world_has_changed(town: Town, alarm: Alarm) -> None:
    refused = town.ask_raw("acme", asking(alarm, "close", "r1"))
    town.ask("acme", asking(alarm, "acknowledge", "r2"))

    again = town.ask_raw("acme", asking(alarm, "close", "r1"))

    assert refused is not None
    assert b"impossible_change" in refused
    assert again == refused
    assert town.alarm(alarm.id).state is AlarmState.ACKNOWLEDGED


def test_a_request_of_another_organisation_is_another_request(town: Town, alarm: Alarm) -> None:
    town.ask("acme", asking(alarm))

    reply = town.ask("beta", asking(alarm))

    assert reply["error"]["code"] == "already_acknowledged"


def test_who_comes_second_hears_who_was_first_and_when(town: Town, alarm: Alarm) -> None:
    town.ask("acme", asking(alarm, by="Eva"))

    reply = town.ask("beta", asking(alarm, by="Bo"))

    assert reply == {
        "request": "r1",
        "ok": False,
        "error": {
            "code": "already_acknowledged",
            "message": "Already acknowledged by Eva of Acme AB at 2026-11-23T08:15:02.120Z",
            "by": "Eva",
            "organisation": "Acme AB",
            "at": "2026-11-23T08:15:02.120Z",
        },
    }


@pytest.mark.parametrize("action", ["acknowledge", "close", "comment"])
def test_a_foreign_alarm_and_one_that_does_not_exist_get_the_same_answer(town: Town, action: str) -> None:
    town.grant("beta")
    foreign = town.press()

    replies = [
        town.ask("acme", {"request": request, "action": action, "alarm": alarm_id})
        for request, alarm_id in (("r1", foreign.id), ("r2", "0192aaaa"))
    ]

    assert [reply["error"] for reply in replies] == [NOT_GRANTED, NOT_GRANTED]


def test_a_refused_action_leaves_nothing_of_itself_behind(town: Town, alarm: Alarm) -> None:
    told = len(town.channel.events)

    reply = town.ask("acme", asking(alarm, "close"))

    assert reply["error"]["code"] == "impossible_change"
    assert (town.alarm(alarm.id), len(town.channel.events)) == (alarm, told)


@pytest.mark.parametrize(
    ("payload", "request_id"),
    [
        (b"", None),
        (b"{", None),
        (b"\xff\xfe", None),
        (b"[]", None),
        (b"null", None),
        (b"7", None),
        (b'{"request": "r9"}', "r9"),
        (b'{"request": "r9", "action": "dance"}', "r9"),
        (b'{"request": "r9", "action": "close", "alarm": 7}', "r9"),
        (b'{"request": "r9", "action": "close", "alarm": ""}', "r9"),
        (b'{"request": "r9", "action": "close", "alarm": "x", "note": "' + b"n" * 2_001 + b'"}', "r9"),
        (b'{"request": 9, "action": "close", "alarm": "x"}', None),
        (b'{"request": "", "action": "close", "alarm": "x"}', ""),
        (b"[" * 100_000, None),
        (b"[" * 9_000, None),
        (b'{"x": ' + b"[" * 8_000 + b"]" * 8_000 + b"}", None),
        (b" " * (ACTION_MAX_BYTES + 1), None),
    ],
    ids=lambda value: repr(value)[:40],
)
def test_what_is_no_action_is_answered_unreadable_with_the_request_where_one_can_be_read(
    town: Town, payload: bytes, request_id: str | None
) -> None:
    reply = town.ask("acme", payload)

    assert (reply["request"], reply["ok"], reply["error"]["code"]) == (request_id, False, "unreadable")
    assert reply["error"]["message"].startswith("Cannot read the action: ")


def test_an_unknown_verb_is_told_which_word_was_not_understood(town: Town) -> None:
    reply = town.ask("acme", {"request": "r1", "action": "dance", "alarm": "x"})

    assert "'dance'" in reply["error"]["message"]


@pytest.mark.parametrize(
    ("action", "missing"),
    [("received", "event"), ("acknowledge", "alarm"), ("close", "alarm"), ("comment", "alarm")],
)
def test_an_action_that_names_nothing_is_told_what_it_lacks(town: Town, action: str, missing: str) -> None:
    reply = town.ask("acme", {"request": "r1", "action": action})

    assert reply["error"]["code"] == "invalid"
    assert f"Cannot use 'None' as {missing}: expected" in reply["error"]["message"]


def test_members_that_we_do_not_know_are_passed_over(town: Town, alarm: Alarm) -> None:
    assert town.ask("acme", asking(alarm, colour="green", at={"x": [1]}))["ok"]


def test_an_action_without_request_is_carried_out_and_answered(town: Town, alarm: Alarm) -> None:
    reply = town.ask("acme", {"action": "acknowledge", "alarm": alarm.id})

    assert reply == {"request": None, "ok": True}
    assert town.alarm(alarm.id).state is AlarmState.ACKNOWLEDGED


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(payload=st.binary(max_size=200) | st.text('{}[]":,requstacino0129 \\u', max_size=80).map(str.encode))
def test_any_bytes_get_an_answer(town: Town, payload: bytes) -> None:
    assert json.loads(town.ask_raw("acme", payload))["ok"] is False


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    members=st.dictionaries(
        st.sampled_from(["request", "action", "event", "alarm", "by", "note", "x"]),
        st.sampled_from(["received", "acknowledge", "close", "comment", "r1"])
        | st.none()
        | st.integers()
        | st.text(max_size=5),
    )
)
def test_any_object_gets_an_answer_to_its_request(town: Town, members: dict[str, Any]) -> None:
    reply = town.ask("acme", members)

    asked = members.get("request")
    assert reply["ok"] is False
    assert reply["request"] == (asked if isinstance(asked, str) else None)
