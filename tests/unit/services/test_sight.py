"""What hangs in a home is known to those whose grants cover something that it can say."""

from dataclasses import replace
from datetime import timedelta

import pytest

from devices.kinds import DataClass, DeviceId, HomeId
from devices.profiles import load_profiles
from services.domain.homes import Device, DeviceState, Grant
from services.domain.ids import GrantId, OrganisationId, PositionId
from services.scopes import EVERY_CLASS, Scope
from services.sight import classes_of, known_devices
from tests.support.clock import START

PROFILES = load_profiles()
GRANTED = Scope(organisation_id=OrganisationId("acme"), is_whole=False, classes=EVERY_CLASS, at=START)
PENDANT = Device(
    id=DeviceId("p-1"),
    home_id=HomeId("h-1"),
    position_id=PositionId("pos-1"),
    position="pendant",
    profile="safety-alarm",
    state=DeviceState.IN_SERVICE,
)
GRANT = Grant(
    id=GrantId("g-1"),
    organisation_id=OrganisationId("acme"),
    home_id=HomeId("h-1"),
    position_id=None,
    data_class=DataClass.SAFETY,
    purpose="answers alarms",
    legal_basis="contract",
    valid_from=START,
    valid_until=None,
    step=1,
    within=timedelta(seconds=60),
)


def known(device: Device, *grants: Grant, scope: Scope = GRANTED) -> bool:
    return bool(known_devices([device], grants, scope, profiles=PROFILES))


def test_a_grant_for_something_that_a_device_can_say_shows_it() -> None:
    assert known(PENDANT, GRANT)
    assert known(PENDANT, replace(GRANT, position_id=PENDANT.position_id))


@pytest.mark.parametrize(
    "grant",
    [
        replace(GRANT, data_class=DataClass.PROPERTY),
        replace(GRANT, position_id=PositionId("pos-2")),
        replace(GRANT, home_id=HomeId("h-2")),
        replace(GRANT, valid_from=START + timedelta(microseconds=1)),
        replace(GRANT, valid_until=START),
        replace(GRANT, revoked_at=START),
    ],
    ids=["another class", "another position", "another home", "not yet", "over", "revoked"],
)
def test_any_other_grant_does_not(grant: Grant) -> None:
    assert not known(PENDANT, grant)


def test_what_is_retired_or_of_a_model_that_is_gone_is_for_the_city_alone() -> None:
    whole = replace(GRANTED, is_whole=True)
    for device in (replace(PENDANT, state=DeviceState.RETIRED), replace(PENDANT, profile="gone")):
        assert not known(device, GRANT)
        assert known(device, scope=whole)


def test_a_model_tells_of_what_it_can_raise_and_of_what_it_measures() -> None:
    assert {DataClass.SAFETY, DataClass.TECHNICAL} <= classes_of(PROFILES, "safety-alarm")
    assert DataClass.CLIMATE in classes_of(PROFILES, "humidity-meter")
    assert classes_of(PROFILES, "gone") == frozenset()
