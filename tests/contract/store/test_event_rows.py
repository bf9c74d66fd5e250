"""What homes said is kept as it came, once; what could not be read is kept as bytes; all is counted."""

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from devices.kinds import AlarmKind, HomeId
from devices.messages import AlarmSignal
from services.domain.alarms import Event
from services.domain.ids import new_id
from services.store import events
from services.store.events import Quarantined, Said
from tests.support.clock import START
from tests.support.rows import DEVICE, add_alarm, add_event, event_of
from tests.support.stores import Database, StoreUnderTest

names = st.text("abc å", max_size=3)
json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text("abc å", max_size=3), inner, max_size=3)
    ),
    max_leaves=8,
)


def quarantined(**changed: object) -> Quarantined:
    item = Quarantined(
        id=new_id(),
        received_at=START,
        lane="alarm",
        topic="up/p-1/p-1/alarm",
        client_id="p-1",
        device_id="p-1",
        home_id=HomeId("h-1"),
        external_id="e-1",
        reason="not JSON",
        payload=b"\x00\xff",
    )
    return replace(item, **changed)  # type: ignore[arg-type]


def test_an_event_comes_back_as_it_was_written(settled: Database) -> None:
    with settled.transaction():
        alarm = add_alarm(settled)
        event = add_event(
            settled,
            alarm,
            signal=AlarmSignal.CANCELLED,
            is_test=True,
            is_conflict=True,
            sent_at=START - timedelta(microseconds=1),
        )

    assert events.get(settled, event.id) == event
    assert events.get(settled, "nothing") is None


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    data=st.dictionaries(st.text("abc å", max_size=3), json_values, max_size=3),
    payload=st.binary(max_size=64),
)
def test_any_data_and_any_bytes_come_back_unchanged(
    settled: Database, data: dict[str, object], payload: bytes
) -> None:
    with settled.transaction():
        event = add_event(settled, data=data, payload=payload)

    found = events.get(settled, event.id)
    assert found is not None
    assert (found.data, bytes(found.payload)) == (data, payload)


def test_the_same_event_cannot_be_stored_twice(settled: Database, store: StoreUnderTest) -> None:
    with settled.transaction():
        add_event(settled, external_id="e-1", fingerprint="f1")

    with pytest.raises(store.rule_broken), settled.transaction():
        add_event(settled, external_id="e-1", fingerprint="f1")

    assert len(events.events(settled, limit=9)) == 1


def test_the_same_id_with_another_content_is_kept_beside_the_first(settled: Database) -> None:
    with settled.transaction():
        first = add_event(settled, external_id="e-1", fingerprint="f1")
        second = add_event(settled, external_id="e-1", fingerprint="f2")

    said = events.said_before(settled, DEVICE.id, "e-1")

    assert {(item.id, item.fingerprint) for item in said} == {(first.id, "f1"), (second.id, "f2")}


def test_what_a_device_said_before_is_known_with_its_alarm_and_time(settled: Database) -> None:
    with settled.transaction():
        alarm = add_alarm(settled)
        event = add_event(settled, alarm, external_id="e-1")

    assert events.said_before(settled, DEVICE.id, "e-1") == [
        Said(id=event.id, fingerprint="f1", alarm_id=alarm.id, received_at=START)
    ]
    assert events.said_before(settled, DEVICE.id, "e-2") == []
    assert events.said_before(settled, "p-9", "e-1") == []


def test_events_can_be_asked_for_newest_first_by_home_device_and_alarm(settled: Database) -> None:
    with settled.transaction():
        alarm = add_alarm(settled)
        first, second = add_event(settled, alarm), add_event(settled)

    def asked(*, limit: int = 9, **which: str) -> list[Event]:
        return events.events(settled, limit=limit, **which)

    assert asked() == [second, first]
    assert asked(limit=1) == [second]
    assert asked(alarm_id=alarm.id) == [first]
    assert asked(home_id="h-1", device_id="p-1") == [second, first]
    assert asked(home_id="h-9") == asked(device_id="p-9") == []


