"""The last look before anything leaves: the right to know is judged at the very moment, each time."""

from datetime import timedelta
from functools import partial

import pytest

from devices.messages import AlarmMessage
from services import routing
from services.alarms import telling
from services.delivery import due as due_module
from services.domain.alarms import Alarm, DeliveryState, NoticeType
from services.store import alarms as alarm_rows
from services.store import answers, audit, deliveries, overview
from services.store.connection import Connection
from services.store.overview import DeliveryRecord
from tests.support.town import Town

SECOND = timedelta(seconds=1)
INSTANT = timedelta(microseconds=1)


def records(town: Town, organisation_id: str = "acme") -> list[DeliveryRecord]:
    """An organisation's deliveries, oldest first."""
    found = overview.deliveries(town.connection, organisation_id=organisation_id, limit=1_000)
    return list(reversed(found))


def actions_logged(town: Town, subject: str) -> list[str]:
    return [row.action for row in audit.entries(town.connection) if row.subject == subject]


def press_while_away(town: Town) -> Alarm:
    """An alarm that is routed, and cannot be released yet."""
    town.channel.is_up = False
    alarm = town.press()
    town.channel.is_up = True
    return alarm


def test_what_is_released_is_numbered_logged_and_says_by_what_right(town: Town) -> None:
    grant = town.grant("acme")

    town.press()

    [told], [record] = town.channel.told("acme"), records(town)
    assert (told.sequence, told.attempt, told.grant_id, told.purpose) == (1, 1, grant.id, "answers alarms")
    assert (told.address, told.position, told.source) == (
        "Storgatan h-1",
        "safety alarm",
        "urn:stadsnav:test",
    )
    assert (record.state, record.attempts, record.first_sent_at) == (DeliveryState.SENT, 1, town.now)
    assert actions_logged(town, told.delivery_id) == ["released"]


def test_a_grant_withdrawn_between_routing_and_release_withholds_without_using_a_number(
    town: Town,
) -> None:
    withdrawn = town.grant("acme")
    press_while_away(town)
    town.revoke(withdrawn)

    town.turn()
    town.grant("acme", home_id="h-2")
    town.press("p-2")

    first, second = records(town)
    assert (first.state, first.sequence, first.attempts) == (DeliveryState.WITHHELD, None, 0)
    assert first.reason == "no grant at the moment of release"
    assert actions_logged(town, first.id) == ["withheld"]
    assert (second.sequence, [told.sequence for told in town.channel.told("acme")]) == (1, [1])


@pytest.mark.parametrize(
    ("before_the_end", "is_told"), [(timedelta(microseconds=1), True), (0 * SECOND, False)]
)
def test_a_grant_ends_exactly_at_its_until(town: Town, before_the_end: timedelta, is_told: bool) -> None:  # noqa: FBT001 - a case
    town.grant("acme", valid_until=town.now + SECOND)
    press_while_away(town)

    town.clock.advance(SECOND - before_the_end)
    town.turn()

    assert bool(town.channel.told("acme")) == is_told


def test_a_grant_withdrawn_after_the_first_attempt_stops_the_repeats_at_once(town: Town) -> None:
    grant = town.grant("acme")
    town.press()
    town.wait(16)
    already = len(town.channel.told("acme"))

    town.revoke(grant)
    town.turn()
    town.wait(60)

    assert (already, len(town.channel.told("acme"))) == (2, 2)
    assert [record.state for record in records(town)] == [DeliveryState.WITHHELD]


def test_what_was_withheld_is_told_at_a_later_step_by_the_right_of_that_step(town: Town) -> None:
    first = town.grant("acme")
    later = town.grant("acme", step=2)
    press_while_away(town)
    town.revoke(first)
    town.turn()
    before = town.channel.told("acme")

    town.wait(60)

    assert before == []
    assert [(told.grant_id, told.step, told.attempt) for told in town.channel.told("acme")] == [
        (later.id, 2, 1)
    ]


def test_a_second_grant_of_the_same_organisation_carries_on_where_the_first_ended(town: Town) -> None:
    first = town.grant("acme")
    second = town.grant("acme")
    town.press()

    town.revoke(first)
    town.turn()

    assert [told.grant_id for told in town.channel.told("acme")] == [first.id, second.id]
    assert {told.notice.id for told in town.channel.told("acme")} == {records(town)[0].notice_id}


def test_who_was_told_as_the_city_is_told_on_without_a_grant(town: Town) -> None:
    town.add_city()
    town.press()

    town.wait(15)

    assert [told.grant_id for told in town.channel.told("the-city")] == [None, None]


def test_an_organisation_that_is_no_city_has_no_right_but_its_grants(town: Town) -> None:
    """Even a delivery that should never have been written is not released."""
    town.grant("acme")
    alarm = town.press()
    notice = telling.notice_of(alarm, NoticeType.UPDATED, at=town.now)
    route = routing.Route(organisation_id=town.add_organisation("eve").id, grant_id=None, step=1)

    def write(connection: Connection) -> None:
        alarm_rows.insert_notice(connection, notice)
        telling.route(connection, notice, (route,), at=town.now)

    town.commit(write)

    assert town.channel.told("eve") == []
    assert [record.state for record in records(town, "eve")] == [DeliveryState.WITHHELD]


