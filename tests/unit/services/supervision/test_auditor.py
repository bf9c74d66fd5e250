"""The look over the hub's own shoulder: what is wrong is said once, shown, and mended."""

from datetime import timedelta
from functools import partial

import pytest

from services.alarms import opening
from services.domain.alarm_states import AlarmState
from services.domain.alarms import Alarm
from services.store import alarms as alarm_rows
from services.store import status
from services.store.alarms import TimerKind
from services.supervision import auditor
from services.supervision.auditor import (
    ABANDONED,
    ANSWER_WITHDRAWN,
    HEARD_WITHIN,
    LATE_AFTER,
    LATE_TIMER,
    NEWS_FOR,
    NO_NEXT_STEP,
    UNHEARD,
    Findings,
)
from tests.support.town import Town

NOTHING = Findings(without_next_step=(), answered_without_right=(), late=())
INSTANT = timedelta(microseconds=1)


def look(town: Town) -> Findings:
    return auditor.look(town.connection, now=town.now)


def report(town: Town, findings: Findings) -> list[str]:
    return town.commit(partial(auditor.report, findings=findings, now=town.now))


def faults(town: Town) -> list[tuple[str, str]]:
    return [(fault.code, fault.subject) for fault in status.open_faults(town.connection)]


def take_its_timer(town: Town, alarm: Alarm) -> None:
    """What must never happen."""
    town.write(partial(alarm_rows.stop_timers, alarm_id=alarm.id))


def test_a_town_in_order_gives_nothing_to_say(town: Town) -> None:
    town.add_city()
    for organisation_id in ("acme", "beta"):
        town.grant(organisation_id)
    town.acknowledge("acme", town.press())
    town.press("p-2")

    assert look(town) == NOTHING
    assert report(town, NOTHING) == []


def test_an_alarm_whose_timer_has_vanished_is_found_shown_and_goes_on_at_once(town: Town) -> None:
    town.grant("acme")
    town.grant("beta", step=2)
    alarm = town.press()
    take_its_timer(town, alarm)

    findings = look(town)
    sentences = report(town, findings)
    town.turn()

    assert findings.without_next_step == (alarm.id,)
    assert sentences == [f"Alarm {alarm.id} is open and had no next step; it gets one now"]
    assert faults(town) == [(NO_NEXT_STEP, alarm.id)]
    assert town.types_told("beta") == ["raised"]
    assert look(town) == NOTHING


def test_a_fault_is_said_once_and_ends_when_it_is_mended(town: Town) -> None:
    town.grant("acme")
    alarm = town.press()
    take_its_timer(town, alarm)
    findings = look(town)

    said = [report(town, findings), report(town, findings)]
    report(town, look(town))

    assert [len(sentences) for sentences in said] == [1, 0]
    assert faults(town) == []


@pytest.mark.parametrize("state", ["answered", "closed"])
def test_who_was_answered_or_closed_meanwhile_is_left_alone(town: Town, state: str) -> None:
    """The auditor reads beside the writer: what it saw may be over when it reports."""
    town.grant("acme")
    town.grant("beta", step=2)
    alarm = town.press()
    take_its_timer(town, alarm)
    findings = look(town)
    town.acknowledge("acme", alarm)
    if state == "closed":
        town.close("acme", alarm)

    report(town, findings)
    town.turn()

    assert town.types_told("beta") == []
    assert town.alarm(alarm.id).state.value == ("acknowledged" if state == "answered" else "closed")


def test_a_timer_is_late_when_it_is_due_for_longer_than_five_seconds(town: Town) -> None:
    town.grant("acme")
    alarm = town.press()
    town.clock.advance(timedelta(seconds=60) + LATE_AFTER)
    on_time = look(town)

    town.clock.advance(INSTANT)
    findings = look(town)
    [sentence] = report(town, findings)

    assert (on_time, findings.late) == (NOTHING, (alarm.id,))
    assert sentence.startswith(f"The timer of alarm {alarm.id} is late")
    assert faults(town)[-1] == (LATE_TIMER, alarm.id)


@pytest.mark.parametrize("end", ["revoked", "run out"])
def test_the_answer_of_who_may_know_no_more_is_taken_back_and_the_chain_goes_on(town: Town, end: str) -> None:
    grant = town.grant("acme", valid_until=town.now + timedelta(minutes=5))
    town.grant("beta", step=2)
    alarm = town.press()
    town.acknowledge("acme", alarm)
    if end == "revoked":
        town.revoke(grant)
    else:
        town.clock.advance(timedelta(minutes=5))

    findings = look(town)
    [sentence] = report(town, findings)
    town.turn()

    assert findings.answered_without_right == (alarm.id,)
    assert "may not any more" in sentence
    assert faults(town) == [(ANSWER_WITHDRAWN, alarm.id)]
    after = town.alarm(alarm.id)
    assert (after.state, after.acknowledgement) == (AlarmState.RAISED, None)
    assert town.types_told("beta") == ["raised"]


