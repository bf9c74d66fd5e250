"""The response chain: who is told when nobody answers, up to the city; every open alarm has a next step."""

from datetime import timedelta
from functools import partial
from pathlib import Path

import pytest

from devices.kinds import AlarmKind
from services.alarms import chain
from services.alarms.chain import ASK_AGAIN, NOBODY_TO_TELL, PUT_AWAY_AFTER
from services.domain.alarm_states import AlarmState
from services.domain.alarms import Alarm
from services.domain.homes import OrganisationKind
from services.store import alarms as alarm_rows
from services.store import status
from services.store.alarms import TimerKind
from services.store.sqlite import SqliteConnection
from tests.support.clock import FrozenClock
from tests.support.stores import file_database_maker
from tests.support.town import Town

INSTANT = timedelta(microseconds=1)


def faults(town: Town) -> list[tuple[str, str]]:
    return [(fault.code, fault.subject) for fault in status.open_faults(town.connection)]


def wait_until_just_before(town: Town, seconds: float) -> None:
    town.wait(seconds - 0.000001)


def test_the_first_step_is_told_at_once(town: Town) -> None:
    town.grant("acme")
    town.grant("beta", step=2)

    alarm = town.press()

    assert (town.types_told("acme"), town.types_told("beta")) == (["raised"], [])
    assert alarm.step == 1
    assert town.timers_of(alarm) == {TimerKind.ESCALATE: town.now + timedelta(seconds=60)}


def test_the_second_step_is_told_after_the_first_ones_time_and_not_before(town: Town) -> None:
    town.grant("acme", within=timedelta(seconds=30))
    town.grant("beta", step=2)
    alarm = town.press()

    wait_until_just_before(town, 30)
    before = town.types_told("beta")
    town.wait(0.000001)

    assert (before, town.types_told("beta")) == ([], ["raised"])
    assert town.alarm(alarm.id).step == 2


def test_a_later_step_is_told_what_the_first_one_was_told(town: Town) -> None:
    town.grant("acme")
    town.grant("beta", step=2)
    town.say("p-1", "safety.fall", event_id="p7-1", text="hjälp")

    town.wait(60)

    [first], [second] = ({e.notice for e in town.channel.told(name)} for name in ("acme", "beta"))
    assert first == second
    told = town.channel.told("beta")[0]
    assert told.event is not None
    assert (told.event.external_id, told.event.text, told.step) == ("p7-1", "hjälp", 2)


def test_numbers_that_nobody_holds_are_passed_over_at_once(town: Town) -> None:
    town.grant("acme", step=3)
    town.grant("beta", step=9)

    alarm = town.press()
    at_once = town.types_told("acme")
    town.wait(60)

    assert (at_once, town.types_told("beta")) == (["raised"], ["raised"])
    assert (alarm.step, town.alarm(alarm.id).step) == (3, 9)


def test_a_step_whose_grant_has_ended_meanwhile_is_passed_over_at_once(town: Town) -> None:
    town.grant("acme")
    withdrawn = town.grant("beta", step=2)
    town.grant("beta", step=3, valid_until=town.now + timedelta(seconds=60))
    town.add_organisation("gamma")
    town.grant("gamma", step=4)
    town.press()
    town.revoke(withdrawn)

    town.wait(60)

    assert (town.types_told("beta"), town.types_told("gamma")) == ([], ["raised"])


def test_at_the_end_of_the_chain_the_city_is_told_once(town: Town) -> None:
    town.add_city()
    town.grant("acme")
    alarm = town.press()

    wait_until_just_before(town, 60)
    before = town.types_told("the-city")
    town.wait(0.000001)
    escalated_at = town.alarm(alarm.id).escalated_at
    town.wait(3_600)

    assert (before, town.types_told("the-city")) == ([], ["escalated"])
    assert escalated_at == alarm.received_at + timedelta(seconds=60)
    assert town.timers_of(alarm) == {}


def test_the_city_is_told_by_its_own_duty_not_by_a_grant(town: Town) -> None:
    town.add_city()

    town.press()

    [told] = town.channel.told("the-city")
    assert (told.grant_id, told.purpose) == (None, "nobody of the response chain has answered")
    assert told.address == "Storgatan h-1"


