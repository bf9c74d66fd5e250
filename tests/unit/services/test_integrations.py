"""Integrations and adoption: every refusal says what is wrong and what would be right, and writes nothing."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import Any

import pytest

from devices.codecs.foreign.registry import DIALECTS
from devices.kinds import DeviceId, HomeId
from devices.profiles import load_profiles
from services import integrations, registry
from services.domain.errors import RefusedError
from services.domain.homes import DeviceState, Dialect, ForeignDevice, Integration
from services.domain.ids import IntegrationId
from services.registry import NewDevice
from services.store import audit, certificates
from services.store import integrations as rows
from services.store import registry as registry_rows
from services.store.certificates import CertificateRow
from services.store.connection import Connection
from services.store.migrations import READINGS, migrate
from services.store.readings import unknown
from services.store.sqlite import SqliteConnection
from tests.support.clock import START
from tests.support.stores import IN_MEMORY
from tests.support.town import TESTER, Town

ID_FORM = "expected a-z, 0-9 and '-', at most 63, beginning with a letter or a digit"
TEXT_FORM = "expected 1 to 200 printable characters"
PROFILES = load_profiles()
LORA = Integration(id=IntegrationId("lora"), name="LoRaWAN", dialect=Dialect.CHIRPSTACK)
ZIGBEE = Integration(
    id=IntegrationId("zigbee"), name="Zigbee", dialect=Dialect.ZIGBEE2MQTT, home_id=HomeId("h-1")
)
OLD = Integration(id=IntegrationId("old"), name="Old", dialect=Dialect.HOME_ASSISTANT)
STOVE = ForeignDevice(integration_id=LORA.id, external_id="0004a30b", device_id=DeviceId("s-1"))
NEW = NewDevice(id="m-1", home_id="h-1", profile="humidity-meter")

Work = Callable[[Connection], Any]


def adding(integration: Integration) -> Work:
    return partial(integrations.add, integration=integration, actor=TESTER, now=START)


def setting(integration_id: str, state: DeviceState) -> Work:
    return partial(
        integrations.set_state, integration_id=integration_id, state=state, actor=TESTER, now=START
    )


def adopting(foreign: ForeignDevice) -> Work:
    return partial(integrations.adopt, foreign=foreign, actor=TESTER, now=START)


def adopting_new(integration_id: str, external_id: str, new: NewDevice) -> Work:
    return partial(
        integrations.adopt_new,
        integration_id=integration_id,
        external_id=external_id,
        new=new,
        profiles=PROFILES,
        actor=TESTER,
        now=START,
    )


def forgetting(integration_id: str, external_id: str) -> Work:
    return partial(
        integrations.forget, integration_id=integration_id, external_id=external_id, actor=TESTER, now=START
    )


@pytest.fixture
def connected(town: Town) -> Town:
    """The town with a city-wide integration, one of home h-1 and a retired one; ``STOVE`` is adopted."""
    for integration in (LORA, ZIGBEE, OLD):
        town.write(adding(integration))
    town.write(setting(OLD.id, DeviceState.RETIRED))
    town.write(adopting(STOVE))
    return town


def log(town: Town) -> list[audit.AuditRow]:
    return list(audit.entries(town.connection))


NO_SUCH = "There is no integration 'x'; see `stadsnav integration list`"
OTHER_HOME = (
    "Integration 'zigbee' brings devices of home 'h-1' only, not of 'h-2'; "
    "name a device of that home, or register an integration without --home"
)
ADOPTED = (
    "'0004a30b' of integration 'lora' is device 's-1' already; "
    "end that first with `stadsnav integration forget`"
)
RETIRED = "Integration 'old' is retired for good; register another with a new id"
REFUSALS: list[tuple[Work, str, str]] = [
    (
        adding(replace(LORA, id=IntegrationId("LoRa"))),
        "invalid",
        f"Cannot use 'LoRa' as integration id: {ID_FORM}",
    ),
    (
        adding(replace(LORA, id=IntegrationId("x"), name=" ")),
        "invalid",
        f"Cannot use ' ' as name: {TEXT_FORM}",
    ),
    (
        adding(replace(LORA, id=IntegrationId("x"), home_id=HomeId("h-9"))),
        "unknown",
        "There is no home 'h-9'; register it first with `stadsnav home add`",
    ),
    (
        adding(replace(LORA, dialect=Dialect.WMBUSMETERS)),
        "exists",
        "The integration 'lora' exists already; choose another id",
    ),
    (
        adding(replace(LORA, home_id=HomeId("h-1"))),
        "exists",
        "The integration 'lora' exists already; choose another id",
    ),
    (
        adding(replace(LORA, id=IntegrationId("p-1"))),
        "exists",
        "The device 'p-1' exists already; choose another id",
    ),
    (setting("x", DeviceState.SUSPENDED), "unknown", NO_SUCH),
    (setting("old", DeviceState.IN_SERVICE), "retired", RETIRED),
    (setting("old", DeviceState.SUSPENDED), "retired", RETIRED),
    (
        adopting(replace(STOVE, external_id="y", device_id=DeviceId("p-9"))),
        "unknown",
        "There is no device 'p-9'; see `stadsnav device list`",
    ),
    (adopting(replace(STOVE, integration_id=IntegrationId("x"))), "unknown", NO_SUCH),
    (adopting(replace(STOVE, integration_id=OLD.id)), "retired", RETIRED),
    (adopting(replace(STOVE, external_id="")), "invalid", f"Cannot use '' as external id: {TEXT_FORM}"),
    (
        adopting(replace(STOVE, external_id="a\nb")),
        "invalid",
        f"Cannot use 'a\\nb' as external id: {TEXT_FORM}",
    ),
    (
        adopting(replace(STOVE, integration_id=ZIGBEE.id, device_id=DeviceId("p-2"))),
        "other_home",
        OTHER_HOME,
    ),
    (adopting(replace(STOVE, device_id=DeviceId("p-1"))), "adopted_already", ADOPTED),
    (adopting_new("x", "y", NEW), "unknown", NO_SUCH),
    (adopting_new("old", "y", NEW), "retired", RETIRED),
    (adopting_new("zigbee", "y", replace(NEW, home_id="h-2")), "other_home", OTHER_HOME),
    (adopting_new("lora", "0004a30b", NEW), "adopted_already", ADOPTED),
    (
        adopting_new("lora", "y", replace(NEW, id="p-2")),
        "exists",
        "The device 'p-2' exists already; choose another id",
    ),
    (
        adopting_new("lora", "y", replace(NEW, id="lora")),
        "exists",
        "The integration 'lora' exists already; choose another id",
    ),
    (
        adopting_new("lora", "y", replace(NEW, home_id="h-9")),
        "unknown",
        "There is no home 'h-9'; register it first with `stadsnav home add`",
    ),
    (
        partial(registry.add_device, new=replace(NEW, id="old"), profiles=PROFILES, actor=TESTER, now=START),
        "exists",
        "The integration 'old' exists already; choose another id",
    ),
    (forgetting("x", "0004a30b"), "unknown", NO_SUCH),
    (
        forgetting("zigbee", "0004a30b"),
        "unknown",
        "There is no adopted device '0004a30b'; see `stadsnav integration adopted --integration zigbee`",
    ),
]


@pytest.mark.parametrize(("work", "code", "sentence"), REFUSALS, ids=[case[2][:60] for case in REFUSALS])
def test_every_refusal_says_what_is_wrong_and_what_would_be_right_and_writes_nothing(
    connected: Town, work: Work, code: str, sentence: str
) -> None:
    before = (log(connected), registry_rows.devices(connected.connection, home_id=None, limit=99))

    with pytest.raises(RefusedError) as caught:
        work(connected.connection)

    assert str(caught.value) == sentence
    assert caught.value.code == code
    after = (log(connected), registry_rows.devices(connected.connection, home_id=None, limit=99))
    assert after == before


def test_a_retired_device_is_not_adopted(connected: Town) -> None:
    connected.set_state("p-1", DeviceState.RETIRED)

    with pytest.raises(RefusedError, match="Device 'p-1' is retired for good"):
        adopting(replace(STOVE, external_id="y", device_id=DeviceId("p-1")))(connected.connection)


@pytest.mark.parametrize(
    "work",
    [adding(LORA), adding(ZIGBEE), adopting(STOVE), setting(LORA.id, DeviceState.IN_SERVICE)],
    ids=["an integration", "one of a home", "an adoption", "a state"],
)
def test_the_very_same_again_changes_nothing(connected: Town, work: Work) -> None:
    first = connected.write(work)
    logged = log(connected)

    again = connected.write(work)

    assert again == first
    assert log(connected) == logged


def test_adopting_a_new_device_again_changes_nothing(connected: Town) -> None:
    first = connected.write(adopting_new("zigbee", "0x00158d00", NEW))
    logged = log(connected)

    again = connected.write(adopting_new("zigbee", "0x00158d00", NEW))

    assert again == first
    assert log(connected) == logged


def test_adding_a_suspended_integration_again_does_not_resume_it(connected: Town) -> None:
    connected.write(setting(LORA.id, DeviceState.SUSPENDED))

    again = connected.write(adding(LORA))

    assert again.state is DeviceState.SUSPENDED


def test_every_change_is_in_the_log_with_who_did_it_and_whose_home_it_is(connected: Town) -> None:
    before = len(log(connected))

    connected.write(adding(replace(ZIGBEE, id=IntegrationId("hue"))))
    connected.write(setting(LORA.id, DeviceState.SUSPENDED))
    connected.write(adopting_new("zigbee", "0x00158d00", NEW))
    connected.write(forgetting("lora", "0004a30b"))

    new = log(connected)[before:]
    assert {row.actor for row in new} == {TESTER}
    assert [(row.action, row.home_id, row.subject, row.details) for row in new] == [
        ("integration_added", "h-1", "hue", ""),
        ("integration_suspended", None, "lora", ""),
        ("device_added", "h-1", "m-1", ""),
        ("foreign_device_adopted", "h-1", "m-1", "0x00158d00 of zigbee"),
        ("foreign_device_forgotten", "h-1", "s-1", "0004a30b of lora"),
    ]


def test_a_new_device_takes_its_place_and_is_found_by_its_foreign_name(connected: Town) -> None:
    device = connected.write(adopting_new("zigbee", "0x00158d00", replace(NEW, position="bathroom")))

    assert (device.home_id, device.position, device.profile) == ("h-1", "bathroom", "humidity-meter")
    assert rows.behind(connected.connection, "zigbee", "0x00158d00") == device.id


def test_a_city_wide_integration_brings_devices_of_any_home_and_a_homes_own_only_its_own(
    connected: Town,
) -> None:
    connected.write(adopting(replace(STOVE, external_id="a", device_id=DeviceId("p-2"))))
    connected.write(adopting(replace(STOVE, external_id="b", integration_id=ZIGBEE.id)))

    assert rows.behind(connected.connection, "lora", "a") == "p-2"
    assert rows.behind(connected.connection, "zigbee", "b") == "s-1"


def test_what_was_forgotten_may_become_another_device(connected: Town) -> None:
    connected.write(forgetting("lora", "0004a30b"))

    device = connected.write(adopting(replace(STOVE, device_id=DeviceId("p-2"))))

    assert device.id == "p-2"
    assert rows.behind(connected.connection, "lora", "0004a30b") == "p-2"


def test_a_suspended_integration_can_be_put_in_order_before_it_is_resumed(connected: Town) -> None:
    connected.write(setting(LORA.id, DeviceState.SUSPENDED))
    connected.write(adopting(replace(STOVE, external_id="new")))

    resumed = connected.write(setting(LORA.id, DeviceState.IN_SERVICE))

    assert resumed == LORA
    assert rows.get(connected.connection, LORA.id) == LORA


def test_retiring_an_integration_ends_its_certificate_and_suspending_does_not(connected: Town) -> None:
    def issue(connection: Connection) -> None:
        for serial, subject in (("0a", LORA.id), ("0b", ZIGBEE.id)):
            row = CertificateRow(
                serial=serial,
                issuer="homes",
                subject=subject,
                issued_at=START,
                expires_at=START + timedelta(days=1),
            )
            certificates.insert(connection, row)

    connected.write(issue)

    connected.write(setting(LORA.id, DeviceState.RETIRED))
    connected.write(setting(ZIGBEE.id, DeviceState.SUSPENDED))

    assert certificates.revoked(connected.connection, "homes", now=START) == [("0a", START)]


def test_each_dialect_that_an_integration_may_have_can_be_read() -> None:
    assert set(Dialect) == set(DIALECTS)


@pytest.fixture
def readings() -> Iterator[SqliteConnection]:
    """The store of the reading process, empty."""
    connection = SqliteConnection(IN_MEMORY)
    migrate(connection, READINGS)
    yield connection
    connection.close()


def test_what_waits_is_what_was_heard_and_nobody_has_adopted_however_much_was(
    connected: Town, readings: SqliteConnection
) -> None:
    heard = [("lora", "0004a30b"), ("lora", "a"), ("lora", "b"), ("zigbee", "a")]
    for seconds, (integration_id, external_id) in enumerate(reversed(heard)):
        at = START + timedelta(seconds=seconds)
        unknown.seen(
            readings,
            integration_id=integration_id,
            external_id=external_id,
            model="EM300",
            example="{}",
            messages=1,
            at=at,
        )

    def waiting(**which: Any) -> list[tuple[str, str]]:
        found = integrations.waiting(connected.connection, readings, **which)
        return [(item.integration_id, item.external_id) for item in found]

    assert waiting(integration_id=None, limit=10) == heard[1:]
    assert waiting(integration_id="lora", limit=10) == [("lora", "a"), ("lora", "b")]
    assert waiting(integration_id="lora", limit=1) == [("lora", "a")]
    connected.write(adopting(replace(STOVE, external_id="a")))
    assert waiting(integration_id="lora", limit=1) == [("lora", "b")]
