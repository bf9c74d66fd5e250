"""Homes, positions, devices, organisations and grants come back as they were written."""

from dataclasses import replace
from datetime import timedelta

import pytest

from devices.kinds import DataClass, DeviceId, HomeId
from services.domain.homes import DeviceState, Home, Organisation, OrganisationKind, Position
from services.domain.ids import OrganisationId, PositionId
from services.store import registry
from tests.support.clock import START
from tests.support.rows import ACME, BETA, DEVICE, HOME, POSITION, grant_of
from tests.support.stores import Database, StoreUnderTest

LATER = START + timedelta(hours=1)


def test_a_home_comes_back_as_it_was_written(db: Database) -> None:
    with db.transaction():
        registry.add_home(db, HOME)

    assert registry.home(db, HOME.id) == HOME
    assert registry.home(db, "h-9") is None


def test_a_home_that_is_written_again_takes_the_new_values(settled: Database) -> None:
    moved = replace(HOME, address="Lilla torg 2", node="n-4")

    with settled.transaction():
        registry.add_home(settled, moved)

    assert registry.homes(settled, limit=10) == [moved]


def test_homes_come_by_id_and_no_more_than_asked_for(db: Database) -> None:
    homes = [Home(id=HomeId(f"h-{number}"), address="x") for number in (3, 1, 2)]

    with db.transaction():
        for home in homes:
            registry.add_home(db, home)

    assert [home.id for home in registry.homes(db, limit=2)] == ["h-1", "h-2"]


def test_a_position_is_found_by_its_name_at_its_home_only(settled: Database) -> None:
    assert registry.position(settled, HOME.id, POSITION.name) == POSITION
    assert registry.position(settled, HOME.id, "bed") is None
    assert registry.position(settled, "h-9", POSITION.name) is None


def test_a_home_has_one_position_of_a_name(settled: Database, store: StoreUnderTest) -> None:
    twin = Position(id=PositionId("position-2"), home_id=HOME.id, name=POSITION.name)

    with pytest.raises(store.rule_broken), settled.transaction():
        registry.add_position(settled, twin)


def test_the_place_of_a_position_is_its_address_and_name(settled: Database) -> None:
    assert registry.place(settled, POSITION.id) == (HOME.address, POSITION.name)
    assert registry.place(settled, "nowhere") == ("", "")


def test_a_device_comes_back_with_the_name_of_its_position(settled: Database) -> None:
    assert registry.device(settled, DEVICE.id) == DEVICE
    assert registry.device(settled, "p-9") is None


@pytest.mark.parametrize("state", DeviceState)
def test_a_device_keeps_the_state_that_it_was_given(settled: Database, state: DeviceState) -> None:
    with settled.transaction():
        registry.set_device_state(settled, DEVICE.id, state)

    assert registry.device(settled, DEVICE.id) == replace(DEVICE, state=state)


def test_devices_can_be_asked_for_one_home(settled: Database) -> None:
    elsewhere = Home(id=HomeId("h-2"), address="y")
    corner = Position(id=PositionId("position-2"), home_id=elsewhere.id, name="bed")
    other = replace(
        DEVICE, id=DeviceId("p-2"), home_id=elsewhere.id, position_id=corner.id, position=corner.name
    )

    with settled.transaction():
        registry.add_home(settled, elsewhere)
        registry.add_position(settled, corner)
        registry.add_device(settled, other)

    assert registry.devices(settled, home_id="h-2", limit=10) == [other]
    assert registry.devices(settled, home_id=None, limit=10) == [DEVICE, other]
    assert registry.devices(settled, home_id=None, limit=1) == [DEVICE]


@pytest.mark.parametrize(
    ("state", "holder"),
    [
        (DeviceState.IN_SERVICE, DEVICE.id),
        (DeviceState.SUSPENDED, DEVICE.id),
        (DeviceState.RETIRED, None),
    ],
)
def test_a_position_is_free_once_its_device_is_retired(
    settled: Database, state: DeviceState, holder: str | None
) -> None:
    with settled.transaction():
        registry.set_device_state(settled, DEVICE.id, state)

    assert registry.in_service_at(settled, POSITION.id) == holder


def test_organisations_come_by_id(settled: Database) -> None:
    assert registry.organisation(settled, "acme") == ACME
    assert registry.organisation(settled, "nobody") is None
    assert registry.organisations(settled, limit=10) == [ACME, BETA]


def test_the_same_organisation_cannot_be_there_twice(settled: Database, store: StoreUnderTest) -> None:
    with pytest.raises(store.rule_broken), settled.transaction():
        registry.add_organisation(settled, ACME)


def test_the_cities_are_the_organisations_of_that_kind(settled: Database) -> None:
    city = Organisation(id=OrganisationId("the-city"), name="The City", kind=OrganisationKind.CITY)
    before = registry.cities(settled)

    with settled.transaction():
        registry.add_organisation(settled, city)

    assert (before, registry.cities(settled)) == ([], ["the-city"])


def test_a_grant_comes_back_to_the_microsecond(settled: Database) -> None:
    grant = grant_of(
        position_id=POSITION.id,
        valid_from=START + timedelta(microseconds=1),
        valid_until=LATER + timedelta(microseconds=999_999),
        within=timedelta(seconds=1, microseconds=7),
        step=3,
    )

    with settled.transaction():
        registry.add_grant(settled, grant)

    assert registry.grant(settled, grant.id) == grant


def test_the_grants_of_a_home_are_those_of_the_class_ended_ones_included(settled: Database) -> None:
    held, ended = grant_of(), grant_of(BETA)
    fire = grant_of(data_class=DataClass.FIRE)

    with settled.transaction():
        for grant in (held, ended, fire):
            registry.add_grant(settled, grant)
        registry.revoke_grant(settled, ended.id, LATER)
    found = registry.grants_of_home(settled, HOME.id, DataClass.SAFETY)

    assert sorted(found, key=lambda grant: grant.id) == [held, replace(ended, revoked_at=LATER)]
    assert registry.grants_of_home(settled, "h-9", DataClass.SAFETY) == []


def test_grants_can_be_asked_for_by_home_and_organisation_newest_first(settled: Database) -> None:
    first, second, beta = grant_of(), grant_of(step=2), grant_of(BETA)

    with settled.transaction():
        for grant in (first, second, beta):
            registry.add_grant(settled, grant)

    assert registry.grants(settled, home_id=None, organisation_id="acme", limit=9) == [second, first]
    assert registry.grants(settled, home_id=HOME.id, organisation_id=None, limit=1) == [beta]
    assert registry.grants(settled, home_id="h-9", organisation_id="acme", limit=9) == []


def test_a_grant_that_was_ended_keeps_its_first_end(settled: Database) -> None:
    grant = grant_of()

    with settled.transaction():
        registry.add_grant(settled, grant)
        registry.revoke_grant(settled, grant.id, START)
        registry.revoke_grant(settled, grant.id, LATER)

    assert registry.grant(settled, grant.id) == replace(grant, revoked_at=START)
