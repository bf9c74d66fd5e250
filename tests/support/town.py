"""A small town on a real database, for proving use cases: no threads, no sockets, no waiting.

    say, press, answer, grant …  ──>  one transaction each, released as the writer does it  ──>  fakes

``Town`` plays the alarm process: ``commit`` is the writer with its epilogue, ``wait`` is the pacer. Home
``h-1`` has a safety alarm ``p-1``, a stove guard ``s-1`` and a home hub ``hub-1``; home ``h-2`` a safety
alarm ``p-2`` and a home hub ``hub-2``. The organisations ``acme`` and ``beta`` have no grants yet.
"""

import json
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Final, TypeVar

from devices.codecs.own_json import decode_receipt, encode_alarm
from devices.kinds import DeviceId, HomeId
from devices.messages import AlarmMessage, AlarmSignal, Receipt, StatusMessage
from devices.profiles import load_profiles
from services import registry
from services.alarms import answering, chain, opening
from services.alarms.answering import Actor
from services.alarms.opening import Stored
from services.delivery import actions
from services.delivery.release import Release
from services.domain.alarms import Alarm, Event
from services.domain.homes import Device, DeviceState, Grant, Home, Organisation, OrganisationKind
from services.domain.ids import OrganisationId
from services.registry import NewDevice, NewGrant
from services.store import alarms as alarm_rows
from services.store import events
from services.store import registry as registry_rows
from services.store.alarms import TimerKind
from services.store.connection import Connection
from services.store.sqlite import SqliteConnection
from services.supervision import silence, status
from tests.support.clock import FrozenClock
from tests.support.receivers import RecordingChannel, RecordingHomes

T = TypeVar("T")

SOURCE: Final = "urn:stadsnav:test"
TESTER: Final = "tester"


