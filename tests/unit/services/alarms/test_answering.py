"""Acknowledge, close, comment: who may, who was first, and what everyone else hears of it."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import Any

import pytest

from devices.messages import ReceiptStatus
from services.alarms import answering
from services.domain.alarm_states import AlarmState, ImpossibleChangeError
from services.domain.alarms import Alarm, DeliveryState
from services.domain.errors import AlreadyAcknowledgedError, NotGrantedError, UnknownError
from services.store import audit, overview
from tests.support.town import Town

Answer = Callable[[Town, str | None, Alarm], Alarm]

ANSWERS: list[Answer] = [
    Town.acknowledge,
    Town.close,
    lambda town, organisation_id, alarm: town.comment(organisation_id, alarm, "x"),
]
every_answer = pytest.mark.parametrize("answer", ANSWERS, ids=["acknowledge", "close", "comment"])


def told_to(town: Town, *organisation_ids: str) -> Alarm:
    """An alarm that these organisations have been told of."""
    for organisation_id in organisation_ids:
        town.grant(organisation_id)
    return town.press()


def states(town: Town, organisation_id: str) -> list[tuple[str, str]]:
    """Type and state of an organisation's deliveries, oldest first."""
    records = overview.deliveries(town.connection, organisation_id=organisation_id, limit=100)
    return [(record.type.value, record.state.value) for record in reversed(records)]


def test_acknowledging_says_who_and_when_and_everyone_told_hears_it(town: Town) -> None:
    alarm = told_to(town, "acme", "beta")
    town.clock.advance(timedelta(seconds=9))

    answered = town.acknowledge("acme", alarm, note="on our way")

    assert answered.state is AlarmState.ACKNOWLEDGED
    assert answered.acknowledgement is not None
    assert (answered.acknowledgement.person, answered.acknowledgement.organisation_name) == (
        "operator-17",
        "Acme AB",
    )
    assert answered.acknowledgement.at == town.now
    for name in ("acme", "beta"):
        told = town.channel.told(name)[-1]
        assert (told.notice.type, told.notice.by, told.notice.note) == (
            "acknowledged",
            "operator-17 (Acme AB)",
            "on our way",
        )


def test_of_two_who_acknowledge_at_the_same_moment_one_wins_and_the_other_hears_who_and_when(
    town: Town,
) -> None:
    alarm = told_to(town, "acme", "beta")
    acknowledge = partial(answering.acknowledge, alarm_id=alarm.id, now=town.now)

    with town.connection.transaction():  # both in one group commit
        acknowledge(town.connection, actor=town.actor("acme", "Eva"))
        with pytest.raises(AlreadyAcknowledgedError) as caught, town.connection.savepoint():
            acknowledge(town.connection, actor=town.actor("beta", "Bo"))

    answer = town.alarm(alarm.id).acknowledgement
    assert answer is not None
    assert answer.person == "Eva"
    assert (caught.value.by, caught.value.organisation, caught.value.at) == ("Eva", "Acme AB", town.now)
    assert str(caught.value) == "Already acknowledged by Eva of Acme AB at 2026-11-23T08:15:02.120Z"
    assert caught.value.code == "already_acknowledged"


def test_acknowledging_twice_oneself_is_no_second_answer(town: Town) -> None:
    alarm = told_to(town, "acme")
    town.acknowledge("acme", alarm)

    with pytest.raises(AlreadyAcknowledgedError):
        town.acknowledge("acme", alarm)

    assert town.types_told("acme") == ["raised", "acknowledged"]


def test_the_operator_of_the_hub_answers_without_a_grant(town: Town) -> None:
    alarm = told_to(town, "acme")

    answered = town.acknowledge(None, alarm)

    assert answered.acknowledgement is not None
    assert answered.acknowledgement.organisation_id is None
    assert town.channel.told("acme")[-1].notice.by == "operator-17 (the city's operator)"
    with pytest.raises(AlreadyAcknowledgedError, match="operator-17 of "):
        town.acknowledge("acme", alarm)


