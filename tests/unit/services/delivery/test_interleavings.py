"""Any interleaving of presses, grants, withdrawals, answers, lost connections, time and crashes.

Whatever happens, in whatever order, four ledgers are compared: what homes were receipted, what is on disk,
what each organisation was handed, and who had a right to know at that moment by the test's own notes.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any, Final

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from devices.kinds import DataClass
from devices.messages import AlarmMessage, AlarmSignal
from services.alarms.opening import Stored
from services.delivery.cloud_events import CareEvent
from services.domain.alarm_states import AlarmState
from services.domain.alarms import DeliveryState
from services.domain.errors import RefusedError
from services.domain.homes import Grant
from services.store import alarms as alarm_rows
from services.store import deliveries, overview
from services.store.alarms import TimerKind
from services.store.sqlite import SqliteConnection
from services.supervision import auditor
from tests.support import log
from tests.support.clock import FrozenClock
from tests.support.stores import file_database_maker
from tests.support.town import Town

ORGANISATIONS: Final = ("acme", "beta")
LONGER_THAN_ANY_CHAIN: Final = 300
"""Seconds."""

organisations = st.sampled_from(ORGANISATIONS)
homes = st.sampled_from(["h-1", "h-2"])
devices = st.sampled_from(["p-1", "p-2"])
kinds = st.sampled_from(
    ["safety.manual", "safety.manual", "safety.fall", "fire.smoke", "technical.tamper", "x.y"]
)
signals = st.sampled_from([AlarmSignal.RAISED, AlarmSignal.RAISED, AlarmSignal.RAISED, AlarmSignal.CLEARED])
classes = st.sampled_from([DataClass.SAFETY, DataClass.SAFETY, DataClass.FIRE, DataClass.TECHNICAL])
some_seconds = st.integers(1, 40)
positions = st.integers(0, 1_000)


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What a home said, and the receipt that it got."""

    device_id: str
    message: AlarmMessage
    receipt: Stored


