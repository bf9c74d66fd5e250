"""What a device says of itself becomes technical alarms: raised once, cleared when it is well again."""

from services.domain.alarm_states import AlarmState
from services.domain.alarms import Alarm
from services.store import status as rows
from tests.support.town import Town

LOW = "technical.battery_low"


def of_kind(town: Town, kind: str) -> list[Alarm]:
    """Newest first."""
    return [alarm for alarm in town.alarms() if alarm.kind == kind]


def test_a_low_battery_is_raised_once_however_often_it_is_said(town: Town) -> None:
    town.grant("acme", data_class="technical")

    for percent in (30, 29, 30, 25):
        town.report("p-1", battery_percent=percent)

    [alarm] = of_kind(town, LOW)
    assert alarm.state is AlarmState.RAISED
    assert town.types_told("acme") == ["raised"]
    [event] = town.events(alarm_id=alarm.id)
    assert (event.text, event.kind) == ("battery at 30 %", LOW)


def test_a_battery_that_wavers_between_the_limits_changes_nothing(town: Town) -> None:
    town.report("p-1", battery_percent=30)

    for percent in (35, 31, 39.9, 30.5):
        town.report("p-1", battery_percent=percent)

    [alarm] = of_kind(town, LOW)
    assert alarm.state is AlarmState.RAISED
    assert len(town.events()) == 1


def test_a_recovered_battery_clears_its_alarm_and_the_next_fall_raises_it_again(town: Town) -> None:
    town.report("p-1", battery_percent=30)
    town.report("p-1", battery_percent=40)
    cleared = of_kind(town, LOW)
    town.report("p-1", battery_percent=30)

    assert [alarm.state for alarm in cleared] == [AlarmState.CLEARED]
    [alarm] = of_kind(town, LOW)
    assert (alarm.id, alarm.state) == (cleared[0].id, AlarmState.RAISED)


def test_well_again_without_an_alarm_is_no_event(town: Town) -> None:
    town.report("p-1", battery_percent=100, has_mains=True, link="fibre")

    assert (town.alarms(), town.events()) == ([], [])


def test_an_answered_low_battery_stays_answered_while_it_is_low(town: Town) -> None:
    town.grant("acme", data_class="technical")
    town.report("p-1", battery_percent=30)
    [alarm] = of_kind(town, LOW)
    town.acknowledge("acme", alarm)

    town.report("p-1", battery_percent=28)

    assert town.alarm(alarm.id).state is AlarmState.ACKNOWLEDGED


def test_mains_and_link_are_raised_and_cleared(town: Town) -> None:
    town.report("p-1", link="fibre", has_mains=True)

    town.report("p-1", link="mobile", has_mains=False)
    wrong = {alarm.kind.value: alarm.state for alarm in town.alarms()}
    town.report("p-1", link="fibre", has_mains=True)
    well = {alarm.kind.value: alarm.state for alarm in town.alarms()}

    kinds = {"technical.mains_lost", "technical.link_lost"}
    assert wrong == dict.fromkeys(kinds, AlarmState.RAISED)
    assert well == dict.fromkeys(kinds, AlarmState.CLEARED)


def test_what_a_device_said_is_kept_as_the_last_that_is_known_of_it(town: Town) -> None:
    town.report("p-1", battery_percent=81, firmware="2.1")
    town.report("p-1", signal_dbm=-99)

    known = rows.of_device(town.connection, "p-1")
    assert known is not None
    assert (known.battery_percent, known.firmware, known.signal_dbm) == (81, "2.1", -99)
    assert known.last_seen_at == town.now