def test_closing_before_anybody_acknowledged_is_refused_and_says_what_is_allowed(town: Town) -> None:
    alarm = told_to(town, "acme")

    with pytest.raises(ImpossibleChangeError) as caught:
        town.close("acme", alarm)

    assert str(caught.value) == (
        f"Alarm {alarm.id} is raised, so close cannot happen to it; "
        "allowed now: repeat, call, clear, acknowledge"
    )
    assert town.alarm(alarm.id).state is AlarmState.RAISED


def test_closing_ends_the_case_and_everyone_told_hears_it(town: Town) -> None:
    alarm = told_to(town, "acme", "beta")
    town.acknowledge("acme", alarm)

    closed = town.close("beta", alarm)

    assert (closed.state, closed.closed_at) == (AlarmState.CLOSED, town.now)
    assert town.types_told("acme") == town.types_told("beta") == ["raised", "acknowledged", "closed"]
    assert town.timers_of(alarm) == {}


@every_answer
def test_nothing_can_be_done_to_a_closed_alarm(town: Town, answer: Answer) -> None:
    alarm = told_to(town, "acme")
    town.acknowledge("acme", alarm)
    town.close("acme", alarm)

    with pytest.raises(ImpossibleChangeError, match=r"is closed.*nothing, it is over"):
        answer(town, "acme", alarm)

    assert town.types_told("acme") == ["raised", "acknowledged", "closed"]


@every_answer
def test_who_was_not_told_gets_the_same_answer_as_for_what_does_not_exist(town: Town, answer: Answer) -> None:
    foreign = told_to(town, "acme")
    missing = _renamed(foreign, "0192aaaa-0000-7000-8000-000000000000")

    sentences = []
    for alarm in (foreign, missing):
        with pytest.raises(NotGrantedError) as caught:
            answer(town, "beta", alarm)
        sentences.append(str(caught.value))

    assert sentences == ["Organisation 'beta' has no grant for this alarm, or it does not exist"] * 2


@every_answer
def test_a_grant_alone_is_not_enough_before_the_chain_has_come_that_far(town: Town, answer: Answer) -> None:
    town.grant("beta", step=2)
    alarm = told_to(town, "acme")

    with pytest.raises(NotGrantedError):
        answer(town, "beta", alarm)


@every_answer
def test_a_grant_that_came_after_the_alarm_is_not_enough_to_answer_what_one_was_not_told(
    town: Town, answer: Answer
) -> None:
    alarm = told_to(town, "acme")
    town.grant("beta")

    with pytest.raises(NotGrantedError):
        answer(town, "beta", alarm)


@every_answer
def test_who_was_told_may_do_nothing_once_the_grant_is_withdrawn(town: Town, answer: Answer) -> None:
    grant = town.grant("acme")
    alarm = town.press()
    town.revoke(grant)

    with pytest.raises(NotGrantedError):
        answer(town, "acme", alarm)


def test_the_city_may_answer_what_was_escalated_to_it_and_nothing_else(town: Town) -> None:
    town.add_city()
    town.grant("acme")
    alarm = town.press()

    with pytest.raises(NotGrantedError):
        town.acknowledge("the-city", alarm)
    town.wait(60)

    assert town.acknowledge("the-city", alarm).state is AlarmState.ACKNOWLEDGED


def test_to_the_operator_an_unknown_alarm_is_unknown(town: Town) -> None:
    alarm = _renamed(town.press(), "nothing")

    with pytest.raises(UnknownError, match="There is no alarm 'nothing'; see `stadsnav alarm list`"):
        town.acknowledge(None, alarm)


def test_a_comment_is_told_to_everyone_who_knows_and_changes_nothing(town: Town) -> None:
    alarm = told_to(town, "acme", "beta")

    commented = town.comment("acme", alarm, "door code 4711")

    assert commented == alarm
    for name in ("acme", "beta"):
        told = town.channel.told(name)[-1]
        assert (told.notice.type, told.notice.note) == ("updated", "door code 4711")