class Interleavings(RuleBasedStateMachine):
    """One town's life."""

    held: dict[str, Grant]
    """The grants that nobody has withdrawn."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.path = path
        self.town = Town(self._opened(), FrozenClock())
        self.town.channel.check = self._check
        self.held = {}
        self.said: list[Said] = []
        self.cities: set[str] = set()

    # What homes do.

    @rule(device_id=devices, kind=kinds, signal=signals, is_test=st.booleans())
    def a_home_speaks(self, device_id: str, kind: str, signal: AlarmSignal, *, is_test: bool) -> None:
        message = self._message(kind, signal=signal, is_test=is_test and kind == "safety.fall")
        receipt = self.town.commit(self.town.saying(device_id, message))
        self.said.append(Said(device_id=device_id, message=message, receipt=receipt))

    @precondition(lambda self: self.said)
    @rule(index=positions)
    def a_home_says_the_same_again(self, index: int) -> None:
        said = self.said[index % len(self.said)]

        again = self.town.commit(self.town.saying(said.device_id, said.message))

        assert again.is_known
        assert (again.event_id, again.alarm_id, again.received_at) == (
            said.receipt.event_id,
            said.receipt.alarm_id,
            said.receipt.received_at,
        )

    # What the city's operators do.

    @rule(
        organisation_id=organisations,
        home_id=homes,
        data_class=classes,
        step=st.integers(1, 3),
        within=some_seconds,
        lasts=st.none() | some_seconds,
    )
    def a_grant_is_given(self, *, lasts: int | None, within: int, **which: Any) -> None:
        until = None if lasts is None else self.town.now + timedelta(seconds=lasts)
        grant = self.town.grant(valid_until=until, within=timedelta(seconds=within), **which)
        self.held[grant.id] = grant

    @precondition(lambda self: self.held)
    @rule(index=positions)
    def a_grant_is_withdrawn(self, index: int) -> None:
        grant = self.held.pop(sorted(self.held)[index % len(self.held)])
        self.town.revoke(grant)

    @precondition(lambda self: not self.cities)
    @rule()
    def the_city_comes(self) -> None:
        self.cities.add(self.town.add_city().id)

    @rule()
    def the_auditor_looks(self) -> None:
        findings = auditor.look(self.town.connection, now=self.town.now)
        self.town.commit(partial(auditor.report, findings=findings, now=self.town.now))

        assert findings.without_next_step == ()

    # What organisations do.

    @precondition(lambda self: self.town.channel.events)
    @rule(index=positions)
    def a_receiver_confirms(self, index: int) -> None:
        told = self.town.channel.events[index % len(self.town.channel.events)]

        reply = self.town.confirm(told.organisation_id, told.notice.id)

        assert reply["ok"]

    @precondition(lambda self: self.said)
    @rule(organisation_id=st.none() | organisations, index=positions, is_closing=st.booleans())
    def somebody_answers(self, organisation_id: str | None, index: int, *, is_closing: bool) -> None:
        alarms = self.town.alarms()
        if not alarms:
            return
        alarm = alarms[index % len(alarms)]
        answer = self.town.close if is_closing else self.town.acknowledge
        try:
            answer(organisation_id, alarm)
        except RefusedError:
            assert self.town.alarm(alarm.id) == alarm

    # What goes wrong, and time.

    @rule(seconds=some_seconds)
    def time_passes(self, seconds: int) -> None:
        self.town.wait(seconds)

    @rule()
    def the_broker_goes_or_comes(self) -> None:
        self.town.channel.is_up = not self.town.channel.is_up
        if self.town.channel.is_up:
            self.town.commit(partial(deliveries.hurry, channel="mqtt", now=self.town.now))

    @rule(device_id=devices, kind=kinds)
    def it_dies_before_a_commit(self, device_id: str, kind: str) -> None:
        self.town.connection.run("BEGIN IMMEDIATE")
        self.town.saying(device_id, self._message(kind))(self.town.connection)
        self.town.release.prepare(self.town.connection)
        self._restart()

    @rule(device_id=devices, kind=kinds)
    def it_dies_between_a_commit_and_the_hand_over(self, device_id: str, kind: str) -> None:
        """The home has no receipt; what was leased has not left."""
        with self.town.connection.transaction():
            self.town.saying(device_id, self._message(kind))(self.town.connection)
            self.town.release.prepare(self.town.connection)
        self._restart()

    # What must hold all the time.

    @invariant()
    def every_receipted_event_is_on_disk_once(self) -> None:
        stored = [(event.device_id, event.external_id) for event in self.town.events()]
        receipted = {(said.device_id, said.message.id) for said in self.said}

        assert receipted <= set(stored)
        assert len(stored) == len(set(stored))

    @invariant()
    def every_organisations_sequence_has_no_gap(self) -> None:
        for organisation_id in (*ORGANISATIONS, *self.cities):
            records = overview.deliveries(self.town.connection, organisation_id=organisation_id, limit=10_000)
            numbers = sorted(record.sequence for record in records if record.sequence is not None)
            assert numbers == list(range(1, len(numbers) + 1))

    @invariant()
    def a_notice_has_one_number_for_its_receiver(self) -> None:
        numbers: dict[tuple[str, str], set[int]] = {}
        for told in self.town.channel.events:
            numbers.setdefault((told.organisation_id, told.notice.id), set()).add(told.sequence)

        assert all(len(found) == 1 for found in numbers.values())

    @invariant()
    def every_open_alarm_has_a_next_step(self) -> None:
        watched = {alarm_id for alarm_id, _, _ in alarm_rows.timers(self.town.connection)}
        for alarm in self.town.alarms():
            is_waiting = alarm.state.is_open and not alarm.state.is_acknowledged
            assert not is_waiting or alarm.id in watched or alarm.escalated_at is not None

    @invariant()
    def an_answer_stands_behind_every_answered_alarm_and_no_other(self) -> None:
        for alarm in self.town.alarms():
            if alarm.state.is_open:
                assert alarm.state.is_acknowledged == (alarm.acknowledgement is not None)

    def teardown(self) -> None:
        """Once everything works, everything reaches somebody."""
        town = self.town
        if not self.cities:
            self.the_city_comes()
        town.channel.is_up = False
        town.wait(LONGER_THAN_ANY_CHAIN)
        town.channel.is_up = True
        town.turn()
        for alarm in town.alarms():
            if alarm.state.is_open and not alarm.state.is_acknowledged:
                is_resting = town.timers_of(alarm).keys() == {TimerKind.PUT_AWAY}
                assert alarm.escalated_at is not None or (is_resting and alarm.state is AlarmState.CLEARED)
        states = {record.state for record in overview.deliveries(town.connection, limit=10_000)}
        assert DeliveryState.PENDING not in states
        assert log.verify(town.connection).is_whole
        town.connection.close()
        self.path.unlink()

    def _check(self, told: CareEvent) -> None:
        assert self._may_know(told, self.town.now), f"{told.organisation_id} was told what it may not know"

    def _may_know(self, told: CareEvent, at: datetime) -> bool:
        if told.organisation_id in self.cities and told.alarm.escalated_at is not None:
            return True
        return any(
            grant.organisation_id == told.organisation_id
            and grant.home_id == told.alarm.home_id
            and grant.data_class == told.alarm.kind.partition(".")[0]
            and grant.step <= told.alarm.step
            and (grant.valid_until is None or grant.valid_until > at)
            for grant in self.held.values()
        )

    def _restart(self) -> None:
        self.town.connection.close()
        self.town.restart(self._opened())

    def _opened(self) -> SqliteConnection:
        """The file, without syncs: here processes die, the machine does not."""
        connection = SqliteConnection(self.path)
        connection.run_script("PRAGMA synchronous=OFF")
        return connection

    def _message(self, kind: str, **more: Any) -> AlarmMessage:
        return AlarmMessage(id=self.town.next_event_id(), kind=kind, **more)


def settled(connection: SqliteConnection) -> None:
    Town(connection, FrozenClock()).settle()


def test_no_interleaving_loses_doubles_or_tells_the_wrong_one(tmp_path: Path) -> None:
    make = file_database_maker(tmp_path, settled)

    class OverItsOwnFile(Interleavings):
        def __init__(self) -> None:
            super().__init__(make())

    run_state_machine_as_test(
        OverItsOwnFile,
        settings=settings(
            max_examples=200,
            stateful_step_count=25,
            suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
        ),
    )


def test_the_oracle_sees_a_release_without_a_right(tmp_path: Path) -> None:
    """The test above would be worth nothing if its own judge said yes to everything."""
    machine = Interleavings(file_database_maker(tmp_path, settled)())
    machine.a_grant_is_given(
        organisation_id="acme", home_id="h-1", data_class=DataClass.SAFETY, step=1, within=30, lasts=None
    )
    machine.held.clear()  # as if it had been withdrawn, and the hub did not know

    with pytest.raises(AssertionError, match="acme was told what it may not know"):
        machine.a_home_speaks("p-1", "safety.manual", AlarmSignal.RAISED, is_test=False)

    machine.town.connection.close()
