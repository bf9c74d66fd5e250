"""What a simulation counts: what homes may forget is stored, or the run has failed."""

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devices.kinds import AlarmKind, DeviceId
from devices.simulator import Press, Sent
from devices.simulator.load import LoadReport
from gateway.demo.partner import Told
from gateway.simulation.tally import AlarmTimes, NotAllStoredError, Tally


def report(acknowledged: int) -> LoadReport:
    return LoadReport(
        elapsed_seconds=2.0,
        due=acknowledged,
        sent=acknowledged,
        acknowledged=acknowledged,
        connected=3,
        lost=0,
        cpu_seconds=0.1,
    )


def tally(*, before: int = 0) -> Tally:
    return Tally(homes=5, hubs=3, before={"reading_stored": before})


def pressed(event_id: str, device: str = "p-1") -> Sent:
    action = Press(
        after=timedelta(0),
        client_id=DeviceId("hub-1"),
        device_id=DeviceId(device),
        kind=AlarmKind.SAFETY_MANUAL,
    )
    return Sent(action=action, event_id=event_id)


def told(event_id: str | None, device: str = "p-1") -> Told:
    event: dict[str, Any] | None = None if event_id is None else {"id": event_id}
    return Told(organisation_id="care", document={"data": {"alarm": {"device": device}, "event": event}})


def test_what_was_stored_before_the_run_does_not_count() -> None:
    counted = tally(before=1_000)

    counted.note({"reading_stored": 1_090}, report(100))

    assert counted.count("stored") == 90
    assert counted.lag == 10


@given(acknowledged=st.integers(0, 10**7), stored=st.integers(0, 10**7))
def test_a_run_is_good_when_no_less_is_stored_than_was_acknowledged(acknowledged: int, stored: int) -> None:
    counted = tally()
    counted.note({"reading_stored": stored}, report(acknowledged))

    if stored >= acknowledged:
        counted.check()
    else:
        with pytest.raises(NotAllStoredError, match=f"{acknowledged - stored} are not stored"):
            counted.check()


def test_a_pack_that_came_twice_does_not_stand_for_one_that_has_not_come() -> None:
    counted = tally()

    counted.note({"reading_received": 100, "reading_stored": 99, "reading_duplicate": 1}, report(100))

    assert not counted.is_settled


def test_a_pack_that_was_set_aside_is_settled_and_not_stored() -> None:
    counted = tally()
    counted.note({"reading_received": 99, "reading_stored": 99}, report(100))
    was_settled = counted.is_settled

    counted.note({"reading_received": 100, "reading_stored": 99, "reading_quarantined": 1})

    assert (was_settled, counted.is_settled) == (False, True)
    with pytest.raises(NotAllStoredError):
        counted.check()


def test_the_largest_lag_is_remembered_when_it_is_gone() -> None:
    counted = tally()

    counted.note({"reading_stored": 40}, report(100))
    counted.note({"reading_stored": 100})

    assert counted.lag == 0
    assert counted.summary()["largest_lag"] == 60


def test_an_alarm_counts_once_whichever_side_is_heard_first_and_however_often() -> None:
    times = AlarmTimes()

    times.homes_say(pressed("a"))
    times.partner_hears(told("a"))
    times.partner_hears(told("b"))
    times.homes_say(pressed("b"))
    times.partner_hears(told("a"))

    assert times.pressed == 2
    assert len(times.took_ms()) == 2
    assert all(took >= 0 for took in times.took_ms())


def test_the_same_id_of_another_device_is_another_alarm() -> None:
    times = AlarmTimes()

    times.homes_say(pressed("a", device="p-1"))
    times.partner_hears(told("a", device="p-2"))

    assert times.took_ms() == []


def test_news_without_an_event_is_no_alarm() -> None:
    times = AlarmTimes()

    times.partner_hears(told(None))

    assert times.took_ms() == []


def test_a_run_in_which_nothing_happened_has_a_summary_and_a_line() -> None:
    assert tally().summary()["alarm_p50_ms"] is None
    assert "p50 -" in tally().line()
