"""Other systems' messages: whose device is meant, and what of it are values, alarms and status.

in/{integration}/… ──dialect──> ForeignMessage ──adopted?──> values like a home's own
                                      │                 ├──> an alarm condition that has changed
                                      │                 └──> battery, mains, signal, a sign of life
                                      └──nobody knows it──> the list of unknown devices
"""

from dataclasses import replace
from datetime import datetime
from typing import Final

from broker import topics
from broker.topics import TopicError
from devices.codecs.errors import PayloadError
from devices.codecs.foreign.registry import dialect_of
from devices.codecs.foreign.values import Dialect, ForeignMessage
from devices.codecs.senml import Measured
from devices.codecs.senml.resolving import LATEST_US, RELATIVE_BELOW_US
from services.admission import NotAdmittedError
from services.domain.homes import Device, DeviceState, Integration
from services.readings import conditions
from services.readings.batch import Batch, Stranger
from services.readings.conditions import Conditions
from services.readings.handover import Heard
from services.readings.register import Known, Register
from services.readings.taking import Taking, refuse
from services.store import integrations, registry, status
from services.store.connection import Connection, from_micros, to_micros
from services.store.readings import unknown

STRANGERS_LIMIT: Final = 10_000
"""Unknown devices listed for one integration; what more there are is counted, not listed."""

EXAMPLE_CHARACTERS: Final = 2_000


class ForeignLane:
    """The messages of all integrations."""

    def __init__(
        self,
        *,
        registry_reader: Connection,
        readings_reader: Connection,
        register: Register,
        taking: Taking,
        alarm_conditions: Conditions,
    ) -> None:
        self._registry = registry_reader
        self._readings = readings_reader
        self._register = register
        self._taking = taking
        self._conditions = alarm_conditions
        self._dialects: dict[tuple[str, str], Dialect] = {}
        self._integrations: dict[str, Integration | None] = {}
        self._devices: dict[tuple[str, str], Device | None] = {}

    def forget(self, _homes: set[str] | None) -> None:
        """Something in the registry has changed: look again who is who."""
        self._integrations.clear()
        self._devices.clear()

    def handle(
        self, batch: Batch, topic: str, payload: bytes, received_us: int, *, is_retained: bool
    ) -> None:
        """Put what a packet says into the batch.

        What was retained tells units, names and conditions that hold. It is old, nobody knows how old: its
        values are not taken, a press in it is over, and it is no sign of life. Of a message that speaks of
        several devices, those that may not be heard are set aside.

        Raises:
            PayloadError, NotAdmittedError: Nothing of it can be taken; says why.
        """
        try:
            integration_id, rest = topics.parse_integration_topic(topic)
        except TopicError as error:
            raise PayloadError(str(error)) from error
        integration = self._integration(integration_id)
        dialect = self._dialect(integration)
        for message in dialect.decode(rest, payload, received_at=from_micros(received_us)):
            try:
                device = self._device(integration, message.external_id)
            except NotAdmittedError as error:
                home_id = error.client.home_id if error.client else None
                refuse(batch, topic, payload, error.reason, home_id=home_id)
                continue
            if device is None:
                self._note_stranger(batch, integration, message, payload)
                continue
            known = self._register.of_device(device)
            if is_retained:
                batch.packs += 1
                self._take_conditions(batch, known, _only_conditions(message), received_us)
            else:
                self._take(batch, known, message, topic=topic, payload=payload, received_us=received_us)

    def _take(
        self,
        batch: Batch,
        known: Known,
        message: ForeignMessage,
        *,
        topic: str,
        payload: bytes,
        received_us: int,
    ) -> None:
        values = sorted(
            (
                Measured(
                    item.name, item.unit, _at_us(item.sent_at or message.sent_at, received_us), item.value
                )
                for item in message.values
                if item.name in known.measures  # a foreign system says much that nobody has asked for
            ),
            key=lambda value: value.at_us,
        )
        if values:
            self._taking.take(batch, known, values, received_us=received_us, topic=topic, payload=payload)
        else:
            batch.packs += 1
        self._take_conditions(batch, known, message, received_us)
        if not known.told:  # met for the first time, or again after something of its home has changed
            known.told |= conditions.told_before(status.of_device(self._registry, known.device.id))
        told = conditions.told(known, message.status) if message.status else None
        if told is not None:
            batch.handovers.append(told)
        elif not values and conditions.is_sign_of_life_due(known, received_us=received_us):
            batch.handovers.append(Heard(device_id=known.device.id))

    def _take_conditions(self, batch: Batch, known: Known, message: ForeignMessage, received_us: int) -> None:
        for alarm in message.alarms:
            changed = self._conditions.after(
                known.device,
                alarm,
                message.message_id,
                at_us=_at_us(message.sent_at, received_us),
                received_us=received_us,
            )
            batch.handovers += changed.handovers
            batch.rule_states |= changed.states

    def _integration(self, integration_id: str) -> Integration:
        if integration_id not in self._integrations:
            self._integrations[integration_id] = integrations.get(self._registry, integration_id)
        integration = self._integrations[integration_id]
        if integration is None:
            raise NotAdmittedError(f"integration {integration_id} is not registered", client=None)
        if integration.state is not DeviceState.IN_SERVICE:
            raise NotAdmittedError(f"integration {integration_id} is {integration.state}", client=None)
        return integration

    def _dialect(self, integration: Integration) -> Dialect:
        key = (integration.id, integration.dialect)
        if key not in self._dialects:
            self._dialects[key] = dialect_of(integration.dialect)
        return self._dialects[key]

    def _device(self, integration: Integration, external_id: str) -> Device | None:
        """The device of ours that is meant; None: nobody has adopted it.

        Raises:
            NotAdmittedError: It is known, and may not be heard.
        """
        key = (integration.id, external_id)
        if key not in self._devices:
            if len(self._devices) >= STRANGERS_LIMIT:
                self._devices.clear()
            device_id = integrations.behind(self._registry, *key)
            self._devices[key] = registry.device(self._registry, device_id) if device_id else None
        device = self._devices[key]
        if device is None:
            return None
        if device.state is not DeviceState.IN_SERVICE:
            raise NotAdmittedError(f"device {device.id} is {device.state}", client=device)
        if not integration.may_bring(device.home_id):
            raise NotAdmittedError(
                f"integration {integration.id} belongs to another home than device {device.id}", client=device
            )
        return device

    def _note_stranger(
        self, batch: Batch, integration: Integration, message: ForeignMessage, payload: bytes
    ) -> None:
        batch.packs += 1
        batch.packs_unknown += 1
        key = (integration.id, message.external_id)
        stranger = batch.unknown.get(key)
        if stranger is not None:
            stranger.messages += 1
            return
        if unknown.count(self._readings, integration.id) >= STRANGERS_LIMIT:
            return
        example = payload[:EXAMPLE_CHARACTERS].decode("utf-8", "replace")
        batch.unknown[key] = Stranger(model=message.model or "", example=example, messages=1)


def _only_conditions(message: ForeignMessage) -> ForeignMessage:
    return replace(message, alarms=tuple(alarm for alarm in message.alarms if not alarm.is_press))


def _at_us(sent_at: datetime | None, received_us: int) -> int:
    """When it was said, by a clock that tells a time that SenML can name, or by ours."""
    if sent_at is None:
        return received_us
    at_us = to_micros(sent_at)
    return at_us if RELATIVE_BELOW_US <= at_us < LATEST_US else received_us