class Town:
    """The town, its people and the hub that serves them."""

    def __init__(self, connection: SqliteConnection, clock: FrozenClock) -> None:
        self.connection = connection
        self.clock = clock
        self.profiles = load_profiles()
        self.channel = RecordingChannel()
        self.homes = RecordingHomes()
        self._said = 0
        self.release = self._new_release()

    def settle(self) -> None:
        """Register the homes, devices and organisations that every test finds here."""
        for home_id in ("h-1", "h-2"):
            self.add_home(home_id)
        self.add_device("p-1", "h-1", "safety-alarm")
        self.add_device("s-1", "h-1", "stove-guard")
        self.add_device("hub-1", "h-1", "home-hub")
        self.add_device("p-2", "h-2", "safety-alarm")
        self.add_device("hub-2", "h-2", "home-hub")
        for organisation_id in ("acme", "beta"):
            self.add_organisation(organisation_id)

    def restart(self, connection: SqliteConnection) -> None:
        """A new process finds what the old one left on disk, and nothing else."""
        self.connection = connection
        self.release = self._new_release()

    # What the hub's own process does.

    def commit(self, work: Callable[[Connection], T]) -> T:
        """One transaction, with what has become due released in it."""
        with self.connection.transaction():
            result = work(self.connection)
            prepared = self.release.prepare(self.connection)
        self.release.committed(prepared)
        return result

    def write(self, work: Callable[[Connection], T]) -> T:
        """One transaction of another process, such as the command line: nothing is released in it."""
        with self.connection.transaction():
            return work(self.connection)

    def turn(self) -> int:
        """Do what is due at this moment; returns how many timers fired."""
        return self.commit(partial(chain.fire_due, now=self.now))

    def wait(self, seconds: float) -> None:
        """Let time pass, and do what becomes due at the moment it is due."""
        end = self.now + timedelta(seconds=seconds)
        while (moment := self._next_moment()) is not None and moment <= end:
            self.clock.move_to(moment)
            self.turn()
        self.clock.move_to(end)
        self.turn()

    def _next_moment(self) -> datetime | None:
        """When something is due next; deliveries only while they could leave."""
        moments = [due_at for _, _, due_at in alarm_rows.timers(self.connection)]
        if self.channel.is_up:
            moments.append(self.release.find_next_due(self.connection) or self.now)
        return min((moment for moment in moments if moment > self.now), default=None)

    @property
    def now(self) -> datetime:
        return self.clock.now()

    # Who and what is there.

    def add_home(self, home_id: str) -> Home:
        home = Home(id=HomeId(home_id), address=f"Storgatan {home_id}")
        return self.write(partial(registry.add_home, home=home, actor=TESTER, now=self.now))

    def add_device(self, device_id: str, home_id: str, profile: str, position: str | None = None) -> Device:
        new = NewDevice(id=device_id, home_id=home_id, profile=profile, position=position)
        add = partial(registry.add_device, new=new, profiles=self.profiles, actor=TESTER, now=self.now)
        return self.write(add)

    def set_state(self, device_id: str, state: DeviceState) -> None:
        self.write(
            partial(registry.set_device_state, device_id=device_id, state=state, actor=TESTER, now=self.now)
        )

    def add_organisation(
        self, organisation_id: str, kind: OrganisationKind = OrganisationKind.CARE
    ) -> Organisation:
        organisation = Organisation(
            id=OrganisationId(organisation_id), name=f"{organisation_id.title()} AB", kind=kind
        )
        return self.write(
            partial(registry.add_organisation, organisation=organisation, actor=TESTER, now=self.now)
        )

    def add_city(self) -> Organisation:
        return self.add_organisation("the-city", OrganisationKind.CITY)

    def grant(
        self, organisation_id: str, home_id: str = "h-1", data_class: str = "safety", **more: Any
    ) -> Grant:
        """A grant, by default in step 1 of the chain, which has 60 seconds."""
        new = NewGrant(
            organisation_id=organisation_id,
            home_id=home_id,
            data_class=data_class,
            purpose="answers alarms",
            legal_basis="contract",
            **more,
        )
        return self.write(partial(registry.add_grant, new=new, actor=TESTER, now=self.now))

    def revoke(self, grant: Grant) -> None:
        self.write(partial(registry.revoke_grant, grant_id=grant.id, actor=TESTER, now=self.now))

    def device(self, device_id: str) -> Device:
        device = registry_rows.device(self.connection, device_id)
        assert device is not None
        return device

    def actor(self, organisation_id: str | None, person: str = "operator-17") -> Actor:
        if organisation_id is None:
            return Actor(organisation=None, person=person)
        return Actor(organisation=registry_rows.organisation(self.connection, organisation_id), person=person)

    # What homes say and hear.

    def say(self, device_id: str, kind: str, *, event_id: str | None = None, **more: Any) -> Stored:
        """One alarm message of a device with its own connection; a fresh id unless one is given."""
        message = AlarmMessage(id=event_id or self.next_event_id(), kind=kind, **more)
        return self.commit(self.saying(device_id, message))

    def saying(self, device_id: str, message: AlarmMessage) -> Callable[[Connection], Stored]:
        """The work of storing a message."""
        return partial(
            opening.take,
            message=message,
            device=self.device(device_id),
            client_id=DeviceId(device_id),
            payload=encode_alarm(message),
            now=self.now,
        )

    def next_event_id(self) -> str:
        """An id that no device has used yet."""
        self._said += 1
        return f"e-{self._said}"

    def press(self, device_id: str = "p-1") -> Alarm:
        """A person presses the button; the alarm that it opened or joined."""
        return self.alarm_of(self.say(device_id, "safety.manual"))

    def clear(self, device_id: str, kind: str) -> Stored:
        return self.say(device_id, kind, signal=AlarmSignal.CLEARED)

    def report(self, device_id: str, **members: Any) -> None:
        """One status message."""
        device = self.device(device_id)
        self.commit(
            partial(
                status.take,
                message=StatusMessage(**members),
                device=device,
                profile=self.profiles[device.profile],
                now=self.now,
            )
        )

    def hear(self, device_id: str) -> None:
        """The device speaks on a lane that is not the status lane."""
        device = self.device(device_id)
        profile = self.profiles[device.profile]
        self.commit(partial(status.heard, device=device, profile=profile, now=self.now))

    def look_for_silence(self) -> int:
        return self.commit(partial(silence.look, profiles=self.profiles, now=self.now))

    def heard_at_home(self) -> list[Receipt]:
        """The later receipts, oldest first."""
        return [decode_receipt(receipt.payload) for receipt in self.homes.receipts]

    # What organisations ask for.

    def acknowledge(self, organisation_id: str | None, alarm: Alarm, **more: Any) -> Alarm:
        return self.commit(
            partial(
                answering.acknowledge,
                alarm_id=alarm.id,
                actor=self.actor(organisation_id),
                now=self.now,
                **more,
            )
        )

    def close(self, organisation_id: str | None, alarm: Alarm) -> Alarm:
        return self.commit(
            partial(answering.close, alarm_id=alarm.id, actor=self.actor(organisation_id), now=self.now)
        )

    def comment(self, organisation_id: str | None, alarm: Alarm, note: str) -> Alarm:
        actor = self.actor(organisation_id)
        return self.commit(
            partial(answering.comment, alarm_id=alarm.id, actor=actor, note=note, now=self.now)
        )

    def ask(self, organisation_id: str, payload: bytes | dict[str, Any]) -> dict[str, Any]:
        """The reply to an action, read."""
        document = json.loads(self.ask_raw(organisation_id, payload))
        assert isinstance(document, dict)
        return document

    def ask_raw(self, organisation_id: str, payload: bytes | dict[str, Any]) -> bytes:
        raw = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
        organisation = registry_rows.organisation(self.connection, organisation_id)
        assert organisation is not None
        answered = self.commit(partial(actions.answer, payload=raw, organisation=organisation, now=self.now))
        return answered.reply

    def confirm(self, organisation_id: str, notice_id: str) -> dict[str, Any]:
        return self.ask(organisation_id, {"request": "r", "action": "received", "event": notice_id})

    def confirm_all(self, organisation_id: str) -> None:
        """The organisation confirms whatever it was handed."""
        for event in self.channel.told(organisation_id):
            self.confirm(organisation_id, event.notice.id)

    # What is on disk.

    def alarm(self, alarm_id: str | None) -> Alarm:
        assert alarm_id is not None
        alarm = alarm_rows.get(self.connection, alarm_id)
        assert alarm is not None
        return alarm

    def alarm_of(self, stored: Stored) -> Alarm:
        return self.alarm(stored.alarm_id)

    def alarms(self) -> list[Alarm]:
        return alarm_rows.alarms(
            self.connection, home_id=None, device_id=None, organisation_id=None, limit=1_000
        )

    def events(self, **which: Any) -> list[Event]:
        """Newest first."""
        return events.events(self.connection, limit=1_000, **which)

    def timers_of(self, alarm: Alarm) -> dict[TimerKind, datetime]:
        """When each timer of an alarm is due."""
        return {
            kind: due_at
            for alarm_id, kind, due_at in alarm_rows.timers(self.connection)
            if alarm_id == alarm.id
        }

    def types_told(self, organisation_id: str) -> list[str]:
        """The types of what an organisation was told, each notice once, in order."""
        notices = {event.notice.id: event.notice for event in self.channel.told(organisation_id)}
        return [notice.type.value for notice in notices.values()]

    def _new_release(self) -> Release:
        return Release(channels={"mqtt": self.channel}, homes=self.homes, source=SOURCE, clock=self.clock)
