"""What each lane makes of an envelope: decode, know the device, store, answer.

    alarm    ->  services.alarms.opening       receipt stored, or refused and why
    status   ->  services.supervision.status   no receipt
    partner  ->  services.delivery.actions     reply

Each is called inside the transaction of its batch and returns what may be said once that is on disk.
"""

from dataclasses import dataclass
from datetime import timedelta
from typing import Final

import structlog

from broker import topics
from broker.session import Envelope
from broker.topics import HomeTopic, Lane, TopicError
from devices.codecs.errors import PayloadError
from devices.codecs.own_json import decode_alarm, decode_status, encode_receipt
from devices.kinds import AlarmKind, DeviceId
from devices.messages import AlarmMessage, Receipt, ReceiptStatus
from devices.profiles import Profiles
from gateway.intake import Answer
from services import quarantine
from services.admission import NotAdmittedError, admit
from services.alarms import opening
from services.alarms.opening import Stored
from services.delivery import actions
from services.domain.clock import Clock
from services.domain.homes import Device
from services.quarantine import Outcome
from services.store import registry
from services.store.connection import Connection
from services.supervision import status

REPLY_EXPIRY: Final = timedelta(seconds=60)
"""A reply is of no use to a partner that was away for longer (MQTT 5 message expiry)."""

ACTION_LANE: Final = "action"
"""What partners' messages are counted under."""

UNREADABLE_AGAIN: Final = timedelta(minutes=1)
"""A home that goes on saying what cannot be read is told of again this often: one may be a call for help."""

RETAINED: Final = "published with the retain flag; publish alarms without it"

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """Why a message from a home is not taken as what it claims to be."""

    reason: str
    client: Device | None
    """The registered device behind the connection, when there is one."""
    external_id: str | None
    is_unreadable: bool = False
    """Nobody knows what the home wanted to say: somebody must be told."""


class AlarmLane:
    """The alarm lane's way from an envelope to a stored alarm."""

    def __init__(self, *, profiles: Profiles, clock: Clock) -> None:
        self._profiles = profiles
        self._clock = clock

    def handle(self, connection: Connection, envelope: Envelope) -> list[Answer]:
        """Store an alarm message, or keep it aside and say why."""
        try:
            topic = topics.parse_home_topic(envelope.topic)
        except TopicError as error:
            return self.set_aside(connection, envelope, str(error))
        message = _read(envelope.payload)
        refused, device = self._judge(connection, envelope, topic, message)
        if refused is not None or device is None or isinstance(message, PayloadError):
            return self._refuse(connection, envelope, topic, refused)
        now = self._clock.now()
        stored = opening.take(
            connection, message, device=device, client_id=topic.client_id, payload=envelope.payload, now=now
        )
        outcome = Outcome.DUPLICATE if stored.is_known else Outcome.STORED
        quarantine.count(connection, Lane.ALARM, outcome)
        profile = self._profiles.get(device.profile)
        if profile is not None:  # one that this version does not have must not undo the alarm
            status.heard(connection, device, profile=profile, now=now)
        return [_receipt(topic, stored)]

    def set_aside(self, connection: Connection, envelope: Envelope, reason: str) -> list[Answer]:
        """Keep a message on the alarm lane that cannot be taken; a person is told all the same."""
        parts = envelope.topic.split("/")
        client_id, device_id = (parts[1], parts[2]) if len(parts) == 4 else ("", "")  # noqa: PLR2004
        client = registry.device(connection, client_id)
        topic = HomeTopic(client_id=DeviceId(client_id), device_id=DeviceId(device_id), lane=Lane.ALARM)
        external_id = _id_of(_read(envelope.payload))
        refusal = Refusal(reason=reason, client=client, external_id=external_id, is_unreadable=True)
        return self._refuse(connection, envelope, topic, refusal)

    def _judge(
        self,
        connection: Connection,
        envelope: Envelope,
        topic: HomeTopic,
        message: AlarmMessage | PayloadError,
    ) -> tuple[Refusal | None, Device | None]:
        """Why it is refused, or the device that it speaks for."""
        external_id = _id_of(message)
        try:
            device = admit(connection, topic.client_id, topic.device_id, profiles=self._profiles)
        except NotAdmittedError as error:
            return Refusal(reason=error.reason, client=error.client, external_id=external_id), None
        if envelope.is_retained:
            return Refusal(reason=RETAINED, client=device, external_id=external_id), None
        if isinstance(message, PayloadError):
            refusal = Refusal(
                reason=message.reason, client=device, external_id=external_id, is_unreadable=True
            )
            return refusal, None
        return None, device

    def _refuse(
        self, connection: Connection, envelope: Envelope, topic: HomeTopic, refusal: Refusal | None
    ) -> list[Answer]:
        assert refusal is not None  # noqa: S101 - the caller has one whenever it calls
        now = self._clock.now()
        quarantine.keep(
            connection,
            lane=Lane.ALARM,
            topic=envelope.topic,
            client_id=topic.client_id,
            device_id=topic.device_id,
            home_id=refusal.client.home_id if refusal.client else None,
            external_id=refusal.external_id,
            reason=refusal.reason,
            payload=envelope.payload,
            now=now,
        )
        # Why stands in quarantine, with what the client has written: a line like this goes further.
        _log.info("alarm_refused", client_id=topic.client_id, is_unreadable=refusal.is_unreadable)
        if refusal.is_unreadable and refusal.client is not None:
            opening.raise_by_hub(
                connection,
                AlarmKind.TECHNICAL_FAULT,
                device=refusal.client,
                text=f"an alarm message could not be read: {refusal.reason}",
                data={"topic": envelope.topic},
                now=now,
                again_after=UNREADABLE_AGAIN,
            )
        if refusal.external_id is None:
            return []
        receipt = Receipt(id=refusal.external_id, status=ReceiptStatus.REFUSED, at=now, reason=refusal.reason)
        return [_to_home(topic, receipt)]


