"""No bytes make a lane raise, and what was received is counted: stored, duplicate or quarantined."""

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from broker.session import Envelope
from gateway.lanes import AlarmLane, StatusLane
from services import quarantine
from services.domain.homes import DeviceState
from services.store import events
from services.store.connection import Connection
from tests.support.sessions import envelope
from tests.support.town import Town

in_one_town = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])

clients = st.sampled_from(["p-1", "s-1", "hub-1", "hub-2", "x-9", "P-1", "p-2"])
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=8,
)
members = st.sampled_from(["id", "kind", "at", "state", "priority", "room", "text", "test", "voice", "data"])
alarm_like = st.dictionaries(members, json_values, max_size=10).map(json.dumps).map(str.encode)
near_alarms = st.builds(
    lambda base, more: json.dumps(base | more).encode(),
    st.fixed_dictionaries(
        {
            "id": st.sampled_from(["e-1", "e-2", "e-3"]),
            "kind": st.sampled_from(["safety.manual", "fire.smoke", "vendor.x"]),
        }
    ),
    st.fixed_dictionaries(
        {},
        optional={
            "text": st.sampled_from(["a", "b"]),
            "state": st.sampled_from(["raised", "cleared", "perhaps"]),
            "test": st.booleans(),
            "data": json_values,
        },
    ),
)
payloads = st.binary(max_size=64) | alarm_like | near_alarms
topic_levels = st.sampled_from(["up", "down", "p-1", "hub-1", "alarm", "", "å", "x" * 70])
odd_topics = st.lists(topic_levels, max_size=6).map("/".join) | st.text(max_size=20)
alarm_topics = st.builds("up/{}/{}/alarm".format, clients, clients) | odd_topics
good_topics = st.sampled_from(["up/p-1/p-1/alarm", "up/hub-1/p-1/alarm", "up/hub-1/hub-1/alarm"])
good_envelopes = st.builds(envelope, good_topics, near_alarms)
retained = st.sampled_from([False, False, False, True])
envelopes = good_envelopes | st.builds(envelope, alarm_topics, payloads, is_retained=retained)


def lanes(town: Town) -> tuple[AlarmLane, StatusLane]:
    return (
        AlarmLane(profiles=town.profiles, clock=town.clock),
        StatusLane(profiles=town.profiles, clock=town.clock),
    )


def prepared(town: Town) -> None:
    """Somebody who may not speak any more, of each kind."""
    town.set_state("s-1", DeviceState.SUSPENDED)
    town.set_state("p-2", DeviceState.RETIRED)


@in_one_town
@given(item=st.builds(envelope, st.just("up/p-1/p-1/alarm"), st.binary(max_size=512)))
def test_no_bytes_make_the_alarm_lane_raise(town: Town, item: Envelope) -> None:
    before = events.counter(town.connection, "alarm_received")

    town.commit(lambda connection: lanes(town)[0].handle(connection, item))

    assert events.counter(town.connection, "alarm_received") == before + 1


@settings(in_one_town, max_examples=200)
@given(item=envelopes)
def test_no_topic_client_or_document_makes_the_alarm_lane_raise(town: Town, item: Envelope) -> None:
    town.commit(lambda connection: lanes(town)[0].handle(connection, item))


@in_one_town
@given(item=envelopes)
def test_nothing_makes_setting_aside_raise(town: Town, item: Envelope) -> None:
    for lane in lanes(town):
        town.commit(lambda connection, lane=lane: lane.set_aside(connection, item, "why"))  # type: ignore[misc]


@settings(in_one_town, max_examples=60)
@given(mix=st.lists(st.tuples(envelopes, st.booleans()), max_size=12))
def test_received_is_stored_plus_duplicate_plus_quarantined_after_any_mix(
    town: Town, monkeypatch: pytest.MonkeyPatch, mix: list[tuple[Envelope, bool]]
) -> None:
    monkeypatch.setattr(quarantine, "KEPT_A_DAY", 1_000_000)
    if town.device("s-1").state is DeviceState.IN_SERVICE:
        prepared(town)
    alarm_lane, status_lane = lanes(town)

    for item, is_undone in mix:
        for lane in (alarm_lane, status_lane):
            _take(town, lane, item, is_undone=is_undone)

    counters = events.counters(town.connection)
    for name, rows in (("alarm", _stored(town)), ("status", None)):
        count = {outcome: counters.get(f"{name}_{outcome}", 0) for outcome in OUTCOMES}
        assert count["received"] == count["stored"] + count["duplicate"] + count["quarantined"]
        assert count["quarantined"] == _kept_aside(town, name)
        assert rows is None or count["stored"] == rows


OUTCOMES = ("received", "stored", "duplicate", "quarantined")


def _take(town: Town, lane: AlarmLane | StatusLane, item: Envelope, *, is_undone: bool) -> None:
    """Handle an envelope, sometimes in a transaction that does not come to its end."""

    def work(connection: Connection) -> Any:
        if is_undone:
            lane.handle(connection, item)
            raise ZeroDivisionError
        return lane.handle(connection, item)

    try:
        town.commit(work)
    except ZeroDivisionError:
        assert is_undone


def _stored(town: Town) -> int:
    row = town.connection.row("SELECT COUNT(*) FROM events WHERE client_id <> ''")
    assert row is not None
    return int(row[0])


def _kept_aside(town: Town, lane: str) -> int:
    row = town.connection.row("SELECT COUNT(*) FROM quarantine WHERE lane = ?", lane)
    assert row is not None
    return int(row[0])