def test_with_nobody_in_the_chain_the_city_is_told_at_once(town: Town) -> None:
    town.add_city()

    alarm = town.press()

    assert town.types_told("the-city") == ["escalated"]
    assert alarm.escalated_at == town.now


def test_every_city_organisation_is_told(town: Town) -> None:
    town.add_city()
    town.add_organisation("night-desk", OrganisationKind.CITY)

    town.press()

    assert (town.types_told("the-city"), town.types_told("night-desk")) == (["escalated"], ["escalated"])


def test_with_nobody_at_all_it_is_a_fault_and_the_hub_looks_again(town: Town) -> None:
    alarm = town.press()

    assert faults(town) == [(NOBODY_TO_TELL, alarm.id)]
    assert town.timers_of(alarm) == {TimerKind.ESCALATE: town.now + ASK_AGAIN}


@pytest.mark.parametrize("comes", ["a grant", "a city"])
def test_who_comes_later_is_told_when_the_hub_looks_again_and_the_fault_is_over(
    town: Town, comes: str
) -> None:
    town.press()
    town.wait(10)
    if comes == "a grant":
        town.grant("acme")
    else:
        town.add_city()

    town.wait(ASK_AGAIN.total_seconds() - 10)

    assert town.types_told("acme") + town.types_told("the-city") in (["raised"], ["escalated"])
    assert faults(town) == []


def test_an_alarm_that_was_closed_leaves_no_fault_behind(town: Town) -> None:
    alarm = town.press()

    town.acknowledge(None, alarm)
    town.close(None, alarm)

    assert faults(town) == []


def test_once_somebody_has_answered_nobody_else_is_called(town: Town) -> None:
    town.add_city()
    town.grant("acme")
    town.grant("beta", step=2)
    alarm = town.press()
    town.wait(30)

    town.acknowledge("acme", alarm)
    town.wait(3_600)

    assert town.types_told("beta") + town.types_told("the-city") == []
    assert town.timers_of(alarm) == {}


def test_a_timer_that_is_due_for_an_answered_alarm_does_nothing(town: Town) -> None:
    town.grant("acme")
    town.grant("beta", step=2)
    alarm = town.press()
    town.acknowledge("acme", alarm)
    town.write(partial(alarm_rows.set_timer, alarm_id=alarm.id, kind=TimerKind.ESCALATE, due_at=town.now))

    fired = town.turn()

    assert (fired, town.types_told("beta")) == (1, [])
    assert town.timers_of(alarm) == {}


def test_a_timer_that_is_due_for_a_closed_alarm_does_nothing(town: Town) -> None:
    alarm = town.press()
    town.acknowledge(None, alarm)
    town.close(None, alarm)
    town.write(partial(alarm_rows.set_timer, alarm_id=alarm.id, kind=TimerKind.ESCALATE, due_at=town.now))

    town.turn()

    assert town.alarm(alarm.id).state is AlarmState.CLOSED
    assert town.timers_of(alarm) == {}


def tampered(town: Town) -> Alarm:
    """An alarm of the technique itself, raised and returned by itself."""
    town.grant("acme", data_class="technical")
    alarm = town.alarm_of(town.say("p-1", "technical.tamper"))
    town.clear("p-1", "technical.tamper")
    town.confirm_all("acme")
    return town.alarm(alarm.id)


def test_a_returned_condition_of_the_technique_is_put_away_a_day_later(town: Town) -> None:
    alarm = tampered(town)

    wait_until_just_before(town, PUT_AWAY_AFTER.total_seconds())
    before = town.alarm(alarm.id).state
    town.wait(0.000001)

    assert (before, town.alarm(alarm.id).state) == (AlarmState.CLEARED, AlarmState.CLOSED)
    assert town.alarm(alarm.id).closed_at == town.now
    assert town.types_told("acme") == ["raised", "cleared", "closed"]
    assert timedelta(hours=24) == PUT_AWAY_AFTER


def test_an_answered_condition_of_the_technique_that_returned_is_put_away_too(town: Town) -> None:
    town.grant("acme", data_class="technical")
    alarm = town.alarm_of(town.say("p-1", "technical.tamper"))
    town.acknowledge("acme", alarm)
    town.clear("p-1", "technical.tamper")
    town.confirm_all("acme")

    town.wait(PUT_AWAY_AFTER.total_seconds())

    assert town.alarm(alarm.id).state is AlarmState.CLOSED