def test_while_its_channel_is_away_a_delivery_stays_due_and_unnumbered(town: Town) -> None:
    town.grant("acme")
    town.channel.is_up = False

    town.press()
    town.wait(30)

    [record] = records(town)
    assert (record.state, record.sequence, record.attempts) == (DeliveryState.PENDING, None, 0)
    town.channel.is_up = True
    town.turn()
    assert [told.attempt for told in town.channel.told("acme")] == [1]


def test_a_delivery_over_a_channel_that_this_version_lacks_holds_up_no_other(town: Town) -> None:
    town.grant("acme")
    town.grant("beta")
    town.channel.is_up = False
    town.press()
    town.write(lambda connection: connection.run(
        "UPDATE deliveries SET channel = 'pigeon' WHERE organisation_id = 'acme'"
    ))  # fmt: skip

    town.channel.is_up = True
    town.turn()

    assert (town.types_told("acme"), town.types_told("beta")) == ([], ["raised"])


def test_a_delivery_that_cannot_be_released_holds_up_no_other(town: Town) -> None:
    """Its alarm's document cannot be read; in the careful turn the others leave all the same."""
    town.grant("acme")
    town.grant("acme", home_id="h-2")
    town.channel.is_up = False
    broken = town.press()
    sound = town.press("p-2")
    town.channel.is_up = True
    town.write(lambda connection: connection.run("UPDATE alarms SET voice = '{' WHERE id = ?", broken.id))

    with town.connection.transaction():
        prepared = town.release.prepare_carefully(town.connection)
    town.release.committed(prepared)

    assert [told.alarm.id for told in town.channel.told("acme")] == [sound.id]
    [postponed, repeated] = (
        deliveries.due(town.connection, "mqtt", town.now + 15 * SECOND, limit=9, state=state)
        for state in (DeliveryState.PENDING, DeliveryState.SENT)
    )
    assert [delivery.alarm_id for delivery in postponed] == [broken.id]
    assert [delivery.alarm_id for delivery in repeated] == [sound.id]
    assert (
        deliveries.due(town.connection, "mqtt", town.now + 14 * SECOND, limit=9, state=DeliveryState.SENT)
        == []
    )


def test_what_is_on_its_way_is_superseded_when_the_alarm_is_closed(town: Town) -> None:
    town.grant("acme")
    town.grant("beta")
    alarm = town.press()
    town.acknowledge("acme", alarm)

    town.close("acme", alarm)
    town.wait(20)

    assert town.types_told("beta") == ["raised", "acknowledged", "closed"]
    assert [record.state.value for record in records(town, "beta")] == ["superseded", "superseded", "sent"]


def test_a_commit_that_fails_uses_no_number_and_hands_nothing_over(town: Town) -> None:
    town.grant("acme")

    def fail_at_the_end() -> None:
        with town.connection.transaction():
            town.saying("p-1", AlarmMessage(id="e-1", kind="safety.manual"))(town.connection)
            town.release.prepare(town.connection)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail_at_the_end()
    town.press()

    assert [told.sequence for told in town.channel.told("acme")] == [1]


def test_one_commit_releases_a_bounded_number_and_the_next_one_the_rest(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(due_module, "FRESH_AT_ONCE", 2)
    town.grant("acme")
    town.channel.is_up = False
    for _ in range(5):
        town.press()
    town.channel.is_up = True

    counts = []
    for _ in range(3):
        town.turn()
        counts.append(len(town.channel.told("acme")))

    assert counts == [2, 4, 5]
    assert [told.sequence for told in town.channel.told("acme")] == [1, 2, 3, 4, 5]


def test_the_next_moment_to_look_is_known_after_each_commit(town: Town) -> None:
    town.turn()
    nothing = town.release.next_due_at
    town.grant("acme", within=timedelta(seconds=10))

    town.press()

    assert nothing is None
    assert town.release.next_due_at == town.now + 10 * SECOND


def test_a_receipt_is_handed_over_until_the_broker_has_it(town: Town) -> None:
    alarm = town.press()
    town.acknowledge(None, alarm)
    [receipt] = town.homes.receipts
    town.homes.receipts.clear()
    town.turn()
    again = list(town.homes.receipts)

    town.commit(partial(answers.mark_sent, receipt_id=receipt.id, at=town.now))
    town.homes.receipts.clear()
    town.turn()

    assert (again, town.homes.receipts) == ([receipt], [])


def test_when_everybody_who_was_told_has_lost_the_right_the_next_step_is_told_at_once(town: Town) -> None:
    grant = town.grant("acme")
    town.grant("beta", step=2)
    town.press()

    town.revoke(grant)
    town.turn()
    town.turn()

    assert town.types_told("beta") == ["raised"]


def test_while_somebody_who_was_told_may_still_answer_the_next_step_waits(town: Town) -> None:
    grant = town.grant("acme")
    town.add_organisation("gamma")
    town.grant("gamma")
    town.grant("beta", step=2)
    town.press()

    town.revoke(grant)
    for _ in range(3):
        town.turn()

    assert town.types_told("beta") == []