def test_the_answer_just_before_the_grant_ends_still_counts(town: Town) -> None:
    town.grant("acme", valid_until=town.now + timedelta(minutes=5))
    town.acknowledge("acme", town.press())

    town.clock.advance(timedelta(minutes=5) - INSTANT)

    assert look(town) == NOTHING


def test_an_answer_with_another_grant_of_the_same_organisation_counts(town: Town) -> None:
    first = town.grant("acme")
    town.grant("acme")
    town.acknowledge("acme", town.press())

    town.revoke(first)

    assert look(town) == NOTHING


def test_the_answer_of_the_operator_and_of_the_city_always_counts(town: Town) -> None:
    town.add_city()
    by_operator, by_city = town.press("p-1"), town.press("p-2")
    town.acknowledge(None, by_operator)
    town.acknowledge("the-city", by_city)

    town.clock.advance(timedelta(days=1))

    assert look(town) == NOTHING


def test_who_answered_again_after_the_auditor_had_looked_keeps_the_answer(town: Town) -> None:
    grant = town.grant("acme")
    town.grant("beta")
    alarm = town.press()
    town.acknowledge("acme", alarm)
    town.revoke(grant)
    findings = look(town)
    report(town, findings)
    town.acknowledge("beta", alarm)

    report(town, findings)

    assert town.alarm(alarm.id).state is AlarmState.ACKNOWLEDGED


def test_a_put_away_timer_is_a_next_step_too(town: Town) -> None:
    town.say("p-1", "technical.tamper")
    town.clear("p-1", "technical.tamper")
    [alarm] = town.alarms()

    assert town.timers_of(alarm).keys() == {TimerKind.PUT_AWAY}
    assert look(town) == NOTHING


def test_the_news_of_a_conflict_ends_by_itself_after_a_day(town: Town) -> None:
    town.add_city()
    for text in ("one", "two"):
        town.say("p-1", "safety.manual", event_id="e", text=text)
    town.clock.advance(NEWS_FOR)
    report(town, NOTHING)
    before = [code for code, _ in faults(town)]

    town.clock.advance(INSTANT)
    report(town, NOTHING)

    assert (before, faults(town)) == ([opening.CONFLICT], [])


def test_an_alarm_that_nobody_who_was_told_may_know_of_any_more_goes_on_at_once(town: Town) -> None:
    town.grant("acme", valid_until=town.now + timedelta(seconds=20))
    town.grant("beta", step=2)
    alarm = town.press()
    town.confirm_all("acme")  # so that no repeat notices it first
    town.clock.advance(timedelta(seconds=20))

    findings = look(town)
    [sentence] = report(town, findings)
    town.turn()

    assert findings.abandoned == (alarm.id,)
    assert faults(town) == [(ABANDONED, alarm.id)]
    assert sentence.startswith("Nobody who was told of alarm")
    assert town.types_told("beta") == ["raised"]
    assert look(town) == NOTHING


def test_a_city_that_does_not_confirm_what_only_it_was_told_is_said_out_loud(town: Town) -> None:
    town.add_city()
    alarm = town.press()
    town.wait(HEARD_WITHIN.total_seconds())
    on_time = look(town)

    town.clock.advance(INSTANT)
    findings = look(town)
    [sentence] = report(town, findings)
    town.confirm_all("the-city")
    report(town, look(town))

    assert (on_time.unheard, findings.unheard) == ((), (alarm.id,))
    assert "the city does not confirm" in sentence
    assert UNHEARD not in {code for code, _ in faults(town)}
    assert look(town).unheard == ()


def test_a_finding_that_cannot_be_mended_keeps_no_other_from_being_mended(town: Town) -> None:
    grants = [town.grant("acme"), town.grant("acme", home_id="h-2")]
    town.grant("beta", home_id="h-2", step=2)
    broken, sound = town.press("p-1"), town.press("p-2")
    for alarm in (broken, sound):
        town.acknowledge("acme", alarm)
    town.confirm_all("acme")
    for grant in grants:
        town.revoke(grant)
    findings = look(town)
    town.write(lambda connection: connection.run("UPDATE alarms SET voice = '{' WHERE id = ?", broken.id))

    report(town, findings)
    town.turn()

    assert town.types_told("beta") == ["raised"]
