"""Integrations and the devices behind them come back as they were written."""

from dataclasses import replace

import pytest

from devices.kinds import DeviceId, HomeId
from services.domain.homes import DeviceState, Dialect, ForeignDevice, Integration
from services.domain.ids import IntegrationId
from services.store import integrations, registry
from tests.support.rows import DEVICE, HOME
from tests.support.stores import Database, StoreUnderTest

LORA = Integration(id=IntegrationId("lora"), name="LoRaWAN, city", dialect=Dialect.CHIRPSTACK)
ZIGBEE = Integration(
    id=IntegrationId("zigbee-h1"), name="Zigbee", dialect=Dialect.ZIGBEE2MQTT, home_id=HOME.id
)
METER = ForeignDevice(integration_id=LORA.id, external_id="0004a30b001c0530", device_id=DEVICE.id)


@pytest.fixture
def connected(settled: Database) -> Database:
    """The same, with a city-wide integration and one of the home."""
    with settled.transaction():
        for integration in (ZIGBEE, LORA):
            integrations.add(settled, integration)
    return settled


@pytest.mark.parametrize("integration", [LORA, ZIGBEE], ids=["city-wide", "of a home"])
def test_an_integration_comes_back_as_it_was_written(connected: Database, integration: Integration) -> None:
    assert integrations.get(connected, integration.id) == integration
    assert integrations.get(connected, "nobody") is None


@pytest.mark.parametrize("dialect", Dialect)
def test_every_dialect_can_be_kept(settled: Database, dialect: Dialect) -> None:
    integration = replace(LORA, dialect=dialect)

    with settled.transaction():
        integrations.add(settled, integration)

    assert integrations.get(settled, LORA.id) == integration


def test_integrations_come_by_id_all_or_those_of_one_home(connected: Database) -> None:
    assert integrations.integrations(connected, limit=10) == [LORA, ZIGBEE]
    assert integrations.integrations(connected, limit=1) == [LORA]
    assert integrations.integrations(connected, home_id=HOME.id, limit=10) == [ZIGBEE]


@pytest.mark.parametrize("state", DeviceState)
def test_an_integration_keeps_the_state_that_it_was_given(connected: Database, state: DeviceState) -> None:
    with connected.transaction():
        integrations.set_state(connected, LORA.id, state)

    assert integrations.get(connected, LORA.id) == replace(LORA, state=state)
    assert integrations.get(connected, ZIGBEE.id) == ZIGBEE


@pytest.mark.parametrize(
    "broken",
    [LORA, replace(LORA, id=IntegrationId("x"), home_id=HomeId("h-9"))],
    ids=["the same id twice", "a home that is not there"],
)
def test_the_schema_refuses_an_integration_that_cannot_be(
    connected: Database, store: StoreUnderTest, broken: Integration
) -> None:
    with pytest.raises(store.rule_broken), connected.transaction():
        integrations.add(connected, broken)


def test_a_name_leads_to_its_device_for_its_own_integration_only(connected: Database) -> None:
    with connected.transaction():
        integrations.link(connected, METER)

    assert integrations.behind(connected, LORA.id, METER.external_id) == DEVICE.id
    assert integrations.behind(connected, ZIGBEE.id, METER.external_id) is None
    assert integrations.behind(connected, LORA.id, METER.external_id.upper()) is None


def test_a_device_may_have_several_names_and_a_name_one_device(
    connected: Database, store: StoreUnderTest
) -> None:
    names = [
        METER,
        replace(METER, external_id="0004a30b001c0531"),
        replace(METER, integration_id=ZIGBEE.id, external_id="0x00158d0001a2b3c4"),
    ]
    second = replace(DEVICE, id=DeviceId("p-2"))

    with connected.transaction():
        registry.add_device(connected, second)
        for name in names:
            integrations.link(connected, name)
    with pytest.raises(store.rule_broken), connected.transaction():
        integrations.link(connected, replace(METER, device_id=second.id))

    assert integrations.foreign_devices(connected, device_id=DEVICE.id, limit=10) == names
    assert integrations.foreign_devices(connected, integration_id=ZIGBEE.id, limit=10) == names[2:]
    assert integrations.foreign_devices(connected, limit=1) == names[:1]
    assert integrations.foreign_devices(connected, home_id=HOME.id, limit=10) == names
    assert integrations.foreign_devices(connected, home_id="h-9", limit=10) == []
    assert integrations.foreign_devices(connected, device_id=second.id, limit=10) == []
    assert integrations.count_adopted(connected) == 3
    assert integrations.count_adopted(connected, integration_id=LORA.id) == 2


@pytest.mark.parametrize(
    "broken",
    [replace(METER, integration_id=IntegrationId("nobody")), replace(METER, device_id=DeviceId("p-9"))],
    ids=["no integration", "no device"],
)
def test_the_schema_refuses_a_name_of_nothing_or_nobody(
    connected: Database, store: StoreUnderTest, broken: ForeignDevice
) -> None:
    with pytest.raises(store.rule_broken), connected.transaction():
        integrations.link(connected, broken)


def test_what_is_forgotten_leads_nowhere_and_can_be_adopted_again(connected: Database) -> None:
    other = replace(METER, external_id="other")
    with connected.transaction():
        integrations.link(connected, METER)
        integrations.link(connected, other)

    with connected.transaction():
        integrations.unlink(connected, LORA.id, METER.external_id)
    found = integrations.foreign_devices(connected, limit=10)
    with connected.transaction():
        integrations.link(connected, METER)

    assert found == [other]
    assert integrations.behind(connected, LORA.id, METER.external_id) == DEVICE.id