class StatusLane:
    """The status lane's way from an envelope to a device's last known state."""

    def __init__(self, *, profiles: Profiles, clock: Clock) -> None:
        self._profiles = profiles
        self._clock = clock

    def handle(self, connection: Connection, envelope: Envelope) -> list[Answer]:
        """Note what a device says of itself."""
        try:
            topic = topics.parse_home_topic(envelope.topic)
            device = admit(connection, topic.client_id, topic.device_id, profiles=self._profiles)
            message = decode_status(envelope.payload)
        except (TopicError, NotAdmittedError, PayloadError) as error:
            return self.set_aside(connection, envelope, str(error))
        if envelope.is_retained:
            return self.set_aside(connection, envelope, RETAINED)
        profile = self._profiles[device.profile]
        status.take(connection, message, device=device, profile=profile, now=self._clock.now())
        quarantine.count(connection, Lane.STATUS, Outcome.STORED)
        return []

    def set_aside(self, connection: Connection, envelope: Envelope, reason: str) -> list[Answer]:
        """Keep a status message that cannot be taken."""
        parts = envelope.topic.split("/")
        client_id, device_id = (parts[1], parts[2]) if len(parts) == 4 else ("", "")  # noqa: PLR2004
        client = registry.device(connection, client_id)
        quarantine.keep(
            connection,
            lane=Lane.STATUS,
            topic=envelope.topic,
            client_id=client_id,
            device_id=device_id,
            home_id=client.home_id if client else None,
            external_id=None,
            reason=reason,
            payload=envelope.payload,
            now=self._clock.now(),
        )
        return []


class PartnerLane:
    """What partners ask for, and what they are answered."""

    def __init__(self, *, clock: Clock) -> None:
        self._clock = clock

    def handle(self, connection: Connection, envelope: Envelope) -> list[Answer]:
        """Carry out an action; its reply, also when it is refused."""
        organisation_id = topics.parse_action_topic(envelope.topic)
        organisation = registry.organisation(connection, organisation_id)
        if organisation is None:
            return self.set_aside(connection, envelope, f"organisation {organisation_id} is not registered")
        answered = actions.answer(
            connection, envelope.payload, organisation=organisation, now=self._clock.now()
        )
        if answered.outcome is Outcome.QUARANTINED:
            self.set_aside(connection, envelope, answered.reason)
        else:
            quarantine.count(connection, ACTION_LANE, answered.outcome)
        topic = topics.reply_topic(organisation_id)
        return [Answer(topic=topic, payload=answered.reply, expiry=REPLY_EXPIRY)]

    def set_aside(self, connection: Connection, envelope: Envelope, reason: str) -> list[Answer]:
        """Keep an action that could not be carried out."""
        quarantine.keep(
            connection,
            lane=ACTION_LANE,
            topic=envelope.topic,
            client_id=envelope.topic.split("/")[1],
            device_id="",
            home_id=None,
            external_id=None,
            reason=reason,
            payload=envelope.payload,
            now=self._clock.now(),
        )
        return []


def _read(payload: bytes) -> AlarmMessage | PayloadError:
    try:
        return decode_alarm(payload)
    except PayloadError as error:
        return error


def _id_of(message: AlarmMessage | PayloadError) -> str | None:
    return message.event_id if isinstance(message, PayloadError) else message.id


def _receipt(topic: HomeTopic, stored: Stored) -> Answer:
    receipt = Receipt(
        id=stored.external_id,
        status=ReceiptStatus.STORED,
        at=stored.received_at,
        alarm_id=stored.alarm_id,
    )
    return _to_home(topic, receipt)


def _to_home(topic: HomeTopic, receipt: Receipt) -> Answer:
    return Answer(
        topic=topics.receipt_topic(topic.client_id, topic.device_id), payload=encode_receipt(receipt)
    )
