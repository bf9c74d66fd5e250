"""What monitoring counts is right, and is never found by going through all alarms or deliveries."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from devices.kinds import AlarmKind
from services.store import figures, status
from services.store.connection import Connection, Row
from services.store.sqlite import SqliteConnection
from tests.support.town import Town


@pytest.fixture
def town(town: Town) -> Town:
    town.grant("acme")
    return town


def test_open_alarms_are_counted_by_kind_state_and_test(town: Town) -> None:
    alarm = town.press()
    began = town.now
    town.clock.advance(timedelta(seconds=5))
    town.say("p-2", "safety.manual")
    town.say("p-2", "safety.fall", is_test=True)
    town.acknowledge("acme", alarm)

    found = {
        (item.kind.value, item.state.value, item.is_test): item
        for item in figures.open_alarms(town.connection)
    }

    assert {key: item.count for key, item in found.items()} == {
        ("safety.manual", "acknowledged", False): 1,
        ("safety.manual", "raised", False): 1,
        ("safety.fall", "raised", True): 1,
    }
    assert found["safety.manual", "acknowledged", False].oldest_received_at == began


def test_what_waits_is_counted_by_channel_and_organisation(town: Town) -> None:
    town.grant("beta")
    town.press()
    town.confirm_all("acme")

    [waiting] = figures.waiting(town.connection, now=town.now)

    assert (waiting.channel, waiting.organisation_id, waiting.count) == ("mqtt", "beta", 1)
    assert waiting.waits_since == town.now


def test_a_second_channel_waits_only_once_its_time_has_come(town: Town) -> None:
    town.press()
    town.write(
        lambda connection: connection.run(
            "UPDATE deliveries SET is_second = 1, state = 'pending', next_attempt_at = created_at + 60000000"
        )
    )
    assert figures.waiting(town.connection, now=town.now) == []

    due_at = town.now + timedelta(minutes=1)
    [waiting] = figures.waiting(town.connection, now=due_at + timedelta(minutes=4))

    assert (waiting.count, waiting.waits_since) == (1, due_at)


def test_silent_devices_are_those_in_service(town: Town) -> None:
    town.hear("p-1")
    town.hear("p-2")
    town.clock.advance(timedelta(days=30))
    assert town.look_for_silence() == 2
    assert figures.devices_silent(town.connection) == 2

    town.hear("p-1")

    assert figures.devices_silent(town.connection) == 1


def test_faults_are_counted_by_code_while_they_are_open(town: Town) -> None:
    for subject in ("a", "b"):
        status.open_fault(town.connection, "late_timer", subject, "", at=town.now)
    status.end_fault(town.connection, "late_timer", "a", at=town.now)

    assert figures.faults_by_code(town.connection) == {"late_timer": 1}


def test_the_days_alarms_are_counted_with_the_time_to_their_answer(town: Town) -> None:
    since = town.now
    town.clock.advance(timedelta(seconds=1))
    alarm = town.press()
    town.say("p-1", "safety.fall", is_test=True)
    town.clock.advance(timedelta(seconds=30))
    town.acknowledge("acme", alarm)

    [found] = figures.raised_between(town.connection, since, town.now)

    assert (found.kind, found.count, found.answered) == (AlarmKind.SAFETY_MANUAL, 1, 1)
    assert (found.mean_seconds, found.longest_seconds) == (30.0, 30.0)
    assert figures.raised_between(town.connection, town.now, town.now + timedelta(days=1)) == []


def test_an_id_sorts_behind_the_first_of_its_moment(town: Town) -> None:
    before = figures.first_id_of(town.now.replace(year=2020))
    newest = figures.newest_alarm(town.connection)
    alarm = town.press()

    assert newest == ""
    assert before < alarm.id
    assert figures.newest_alarm(town.connection) == alarm.id
    assert figures.expired_since(town.connection, town.now) == 0


class Explaining:
    """A connection that notes how SQLite would find what is asked for."""

    def __init__(self, connection: SqliteConnection) -> None:
        self._connection = connection
        self.plans: list[str] = []

    def rows(self, sql: str, *parameters: Any) -> list[Row]:
        plan = self._connection.rows(f"EXPLAIN QUERY PLAN {sql}", *parameters)
        self.plans += [str(row[3]) for row in plan]
        return self._connection.rows(sql, *parameters)

    def row(self, sql: str, *parameters: Any) -> Row | None:
        return next(iter(self.rows(sql, *parameters)), None)


@pytest.mark.parametrize(
    "look",
    [
        figures.open_alarms,
        lambda connection: figures.waiting(connection, now=datetime(2026, 11, 24, tzinfo=UTC)),
        figures.faults_by_code,
        figures.devices_silent,
        figures.newest_delivery,
        figures.newest_alarm,
        lambda connection: figures.open_deliveries(connection, limit=10),
        lambda connection: figures.unanswered_alarms(connection, limit=10),
        lambda connection: figures.new_deliveries(connection, "0", limit=10),
        lambda connection: figures.new_alarms(connection, "0", limit=10),
        lambda connection: figures.fates_of_alarms(connection, ["a"]),
        lambda connection: figures.fates_of_deliveries(connection, ["a"]),
    ],
)
def test_no_look_goes_through_a_whole_table(town: Town, look: Callable[[Connection], object]) -> None:
    explaining = Explaining(town.connection)

    look(explaining)  # type: ignore[arg-type]

    whole = [plan for plan in explaining.plans if plan.startswith("SCAN") and "USING" not in plan]
    assert [plan for plan in whole if "SCAN queues" not in plan and "SUBQUERY" not in plan] == []
    allowed = (
        "open_alarms",
        "fresh_deliveries",
        "repeated_deliveries",
        "one_open_fault",
        "silent_devices",
    )
    scans = [plan for plan in explaining.plans if plan.startswith("SCAN") and "USING" in plan]
    assert all(any(index in plan for index in allowed) for plan in scans), scans