def test_senders_are_the_homes_presses_newest_first_and_not_what_the_hub_said_itself(
    settled: Database,
) -> None:
    with settled.transaction():
        alarm = add_alarm(settled)
        add_event(settled, alarm, external_id="e-1")
        add_event(settled, alarm, external_id="e-2", client_id="hub-1")
        add_event(settled, alarm, external_id="e-3", signal=AlarmSignal.CLEARED)
        add_event(settled, alarm, external_id="hub:4", client_id="")
        add_event(settled, external_id="e-5")

    assert events.senders(settled, alarm.id, limit=9) == [("hub-1", "p-1", "e-2"), ("p-1", "p-1", "e-1")]
    assert events.senders(settled, alarm.id, limit=1) == [("hub-1", "p-1", "e-2")]


def test_an_alarm_knows_whether_another_kind_of_it_was_raised(settled: Database) -> None:
    with settled.transaction():
        alarm, other = add_alarm(settled), add_alarm(settled, kind=AlarmKind.SAFETY_FALL)
        add_event(settled, alarm, kind="vendor.a")
        add_event(settled, alarm, kind="vendor.b", signal=AlarmSignal.CLEARED)
        add_event(settled, other, kind="vendor.c")

    assert not events.has_raised_other_kind(settled, alarm.id, "vendor.a")
    assert events.has_raised_other_kind(settled, alarm.id, "vendor.b")


def test_an_event_hangs_on_a_device_that_exists(db: Database, store: StoreUnderTest) -> None:
    with pytest.raises(store.rule_broken), db.transaction():
        events.insert(db, event_of(), client_id="p-1")


def test_what_is_quarantined_comes_back_as_the_bytes_that_came(db: Database) -> None:
    known = quarantined(payload=bytes(range(256)))
    unknown = quarantined(home_id=None, external_id=None, client_id="x", device_id="y", payload=b"")

    with db.transaction():
        events.quarantine(db, known)
        events.quarantine(db, unknown)

    assert events.quarantined(db, home_id=None, device_id=None, limit=9) == [unknown, known]
    assert events.quarantined(db, home_id=None, device_id=None, limit=1) == [unknown]
    assert events.quarantined(db, home_id="h-1", device_id=None, limit=9) == [known]
    assert events.quarantined(db, home_id=None, device_id="y", limit=9) == [unknown]


def test_counters_count_together_and_start_at_nothing(db: Database) -> None:
    before = events.counter(db, "received")

    with db.transaction():
        events.count(db, "received", "stored")
        events.count(db, "received", "duplicate")

    assert (before, events.counter(db, "received")) == (0, 2)
    assert events.counters(db) == {"duplicate": 1, "received": 2, "stored": 1}


def test_a_mark_in_time_is_replaced_not_added(db: Database) -> None:
    with db.transaction():
        events.set_counter(db, "alive_at", 2**50)
        events.set_counter(db, "alive_at", 7)

    assert events.counter(db, "alive_at") == 7


def test_the_last_word_about_an_alarm_is_its_newest_events(settled: Database) -> None:
    with settled.transaction():
        alarm = add_alarm(settled)
        for seconds in (0, 9):
            add_event(settled, alarm, received_at=START + timedelta(seconds=seconds))
        add_event(settled, received_at=START + timedelta(seconds=99))

    assert events.last_at(settled, alarm.id) == START + timedelta(seconds=9)


def test_the_time_of_an_earlier_quarantined_message_is_known_by_its_place(db: Database) -> None:
    with db.transaction():
        for seconds in range(3):
            events.quarantine(db, quarantined(received_at=START + timedelta(seconds=seconds)))
        events.quarantine(db, quarantined(client_id="p-2"))

    found = [events.quarantined_before(db, "p-1", back=back) for back in (1, 3, 4)]
    assert found == [START + timedelta(seconds=2), START, None]