def test_a_comment_is_not_told_to_who_may_know_no_more(town: Town) -> None:
    grant = town.grant("beta")
    alarm = told_to(town, "acme")
    town.revoke(grant)

    town.comment("acme", alarm, "door code 4711")

    assert town.types_told("beta") == ["raised"]


def test_who_acts_has_evidently_received_what_it_was_sent(town: Town) -> None:
    alarm = told_to(town, "acme", "beta")

    town.acknowledge("acme", alarm)

    assert states(town, "acme") == [("raised", "confirmed"), ("acknowledged", "sent")]
    assert states(town, "beta") == [("raised", "sent"), ("acknowledged", "sent")]


def test_what_was_never_sent_is_not_taken_for_received_when_somebody_acts(town: Town) -> None:
    """A second press in the very commit of the answer: whoever answered has not heard of it."""
    alarm = told_to(town, "acme")
    town.channel.is_up = False
    town.press()

    town.acknowledge("acme", alarm)
    town.channel.is_up = True
    town.turn()

    assert town.types_told("acme") == ["raised", "repeated", "acknowledged"]


def test_confirming_ends_the_repeats_of_that_notice(town: Town) -> None:
    told_to(town, "acme")
    [told] = town.channel.told("acme")

    town.confirm("acme", told.notice.id)
    town.wait(120)

    assert len(town.channel.told("acme")) == 1
    assert states(town, "acme") == [("raised", "confirmed")]


def test_confirming_again_or_late_is_harmless(town: Town) -> None:
    alarm = told_to(town, "acme")
    [told] = town.channel.told("acme")
    town.acknowledge("acme", alarm)
    town.close("acme", alarm)

    replies = [town.confirm("acme", told.notice.id) for _ in range(2)]

    assert [reply["ok"] for reply in replies] == [True, True]


@pytest.mark.parametrize("which", ["another's", "unknown"])
def test_nobody_confirms_what_it_was_not_sent(town: Town, which: str) -> None:
    told_to(town, "acme")
    notice_id = town.channel.told("acme")[0].notice.id if which == "another's" else "nothing"

    reply = town.confirm("beta", notice_id)

    assert reply["error"] == {
        "code": "not_granted",
        "message": "Organisation 'beta' has no grant for this event, or it does not exist",
    }
    assert states(town, "acme") == [("raised", "sent")]


def test_every_answer_is_in_the_audit_log_with_who_and_about_whom(town: Town) -> None:
    alarm = told_to(town, "acme")

    town.acknowledge("acme", alarm)
    town.comment("acme", alarm, "x")
    town.close("acme", alarm)

    entries = [row for row in audit.entries(town.connection) if row.subject == alarm.id]
    assert [(row.actor, row.action, row.organisation_id, row.home_id) for row in entries] == [
        ("operator-17 (Acme AB)", action, "acme", "h-1") for action in ("acknowledged", "commented", "closed")
    ]


def test_the_home_hears_the_public_name_and_never_the_persons(town: Town) -> None:
    alarm = told_to(town, "acme")

    town.acknowledge("acme", alarm)

    [receipt] = town.heard_at_home()
    assert (receipt.status, receipt.by) == (ReceiptStatus.ACKNOWLEDGED, "Acme AB")
    assert b"operator-17" not in town.homes.receipts[0].payload


def test_what_is_on_its_way_about_a_closed_alarm_gives_way_to_the_news_of_the_close(town: Town) -> None:
    alarm = told_to(town, "acme", "beta")
    town.acknowledge("acme", alarm)

    town.close("acme", alarm)

    assert states(town, "beta") == [
        ("raised", DeliveryState.SUPERSEDED),
        ("acknowledged", DeliveryState.SUPERSEDED),
        ("closed", DeliveryState.SENT),
    ]


def _renamed(alarm: Alarm, alarm_id: Any) -> Alarm:
    return replace(alarm, id=alarm_id)