def test_answering_a_returned_condition_of_the_technique_keeps_it_on_its_way_out(town: Town) -> None:
    alarm = tampered(town)

    town.acknowledge("acme", alarm)

    assert town.timers_of(alarm) == {TimerKind.PUT_AWAY: town.now + PUT_AWAY_AFTER}


def test_a_condition_that_comes_back_is_not_put_away(town: Town) -> None:
    town.add_city()
    alarm = tampered(town)
    town.wait(3_600)
    town.say("p-1", "technical.tamper")
    timers = town.timers_of(alarm)
    town.wait(60)
    for name in ("acme", "the-city"):
        town.confirm_all(name)

    town.wait(PUT_AWAY_AFTER.total_seconds())

    assert town.alarm(alarm.id).state is AlarmState.RAISED
    assert timers.keys() == {TimerKind.ESCALATE}


@pytest.mark.parametrize("kind", [AlarmKind.SAFETY_MANUAL, AlarmKind.FIRE_SMOKE, AlarmKind.CARE_DOOR])
def test_a_persons_alarm_is_never_put_away(town: Town, kind: AlarmKind) -> None:
    town.add_city()
    alarm = town.alarm_of(town.say("p-1", kind))
    town.clear("p-1", kind)
    town.confirm_all("the-city")

    town.wait(10 * PUT_AWAY_AFTER.total_seconds())

    assert town.alarm(alarm.id).state is AlarmState.CLEARED


@pytest.mark.parametrize("is_cleared", [False, True])
def test_an_alarm_whose_answer_is_withdrawn_goes_on_along_the_chain_at_once(
    town: Town,
    is_cleared: bool,  # noqa: FBT001 - a case
) -> None:
    town.grant("acme")
    town.grant("beta", step=2)
    alarm = town.press()
    town.acknowledge("acme", alarm)
    if is_cleared:
        town.clear("p-1", "safety.manual")

    town.commit(partial(chain.withdraw_answer, alarm=town.alarm(alarm.id), now=town.now))
    town.turn()

    after = town.alarm(alarm.id)
    assert after.state is (AlarmState.CLEARED if is_cleared else AlarmState.RAISED)
    assert after.acknowledgement is None
    assert town.types_told("beta") == ["raised"]
    assert town.types_told("acme")[-1] == "updated"


def test_timers_survive_a_restart_and_fire_once(tmp_path: Path, clock: FrozenClock) -> None:
    path = file_database_maker(tmp_path)()
    town = Town(SqliteConnection(path), clock)
    town.settle()
    town.grant("acme")
    town.grant("beta", step=2)
    town.press()
    town.connection.close()
    clock.advance(timedelta(minutes=10))

    town.restart(SqliteConnection(path))
    fired = [town.turn() for _ in range(3)]

    assert fired == [1, 0, 0]
    assert town.types_told("beta") == ["raised"]
    town.connection.close()


def test_a_timer_whose_work_was_lost_in_a_crash_fires_again(town: Town) -> None:
    town.grant("acme")
    town.grant("beta", step=2)
    town.press()
    town.clock.advance(timedelta(seconds=60))

    def crash_in_the_middle() -> None:
        with town.connection.transaction():
            chain.fire_due(town.connection, now=town.now)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        crash_in_the_middle()
    town.turn()

    assert town.types_told("beta") == ["raised"]


def test_a_timer_that_cannot_be_done_keeps_no_other_from_its_turn_and_is_tried_again(town: Town) -> None:
    town.grant("acme")
    town.grant("acme", home_id="h-2")
    town.grant("beta", home_id="h-2", step=2)
    broken, sound = town.press("p-1"), town.press("p-2")
    town.confirm_all("acme")
    town.write(lambda connection: connection.run("UPDATE alarms SET voice = '{' WHERE id = ?", broken.id))
    town.clock.advance(timedelta(seconds=60))

    fired = town.turn()

    assert fired == 2
    assert town.types_told("beta") == ["raised"]
    assert town.timers_of(broken) == {TimerKind.ESCALATE: town.now + ASK_AGAIN}
    assert town.timers_of(sound) == {TimerKind.ESCALATE: town.now + timedelta(seconds=60)}
